"""The grid is run once, whatever is stopped, and its tables and plot say what was measured."""

import json
import re

import pytest

from datagen.evaluate.tables import Document
from tests.examples import loaded
from tests.run.builds import made

ALL_TASKS = "flatten.tasks=[asr, tts, four_stream, three_stream, two_stream]"
LINE = ("--profiles", "omniflatten", "--chunks", "10", "--tokens", "6000", "--max-tokens", "512", "--rows", "1")
CHANCE = ("all", "without half-duplex")


@pytest.fixture(scope="module")
def example():
    return loaded("ablation")


def found(loss: float, share: float | None, n: int = 40, mean_ms: float | None = 200.0) -> dict:
    """A result as a run leaves it."""
    turns = {
        "n": n, "n_early": 4, "acc_within": {"10": share, "25": share}, "response_ms": {"mean": mean_ms},
        "n_failures": n // 2,
    }  # fmt: skip
    scores = {"chunk_ms": 400.0, "assistant_turn_taking": turns, "user_turn_taking": turns}
    return {"settings": {"digest": "0" * 32}, "loss": loss, "turns": scores}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
def test_a_finished_run_is_not_repeated_and_other_cells_join_the_table(example, tmp_path, monkeypatch, capsys):
    made(tmp_path / "made", ALL_TASKS, "flatten.max_tokens=512", n=20)
    (tmp_path / "grid" / "builds").mkdir(parents=True)
    (tmp_path / "made" / "out").rename(tmp_path / "grid" / "builds" / "omniflatten")
    line = ["--to", str(tmp_path / "grid"), *LINE, "--threads", "1", "--stages", "all"]
    example.main([*line, "--seeds", "0"])
    run = tmp_path / "grid" / "runs" / "omniflatten-10-all-0"
    result = json.loads((run / "result.json").read_text())
    assert result["turns"]["n_rows"] == 1 and not (run / "last.pt").exists()
    (tmp_path / "grid" / "runs" / "omniflatten-10-all-1").mkdir()

    train, trained = example.train.train, []
    monkeypatch.setattr(example.train, "train", lambda options: trained.append(options.to) or train(options))
    example.main([*line, "--seeds", "0", "1", "--stages", "all", "without alignment and half-duplex"])
    assert len(trained) == 3 and str(run) not in trained
    document = Document.of_json((tmp_path / "grid" / "ablation.json").read_bytes(), "ablation.json")
    table, differences = document.tables
    assert [row.name for row in table.rows] == [
        "omniflatten, chunk 10, all",
        "omniflatten, chunk 10, without alignment and half-duplex",
    ]
    cell = table.cell("omniflatten, chunk 10, all", "loss")
    second = json.loads((run.with_name("omniflatten-10-all-1") / "result.json").read_text())
    assert cell.value == pytest.approx((result["loss"] + second["loss"]) / 2) and cell.n_groups == 2
    assert len(differences.rows) == 1
    assert not (run.with_name("omniflatten-10-without-alignment-and-half-duplex-1") / "alignment").exists()
    assert "| omniflatten, chunk 10, all |" in (tmp_path / "grid" / "ablation.md").read_text()
    assert "beyond chance" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="use another --to, or delete it"):
        example.main([*line, "--seeds", "0", "--rows", "2"])


def test_an_unknown_option_is_refused_before_anything_is_made(example, tmp_path):
    with pytest.raises(SystemExit):
        example.main(["--to", str(tmp_path / "grid"), "--tokes", "9"])
    assert not (tmp_path / "grid").exists()


def test_orders_and_differences_are_those_of_equal_seeds(example):
    results = {
        example.Run("natural", 5, stages, seed): found(loss + seed, share)
        for stages, loss, share in (("all", 2.0, 0.5), ("without half-duplex", 2.5, 0.5))
        for seed in range(3)
    }
    grid = example.grid(results)
    cell = example.table(grid).cell("natural, chunk 5, all", "loss")
    assert cell.value == pytest.approx(3.0) and cell.low == pytest.approx(3 - 4.303 / 3**0.5, abs=1e-3)
    latency = example.table(grid).cell("natural, chunk 5, all", "assistant latency")
    assert (latency.value, latency.n) == (600.0, 60)
    paired = example.differences(grid).cell("natural, chunk 5, without half-duplex", "loss")
    assert (paired.value, paired.low, paired.high) == pytest.approx((0.5, 0.5, 0.5))
    lines = list(example.orderings(grid))
    assert lines[0].endswith("best first: all 3.000, without half-duplex 3.500; beyond chance: without half-duplex.")
    assert lines[1].endswith("beyond chance: none.")


def test_a_cell_without_reactions_has_no_latency_and_no_dot(example):
    results = {
        example.Run("omniflatten", 10, "all", 0): found(2.0, 0.25, mean_ms=300.0),
        example.Run("omniflatten", 5, "all", 0): found(2.0, 0.5),
        example.Run("natural", 10, "all", 0): found(2.0, 0.0, mean_ms=None),
    }
    grid = example.grid(results)
    assert example.table(grid).cell("natural, chunk 10, all", "assistant latency").value is None
    svg = example.plot(grid).file()
    dots = re.findall(r'<circle class="([^"]*)" cx="([\d.]+)" cy="([\d.]+)" r="4"><title>([^<]*)<', svg)
    assert [(kind, title) for kind, _, _, title in dots] == [
        ("curve-1", "omniflatten, chunk 10, all"),
        ("curve-1", "omniflatten, chunk 5, all"),
    ]
    (_, x10, y10, _), (_, x5, y5, _) = dots
    assert float(x10) > float(x5) and float(y10) > float(y5)  # later, and less often
    assert example.plot({}).file().startswith("<svg")
