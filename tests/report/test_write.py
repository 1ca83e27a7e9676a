"""The page as a file: all in one, the same again, and clear errors."""

import html
import re
from dataclasses import replace

import pytest

import datagen.inspect
from datagen.audit.audit import PREDICTORS
from datagen.errors import DatagenError, LimitError
from datagen.evaluate.cells import Cell
from datagen.evaluate.tables import Column, Document, Table
from datagen.report.page import render
from datagen.report.report import default_file, read, write_report
from datagen.run.reflatten import reflatten
from tests.report.conftest import HOSTILE, talks_of
from tests.run.builds import faults, made, talk


def test_the_page_holds_everything_in_itself(page):
    text = page.read_text("utf-8")
    assert not re.search(r"""(?:src|href)=["'](?!#)""", text)
    assert "url(" not in text
    assert "default-src 'none'" in html.unescape(text)
    assert len(talks_of(page)) == 3


@pytest.mark.slow
def test_the_same_build_gives_the_same_page(out, page, tmp_path):
    again = write_report(str(out), str(tmp_path / "again.html"), 3).file
    assert again.read_bytes() == page.read_bytes()


def test_it_says_what_was_built_from_what(page, output):
    text = page.read_text("utf-8")
    m = output.manifest
    for said in (m.digest, "package:quickstart.jsonl", "tone-0", f"in {m.n_conversations} dialogues", "bytes"):
        assert said in text
    assert text.count("<svg") > 12


def test_the_audit_has_a_line_per_predictor(page):
    (section,) = re.findall(r'<details class="fold" id="audit">.*?</details>', page.read_text("utf-8"), re.DOTALL)
    assert section.count('<th scope="row">') == len(PREDICTORS) + 1
    assert "interruption from text" in section


def test_by_default_it_lies_in_the_build_which_stays_whole(tmp_path):
    out, _ = made(tmp_path, n=2)
    assert write_report(str(out)).file == out / "report.html" == default_file(str(out))
    assert faults(out) == []


def test_scores_are_shown_with_their_names_as_data(tmp_path):
    out, manifest = made(tmp_path, n=2)
    table = Table.of("loss", "loss", [Column("speech", "number", "tokens")], {HOSTILE: {"speech": Cell(2.5, n=70)}})
    scores = tmp_path / "scores.json"
    scores.write_text(Document("elsewhere", manifest.digest, "test", (table,)).to_json(), "utf-8")
    text = write_report(str(out), None, 0, scores=str(scores)).file.read_text("utf-8")
    (section,) = re.findall(r'<details class="fold" id="scores">.*?</details>', text, re.DOTALL)
    assert "2.500 (n 70)" in section and "1 table of test rows" in section
    assert "<script" not in section and "<img" not in section and "\x1b" not in section
    assert 'id="scores"' not in write_report(str(out), None, 0).file.read_text("utf-8")


def test_scores_of_another_build_are_refused(tmp_path):
    out, _ = made(tmp_path, n=2)
    scores = tmp_path / "scores.json"
    scores.write_text(Document("elsewhere", "0" * 32, "test", ()).to_json(), "utf-8")
    with pytest.raises(DatagenError, match=r"scores.json holds scores of another build \(elsewhere\)"):
        write_report(str(out), None, 0, scores=str(scores))


def test_a_page_without_conversations_to_hear(tmp_path):
    out, _ = made(tmp_path, n=2)
    text = write_report(str(out), None, 0).file.read_text("utf-8")
    assert "There are no conversations to play" in text


def test_a_build_without_audio_says_so_and_has_the_decoded_sound(tmp_path):
    page = write_report(str(made(tmp_path, n=2)[0])).file
    assert "kept no audio" in page.read_text("utf-8")
    assert [set(talk["sounds"]) for talk in talks_of(page)] == [{"decoded"}]


def test_another_tokenizer_version_is_named_and_nothing_decoded(tmp_path):
    out, _ = made(tmp_path, n=2)
    output = datagen.inspect.open(str(out))
    engines = output.manifest.engines
    engines["speech_tokenizer"] = replace(engines["speech_tokenizer"], version="of old")
    content = read(output, 1)
    assert "of old" in content.mute
    assert [talk["sounds"] for talk in content.talks] == [{}]


def test_the_page_states_the_origin_of_weights_and_events_in_words(tmp_path):
    out, _ = made(tmp_path, n=2)
    output = datagen.inspect.open(str(out))
    engines = output.manifest.engines
    engines["tts"] = replace(engines["tts"], lineage="distilled from <a hummer>")
    text = render(read(output, 0))
    assert "<dt>tts made of</dt><dd><bdi>distilled from &lt;a hummer&gt;</bdi></dd>" in text
    meanings = text.partition("What the events mean")[2].partition("</dl>")[0]
    assert "same times as its barge-in" in meanings
    assert "`" not in meanings


def test_a_build_of_rejects_alone(tmp_path):
    """It ends before it begins, so there is nothing to report on."""
    with pytest.raises(LimitError, match="no dialogue is kept"):
        made(tmp_path, "run.unit_dialogues=1", records=["nonsense", 3])


def test_shards_flattened_anew_have_rows_only(tmp_path):
    out, _ = made(tmp_path, n=3)
    reflatten(str(out), str(tmp_path / "flat"), {"tasks": ["two_stream"]}, 0)
    text = write_report(str(tmp_path / "flat")).file.read_text("utf-8")
    assert "made by <code>datagen flatten</code> from another build" in text
    assert "Histogram of the lengths of two_stream rows" in text


def test_a_place_that_cannot_be_written_is_one_clear_error(tmp_path):
    out, _ = made(tmp_path, n=2)
    (tmp_path / "file").write_text("")
    with pytest.raises(DatagenError, match=r"cannot write .*report\.html.*--to"):
        write_report(str(out), str(tmp_path / "file" / "report.html"))
    with pytest.raises(DatagenError, match=r"cannot write"):
        write_report(str(out), str(tmp_path))
    assert not list(tmp_path.glob(".*"))


def test_an_object_store(tmp_path, s3, monkeypatch):
    monkeypatch.chdir(tmp_path)
    from datagen.run.build import build
    from tests.run.builds import fake

    build(fake(tmp_path / "in", n=2), s3, 0)
    page = write_report(s3).file
    assert page.name == f"{s3.rpartition('/')[2]}-report.html"
    assert len(talks_of(page)) == 1


def test_hostile_text_stays_data(hostile_page):
    text = hostile_page.read_text("utf-8")
    assert text.count("<script") == 2 + text.count('<script type="application/json"') - 1
    assert HOSTILE not in text
    assert "<img" not in text
    assert "\u2028" not in "".join(re.findall(r"<script.*?</script>", text, re.DOTALL))
    (talk,) = talks_of(hostile_page)
    assert talk["utterances"][0]["said"] == HOSTILE


def test_the_page_says_who_wrote_and_judged(tmp_path):
    origin = {"task": "script", "prompt": "script", "version": 4, "prompt_sha256": "f" * 64, "model": "the-model"}
    mark = {"kind": "backchannel", "turn": 1, "word": 2, "role": "user", "text": "okay"}
    more = {"marks": [mark], "scores": {"safety": 9}, "written_by": [{**origin, "answer_sha256": "a"}]}
    records = [
        talk("Tell me more.", "It is red, as you see.", id="a", **more),
        talk("And how are you?", "Fine, thank you.", id="b"),
    ]
    records += [talk("Tell me this.", "It is blue.", id="c")]
    text = write_report(str(made(tmp_path, records=records)[0])).file.read_text("utf-8")
    assert "Scripts: 1 by marks, 2 by rules" in text
    for said in ("the-model", "f" * 12, ">safety<"):
        assert said in text
    assert "Scripts:" not in write_report(str(made(tmp_path / "plain", n=2)[0])).file.read_text("utf-8")


@pytest.mark.slow
def test_an_excerpt_is_named_as_one(out, tmp_path, monkeypatch):
    monkeypatch.setattr("datagen.report.player._RECORDED_S", 20)
    text = write_report(str(out), str(tmp_path / "r.html"), 3).file.read_text("utf-8")
    assert re.search(r"<span>\d+ s from a conversation of [\d a-z]+ s</span>", text)
    assert "Of long ones this page holds an excerpt" in text
    monkeypatch.undo()
    whole = write_report(str(out), str(tmp_path / "w.html"), 1).file.read_text("utf-8")
    assert "from a conversation of" not in whole
