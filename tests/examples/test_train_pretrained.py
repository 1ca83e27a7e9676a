"""Pretrained checkpoints in the example: new rows, tokenizers, exact resumption, parts of a batch, several ranks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import transformers

from datagen.feed import Feed
from tests.engines.tiny import text_tokenizer
from tests.examples import EXAMPLES, loaded
from tests.run.builds import made

ROOT = EXAMPLES.parent
ALL_TASKS = "flatten.tasks=[asr, tts, four_stream, three_stream, two_stream]"
SIZES = ("--tokens", "20000", "--max-tokens", "512", "--batch-size", "2", "--threads", "1", "--save-every", "4")
N_ROWS = 512

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


@pytest.fixture(scope="module")
def example():
    return loaded("train")


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory) -> Path:
    return text_tokenizer(tmp_path_factory.mktemp("tokenizer"), "byte_bpe")


@pytest.fixture(scope="module")
def out(tmp_path_factory, tokenizer) -> str:
    text = f"engines.text_tokenizer={{name: hf, options: {{path: {tokenizer}, n_embeddings: {N_ROWS}}}}}"
    return str(made(tmp_path_factory.mktemp("pretrained"), ALL_TASKS, text, "flatten.max_tokens=512", n=20)[0])


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory, tokenizer):
    """Small random Qwen2 checkpoints as their authors would publish them, by whether embeddings are tied."""

    def saved(tied: bool) -> str:
        torch.manual_seed(3)
        config = transformers.Qwen2Config(
            vocab_size=N_ROWS, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, max_position_embeddings=2048, tie_word_embeddings=tied,
        )  # fmt: skip
        folder = tmp_path_factory.mktemp("checkpoint")
        transformers.Qwen2ForCausalLM(config).save_pretrained(folder)
        transformers.AutoTokenizer.from_pretrained(tokenizer).save_pretrained(folder)
        return str(folder)

    return {tied: saved(tied) for tied in (True, False)}


def run(example, out: str, to: Path, model: str, *more: str) -> float | None:
    return example.train(example.options([out, "--to", str(to), "--model", model, "--trust", *SIZES, *more]))


def weights(to: Path) -> dict[str, torch.Tensor]:
    return transformers.AutoModelForCausalLM.from_pretrained(to / "two_stream").state_dict()


def close(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.allclose(one[name], other[name], rtol=1e-3, atol=1e-5) for name in one)


@pytest.mark.slow
@pytest.mark.parametrize("tied", [True, False])
def test_a_checkpoint_stopped_and_resumed_has_the_weights_of_one_that_was_not(example, out, checkpoint, tmp_path, tied):
    full_size = ("--bf16", "--gradient-checkpointing", "--at-once", "1")
    assert run(example, out, tmp_path / "whole", checkpoint[tied], *full_size) > 0
    assert run(example, out, tmp_path / "again", checkpoint[tied], *full_size, "--stop-after", "7") is None
    assert not (tmp_path / "again" / "two_stream").exists()
    run(example, out, tmp_path / "again", checkpoint[tied], *full_size)
    whole, again = weights(tmp_path / "whole"), weights(tmp_path / "again")
    assert all(torch.equal(whole[name], again[name]) for name in whole)
    assert (tmp_path / "whole" / "loss.csv").read_text() == (tmp_path / "again" / "loss.csv").read_text()
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "whole" / "two_stream")
    size = Feed(out, example.Stage("s", {"two_stream": 1}, 512, 1)).vocabulary.size
    assert len(model.get_input_embeddings().weight) == len(model.lm_head.weight) == size > N_ROWS
    assert (model.lm_head.weight is model.get_input_embeddings().weight) == tied
    assert not (tmp_path / "whole" / "two_stream" / "token_ids.npy").exists()


def test_neither_parts_of_a_batch_nor_checkpointing_change_the_training(example, out, checkpoint, tmp_path):
    run(example, out, tmp_path / "plain", checkpoint[True])
    run(example, out, tmp_path / "saving", checkpoint[True], "--at-once", "1", "--gradient-checkpointing")
    assert close(weights(tmp_path / "plain"), weights(tmp_path / "saving"))


def test_a_flat_batch_has_the_loss_of_its_sequences(example, out, checkpoint):
    batch = next(iter(Feed(out, example.Stage("s", {"three_stream": 1}, 512, 2))))
    model, rows = example.new_model(checkpoint[False], out, 512, [example.Stage("s", {"three_stream": 1}, 512, 2)])
    assert rows is None
    learner, cpu = example.Learner(model.eval(), None, bf16=False), torch.device("cpu")
    (plain,), (flat,) = (list(example.parts_of(batch, cpu, 2, each)) for each in (False, True))
    assert flat[0].shape == (1, 1024)
    assert torch.allclose(learner(*plain), learner(*flat), rtol=1e-4)
    parts = example.parts_of(batch, cpu, 1, False)
    assert torch.allclose(sum(learner(*part) for part in parts), learner(*plain), rtol=1e-4)


@pytest.mark.slow
def test_two_ranks_train_as_one_and_one_resumes_what_two_began(example, out, checkpoint, tmp_path):
    run(example, out, tmp_path / "one", checkpoint[True])
    line = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    given = [out, "--to", str(tmp_path / "two"), "--model", checkpoint[True], "--trust", *SIZES, "--stop-after", "9"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*line, str(EXAMPLES / "train.py"), *given], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("parameters, 2 x cpu") == 1
    run(example, out, tmp_path / "two", checkpoint[True])
    assert close(weights(tmp_path / "one"), weights(tmp_path / "two"))


def test_a_batch_that_ranks_cannot_share_is_refused(example, out):
    manifest = example.Manifest.load(example.open_store(out))
    given = example.options([out, "--to", "x", "--batch-size", "3"])
    assert example.faults(given, manifest, n_ranks=2) == [
        "--batch-size 3 cannot be shared by 2 ranks: use --batch-size 4"
    ]
    assert example.fitting(example.options([out, "--to", "x"]), manifest, n_ranks=8).batch_size == 8


def test_a_tokenizer_that_is_not_the_builds_is_refused(example, out, checkpoint, tmp_path):
    manifest = example.Manifest.load(example.open_store(out))
    options = [out, "--to", "x", "--trust", "--model"]
    assert example.faults(example.options([*options, checkpoint[True]]), manifest) == []
    other = text_tokenizer(tmp_path, "llama")
    model = transformers.AutoModelForCausalLM.from_pretrained(checkpoint[True])
    model.save_pretrained(other)
    lines = example.faults(example.options([*options, str(other)]), manifest)
    assert 'it encodes "Two or three minutes' in lines[0] and "--any-tokenizer" in lines[0]
    assert example.faults(example.options([*options, str(other), "--any-tokenizer"]), manifest) == []
    bare = tmp_path / "bare"
    model.save_pretrained(bare)
    (line,) = example.faults(example.options([*options, str(bare)]), manifest)
    assert "has no tokenizer to compare with the build's" in line
    model.config.max_position_embeddings = 100
    model.config.save_pretrained(bare)
    (line,) = example.faults(example.options([*options, str(bare), "--any-tokenizer"]), manifest)
    assert "reads 100 tokens" in line and "--max-tokens 100 --out DIR" in line
    (line,) = example.faults(example.options([*options, str(tmp_path / "absent")]), manifest)
    assert line.startswith("--model ")


def test_an_ablation_needs_no_rows_of_the_stages_that_it_leaves_out(example, out):
    manifest = example.Manifest.load(example.open_store(out))
    del manifest.tables["four_stream"]
    given = [out, "--to", "x"]
    assert "no rows of four_stream" in example.faults(example.options(given), manifest)[0]
    without = example.options([*given, "--without", "half_duplex"])
    assert example.faults(without, manifest) == []
    names = [stage.name for stage in example.stages(40_000, 512, 2, without=without.without)]
    assert names == ["alignment", "three_stream", "two_stream"]
