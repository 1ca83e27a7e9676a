"""One conversation: its frames, sound and rows, and displays in which no text of the data does anything."""

import re
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pytest
import soundfile

import datagen.inspect
from datagen.errors import DatagenError
from datagen.inspect import Output, StoredConversation
from datagen.inspect.html import inert
from datagen.inspect.timeline import lines_of
from datagen.records import TRANSFERS
from tests.inspect.conftest import HOSTILE, HOSTILE_ID
from tests.run.builds import made, read

STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
ALLOWED = {
    *("div", "b", "p", "span", "code", "details", "summary", "table", "tr", "th", "td", "audio"),
    *("svg", "g", "title", "rect", "text", "line", "polygon"),
}
"""Nothing that runs, loads or styles."""


class Page(HTMLParser):
    """Elements, attributes and text of a page, as a browser would take them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.depth = 0
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self.depth += 1

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.depth -= 1

    def handle_endtag(self, tag):
        self.depth -= 1

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def talk(output: Output) -> StoredConversation:
    return output.conversation("d1")


def stored(out, dialogue_id: str) -> dict:
    return next(row for row in read(out, "conversations") if row["dialogue_id"] == dialogue_id)


def test_frames_are_what_is_stored(out, talk):
    row = stored(out, "d1")
    utterances, events, words = talk.utterances, talk.events, talk.words
    for name in ("role", "kind", "voice", "said", "unsaid", "start_samples", "end_samples", "offset_samples", "turn"):
        assert utterances[name].tolist() == [u[name] for u in row["utterances"]], name
    for name in ("kind", "role", "start_samples", "end_samples", "utterance", "placed"):
        assert events[name].tolist() == [e[name] for e in row["events"]], name
    wanted = [(k, w["text"], w["start_samples"]) for k, u in enumerate(row["utterances"]) for w in u["words"]]
    assert list(zip(words["utterance"], words["text"], words["start_samples"], strict=True)) == wanted
    assert utterances["start_ms"].tolist() == [round(u["start_samples"] / 24) for u in row["utterances"]]
    assert utterances["end_ms"].tolist() == [round(u["end_samples"] / 24) for u in row["utterances"]]


def test_sound_is_what_is_stored(out, talk):
    samples, rate = soundfile.read(BytesIO(stored(out, "d1")["audio_flac"]), dtype="int16")
    assert np.array_equal(talk.audio.samples, samples)
    assert talk.audio.rate_hz == rate == talk.sample_rate_hz
    assert talk.audio.samples.shape == (talk.streams.n_samples, 2)
    assert talk.seconds == talk.streams.n_samples / rate


def test_decoded_is_what_the_tokenizer_makes_of_the_codes(work, talk):
    wanted = work.speech_tokenizer.decode(talk.streams.user_codes)
    assert talk.decoded.samples.shape == (talk.streams.n_samples, 2)
    assert np.abs(talk.decoded.samples[:, 0] / 32767 - wanted).max() < 1e-4
    wanted = work.speech_tokenizer.decode(talk.streams.assistant_codes)
    assert np.abs(talk.decoded.samples[:, 1] / 32767 - wanted).max() < 1e-4


def test_without_kept_sound_the_error_names_both_mends(silent_out):
    talk = datagen.inspect.open(str(silent_out)).conversation("d1")
    assert not talk.has_audio
    with pytest.raises(DatagenError, match=r"build with --set mix\.keep_audio=true, or .*--decoded"):
        _ = talk.audio
    page = talk._repr_html_()
    assert "kept no sound" in page
    assert "<audio" not in page
    assert "<polygon" not in page


def test_showing_a_conversation_reads_no_sound(output, capsys):
    from datagen.inspect.show import show

    talk = output.conversation("d1")
    show(talk)
    assert "with its sound" in capsys.readouterr().out
    assert "audio" not in vars(talk._file)
    assert len(talk.audio.samples)
    assert "audio" in vars(talk._file)


def test_rows_of_a_conversation_are_all_its_rows_and_no_others(out, output):
    for talk in output.conversations():
        for task in ("asr", "three_stream"):
            wanted = [row["row_id"] for row in read(out, task) if row["dialogue_id"] == talk.dialogue_id]
            assert [row.row_id for row in talk.rows(task)] == wanted
            assert wanted
    with pytest.raises(DatagenError, match="no rows of task 'tts'"):
        talk.rows("tts")


def test_a_conversation_without_utterances_or_events_has_empty_frames(talk):
    from dataclasses import replace

    bare = replace(talk, streams=replace(talk.streams, utterances=(), events=()))
    assert all(len(frame) == 0 for frame in (bare.utterances, bare.events, bare.words))
    assert list(bare.words.columns)[:2] == ["utterance", "role"]
    assert "0 utterances" in bare._repr_html_()


def test_the_timeline_shows_every_utterance_and_event_where_it_is(talk):
    lines = list(lines_of(talk.streams, talk.sample_rate_hz, talk.audio))
    assert [line.start_s for line in lines] == list(range(0, int(np.ceil(talk.seconds)), 20))
    first = lines[0]
    heard = [u for u in talk.streams.utterances if u.role == "user" and u.end_samples > u.start_samples]
    spans = list(first.lanes[0].utterances)
    inside = [u for u in heard if u.start_samples < 20 * 24_000]
    assert [span.text for span in spans] == [u.said for u in inside]
    assert [span.x for span in spans] == [round(u.start_samples / 480, 1) for u in inside]
    events = [e for e in talk.streams.events if e.placed and e.kind not in TRANSFERS]
    assert sum(len(line.events) for line in lines) >= len(events)
    assert "barge-in" in {span.text for line in lines for span in line.events}


def test_labels_of_events_do_not_cover_each_other(talk):
    """Two rows of labels; of three events at once, one has only what the pointer shows."""
    from dataclasses import replace

    from datagen.records import Event

    starts = {"noise_burst": 0, "other_talker": 2_400, "backchannel": 4_800, "prompt": 240_000}
    events = tuple(Event(kind, "user", at, at + 24_000) for kind, at in starts.items())
    (line, *_) = lines_of(replace(talk.streams, events=events), talk.sample_rate_hz, None)
    assert [(span.text, span.row) for span in line.events] == [
        ("noise burst", 0),
        ("other talker", 1),
        ("", 0),
        ("prompt", 0),
    ]
    assert [span.title for span in line.events][2] == "0.20 s backchannel"


def test_waves_are_loud_where_the_channel_is(talk):
    (line, *_) = lines_of(talk.streams, talk.sample_rate_hz, talk.audio)
    for channel, lane in enumerate(line.lanes):
        peaks = [-float(point.split(",")[1]) for point in lane.wave.split()[:500]]
        padded = np.zeros(480_000)
        padded[: min(480_000, talk.streams.n_samples)] = talk.audio.samples[:480_000, channel]
        wanted = np.abs(padded.reshape(500, 960)).max(axis=1)
        assert np.corrcoef(peaks, wanted)[0, 1] > 0.999


def test_display_has_sound_and_both_lanes(talk):
    page = talk._repr_html_()
    assert "data:audio/mpeg;base64," in page
    assert page.count("<polygon") == 2 * page.count('role="img"')
    assert repr(talk).startswith("Conversation('d1', ")


def displays(out) -> dict[str, str]:
    output = datagen.inspect.open(str(out))
    talk = output.conversation(HOSTILE_ID)
    rows = {task: talk.rows(task)[0]._repr_html_() for task in ("asr", "four_stream", "three_stream", "two_stream")}
    return {"output": output._repr_html_(), "conversation": talk._repr_html_(), **rows}


def test_hostile_text_does_nothing_on_a_page(hostile_out):
    for name, shown in displays(hostile_out).items():
        page = Page(shown)
        assert page.tags <= ALLOWED, name
        assert page.depth == 0, name
        assert not any(attribute.startswith("on") for attribute, _ in page.attributes)
        urls = [value for attribute, value in page.attributes if attribute in ("src", "href")]
        assert all(url.startswith("data:audio/mpeg") for url in urls)
        assert not STEERING.search(shown), name
        if name == "conversation":
            assert inert(HOSTILE) in page.text
            assert inert(HOSTILE_ID) in page.text


def test_hostile_text_does_nothing_in_a_terminal(hostile_out, capsys):
    from datagen.inspect.show import show

    output = datagen.inspect.open(str(hostile_out))
    show(output.conversation(HOSTILE_ID))
    said = capsys.readouterr().out
    assert not STEERING.search(said.replace("\n", ""))
    assert "[bold]{0}%s{{ 7 * 7 }}" in said.replace(" ", "").replace("{{7*7}}", "{{ 7 * 7 }}")
    print(output.conversation(HOSTILE_ID).rows("three_stream")[0])
    assert not STEERING.search(capsys.readouterr().out.replace("\n", ""))


def test_show_says_who_says_what_when(tmp_path, capsys):
    from datagen.inspect.show import show

    out, _ = made(tmp_path, "timing.profile=hard", "timing.barge_in.probability=1", "mix.line.probability=1", n=3)
    for talk in datagen.inspect.open(str(out)).conversations():
        show(talk)
        head, *lines = capsys.readouterr().out.splitlines()
        assert all(
            word in head for word in (talk.dialogue_id, talk.split, f"{talk.seconds:.1f} s", "assistant: tone-0")
        )
        assert "line: " in head
        assert all(len(line) <= 120 for line in lines)
        whole = " ".join(" ".join(lines).split())
        for u in talk.streams.utterances:
            starts = [line for line in lines if line.startswith(f"{u.start_samples / 24_000:6.2f}")]
            first = u.said.split()[0] if u.said else f"[{u.unsaid.split()[0]}"
            assert any(first.strip("]") in line for line in starts), u
            if u.unsaid:
                assert f"[{u.unsaid.split()[0]}" in whole
        for event in talk.streams.events:
            name = event.kind.replace("barge_in", "barge-in").replace("_", " ")
            assert name.split()[0] in whole if event.placed else f"({name.split()[0]}" in whole


def test_show_fits_eighty_columns(output, monkeypatch, capsys):
    from datagen import terminal
    from datagen.inspect import show

    monkeypatch.setattr(show, "_PIPED_WIDTH", 80)
    assert terminal._PIPED_WIDTH != 80
    show.show(output.conversation("d1"))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert any("apples" in line for line in lines)
