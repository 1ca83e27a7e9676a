"""From dialogue to streams by marks: barge-ins at the very word, nothing lost, and the same laws as by rule."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datagen.pipeline.pipeline import Pipeline
from datagen.pipeline.script.script import WriteScript, follows_marks
from datagen.recipe.timing_config import profiles
from datagen.records import FLOOR, Dialogue, Mark, Origin, Reject, Script, Streams, Timeline, Turn
from datagen.shards.laws import conversation_faults
from datagen.text import to_spoken
from datagen.text.phrases import units
from tests.conftest import make_recipe, pools_of
from tests.run.builds import Forger, faults, made, read, talk
from tests.test_timing_laws import CHINESE, ENGLISH

OTHER = {"user": "assistant", "assistant": "user"}
SAYS = {"en": ("um", "mm-hm"), "zh": ("嗯", "对")}


@st.composite
def dialogues(draw) -> Dialogue:
    """A dialogue with marks of all kinds wherever they may be."""
    language, words, space = draw(st.sampled_from([("en", ENGLISH, " "), ("zh", CHINESE, "")]))
    texts = draw(st.lists(words.map(space.join), min_size=2, max_size=6))
    turns = tuple(Turn("assistant" if k % 2 else "user", text) for k, text in enumerate(texts))
    marks: list[Mark] = []
    for k, turn in enumerate(turns):
        end = len(units(to_spoken(turn.text, language)))
        interrupts = any((mark.kind, mark.turn) == ("barge_in", k - 1) for mark in marks)
        if k + 1 < len(turns) and not interrupts and end > 1 and draw(st.booleans()):
            end = draw(st.integers(1, end - 1))
            marks.append(Mark("barge_in", k, end, OTHER[turn.role]))
        pauses = draw(st.dictionaries(st.integers(0, end - 1), st.sampled_from(["", SAYS[language][0]]), max_size=3))
        marks += [Mark("hesitation", k, word, turn.role, filler) for word, filler in pauses.items()]
        listened = draw(st.sets(st.integers(1, end - 1), max_size=2)) if end > 1 else ()
        marks += [Mark("backchannel", k, word, OTHER[turn.role], SAYS[language][1]) for word in listened]
    origin = Origin("script", "script", 1, "0" * 64, "m", "1" * 64)
    return Dialogue("d1", turns, "test", language, marks=tuple(draw(st.permutations(marks))), written_by=(origin,))


def staged(dialogue: Dialogue, *overrides: str) -> tuple[Script, Timeline, Streams, Pipeline]:
    build = Pipeline(make_recipe("mix.noise=[]", *overrides))
    _, write, *others = build.steps()
    items = [write.make()(dialogue)]
    assert isinstance(items[0], Script), items[0]
    for step in others:
        items.append(step.make()(items[-1]))
    (timeline,) = (item for item in items if isinstance(item, Timeline))
    return items[0], timeline, items[-1], build


def end_of_word(timeline: Timeline, turn: int, word: int) -> int:
    """When so many units of a turn have been said, from the takes of its pieces: counted, not looked up."""
    left = word
    for placed in timeline.placed:
        if (placed.utterance.turn, placed.utterance.kind) != (turn, "turn"):
            continue
        for w in placed.take.words:
            inside = units(w.text)
            if left <= len(inside):
                length = w.end_samples - w.start_samples
                return placed.start_samples + w.start_samples + length * inside[left - 1].end // len(w.text)
            left -= len(inside)
    raise AssertionError("the turn has no such word")


EARLY = ("timing={user_fto: -1500, assistant_fto: -1500, early_ms: 2000, user_early_ms: 2000}",)
"""Turns begin so early that who is to interrupt would still be speaking."""


@pytest.mark.parametrize("timing", [*((f"timing={{profile: {name}}}",) for name in profiles()), EARLY], ids=str)
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(dialogues(), st.integers(0, 10**6))
def test_what_is_marked_happens_where_it_is_marked(timing, dialogue, seed):
    script, timeline, streams, build = staged(dialogue, *timing, f"seed={seed}")
    assert list(conversation_faults(streams, build.hop, build.speech_tokenizer.codebook_sizes)) == []
    assert streams.scripted_by == "marks"
    starts = {}
    for index, (u, s) in enumerate(zip(script.utterances, streams.utterances, strict=True)):
        assert "".join(f"{s.said}{s.unsaid}".split()) == "".join(u.spoken.split())
        starts.setdefault((u.turn, u.role), (index, s.start_samples))
    barge_ins = [mark for mark in dialogue.marks if mark.kind == "barge_in"]
    events = {e.utterance: e for e in streams.events if e.kind == "barge_in"}
    assert len(events) == len(barge_ins)
    for mark in barge_ins:
        index = next(
            k for k, u in enumerate(script.utterances) if u.turn == mark.turn + 1 and u.kind in FLOOR and u.barge_in
        )
        event = events[index]
        wanted = end_of_word(timeline, mark.turn, mark.word)
        assert event.placed
        assert event.role == mark.role
        assert (event.start_samples, streams.utterances[index].start_samples) == (wanted, wanted)
    hesitations = [m for m in dialogue.marks if m.kind == "hesitation" and (m.word or m.text)]
    assert sum(e.kind == "hesitation" for e in streams.events) == len(hesitations)
    assert sum(u.kind == "filler" for u in script.utterances) == sum(bool(m.text) for m in hesitations)
    tokens = [u for u in script.utterances if u.kind == "backchannel"]
    assert len(tokens) == sum(m.kind == "backchannel" for m in dialogue.marks)
    assert not {e.kind for e in streams.events} & {"false_start", "aside", "correction"}


@settings(max_examples=50, deadline=None)
@given(dialogues())
def test_no_turn_and_no_word_is_lost(dialogue):
    recipe = make_recipe("timing={profile: omniflatten}")
    script = WriteScript(recipe, pools_of(recipe, "a", "b", "c", "d"))(dialogue)
    for k, turn in enumerate(dialogue.turns):
        pieces = [u for u in script.utterances if (u.turn, u.role, u.kind) == (k, turn.role, "turn")]
        assert [u.text for u in pieces if u.text] == [turn.text]
        assert pieces[0].text == turn.text
        said = "".join(u.spoken for u in pieces)
        assert "".join(said.split()) == "".join(to_spoken(turn.text, dialogue.language).split())


def turns_of(*texts: str) -> tuple[Turn, ...]:
    return tuple(Turn("assistant" if k % 2 else "user", text) for k, text in enumerate(texts))


TURNS = turns_of(
    "Tell me about tea, please.", "Tea is a plant, that grows in the hills of Asia.", "Which plant?", "Many."
)
ALL = (
    "timing={barge_in: {probability: 1, families: {next_turn: 1, stop_request: 0}}, "
    "hesitation: {probability: 1, min_words: 3}, "
    "backchannel: {user_probability: 1, assistant_probability: 1, min_words: 1, phrase_words: 2}}"
)


def scripts(n: int, marks: tuple[Mark, ...], *overrides: str) -> list[Script]:
    recipe = make_recipe(*overrides)
    talks = [Dialogue(f"d{k}", TURNS, "test", "en", marks=marks) for k in range(n)]
    return [*map(WriteScript(recipe, pools_of(recipe, "a", "b", "c", "d")), talks)]


def test_with_marks_the_rules_for_what_they_say_rest():
    (by_rule,) = scripts(1, (), ALL)
    (by_marks,) = scripts(1, (Mark("backchannel", 1, 3, "user", "I see"),), ALL)
    assert {"hesitation", "backchannel"} <= {u.event for u in by_rule.utterances}
    assert any(u.barge_in for u in by_rule.utterances)
    assert [(u.kind, u.spoken) for u in by_marks.utterances] == [
        ("turn", TURNS[0].text),
        ("turn", TURNS[1].text),
        ("backchannel", "I see"),
        ("turn", TURNS[2].text),
        ("turn", TURNS[3].text),
    ]
    offsets = {u.turn: u.offset_samples for u in by_rule.utterances if u.text}
    assert all(u.offset_samples == offsets[u.turn] for u in by_marks.utterances if u.text)  # drawn as ever


def test_a_share_of_the_marked_follows_its_marks_whatever_else_is_built():
    marks = (Mark("hesitation", 0, 2, "user"),)
    found = scripts(300, marks, "script.marked_share=0.3")
    by_marks = [s.dialogue.id for s in found if s.scripted_by == "marks"]
    assert 60 < len(by_marks) < 120
    assert by_marks == [f"d{k}" for k in range(300) if follows_marks(Dialogue(f"d{k}", (), marks=marks), 0.3)]
    more = scripts(300, marks, "script.marked_share=0.5", "seed=9")
    assert set(by_marks) < {s.dialogue.id for s in more if s.scripted_by == "marks"}
    rules = scripts(300, (), ALL)
    unmarked = scripts(300, (Mark("hesitation", 0, 2, "user"),), ALL, "script.marked_share=0")
    assert [s.utterances for s in unmarked] == [s.utterances for s in rules]


def test_a_script_without_any_mark_is_a_script_if_a_writer_says_so():
    origin = Origin("script", "script", 1, "", "m", "")
    assert follows_marks(Dialogue("d", (), written_by=(origin,)), 1)
    assert not follows_marks(Dialogue("d", (), written_by=(Origin("judge", "judge", 1, "", "m", ""),)), 1)


@pytest.mark.parametrize(
    ("mark", "says"),
    [
        (Mark("barge_in", 0, 5, "assistant"), r"marks\[0\].word is 5, but turn 0 says 5 units, .*: 4 at most"),
        (Mark("hesitation", 1, 99, "assistant"), r"marks\[0\].word is 99, but turn 1 says 11 units"),
        (Mark("backchannel", 3, 1, "user", "oh"), r"turn 3 says 1 unit, and one must come after the mark: leave"),
        (Mark("backchannel", 1, 1, "user", "😀"), r"marks\[0\].text has nothing to say aloud: '😀'; give words"),
    ],
)
def test_a_mark_at_no_place_of_what_is_said_is_a_reject(mark, says):
    (found,) = scripts(1, (mark,))
    assert isinstance(found, Reject)
    assert (found.stage, found.reason) == ("script", "bad_mark")
    assert re.search(says, found.detail)


def test_places_are_those_of_the_spoken_text():
    talk_ = Dialogue(
        "d", turns_of("It is 300 km.", "Oh."), "test", "en", marks=(Mark("hesitation", 0, 4, "user", "3"),)
    )
    recipe = make_recipe()
    script = WriteScript(recipe, pools_of(recipe, "a", "b", "c", "d"))(talk_)
    assert [u.spoken for u in script.utterances] == ["It is three hundred", "three", "kilometers.", "Oh."]


def test_a_filler_opens_a_turn_and_silence_before_it_makes_it_later():
    def floor(text: str) -> tuple[Script, Streams]:
        talk_ = Dialogue("d", TURNS, "test", "en", marks=(Mark("hesitation", 2, 0, "user", text),))
        return staged(talk_)[::2]

    script, streams = floor("um")
    filler, rest = script.utterances[2:4]
    assert (filler.kind, filler.spoken, filler.text) == ("filler", "um", "")
    assert (rest.spoken, rest.text, rest.event) == (TURNS[2].text, TURNS[2].text, "hesitation")
    (event,) = (e for e in streams.events if e.kind == "hesitation")
    assert (event.start_samples, event.end_samples) == (
        streams.utterances[2].start_samples,
        streams.utterances[3].start_samples,
    )
    silent = floor("")[0].utterances[2]
    assert silent.kind == "turn"
    assert silent.offset_samples == filler.offset_samples + rest.offset_samples


MARKED = [
    {"kind": "barge_in", "turn": 1, "word": 4, "role": "user", "why": "x"},
    {"kind": "hesitation", "turn": 0, "word": 2, "role": "user", "text": "um"},
    {"kind": "backchannel", "turn": 3, "word": 3, "role": "user", "text": "okay"},
]
ORIGIN = {"task": "script", "prompt": "script", "version": 2, "prompt_sha256": "a", "model": "m", "answer_sha256": "b"}
TEXTS = ("Tell me about tea.", "Tea grows in the hills of Asia.", "Which ones?", "In many of them, as I said.")


def records(n: int) -> list[object]:
    """Every second has marks."""
    more = {"marks": MARKED, "scores": {"safety": 9, "spokenness": 7}, "written_by": [ORIGIN]}
    return [talk(f"This is {k}.", *TEXTS[1:], id=f"d{k}", **(more if k % 2 else {})) for k in range(n)]


LOCAL = ("splits={validation: 0, test: 0, share_voices: true}", "input.exact_duplicates=false", ALL)


def test_a_build_by_marks_is_whole_says_so_and_is_the_same_with_more_workers(tmp_path):
    out, manifest = made(tmp_path / "one", *LOCAL, records=records(6), n_workers=1)
    assert faults(out) == []
    rows = {row["dialogue_id"]: row for row in read(out, "conversations")}
    assert [rows[f"d{k}"]["scripted_by"] for k in range(6)] == ["rules", "marks"] * 3
    assert rows["d1"]["judged"] == {"spokenness": 7, "coherence": None, "safety": 9}
    assert rows["d1"]["written_by"] == [{**ORIGIN, "attempt": 0}]
    assert (rows["d0"]["judged"], rows["d0"]["written_by"]) == (None, [])
    (cut,) = (u for u in rows["d1"]["utterances"] if u["n_cut_samples"])
    assert cut["said"].startswith("Tea grows in the")
    again = made(tmp_path / "two", *LOCAL, records=records(6), n_workers=2)[1]
    assert again.digest == manifest.digest


def test_a_check_finds_a_barge_in_that_is_not_where_a_word_ends(tmp_path):
    out, _ = made(tmp_path, *LOCAL, records=records(2))
    forger = Forger(out)
    (key,) = forger.keys("conversations")

    def later(rows):
        (row,) = (row for row in rows if row["scripted_by"] == "marks")
        (event,) = (e for e in row["events"] if e["kind"] == "barge_in")
        u = row["utterances"][event["utterance"]]
        for moved in (event, u, *u["words"][:1]):
            moved["start_samples"] += 1

    forger.edit(key, later)
    forger.seal()
    assert any("does not start where a word of the other ends" in fault for fault in faults(out))


def test_text_of_marks_is_data(tmp_path):
    hostile = "<|eot|> {{ 7 * 7 }} `rm` <script> [bold]"
    marks = [
        {"kind": "backchannel", "turn": 1, "word": 2, "role": "user", "text": hostile, "why": hostile},
        {"kind": "hesitation", "turn": 1, "word": 3, "role": "assistant", "text": hostile},
    ]
    out, manifest = made(tmp_path, records=[talk(*TEXTS, id="d", marks=marks)])
    assert faults(out) == []
    (row,) = read(out, "conversations")
    heard = [u for u in row["utterances"] if u["kind"] in ("backchannel", "filler")]
    assert [u["spoken"] for u in heard] == [to_spoken(hostile, "en")] * 2
    assert max(max(u["text_ids"]) for u in heard) < manifest.vocabulary.n_text


@pytest.mark.slow
def test_real_speech_is_interrupted_at_the_times_of_its_words():
    talk_ = Dialogue(
        "d",
        turns_of(
            "Can you tell me how tea is made, step by step?",
            "Of course, you begin by warming the pot with a little hot water, and then pour it out again.",
            "Wait, what kind of pot?",
            "Any pot of clay will do, since it keeps the heat.",
        ),
        "test",
        "en",
        marks=(
            Mark("barge_in", 1, 10, "user"),
            Mark("hesitation", 1, 5, "assistant", "uh"),
            Mark("hesitation", 0, 5, "user"),
            Mark("backchannel", 3, 5, "user", "okay"),
        ),
    )
    recipe = ("engines.tts={name: hibari}", "voices.assistant=heart")
    _, timeline, streams, build = staged(talk_, *recipe)
    assert list(conversation_faults(streams, build.hop, build.speech_tokenizer.codebook_sizes)) == []
    (event,) = (e for e in streams.events if e.kind == "barge_in")
    assert event.start_samples == end_of_word(timeline, 1, 10)
    cut = streams.utterances[event.utterance - 1]
    assert cut.said.startswith("warming the pot with a")
