"""What docs/training.md shows runs, on a small build and a tiny model."""

import re
from pathlib import Path

import pytest
import transformers

from datagen.feed import Feed
from tests.feed.conftest import stage
from tests.run.builds import made

ROOT = Path(__file__).parent.parent.parent
ALL_TASKS = "flatten.tasks=[asr, tts, four_stream, three_stream, two_stream]"
SPLITS = "splits={validation: 0.3, test: 0.1, keep_together: null}"


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
def test_every_block_of_python_runs(tmp_path, monkeypatch):
    out = str(made(tmp_path, ALL_TASKS, SPLITS, n=20)[0])
    size = Feed(out, stage()).vocabulary.size
    config = transformers.Qwen2Config(
        vocab_size=size, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=2,
    )  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    page = (ROOT / "docs" / "training.md").read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    blocks = [block for block in blocks if "model" in block]
    assert len(blocks) == 2
    names = {"model": transformers.Qwen2ForCausalLM(config)}
    for block in blocks:
        short = re.sub("out/(mine|quickstart)", out, block).replace(
            "max_steps=1000", "max_steps=2, report_to=[], use_cpu=True"
        )
        exec(compile(short.replace(".inputs).loss\n", ".inputs).loss\n    break\n"), "docs", "exec"), names)
    assert names["loss"].item() > 0
