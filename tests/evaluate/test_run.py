"""Models scored on rows: fakes whose reactions are known, and a real tiny transformer.

The fakes of this file serve to test the scoring alone.
"""

import json

import numpy as np
import pytest
import torch
import transformers

from datagen.errors import DatagenError
from datagen.evaluate.models import TOKEN_IDS, CausalModel, load
from datagen.evaluate.player import Player
from datagen.evaluate.scored_rows import Layout, rows, split_rows
from datagen.evaluate.scores import TurnScores
from datagen.evaluate.turns import Evaluation
from datagen.shards.layout import ChunkLayout
from datagen.shards.manifest import Manifest
from datagen.shards.store import open_store
from datagen.shards.vocab import SPECIALS, Vocabulary
from tests.run.builds import made

VOCABULARY = Vocabulary(n_text=2, special_offset=2, speech_offset=2 + len(SPECIALS), codebook_size=4)
SILENCE = VOCABULARY["<|speech_silence|>"]
QUIET, TALK = VOCABULARY.speech_offset, VOCABULARY.speech_offset + 1
LAYOUT = Layout(ChunkLayout(n_speech=4, n_text=0), silence_ids=(SILENCE,), frame_ms=100)


class FakeListener:
    """Speaks from `delay` tokens after the user fell quiet until the user talks again; `mood` overrides that."""

    def __init__(self, delay: int = 2, mood: str = "listens") -> None:
        self.delay, self.mood = delay, mood

    def restart(self):
        self.heard: list[int] = []

    def hear(self, ids, choices, n_last):
        assert choices[0] == SILENCE
        scores = []
        for token in ids.tolist():
            self.heard.append(token)
            scores.append(np.where((choices == SILENCE) ^ self.speaks(), 0.0, -99.0))
        return np.array(scores[-n_last:], np.float32)

    def speaks(self) -> bool:
        if self.mood != "listens":
            return self.mood == "always speaks"
        slot = len(self.heard) // 8 * 4 + max(len(self.heard) % 8 - 4, 0)  # of the assistant's stream, about to be said
        user = [token for k, token in enumerate(self.heard) if k % 8 < 4][: slot + 1]
        quiet = len(user) - 1 - max((k for k, token in enumerate(user) if token == TALK), default=-1)
        return TALK in user and quiet >= self.delay


def row(user: str, assistant: str, **events) -> dict:
    """A row from its two streams, `.` for silence; events as places."""
    streams = [
        np.array([TALK if c != "." else silent for c in s]) for s, silent in ((user, QUIET), (assistant, SILENCE))
    ]
    chunks = np.concatenate([stream.reshape(-1, 4) for stream in streams], axis=1)
    at = {name: np.array([k // 4 * 8 + 4 + k % 4 for k in events.get(name, [])], np.int64) for name in PLACES}
    return {"row_id": "r", "input_ids": chunks.reshape(-1), "event_kinds": [], "event_roles": [], **events, **at}


PLACES = ("user_turn_ends", "barge_ins", "event_starts", "event_ends")
ANSWERED = row("..xxxx......................", "........xxxxxxxx............", user_turn_ends=[6])


def scores(model, *rows_) -> dict:
    found = Evaluation(Player(model, LAYOUT, VOCABULARY))
    for row_ in rows_:
        found.add(row_, free=True)
    return tables(found, LAYOUT)


def tables(found: Evaluation, layout: Layout) -> dict:
    """All scores as plain values, by way."""
    return {way: TurnScores.merged(layout, [s for _, s in parts]).table() for way, parts in found.found.items()}


@pytest.mark.parametrize("delay", [1, 2, 4])
def test_a_listener_is_as_fast_as_it_is(delay):
    found = scores(FakeListener(delay), ANSWERED)["free_running"]["assistant_turn_taking"]
    assert (found["n"], found["n_early"], found["n_failures"]) == (1, 0, 0)
    assert found["response_ms"]["mean"] == delay * 100


def test_a_reaction_after_the_true_one_is_none_without_aid():
    assert scores(FakeListener(3), ANSWERED)["unaided"]["assistant_turn_taking"]["n_failures"] == 0
    late = scores(FakeListener(4), ANSWERED)
    assert late["unaided"]["assistant_turn_taking"]["n_failures"] == 1
    assert late["teacher_forced"]["assistant_turn_taking"]["n_failures"] == 0


@pytest.mark.parametrize("way", ["unaided", "free_running"])
def test_who_always_speaks_takes_no_turn(way):
    found = scores(FakeListener(mood="always speaks"), ANSWERED)
    assert found["teacher_forced"]["assistant_turn_taking"]["acc_within"]["1"] == 1  # the paper's measure lets it pass
    turns = found[way]["assistant_turn_taking"]
    assert (turns["n"], turns["n_early"], turns["n_failures"]) == (1, 1, 1)
    assert set(turns["acc_within"].values()) == {0}


def test_who_never_speaks_takes_no_turn_and_yields_too_early():
    barged = row("..xxxx........xxxxxx", "........xxxxxxxx....", user_turn_ends=[6], barge_ins=[14])
    found = scores(FakeListener(mood="never speaks"), barged)["free_running"]
    assert found["assistant_turn_taking"]["n_failures"] == 1
    assert found["assistant_turn_taking"]["n_early"] == 0
    assert (found["user_turn_taking"]["n_early"], found["user_turn_taking"]["n_failures"]) == (1, 1)


def test_who_yields_is_as_fast_as_it_is():
    barged = row("..xxxx........xxxxxx", "........xxxxxxxx....", user_turn_ends=[6], barge_ins=[14])
    found = scores(FakeListener(), barged)["free_running"]["user_turn_taking"]
    assert (found["n"], found["n_early"], found["response_ms"]["mean"]) == (1, 0, 100)


def test_an_overlap_counts_from_where_the_conversation_itself_answers():
    overlap = row("..xxxxxx....................", ".......xxxxxxxxx............", user_turn_ends=[8])
    found = scores(FakeListener(1), overlap)["free_running"]["assistant_turn_taking"]
    assert (found["n_early"], found["response_ms"]["mean"]) == (0, 200)


def test_an_event_that_the_row_does_not_answer_is_not_asked_for():
    quiet = 18 * "."
    unanswered = row(f"..xxxx{quiet}", f"......{quiet}", user_turn_ends=[6])
    late = row(f"..xxxx{quiet}", f"......{quiet[:-1]}x", user_turn_ends=[6])  # 1.8 s: that is something else
    found = scores(FakeListener(), unanswered, late)
    assert found["unaided"]["assistant_turn_taking"]["n"] == found["free_running"]["assistant_turn_taking"]["n"] == 0


@pytest.mark.parametrize(("delay", "n_errors"), [(2, 1), (9, 0)])
def test_a_hesitation_sways_who_answers_too_soon(delay, n_errors):
    events = {"event_kinds": ["hesitation"], "event_roles": ["user"], "event_starts": [5], "event_ends": [9]}
    found = scores(FakeListener(delay), row(".xxxx....xxx........", "................xxxx", **events))["free_running"]
    assert found["hard_negatives"] == {"hesitation": {"n": 1, "n_errors": n_errors}}


# -- real builds and models -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> str:
    changes = (
        "timing={profile: omniflatten, assistant_fto: 80, barge_in: {probability: 1, reaction: 200}}",
        "flatten.tasks=[three_stream, two_stream]",
    )
    return str(made(tmp_path_factory.mktemp("evaluate"), *changes, n=12)[0])


class FakeOracle:
    """Knows the row by heart."""

    def hear(self, ids, choices, n_last):
        self.n_heard += len(ids)
        nexts = np.append(self.ids, -1)[self.n_heard - n_last + 1 : self.n_heard + 1]
        return np.where(choices == nexts[:, None], 0.0, -99.0).astype(np.float32)

    def restart(self):
        self.n_heard = 0


@pytest.mark.parametrize("task", ["two_stream", "three_stream"])
def test_an_oracle_scores_as_the_labels_do(out, task):
    store = open_store(out)
    manifest = Manifest.load(store)
    oracle = FakeOracle()
    found = Evaluation(Player(oracle, Layout.of(manifest, task), manifest.vocabulary))
    for row_ in rows(store, manifest, task):
        oracle.ids = row_["input_ids"]
        found.add(row_, free=True)
    table = tables(found, Layout.of(manifest, task))
    for way in table.values():
        assert way["assistant_turn_taking"]["n"] > 5
        assert way["assistant_turn_taking"]["acc_within"]["5"] == 1
        assert way["user_turn_taking"]["acc_within"]["10"] == 1
        assert way["assistant_turn_taking"]["n_early"] == way["user_turn_taking"]["n_early"] == 0
    free, labels = table["free_running"], table["teacher_forced"]
    assert free["user_turn_taking"]["response_ms"] == labels["user_turn_taking"]["response_ms"]


def tiny(n_embeddings: int) -> transformers.Qwen2ForCausalLM:
    torch.manual_seed(0)
    config = transformers.Qwen2Config(
        vocab_size=n_embeddings, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2,
    )  # fmt: skip
    return transformers.Qwen2ForCausalLM(config).eval()


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_cache_changes_no_score():
    model, ids, choices = CausalModel(tiny(50)), np.arange(20), np.array([3, 30])
    model.restart()
    whole = model.hear(ids, choices, 20)
    model.restart()
    pieces = [model.hear(ids[a:b], choices, b - a) for a, b in ((0, 7), (7, 8), (8, 20))]
    np.testing.assert_allclose(np.concatenate(pieces), whole, atol=1e-5)
    model.restart()
    np.testing.assert_allclose(model.hear(ids, choices, 1), whole[-1:], atol=1e-5)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_model_with_rows_of_its_own_hears_the_same_ids():
    plain, token_ids = tiny(5), np.array([2, 7, 9, 11, 40])
    own = CausalModel(plain, token_ids)
    direct = CausalModel(plain)
    own.restart(), direct.restart()
    found = own.hear(np.array([7, 40, 9]), np.array([2, 11]), 3)
    np.testing.assert_array_equal(found, direct.hear(np.array([1, 4, 2]), np.array([0, 3]), 3))
    own.restart(), direct.restart()
    unknown = own.hear(np.array([8, 10**6]), np.array([2, 8, 41]), 1)  # heard as row 0, and never said
    direct_found = direct.hear(np.array([0, 0]), np.array([0]), 1)
    np.testing.assert_array_equal(unknown, [[direct_found[0, 0], -np.inf, -np.inf]])


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_saved_model_is_scored_by_the_command_line(out, tmp_path):
    from typer.testing import CliRunner

    from datagen.cli import app

    size = Manifest.load(open_store(out)).vocabulary.size
    tiny(size).save_pretrained(tmp_path / "model")
    arguments = ["evaluate", "turns", out, "--model", str(tmp_path / "model"), "--split", "train", "--rows", "2"]
    run = CliRunner(env={"COLUMNS": "1000"})  # so that no long path wraps
    table = run.invoke(app, [*arguments, "--no-controls"])
    said = " ".join(table.stdout.split())
    assert table.exit_code == 0 and "assistant turn-taking, from tokens" in said
    places = [said.index(f"trained, {way}") for way in ("free running", "unaided", "teacher forced")]
    assert places == sorted(places) and "in@K: it reacts within K tokens" in said
    found = json.loads(run.invoke(app, [*arguments, "--json", "--no-free"]).stdout)
    within, at = found["tables"][:2]
    ways = [
        f"{name}, {way}" for name in ("untrained", "trained", "shuffled user") for way in ("unaided", "teacher forced")
    ]
    assert [row["name"] for row in within["rows"]] == ["ground-truth tokens", *ways]
    assert [row["name"] for row in at["rows"]] == ["ground-truth tokens", *ways[1::2]]


def test_what_cannot_be_scored(out, tmp_path):
    manifest = Manifest.load(open_store(out))
    with pytest.raises(DatagenError, match=r"no dev rows of two_stream; it has .*train.*--split train"):
        split_rows(manifest, split="dev")
    with pytest.raises(DatagenError, match="no full-duplex rows of 'asr'; it has three_stream, two_stream"):
        split_rows(manifest, task="asr")
    with pytest.raises(DatagenError, match=r"does not exist; name the folder of a checkpoint"):
        load(str(tmp_path / "absent"), 50)
    with pytest.raises(DatagenError, match="contains no model"):
        load(str(tmp_path), 50)
    tiny(49).save_pretrained(tmp_path)
    with pytest.raises(DatagenError, match="49 embeddings and the build 50 ids"):
        load(str(tmp_path), 50)
    np.save(tmp_path / TOKEN_IDS, np.arange(3))
    with pytest.raises(DatagenError, match="does not fit this model of 49 embeddings"):
        load(str(tmp_path), 50)


def test_token_ids_are_read_beside_a_checkpoint(tmp_path):
    tiny(5).save_pretrained(tmp_path)
    np.save(tmp_path / TOKEN_IDS, np.array([2, 7, 9, 11, 40]))
    assert load(str(tmp_path), 41)._row_of.tolist()[40] == 4
