"""The player of a report used in a real Chromium: heard, clicked, and steered by keyboard."""

import numpy as np
import pytest

from datagen.records import TRANSFERS
from datagen.report.report import write_report
from tests.report.conftest import talks_of
from tests.report.test_player import lag_samples
from tests.run.builds import made, talk

pytestmark = pytest.mark.slow
LEFT, RIGHT, HOME, END, SPACE = "\ue012", "\ue014", "\ue011", "\ue010", " "


@pytest.fixture(scope="module")
def seen(browse, page):
    """The report on a wide screen."""
    return browse(page)


@pytest.fixture(autouse=True)
def quiet_console(request):
    """No test leaves a message in the console."""
    yield
    if "seen" in request.fixturenames:
        assert request.getfixturevalue("seen").messages() == []


@pytest.fixture
def at(seen):
    """Milliseconds at which the player is, from the start of a fresh first conversation."""
    seen.click(".pick[data-index='0']")
    seen.run("seek(0)")
    return lambda: float(seen.run("return state.ms"))


def cursor(seen) -> float:
    """Where the cursor is drawn, in milliseconds."""
    return seen.run(
        "const c = document.getElementById('cursor').getBoundingClientRect(), t = $('track').getBoundingClientRect();"
        "return (c.left + c.width / 2 - t.left) / state.zoom"
    )


def test_play_moves_the_cursor_with_the_sound_and_pause_stops_it(seen, at):
    seen.click("#play")
    assert seen.run("return $('play').getAttribute('aria-label')") == "Pause"
    seen.until(lambda: at() > 700)
    assert abs(seen.run("return sound.now() - state.ms")) < 200
    seen.click("#play")
    stopped = at()
    assert abs(cursor(seen) - stopped) < 15
    assert float(seen.run("return $('seek').value")) == pytest.approx(stopped, abs=100)
    assert seen.text("#time-now") != "0:00.0"
    seen.run("return new Promise((done) => setTimeout(done, 200))")
    assert at() == stopped


def test_the_sound_is_where_the_timeline_says(seen, at, page, output):
    """What the browser makes of the MP3 has the length of the sound, and lies where it lies."""
    found = seen.run(
        """
        const bytes = Uint8Array.from(atob(state.talk.sounds.recorded.mp3), (c) => c.charCodeAt(0));
        return new OfflineAudioContext(2, 1, 24000).decodeAudioData(bytes.buffer).then((buffer) => {
          return [buffer.length, [0, 1].map((k) => [...buffer.getChannelData(k).slice(0, 120000)])];
        });
        """
    )
    talk = talks_of(page)[0]
    n_samples, channels = found
    assert n_samples == talk["n_ms"] * 24
    audio = output.conversation(talk["id"]).audio.samples[talk["first_ms"] * 24 :][:120_000]
    for channel in (0, 1):
        assert abs(lag_samples(np.array(channels[channel]), audio[:, channel])) <= 2


def test_it_stops_at_the_end_and_begins_anew(seen, at):
    n_ms = seen.run("return state.talk.n_ms")
    seen.press("#seek", END)
    assert at() == n_ms
    seen.press("#lanes", LEFT, SPACE)
    seen.until(lambda: not seen.run("return state.playing"))
    assert at() == n_ms
    seen.click("#play")
    seen.until(lambda: 0 < at() < n_ms - 1000)
    seen.click("#play")


def test_seek_by_click_in_the_lanes_and_in_the_overview(seen, at):
    seen.run("$('lanes').scrollLeft = 300; $('lanes').scrollIntoView({ block: 'center' })")
    scrolled = seen.run("return $('lanes').scrollLeft")
    seen.click_at("#lanes", 200, 60)
    assert at() == pytest.approx((scrolled + 200) / seen.run("return state.zoom"), abs=20)
    width, n_ms = seen.run("return [$('seek').clientWidth, state.talk.n_ms]")
    seen.click_at("#seek", width / 2, 20)
    assert at() == pytest.approx(n_ms / 2, rel=0.02)


def test_seek_by_keyboard(seen, at):
    seen.press("#lanes", RIGHT, RIGHT, RIGHT)
    assert at() == 3000
    seen.press("#seek", LEFT)
    assert at() == 2000
    seen.press("#lanes", HOME)
    assert at() == 0
    seen.press("#ahead", SPACE)
    assert at() == 5000
    seen.press("#back", SPACE)
    assert at() == 0
    seen.press(".script li:nth-child(3) button", SPACE)
    assert at() == seen.run("return Number($('script').children[2].dataset.start)") > 0
    assert seen.run("return scrollX") == 0


def test_while_playing_a_seek_goes_on_playing(seen, at):
    seen.click("#play")
    seen.until(lambda: at() > 100)
    seen.press("#lanes", RIGHT, RIGHT)
    seen.until(lambda: at() > 2400)
    assert seen.run("return state.playing")
    seen.click("#play")


def test_the_table_follows_the_cursor_to_the_frame(seen, at, page):
    talk = talks_of(page)[0]
    lines = [line for line in talk["rows"][0]["lines"] if 0 <= line["start_ms"] < line["end_ms"] <= talk["n_ms"]]
    assert len(lines) > 100
    for k in (3, -2):
        frame = 7
        seen.run("seek(arguments[0])", lines[k]["start_ms"] + frame * 40 + 5)
        now = seen.run("return [...document.querySelectorAll('#lines tr.now')].map((r) => r.cells[0].textContent)")
        assert len(now) == 1
        shown = seen.run("return [...document.querySelectorAll('#lines tr.now .codes .now')].map((c) => c.textContent)")
        wanted = [lines[k]["user"][frame], lines[k]["assistant"][frame]]
        assert shown == ["·" if code is None else str(code) for code in wanted]
        box, row = seen.run(
            "const r = (n) => n.getBoundingClientRect();"
            "const b = r($('lines')), t = r(document.querySelector('#lines tr.now'));"
            "return [[b.top, b.bottom], [t.top, t.bottom]]"
        )
        assert box[0] <= row[0]
        assert row[1] <= box[1]


def test_the_word_and_the_utterance_of_the_cursor_are_marked(seen, at, page):
    talk = talks_of(page)[0]
    utterance = next(u for u in talk["utterances"] if len(u["words"]) > 1 and u["words"][0][1] >= 0)
    text, start_ms, _ = utterance["words"][1]
    seen.run("seek(arguments[0])", start_ms + 1)
    assert text in seen.run("return [...document.querySelectorAll('.word.now')].map((n) => n.textContent)")
    assert any(utterance["said"] in item.text for item in seen.all("#script li.now"))


def test_a_click_in_the_table_seeks(seen, at):
    seen.run("document.querySelector('#lines tbody tr:nth-child(4)').scrollIntoView({ block: 'center' })")
    seen.click("#lines tbody tr:nth-child(4) td")
    assert at() == seen.run("return state.lines[3].start_ms") == seen.run("return state.lines[1].start_ms") + 800


def test_every_row_can_be_chosen_and_shows_its_text(seen, at, page):
    rows, n_ms = talks_of(page)[0]["rows"], talks_of(page)[0]["n_ms"]
    assert {row["task"] for row in rows} == {"asr", "tts", "four_stream", "three_stream", "two_stream"}
    for index in (0, 1, 2, len(rows) - 1):
        seen.run("$('row').value = arguments[0]; $('row').dispatchEvent(new Event('change'))", index)
        row, shown = rows[index], seen.text("#lines")
        assert f"{row['n_tokens']:,} tokens" in seen.text("#row-facts")
        inside = [line for line in row["lines"] if line.get("end_ms", 1) > 0 and line.get("start_ms", 0) < n_ms]
        assert all(line["text"] in shown for line in inside if line.get("text"))
        heads = [head.text for head in seen.all("#lines th")]
        assert ("assistant text" in heads) == (row["task"] == "three_stream")
    assert seen.all("#lines tr.now")  # the last row is of an utterance that begins later: the cursor went there


def test_when_an_utterance_ends_the_next_row_of_its_task_is_shown(seen, at, page):
    rows = talks_of(page)[0]["rows"]
    index, row = next((k, row) for k, row in enumerate(rows) if row["task"] == "asr")
    seen.run("$('row').value = arguments[0]; $('row').dispatchEvent(new Event('change'))", index)
    last_ms = max(
        line["end_ms"] for other in rows if other["task"] == "asr" for line in other["lines"] if "end_ms" in line
    )
    seen.run("seek(arguments[0])", last_ms - 1)
    chosen = rows[int(seen.run("return $('row').value"))]
    assert chosen["task"] == "asr"
    assert chosen["row_id"] != row["row_id"]


@pytest.mark.parametrize(
    ("channel", "gains"), [("both", [1, 0, 0, 1]), ("user", [1, 1, 0, 0]), ("assistant", [0, 0, 1, 1])]
)
def test_a_channel_alone_is_heard_in_both_ears(seen, at, channel, gains):
    seen.click("#play")
    seen.until(lambda: at() > 0)
    seen.click(f"[data-channel={channel}]")
    pressed = seen.run(
        "return [...document.querySelectorAll('[data-channel][aria-pressed=true]')].map((b) => b.textContent)"
    )
    assert pressed == [channel.capitalize()]
    assert seen.run("return sound.routing") == gains
    seen.click("#play")
    seen.click("#play")
    seen.until(lambda: seen.run("return sound.routing.length"))
    assert seen.run("return sound.routing") == gains
    seen.click("#play")


def test_as_the_model_hears_it_keeps_the_place(seen, at, page):
    drawn = seen.run("return document.querySelector('.lane.user path').getAttribute('d')")
    held = talks_of(page)[0]["sounds"]["decoded"]
    inside = held["first_ms"] + 1000
    seen.run("seek(arguments[0])", inside)
    seen.click("[data-sound=decoded]")
    assert at() == inside
    assert seen.run("return document.querySelector('.lane.user path').getAttribute('d')") != drawn
    assert "speech tokens decode to" in seen.text("#said")
    seen.click("#play")
    seen.until(lambda: at() > inside + 300)
    seen.click("#play")


def test_sound_that_is_a_part_is_drawn_and_played_in_its_place(seen, at, page):
    held, n_ms = talks_of(page)[0]["sounds"]["decoded"], talks_of(page)[0]["n_ms"]
    assert held["n_ms"] < n_ms
    seen.click("[data-sound=decoded]")
    left, width = seen.run(
        "const w = document.querySelector('.lane.user svg').getBoundingClientRect();"
        "return [(w.left - $('track').getBoundingClientRect().left) / state.zoom, w.width / state.zoom]"
    )
    assert (left, width) == (pytest.approx(held["first_ms"], abs=15), pytest.approx(held["n_ms"], abs=15))
    seen.run("seek(arguments[0])", held["first_ms"] + held["n_ms"] + 500 if held["first_ms"] == 0 else 0)
    seen.click("#play")
    seen.until(lambda: held["first_ms"] < at() < held["first_ms"] + held["n_ms"])
    seen.run("seek(arguments[0])", held["first_ms"] + held["n_ms"] - 150)
    seen.until(lambda: not seen.run("return state.playing"))
    assert at() == pytest.approx(held["first_ms"] + held["n_ms"], abs=150)


def test_a_page_opens_at_the_event_that_its_link_names(browse, page):
    seen, talks = browse(page), talks_of(page)
    assert seen.run("return state.ms") == talks[0]["opens_ms"]
    other = talks[1]
    seen.run("location.hash = arguments[0]", f"#conversation={other['id']}&t={other['first_ms'] / 1000 + 3.5}")
    seen.until(lambda: seen.run("return state.talk.id") == other["id"])
    assert seen.run("return state.ms") == pytest.approx(3500, abs=1)
    seen.run("seek(4200)")
    assert seen.run("return location.hash").endswith(f"t={other['first_ms'] / 1000 + 4.2:.1f}")
    seen.run("location.hash = '#conversation=nobody&t=x'")
    assert seen.run("return state.talk.id") == other["id"]


def test_keys_go_from_event_to_event_and_leave_lists_and_hidden_players_alone(seen, at):
    starts = seen.run("return shownEvents().map((e) => Math.max(e.start_ms - LEAD_MS, 0))")
    later = [start for start in starts if start > 50]
    seen.press("#lanes", "n")
    assert at() == later[0]
    assert " at " in seen.text("#event")
    seen.press("#lanes", "n", "p")
    assert at() <= later[0]
    seen.click("#event-next")
    assert at() > 0
    before = at()
    seen.press("#row", RIGHT)
    assert at() == before
    seen.run("document.querySelectorAll('details').forEach((d) => { d.open = true })")
    seen.run("document.activeElement.blur(); scrollTo(0, document.body.scrollHeight)")
    seen.press("body", RIGHT)
    assert at() == before
    seen.run("$('player').scrollIntoView()")
    seen.press("body", RIGHT)
    assert at() == before + 1000


def test_another_conversation_starts_at_its_event(seen, at, page):
    seen.click("#play")
    seen.until(lambda: at() > 100)
    seen.click(".pick[data-index='1']")
    assert at() == talks_of(page)[1]["opens_ms"]
    assert not seen.run("return state.playing")
    assert seen.text("#talk-title") == talks_of(page)[1]["id"]


def test_zoom_shows_the_whole_and_details(seen, at):
    seen.click("#zoom-all")
    whole, width = seen.run("return [$('track').offsetWidth, $('lanes').clientWidth]")
    assert whole == pytest.approx(width, abs=1)
    seen.click("#zoom-in")
    seen.click("#zoom-in")
    assert seen.run("return $('track').offsetWidth") > 2 * whole


def test_events_are_drawn_where_they_happen(seen, at, page):
    events = [e for e in talks_of(page)[0]["events"] if e["kind"] not in TRANSFERS | {"competition"}]
    drawn = seen.run(
        "const left = $('track').getBoundingClientRect().left;"
        "const ms = (e) => (e.getBoundingClientRect().left - left) / state.zoom;"
        "return [...document.querySelectorAll('.event')].map((e) => [e.textContent, ms(e)])"
    )
    wanted = sorted((e["label"].removesuffix(" (assistant)"), max(e["start_ms"], 0)) for e in events)
    assert [name for name, _ in sorted(drawn)] == [name for name, _ in wanted]
    for (_, x_ms), (_, start_ms) in zip(sorted(drawn), wanted, strict=True):
        assert x_ms == pytest.approx(start_ms, abs=15)
    assert {e["kind"] for e in events} & {"barge_in", "backchannel"}


@pytest.fixture(scope="module")
def short_page(tmp_path_factory):
    """The report of a conversation of a few seconds, which is shorter than the lanes are wide."""
    folder = tmp_path_factory.mktemp("short")
    records = [talk("Tell me about apples please.", "Sure, they are red and good.", id="short")]
    out, _ = made(folder, "mix.keep_audio=true", records=records)
    return write_report(str(out), str(folder / "report.html")).file


def places(seen) -> dict[str, list[float]]:
    """Begin and end of what is drawn in the track, in milliseconds at the zoom of the player."""
    return seen.run(
        "const left = $('track').getBoundingClientRect().left, box = (n) => n.getBoundingClientRect();"
        "const ms = (n) => [(box(n).left - left) / state.zoom, (box(n).right - left) / state.zoom];"
        "return { track: ms($('track')), wave: ms(document.querySelector('.lane.user svg')),"
        "word: ms(state.words[1].node), block: ms(document.querySelector('.lane.assistant .block')) }"
    )


@pytest.mark.parametrize("zoom", ["", "#zoom-in", "#zoom-out", "#zoom-all"])
def test_all_of_a_short_conversation_is_drawn_on_one_scale(browse, short_page, zoom):
    seen, (short,) = browse(short_page), talks_of(short_page)
    assert short["n_ms"] < 6000
    if zoom and seen.run("return !document.querySelector(arguments[0]).disabled", zoom):
        seen.click(zoom)
    drawn, held = places(seen), short["sounds"]["recorded"]
    assert drawn["track"] == pytest.approx([0, short["n_ms"]], abs=15)
    assert drawn["wave"] == pytest.approx([held["first_ms"], held["first_ms"] + held["n_ms"]], abs=15)
    user, assistant = (next(u for u in short["utterances"] if u["role"] == role) for role in ("user", "assistant"))
    assert drawn["word"] == pytest.approx(user["words"][1][1:], abs=15)
    assert drawn["block"] == pytest.approx([assistant["start_ms"], assistant["end_ms"]], abs=15)
    seen.click_at("#lanes", 300, 60)
    scrolled, at, zoomed = seen.run("return [$('lanes').scrollLeft, state.ms, state.zoom]")
    assert at == pytest.approx((scrolled + 300) / zoomed, abs=20)
    assert cursor(seen) == pytest.approx(at, abs=15)


def test_a_short_conversation_fills_the_lanes_when_it_opens(browse, short_page):
    seen = browse(short_page)
    assert seen.run("return $('track').offsetWidth") == pytest.approx(seen.run("return $('lanes').clientWidth"), abs=1)
    assert seen.run("return $('zoom-out').disabled")


@pytest.mark.parametrize("width", [1280, 390])
def test_a_link_shows_the_player_below_the_header(browse, page, width):
    seen = browse(page, width)
    seen.run("location.hash = arguments[0]", f"#conversation={talks_of(page)[1]['id']}&t=3")
    seen.until(lambda: seen.run("return state.talk.id") == talks_of(page)[1]["id"])
    header, top = seen.run(
        "return [document.querySelector('.top'), $('listen')].map((n) => n.getBoundingClientRect())"
        ".map((r, k) => (k ? r.top : r.bottom))"
    )
    assert header <= top < header + 60
