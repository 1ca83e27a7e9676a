"""A report looked at in a real Chromium: themes, contrast, narrow screens, the network, and hostile text."""

import pytest

from tests.report.conftest import HOSTILE, HOSTILE_ID, talks_of

pytestmark = pytest.mark.slow
CONTRAST = """
const parse = (text) => text.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => {
  const [x, y, z] = [r, g, b].map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
};
const over = ([r, g, b, a = 1], below) => [r, g, b].map((c, i) => c * a + below[i] * (1 - a));
const ground = (node) => {
  const layers = [];
  for (let at = node; at; at = at.parentElement) layers.push(parse(getComputedStyle(at).backgroundColor));
  return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
};
const bad = [];
for (const node of document.querySelectorAll("body *")) {
  const text = [...node.childNodes].filter((n) => n.nodeType === 3 && n.data.trim());
  if (!text.length || !node.checkVisibility({ visibilityProperty: true }) || node.matches(":disabled")) continue;
  const style = getComputedStyle(node), below = ground(node);
  const ink = over(parse(node.namespaceURI.endsWith("svg") ? style.fill : style.color), below);
  let [a, b] = [light(ink), light(below)];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const large = parseFloat(style.fontSize) >= 24;
  const name = `${node.tagName}.${node.className}: ${text[0].data.trim().slice(0, 30)}`;
  if (ratio < (large ? 3 : 4.5)) bad.push(`${ratio.toFixed(2)} ${name}`);
}
return bad;
"""


def test_the_theme_follows_the_system_and_the_switch(browse, page):
    ground = "return getComputedStyle(document.body).backgroundColor"
    bright, dark = browse(page), browse(page, dark=True)
    colours = bright.run(ground), dark.run(ground)
    assert colours[0] != colours[1]
    shown = []
    for _ in range(3):  # auto, light, dark, and again
        dark.click("#theme")
        shown.append((dark.text("#theme"), dark.run(ground)))
    assert shown == [("Theme: light", colours[0]), ("Theme: dark", colours[1]), ("Theme: auto", colours[1])]
    bright.click("#theme")
    bright.click("#theme")
    bright.open(page)
    assert (bright.text("#theme"), bright.run(ground)) == ("Theme: dark", colours[1])


def test_the_player_comes_first_and_tables_are_folded_until_they_are_wanted(browse, page):
    seen = browse(page)
    top = "return document.querySelector(arguments[0]).getBoundingClientRect().top"
    assert 0 < seen.run(top, "#player") < 400
    assert seen.run("return document.querySelectorAll('details.fold[open]').length") == 0
    seen.click("nav a[href='#audit']")
    assert seen.run("return [...document.querySelectorAll('details.fold[open]')].map((d) => d.id)") == ["audit"]
    seen.run("location.hash = '#origin'")
    seen.until(lambda: seen.run("return $('origin').open"))
    assert "human" not in seen.text("#contents")
    assert "human" not in seen.run("return document.querySelector('#timing .charts').textContent")


@pytest.mark.parametrize("width", [360, 500])
def test_every_section_can_be_reached_on_a_narrow_page(browse, page, width):
    seen = browse(page, width=width)
    boxes = seen.run(
        "return [...document.querySelectorAll('nav a, #theme')].map((a) => a.getBoundingClientRect())"
        ".map((r) => [r.left, r.right, r.height])"
    )
    assert len(boxes) == 8
    assert all(left >= 0 and right <= width and height >= 24 for left, right, height in boxes)


@pytest.mark.parametrize("dark", [False, True])
def test_text_has_contrast_and_controls_have_names(browse, page, dark):
    seen = browse(page, dark=dark)
    seen.run("document.querySelectorAll('details').forEach((d) => { d.open = true })")
    seen.run("seek(arguments[0])", talks_of(page)[0]["utterances"][1]["start_ms"] + 10)
    assert seen.run(CONTRAST) == []
    roles = {"button", "link", "slider", "combobox", "img", "image", "textbox"}
    nodes = [node for node in seen.tree() if node["role"]["value"] in roles]
    assert len(nodes) > 30
    assert [node for node in nodes if not node.get("name", {}).get("value", "").strip()] == []
    assert seen.run("return [...document.querySelectorAll('h1,h2,h3,h4')].map((h) => +h.tagName[1])")[0] == 1
    small = seen.run(
        "return [...document.querySelectorAll('button')].filter((b) => b.offsetParent && b.offsetHeight < 24).length"
    )
    assert small == 0


@pytest.mark.parametrize("width", [320, 360, 768])
def test_a_narrow_page_does_not_scroll_sideways(browse, page, hostile_page, width):
    for file in (page, hostile_page):
        seen = browse(file, width=width)
        seen.run("document.querySelectorAll('details').forEach((d) => { d.open = true })")
        assert seen.run("return document.documentElement.scrollWidth") <= width
        assert seen.run("return innerWidth") == width


def test_nothing_is_asked_of_the_network(browse, page):
    seen = browse(page)
    seen.click("#play")
    seen.until(lambda: seen.run("return state.ms") > 100)
    asked = [url for url in seen.requests() if not url.startswith(("data:", "about:", "chrome:"))]
    assert asked == [page.resolve().as_uri()]
    assert seen.messages() == []


def test_hostile_text_is_shown_and_does_nothing(browse, hostile_page):
    seen = browse(hostile_page)
    seen.run("document.querySelectorAll('details').forEach((d) => { d.open = true })")
    for index in range(len(talks_of(hostile_page)[0]["rows"])):
        seen.run("$('row').value = arguments[0]; $('row').dispatchEvent(new Event('change'))", index)
    seen.click("#play")
    seen.until(lambda: seen.run("return state.ms") > 100)
    assert not seen.has_dialog()
    assert seen.run("return window.hit === undefined")
    assert seen.run("return document.querySelectorAll('img, iframe, object, link, svg > svg').length") == 0
    assert seen.run("return document.querySelectorAll('script').length") == 1 + len(talks_of(hostile_page))
    assert seen.text("#talk-title") == HOSTILE_ID
    shown = seen.run("return document.body.innerText")
    for name in ("#script", "#rejects", "#origin", "#contents", "#talk-facts", ".word"):
        assert HOSTILE in seen.text(name).replace("\ufffd", "\x1b"), name
    assert shown.count("window.hit=1") > 20
    facts = [fact.text for fact in seen.all("#talk-facts dd")]
    assert [fact for fact in facts if fact.startswith("noise ") and "\\u202e" in fact and "\u202e" not in fact]
    assert seen.messages() == []
