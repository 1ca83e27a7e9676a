"""The example runs its curriculum, goes on after a crash as if nothing had happened, and leaves what can be scored."""

import argparse
import json
import types
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from typer.testing import CliRunner

from datagen.cli import app
from tests.examples import loaded
from tests.run.builds import made, read

ALL_TASKS = "flatten.tasks=[asr, tts, four_stream, three_stream, two_stream]"


@pytest.fixture(scope="module")
def example():
    """The example as a module."""
    return loaded("train")


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> str:
    return str(made(tmp_path_factory.mktemp("example"), ALL_TASKS, "flatten.max_tokens=512", n=20)[0])


def rows_of(out: str, task: str) -> list[list[int]]:
    return [row["input_ids"] for row in read(out, task)]


def run(example, out: str, to: Path, *more: str) -> None:
    sizes = ("--tokens", "30000", "--max-tokens", "512", "--batch-size", "2", "--threads", "1", "--save-every", "4")
    example.train(example.options([out, "--to", str(to), *sizes, *more]))


def weights(to: Path) -> dict[str, torch.Tensor]:
    return transformers.AutoModelForCausalLM.from_pretrained(to / "two_stream").state_dict()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_crashed_run_goes_on_as_if_nothing_had_happened(example, out, tmp_path, monkeypatch, capsys):
    run(example, out, tmp_path / "whole")
    assert "test loss of two_stream" in capsys.readouterr().out
    learn, steps = example.learn, []

    def crashing(*arguments):
        steps.append(1)
        if len(steps) == 18:
            raise RuntimeError("a crash")
        return learn(*arguments)

    monkeypatch.setattr(example, "learn", crashing)
    with pytest.raises(RuntimeError, match="a crash"):
        run(example, out, tmp_path / "again")
    monkeypatch.setattr(example, "learn", learn)
    run(example, out, tmp_path / "again")
    assert (tmp_path / "whole" / "loss.csv").read_text() == (tmp_path / "again" / "loss.csv").read_text()
    assert (tmp_path / "again" / "half_duplex" / "model.safetensors").exists()
    whole, again = weights(tmp_path / "whole"), weights(tmp_path / "again")
    assert all(torch.equal(whole[name], again[name]) for name in whole)
    for name in ("alignment", "half_duplex", "three_stream", "two_stream"):
        assert (tmp_path / "whole" / name / "model.safetensors").exists()
    token_ids = np.load(tmp_path / "whole" / "two_stream" / "token_ids.npy")
    scores = CliRunner().invoke(
        app, ["evaluate", "turns", out, "--model", str(tmp_path / "whole" / "two_stream"), "--split", "train", "--json"]
    )
    first = json.loads(scores.stdout)["tables"][0]
    cells = {row["name"]: row["cells"] for row in first["rows"]}
    assert first["name"] == "turns_assistant" and cells["trained, free running"][0]["n"] > 0
    assert whole["model.embed_tokens.weight"].shape[0] == len(token_ids)


def test_everything_that_is_missing_is_reported_before_training(example, out, tmp_path):
    two_tasks = str(made(tmp_path, "flatten.max_tokens=512", n=6)[0])
    sizes = ["--max-tokens", "512", "--batch-size", "2"]
    with pytest.raises(SystemExit) as error:
        example.train(example.options([two_tasks, "--to", str(tmp_path / "runs"), "--tokens", "10239", *sizes]))
    lines = str(error.value).splitlines()
    assert "no rows of four_stream, tts, two_stream: run `datagen flatten " in lines[0]
    assert "--task asr --task four_stream --task three_stream" in lines[0]
    assert lines[-1].startswith("--tokens 10239 is less than one batch of 2 x 512 in each stage: use --tokens 10240")
    assert len(lines) == 2
    assert not (tmp_path / "runs").exists()
    manifest = example.Manifest.load(example.open_store(out))
    enough = example.options([out, "--to", "x", "--tokens", "10240", *sizes])
    assert example.faults(enough, manifest) == []
    del manifest.tables["two_stream"]["test"], manifest.tables["asr"]["train"]
    (line,) = example.faults(enough, manifest)
    assert line.endswith("no rows of asr in train: add dialogues")


def test_sizes_that_are_not_given_fit_the_build(example, out, capsys):
    manifest = example.Manifest.load(example.open_store(out))
    found = example.check(example.options([out, "--to", "x"]))
    assert capsys.readouterr().out == ""
    tasks = example.tasks_of(found)
    lengths = [len(row) for task in tasks for row in rows_of(out, task)]
    assert found.max_tokens == example.longest_row(manifest, tasks) == max(lengths)
    assert 1 <= found.batch_size <= 4 and example.least_tokens(found) <= found.tokens <= 4e5
    assert example.faults(found, manifest) == []


def test_sizes_that_do_not_fit_are_reported_together_with_those_that_do(example, out):
    manifest = example.Manifest.load(example.open_store(out))
    longest = example.longest_row(manifest, example.tasks_of(example.options([out, "--to", "x"])))
    wrong = example.options([out, "--to", "x", "--max-tokens", "64", "--tokens", "100", "--batch-size", "1"])
    lines = example.faults(wrong, manifest)
    assert f"use --max-tokens {longest}" in lines[0] and "--max-tokens 64 --out DIR" in lines[0]
    assert f"use --tokens {10 * longest} or more" in lines[1]
    right = ["--max-tokens", str(longest), "--tokens", str(10 * longest), "--batch-size", "1"]
    assert example.faults(example.options([out, "--to", "x", *right]), manifest) == []


def test_few_tokens_are_told_but_do(example, out, capsys):
    example.check(example.options([out, "--to", "x", "--tokens", "1e9", "--max-tokens", "100000"]))
    assert "alignment: train has " in capsys.readouterr().out


def test_a_line_at_the_first_step_and_at_the_end_of_a_stage(example, capsys):
    sizes = argparse.Namespace(batch_size=2, max_tokens=8)
    names, model = ["alignment"] * 10, torch.nn.Linear(2, 2)
    run = types.SimpleNamespace(step=0, names=names, device=torch.device("cpu"), arguments=sizes, model=model)
    progress = example.Progress(run)
    assert "10 steps of 2 x 8 tokens, 6 parameters" in capsys.readouterr().out
    for step in range(1, 11):
        progress.tell(step, "alignment", 1.0, step == 10)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["1", "10"] and "about 0 s left" in lines[1]


def test_a_stopped_run_says_what_it_left(example, tmp_path):
    assert "after step 0, finished stages: none" in example.saved(tmp_path)
    torch.save({"schedule": {"last_epoch": 7}}, tmp_path / "last.pt")
    (tmp_path / "alignment").mkdir()
    (tmp_path / "alignment" / "config.json").touch()
    assert "after step 7, finished stages: alignment" in example.saved(tmp_path)


def test_the_control_hears_other_users_and_learns_the_same(example, out):
    feed = example.Feed(out, example.Stage("s", {"two_stream": 1}, 512, 2), seed=1)
    batch = next(iter(feed))
    shuffled = example.shuffle_users(batch)
    learned = batch.inputs["labels"] != -100
    ids, other = batch.inputs["input_ids"], shuffled.inputs["input_ids"]
    assert torch.equal(shuffled.inputs["labels"], batch.inputs["labels"])
    assert torch.equal(other[learned], ids[learned])
    assert torch.equal(other[~learned], ids.roll(1, 0)[~learned])
    assert not torch.equal(other, ids)
    alignment = next(iter(example.Feed(out, example.Stage("s", {"tts": 1}, 512, 2))))
    assert torch.equal(example.shuffle_users(alignment).inputs["input_ids"], alignment.inputs["input_ids"])
    with pytest.raises(SystemExit, match="batch-size"):
        example.shuffle_users(next(iter(example.Feed(out, example.Stage("s", {"tts": 1}, 512, 1)))))
