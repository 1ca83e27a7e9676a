"""Word errors, cross-entropy and replies on real rows of a small build, and the commands that show them.

Engines are the shipped fakes; the recognizer of this file knows what each sound says.
"""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from typer.testing import CliRunner

import datagen
from datagen.cli import app
from datagen.engines.base import ASR, EngineInfo
from datagen.errors import DatagenError
from datagen.evaluate.cells import Cell
from datagen.evaluate.continuation import continued
from datagen.evaluate.loss import held_rows, token_nats
from datagen.evaluate.measures import SHUFFLED, UNTRAINED, Measures, ModelRows, rows_of_models
from datagen.evaluate.models import CausalModel
from datagen.evaluate.ratings import Rated, Rating, rating_table
from datagen.evaluate.recognition import SOUND, TOKENS, Recognizer
from datagen.evaluate.replies import TRUTH
from datagen.evaluate.scored_rows import Layout, split_rows, with_other_users
from datagen.evaluate.tables import Document
from datagen.evaluate.utterances import utterances
from datagen.run.reflatten import reflatten
from tests.run.builds import made

TASKS = "flatten.tasks=[asr, tts, four_stream, three_stream, two_stream]"


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    changes = ("mix.keep_audio=true", TASKS, "timing.barge_in.probability=1", "flatten.alignment_takes=heard")
    return datagen.open(str(made(tmp_path_factory.mktemp("measures"), *changes, n=12)[0]))


class Loudness(ASR):
    """A fake recognizer: it hears the words of the utterance whose sound is as long, and another word per error."""

    info, sample_rate_hz, languages = EngineInfo("loudness", "1", "none", "all"), 24_000, ("en",)

    def __init__(self, texts: dict[int, str]) -> None:
        self.texts = texts

    def transcribe(self, audio, language):
        return self.texts.get(len(audio), "nobody")


def hearing(build, task):
    """A recognizer of the utterances of a task, by their lengths."""
    texts = {}
    for u in utterances(build.manifest, task, "train"):
        n = len(u.sound)
        texts[n] = build.text_tokenizer.decode(u.text_ids.tolist())
    return lambda: Loudness(texts)


class Knowing:
    """A fake model that knows all rows by heart: the next id is likely, all others are not."""

    def __init__(self, rows: list[np.ndarray], sure: float = 99.0) -> None:
        self.rows, self.sure = rows, sure

    def restart(self) -> None:
        self.read = np.zeros(0, np.int64)

    def hear(self, ids, choices, n_last):
        before, self.read = len(self.read), np.append(self.read, ids)
        row = next((r for r in self.rows if np.array_equal(r[: len(self.read)], self.read)), ())
        return np.array(
            [
                np.where(choices == next(iter(row[k + 1 : k + 2]), -1), self.sure, 0.0)
                for k in range(before, len(self.read))
            ],
            np.float32,
        )[-n_last:]


def rows_of(build, *tasks):
    return [ids for task in tasks for _, ids, _ in held_rows(build.manifest, task, "train")]


# -- word errors --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", ["asr", "tts"])
def test_who_knows_the_rows_makes_no_word_errors(build, task):
    knowing = ModelRows({"knowing": Knowing(rows_of(build, task))})
    (table,) = getattr(Measures(build, knowing, "train", asr_engine=hearing(build, task)), task)()
    n = table.cell(SOUND, "WER en").n
    assert n > 10
    for row in (SOUND, TOKENS, "knowing"):
        assert table.cell(row, "WER en").value <= 0.05  # two utterances may be of one length
        assert table.cell(row, "WER en").n == n
    assert table.cell("knowing", "WER en").value == 0 or task == "tts"


def test_the_sound_of_an_utterance_is_that_of_its_speaker(build):
    """Its frames have codes of their own in the row, which sound as loud."""
    for u in utterances(build.manifest, "asr", "train"):
        codes = build.vocabulary.codes(u.speech_ids)
        encoded = build.speech_tokenizer.encode(np.rint(u.sound * 32767).astype(np.int16))
        assert np.abs(encoded.astype(int) - codes)[codes > 0].mean() < 12, u.row_id  # 3 dB; other speech is far off


def test_interrupted_utterances_are_left_out(build):
    found = {u.row_id for u in utterances(build.manifest, "asr", "train")}
    cut = {
        f"{talk.dialogue_id}#asr#{k}"
        for talk in build.conversations("train")
        for k, u in enumerate(u for u in talk.streams.utterances if u.end_samples > u.start_samples)
        if u.n_cut_samples
    }
    assert cut and not cut & found


def test_a_shuffled_model_writes_what_another_has_said(build):
    rows = ModelRows({}, {"shuffled": Knowing(rows_of(build, "asr"))})
    (table,) = Measures(build, rows, "train", asr_engine=hearing(build, "asr")).asr()
    assert table.cell("shuffled", "WER en").value > 0.5


def test_errors_count_per_word_and_unheard_sound_is_all_wrong(build):
    (table,) = Measures(build, split="train", asr_engine=lambda: Loudness({})).asr()
    assert table.cell(TOKENS, "WER en").value >= 1
    assert Recognizer(Loudness({})).transcribe(np.zeros(100, np.float32), 24_000, "en") == ""


def test_a_build_of_rows_alone_has_no_original_sound(build, tmp_path):
    reflatten(build.url, str(tmp_path / "flat"), {"speech_chunk_tokens": 5, "text_chunk_tokens": 1})
    flat = datagen.open(str(tmp_path / "flat"))
    (table,) = Measures(flat, split="train", n_rows=3, asr_engine=lambda: Loudness({})).asr()
    assert table.cell(SOUND, "WER en") == Cell()
    assert table.cell(TOKENS, "WER en").n > 0
    assert "mix.keep_audio=true" in " ".join(table.notes)
    with pytest.raises(DatagenError, match="evaluate the build that has the conversations"):
        Measures(flat, split="train").exchanges()


@pytest.mark.parametrize("measure", ["asr", "tts", "turns"])
def test_rows_that_are_not_there_are_named_with_a_fix(build, tmp_path, measure):
    out = str(made(tmp_path, "flatten.tasks=[four_stream]", n=3)[0])
    with pytest.raises(DatagenError, match=r"no dev rows|has no rows of"):
        getattr(Measures(datagen.open(out), split="dev"), measure)()
    with pytest.raises(DatagenError, match=r"no nowhere rows"):
        getattr(Measures(build, split="nowhere"), measure)()


def test_a_continuation_ends_at_its_end_or_its_limit():
    texts = np.arange(5)
    assert continued(Knowing([np.array([7, 3, 1, 9, 9])]), np.array([7]), [texts], 9, 20).tolist() == [3, 1]
    assert continued(Knowing([np.array([7, 3, 1, 3, 1])]), np.array([7]), [texts], 9, 2).tolist() == [3, 1]
    pairs = continued(Knowing([np.array([7, 3, 21, 1, 22, 9])]), np.array([7]), [texts, np.arange(20, 25)], 9, 20)
    assert pairs.tolist() == [3, 21, 1, 22]


# -- cross-entropy ------------------------------------------------------------------------------------------------


def test_cross_entropy_is_that_of_the_learned_tokens_alone(build):
    """A model that is indifferent has the logarithm of the number of ids, whatever the row."""
    rows = rows_of(build, "asr", "tts", "four_stream", "three_stream", "two_stream")
    models = {"indifferent": Knowing(rows, 0.0), "knowing": Knowing(rows)}
    (table,) = Measures(build, ModelRows(models), "train", n_rows=3).loss()
    masks = {task: [m for _, _, m in held_rows(build.manifest, task, "train", 3)] for task in ("asr", "two_stream")}
    for column in ("asr text", "tts speech", "four_stream text", "three_stream text", "two_stream speech"):
        assert table.cell("indifferent", column).value == pytest.approx(np.log(build.vocabulary.size))
        assert table.cell("knowing", column).value == pytest.approx(0, abs=1e-6)
    assert table.cell("knowing", "two_stream speech").n == sum(int(m.sum()) for m in masks["two_stream"])
    assert table.cell("knowing", "asr text").n == sum(int(m.sum()) for m in masks["asr"])


def test_masks_of_full_duplex_rows_are_those_that_are_stored(build):
    from datagen.shards.tables import from_parquet

    for task in ("three_stream", "two_stream"):
        stored = [
            mask
            for file in build.manifest.files(task, "train")
            for mask in from_parquet(build.store.read(file.key), file.key).column("loss_mask").to_pylist()
        ]
        found = [mask.tolist() for _, _, mask in held_rows(build.manifest, task, "train")]
        assert found == stored


def tiny(n_embeddings: int) -> transformers.Qwen2ForCausalLM:
    torch.manual_seed(1)  # an untrained one has the seed 0
    config = transformers.Qwen2Config(
        vocab_size=n_embeddings, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2,
    )  # fmt: skip
    return transformers.Qwen2ForCausalLM(config).eval()


@pytest.mark.parametrize("token_ids", [None, np.array([2, 7, 9, 11, 40])])
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_model_sums_up_as_its_scores_do(token_ids, monkeypatch):
    monkeypatch.setattr("datagen.evaluate.models._PIECE_TOKENS", 3)
    model = CausalModel(tiny(41 if token_ids is None else 5), token_ids)
    ids = np.array([2, 7, 40, 11, 8, 9, 2, 2, 40, 7])
    wanted = np.array([1, 0, 1, 1, 1, 0, 0, 0, 1], np.bool_)
    by_scores = token_nats(model, ids, 41)[wanted]
    np.testing.assert_allclose(model.nats(ids, wanted), by_scores, rtol=1e-5)
    assert np.isinf(by_scores[2]) == (token_ids is not None)  # the id 8


def test_other_users_change_the_user_alone(build):
    layout = Layout.of(build.manifest, "two_stream")
    rows = list(split_rows(build.manifest, "two_stream", "train"))
    for row, other in zip(rows, with_other_users(rows, layout), strict=True):
        mine, theirs = (each["input_ids"].reshape(-1, layout.width) for each in (row, other))
        assert np.array_equal(mine[:, layout.chunk.assistant], theirs[:, layout.chunk.assistant])
        assert not np.array_equal(mine[:, layout.chunk.user], theirs[:, layout.chunk.user])


# -- replies ------------------------------------------------------------------------------------------------------


def test_the_first_exchange_is_what_the_dialogue_says(build):
    measures = Measures(build, split="train", asr_engine=lambda: Loudness({}))
    found = measures.exchanges()
    texts = measures.replies(found)
    assert len(found) > 2
    for each in found:
        assert each.user.startswith("Tell me about")
        assert each.reply.startswith("Sure")
    assert set(texts["ground-truth tokens"]) == {"nobody"}  # something is said in the time of each reply


def test_a_model_replies_in_the_time_of_the_true_reply(build):
    layout = Layout.of(build.manifest, "two_stream")
    rows = [row["input_ids"] for row in split_rows(build.manifest, "two_stream", "train")]
    measures = Measures(build, ModelRows({"knowing": Knowing(rows)}), "train", asr_engine=lambda: Loudness({}))
    found = measures.exchanges()
    texts = measures.replies(found)
    assert texts["knowing"] == texts["ground-truth tokens"]
    for each in found:
        speaks = ~layout.silent(each.row["input_ids"])
        assert speaks[each.start_frames : each.end_frames].any()


def test_ratings_are_compared_within_a_dialogue():
    truth = Rating("a", (8, 8)), Rating("b", (8, 8)), Rating("c", (), ("refused: no", "refused: no"))
    model = Rating("a", (6, 4)), Rating("b", (3, 3)), Rating("c", (9,), ("not_json: x",))
    table = rating_table({TRUTH: Rated(truth), "m": Rated(model, 0.5)}, "judge", 2)
    assert (table.cell("m", "score").value, table.cell("m", "score").n) == (pytest.approx(17 / 3), 3)
    assert (table.cell("m", "minus ground truth").value, table.cell("m", "minus ground truth").n) == (-4, 2)
    assert (table.cell("m", "agreement (alpha)").value, table.cell("m", "agreement (alpha)").n) == (0.5, 2)
    assert table.cell(TRUTH, "agreement (alpha)").value is None
    failed = [table.cell(name, "failed") for name in (TRUTH, "m")]
    assert [(cell.value, cell.n) for cell in failed] == [(2 / 6, 6), (1 / 6, 6)]
    assert table.notes[-1] == "3 ratings gave no score: 2 x refused: no; 1 x not_json: x."


# -- rows of models, and commands ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def checkpoint(build, tmp_path_factory) -> str:
    place = tmp_path_factory.mktemp("model")
    tiny(build.vocabulary.size).save_pretrained(place)
    return str(place)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_controls_come_with_the_first_model(build, checkpoint):
    n = build.vocabulary.size
    found = rows_of_models([checkpoint], n)
    assert ([*found.models], [*found.shuffled]) == ([UNTRAINED, "trained"], [SHUFFLED])
    assert found.shuffled[SHUFFLED] is found.models["trained"]
    several = rows_of_models([f"a={checkpoint}", checkpoint], n)
    assert ([*several.models], [*several.shuffled]) == ([UNTRAINED, "a", checkpoint], ["a, shuffled user"])
    assert not rows_of_models([checkpoint], n, controls=False).shuffled
    with pytest.raises(DatagenError, match="same name"):
        rows_of_models([f"a={checkpoint}", f"a={checkpoint}"], n)
    ids, choices = np.arange(5), np.arange(n)
    for name, same in ((UNTRAINED, False), ("trained", True)):
        other = rows_of_models([checkpoint], n).models[name]
        other.restart()
        found.models["trained"].restart()
        assert np.allclose(other.hear(ids, choices, 1), found.models["trained"].hear(ids, choices, 1)) == same


def invoked(*arguments: str):
    return CliRunner(env={"COLUMNS": "1000"}).invoke(app, ["evaluate", *arguments])


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_command_shows_and_writes_the_same_tables(build, checkpoint, tmp_path):
    arguments = ("loss", build.url, "--model", checkpoint, "--split", "train", "--rows", "2")
    files = [tmp_path / f"scores.{ending}" for ending in ("json", "md", "html", "txt")]
    shown = [invoked(*arguments, "--to", str(file)).stdout for file in files]
    found = Document.of_json(files[0].read_bytes(), "scores.json")
    assert [row.name for row in found.tables[0].rows] == [UNTRAINED, "trained", SHUFFLED]
    assert (found.build, found.digest, found.split) == (build.url, build.manifest.digest, "train")
    assert files[1].read_text() == found.markdown()
    assert files[2].read_text() == found.html()
    assert files[3].read_text() == found.text()
    assert "cross-entropy of train rows" in shown[0]
    assert json.loads(invoked(*arguments, "--json").stdout) == json.loads(found.to_json())


def test_a_missing_measure_ends_its_command_and_is_named_by_all(tmp_path, monkeypatch):
    out = str(made(tmp_path, "flatten.tasks=[two_stream]", n=6)[0])
    monkeypatch.setattr("datagen.engines.load.asr", lambda name, options: Loudness({}))
    alone = invoked("asr", out, "--split", "train")
    assert alone.exit_code == 1 and "has no rows of 'asr'" in alone.stderr
    whole = invoked("all", out, "--split", "train", "--rows", "2", "--to", str(tmp_path / "all.json"))
    assert whole.exit_code == 0, whole.stderr
    assert "left out, asr: " in whole.stderr and "left out, tts: " in whole.stderr
    names = [table.name for table in Document.of_json((tmp_path / "all.json").read_bytes(), "x").tables]
    assert names[:5] == [
        "turns_assistant", "turns_assistant_at", "turns_user", "turns_user_at", "turns_hard_negatives",
    ]  # fmt: skip
    assert names[-1] == "turns_agreement" and "sound_assistant" in names


@pytest.mark.parametrize("named", [["silent"], ["=x"], ["a="], ["a=cat", "a=cat"]])
def test_a_system_needs_a_name_and_an_address(build, named):
    assert invoked("turns", build.url, *(part for each in named for part in ("--system", each))).exit_code == 2


@pytest.mark.parametrize("address", ["no-such-program-anywhere --fast", "tcp://here", "'unclosed"])
def test_a_system_that_cannot_be_started_is_found_before_anything_runs(address, tmp_path):
    found = invoked("all", str(tmp_path / "no build"), "--system", f"mine={address}")
    assert found.exit_code == 1 and "no build" not in found.stderr
    assert address in found.stderr


def test_a_system_that_fails_leaves_the_tables_from_tokens(build):
    found = invoked("turns", build.url, "--split", "train", "--rows", "1", "--system", f"mine={sys.executable} -c 1/0")
    assert found.exit_code == 1
    assert "failed, sound: the system" in found.stderr and "ZeroDivisionError" in found.stderr
    assert "assistant turn-taking, from tokens" in found.stdout and "sound: failed" in found.stdout


def test_a_loss_without_a_model_asks_for_one(build):
    found = invoked("loss", build.url, "--split", "train")
    assert found.exit_code == 1 and "--model DIR" in found.stderr


def test_a_file_of_tables_has_a_known_ending(build, tmp_path):
    result = invoked("loss", build.url, "--to", str(tmp_path / "scores.pdf"))
    assert result.exit_code == 1 and "ends with .json, .md, .html, .txt" in result.stderr


def test_a_folder_of_tables_that_is_not_there_is_found_before_anything_runs(tmp_path):
    found = invoked("all", str(tmp_path / "no build"), "--to", str(tmp_path / "nowhere" / "scores.json"))
    assert found.exit_code == 1 and "there is no folder" in found.stderr and "no build" not in found.stderr


def broken(folder, file, data):
    folder.joinpath(file).write_bytes(data)


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (lambda m: broken(m, "model.safetensors", m.joinpath("model.safetensors").read_bytes()[:999]), "cannot load"),
        (lambda m: broken(m, "config.json", b"{"), "cannot load .* complete and undamaged"),
        (lambda m: broken(m, "token_ids.npy", b"x"), "token_ids.npy is damaged"),
        (lambda m: np.save(m / "token_ids.npy", np.zeros(3)), "no list of ids"),
        (lambda m: m.joinpath("config.json").unlink(), "has no config.json"),
        (shutil.rmtree, "does not exist; .* models of a hub"),
    ],
)
def test_a_checkpoint_that_is_none_is_one_message(build, checkpoint, tmp_path, harm, reason):
    copy = Path(shutil.copytree(checkpoint, tmp_path / "model"))
    harm(copy)
    with pytest.raises(DatagenError, match=reason):
        rows_of_models([str(copy)], build.vocabulary.size)


@pytest.mark.parametrize("name", ["oracle", TRUTH, SHUFFLED, TOKENS, "mine"])
def test_a_row_has_a_name_of_its_own(build, name):
    models = ModelRows({"mine": Knowing([])}, {SHUFFLED: Knowing([])})
    with pytest.raises(DatagenError, match="another row"):
        Measures(build, models, systems={name: "cat"})
    with pytest.raises(DatagenError, match="row of the controls"):
        rows_of_models([f"{UNTRAINED}=x"], 9)


@pytest.mark.parametrize("named", ["", "a="])
def test_a_model_needs_a_folder(named):
    with pytest.raises(DatagenError, match="names no folder"):
        rows_of_models([named], 9)
