"""Preference pairs: one prompt, the right reaction as the build has it, and a wrong one from the same takes."""

import datasets
import numpy as np
import pytest

import datagen.inspect
from datagen.errors import DatagenError
from datagen.export.reactions import IGNORED, Sounds, wrong_reactions
from datagen.records import HARD_NEGATIVES, SPLITS, Event, Spoken, Streams, Word
from datagen.shards.layout import ChunkLayout
from tests.export.conftest import send
from tests.run.builds import Forger, made, talk
from tests.shared import shared

EVENTS = {"talks_on": {"barge_in"}, "answers_pause": {"hesitation"}, "stops": set(IGNORED)}
RECORDS = [
    talk(
        f"Tell me about {k} apples and how they grow, please.",
        "Sure, the apples are red, and they grow on trees near the river, where the water is cold.",
        "And are they good for me and my family?",
        "Yes, they are, if you eat them every day and wash them before you do.",
        id=f"d{k}",
        system="Be brief.",
    )
    for k in range(16)
]
BUILDS = {
    "three_stream": (),
    "two_stream": ("flatten.assistant_silence=codes",),
    "codebooks": ("engines.speech_tokenizer={name: tone_codebooks}", "flatten.codebooks=3"),
    "words": ("flatten.text_alignment=words", "flatten.system_prompt=true"),
    "heard": ("flatten.interrupted_text=heard", "flatten.max_tokens=500", "flatten.system_prompt=true"),
}


_LONG = ("codebooks", "words")
"""Builds whose tests are slow tests."""


@pytest.fixture(scope="module", params=[pytest.param(b, marks=pytest.mark.slow if b in _LONG else ()) for b in BUILDS])
def pairs(request, tmp_path_factory):
    """A build, its layout, and all pairs by split, read back from the export."""

    def fill(folder):
        changes = ("timing.profile=hard", "flatten.tasks=[three_stream, two_stream]", *BUILDS[request.param])
        made(folder, *changes, records=RECORDS)

    folder = shared(tmp_path_factory, f"pairs-{request.param}", fill)
    task = request.param if request.param in ("three_stream", "two_stream") else "three_stream"
    to = tmp_path_factory.mktemp("pairs") / "to"
    send(folder / "out", to, "preference", task=task)
    output = datagen.inspect.open(str(folder / "out"))
    layout = ChunkLayout.of(output.manifest.recipe["flatten"], output.vocabulary.n_codebooks, task)
    cache = str(tmp_path_factory.mktemp("cache"))
    return output, layout, task, datasets.load_dataset(str(to), cache_dir=cache)


def each(pairs):
    """Every pair with its row, its conversation, and its wrong reaction."""
    output, _, task, found = pairs
    for split, rows in found.items():
        for pair in rows:
            conversation = output.conversation(pair["dialogue_id"])
            assert conversation.split == split
            row_id, _, event = pair["pair_id"].rpartition("#")
            (row,) = [row for row in conversation.rows(task) if row.row_id == row_id]
            m = output.manifest
            sounds = Sounds(m.clock.sample_rate_hz, m.clock.hop_samples, m.silence.codes)
            wrongs = {wrong.event: wrong for wrong in wrong_reactions(conversation.streams, sounds)}
            yield pair, row, conversation.streams, wrongs[int(event)]


def places(pair, layout):
    """The place in its chunk of each token of a completion."""
    return (np.arange(len(pair["chosen_ids"])) + layout.user.stop) % layout.width


def test_every_kind_of_reaction_is_there_and_every_split(pairs):
    *_, found = pairs
    assert set(found) == set(SPLITS)
    reactions = {(pair["event"], pair["reaction"]) for rows in found.values() for pair in rows}
    assert {reaction for _, reaction in reactions} == set(EVENTS)
    assert all(event in EVENTS[reaction] for event, reaction in reactions)


def test_the_prompt_and_the_right_reaction_are_a_stretch_of_the_row(pairs):
    for pair, row, *_ in each(pairs):
        n, m = len(pair["prompt_ids"]), len(pair["chosen_ids"])
        assert row.input_ids[: n + m].tolist() == pair["prompt_ids"] + pair["chosen_ids"]
        assert row.loss_mask[n : n + m].tolist() == pair["completion_mask"]


def test_both_reactions_are_as_long_and_differ_from_the_first_chunk_on_in_what_is_learned(pairs):
    _, layout, *_ = pairs
    for pair, *_ in each(pairs):
        chosen, rejected = np.array(pair["chosen_ids"]), np.array(pair["rejected_ids"])
        assert len(chosen) == len(rejected)
        differ = chosen != rejected
        assert differ[: layout.width - layout.user.stop].any()
        assert not differ[~np.array(pair["completion_mask"])].any()


def test_nothing_differs_before_the_event_begins(pairs):
    output, layout, *_ = pairs
    for pair, row, streams, wrong in each(pairs):
        n_given = int(row.given_lengths[row.given_starts < len(pair["prompt_ids"])].sum())
        chunk = (len(pair["prompt_ids"]) - n_given) // layout.width
        frame = row.start_frames + chunk * layout.n_speech
        event = streams.events[wrong.event]
        assert frame + layout.n_speech > event.start_samples // output.manifest.clock.hop_samples
        assert (event.kind, event.role) in HARD_NEGATIVES or event.kind == "barge_in"


def test_it_talks_on_with_the_rest_of_the_take(pairs):
    n = 0
    for _, _, streams, wrong in each(pairs):
        if wrong.reaction != "talks_on":
            continue
        (cut,) = [u for u in streams.utterances if u.end_samples == streams.events[wrong.event].end_samples]
        n_codebooks = pairs[0].vocabulary.n_codebooks
        first, rest = cut.rest_start_frames * n_codebooks, cut.rest_codes
        assert wrong.first == cut.rest_start_frames
        found = wrong.streams.assistant_codes[first : first + len(rest)]
        assert np.array_equal(found, rest[: len(found)])
        assert np.array_equal(wrong.streams.assistant_codes[:first], streams.assistant_codes[:first])
        n += 1
    assert n


def test_it_answers_the_pause_with_the_take_of_its_later_answer(pairs):
    output, *_ = pairs
    hop, n_codebooks, n = output.manifest.clock.hop_samples, output.vocabulary.n_codebooks, 0
    for _, _, streams, wrong in each(pairs):
        if wrong.reaction != "answers_pause":
            continue
        pause = streams.events[wrong.event]
        assert pause.start_samples <= wrong.first * hop < pause.end_samples
        floor = [u for u in streams.utterances if u.role == "assistant" and u.start_samples >= pause.end_samples]
        answer = min((u for u in floor if u.kind == "turn"), key=lambda u: u.start_samples)
        begin = answer.start_samples // hop
        length = (answer.rest_start_frames or -(-answer.end_samples // hop)) - begin
        found, right = (each.assistant_codes.reshape(-1, n_codebooks) for each in (wrong.streams, streams))
        moved, right = found[wrong.first : wrong.first + length], right[begin:]
        assert np.array_equal(moved, right[: len(moved)])
        assert wrong.last <= begin  # the right reaction is silence alone
        n += 1
    assert n


def test_it_stops_at_the_end_of_a_word_and_stays_silent(pairs):
    output, *_ = pairs
    hop, silence, n = output.manifest.clock.hop_samples, output.manifest.silence.codes, 0
    for _, _, streams, wrong in each(pairs):
        if wrong.reaction != "stops":
            continue
        event = streams.events[wrong.event]
        assert wrong.first * hop > event.start_samples + 0.2 * output.sample_rate_hz
        ends = {-(-word.end_samples // hop) for u in streams.utterances if u.role == "assistant" for word in u.words}
        assert wrong.first in ends
        assert (wrong.streams.assistant_codes.reshape(-1, len(silence))[wrong.first :] == silence).all()
        n += 1
    assert n


@pytest.mark.parametrize(("user_starts_s", "n_wrong"), [(4.0, 1), (2.2, 0)])
def test_a_stop_is_wrong_only_while_the_user_does_not_take_the_floor(user_starts_s, n_wrong):
    second, silence = 24_000, np.zeros(250, np.uint16)
    words = tuple(Word("tea", k * second // 2, (k + 1) * second // 2) for k in range(20))
    starts = np.array([word.start_samples for word in words], np.int32)
    answer = Spoken(
        "assistant", end_samples=10 * second, text_ids=np.ones(20, np.int32), words=words, id_starts_samples=starts
    )
    start = round(user_starts_s * second)
    turn = Spoken("user", start_samples=start, end_samples=start + second)
    event = Event("backchannel", "user", 2 * second, 2 * second + 9_000, 0)
    streams = Streams(
        "d",
        n_samples=10 * second,
        user_codes=silence,
        assistant_codes=silence,
        utterances=(answer, turn),
        events=(event,),
    )
    assert len(list(wrong_reactions(streams, Sounds(second, 960, (0,))))) == n_wrong


def test_a_wrong_reaction_says_its_text(pairs):
    """Where the assistant talks and should not, its words are in the text stream too; where it stops, they end."""
    output, layout, task, _ = pairs
    if task == "two_stream":
        return  # it has no text
    v, more = output.vocabulary, 0
    for pair, *_ in each(pairs):
        is_text = (places(pair, layout) >= layout.text.start) & (places(pair, layout) < layout.text.stop)
        said = {name: (np.array(pair[name])[is_text] < v.n_text).sum() for name in ("chosen_ids", "rejected_ids")}
        if pair["reaction"] == "stops":
            assert said["rejected_ids"] <= said["chosen_ids"]
        else:  # equal while a slow text catches up
            assert said["rejected_ids"] >= said["chosen_ids"]
            more += said["rejected_ids"] > said["chosen_ids"]
    assert more


def test_the_wrong_reaction_depends_on_the_conversation_alone(pairs):
    for _, _, streams, wrong in each(pairs):
        m = pairs[0].manifest
        again = list(wrong_reactions(streams, Sounds(m.clock.sample_rate_hz, m.clock.hop_samples, m.silence.codes)))
        (same,) = [other for other in again if other.event == wrong.event]
        assert (same.first, same.last) == (wrong.first, wrong.last)
        assert np.array_equal(same.streams.assistant_codes, wrong.streams.assistant_codes)
        assert np.array_equal(same.streams.user_codes, streams.user_codes)


def test_an_echo_of_the_right_reaction_would_tell_so_such_conversations_are_counted(out, tmp_path):
    made(tmp_path / "echo", "mix.echo.probability=1", "timing.profile=hard", n=6)
    sent = send(tmp_path / "echo" / "out", tmp_path / "to", "preference")
    assert sum(sent.counts.values()) == sum(sent.n_conversations.values()) > 0
    assert not sent.tables.get("pairs")


def test_rows_that_the_recipe_does_not_make_are_refused(out, tmp_path):
    made(tmp_path, "timing.profile=hard", records=RECORDS[:6])
    forger = Forger(tmp_path / "out")
    for key in forger.keys("three_stream"):
        forger.edit(key, lambda rows: [row["input_ids"].__setitem__(0, 1) for row in rows])
    forger.seal()
    with pytest.raises(DatagenError, match="is not what flatten makes of its conversation"):
        send(tmp_path / "out", tmp_path / "to", "preference")


def test_only_rows_of_chunks_make_pairs(out, tmp_path):
    with pytest.raises(DatagenError, match="made of three_stream or two_stream, not of 'asr': --task"):
        send(out, tmp_path / "to", "preference", task="asr")
    with pytest.raises(DatagenError, match="has no rows of task 'two_stream'"):
        send(out, tmp_path / "to", "preference", task="two_stream")


def test_trl_pads_and_masks_them(pairs):
    trl = pytest.importorskip("trl.trainer.dpo_trainer", reason="needs trl")
    *_, found = pairs
    some = [found["train"][k] for k in range(min(4, len(found["train"])))]
    batch = trl.DataCollatorForPreference(pad_token_id=0)(some)
    for k, pair in enumerate(some):
        for part, name in ((0, "chosen_ids"), (len(some), "rejected_ids")):
            ids = pair["prompt_ids"] + pair[name]
            assert batch["input_ids"][part + k][: len(ids)].tolist() == ids
            assert batch["completion_mask"][part + k].sum() == len(pair[name])
