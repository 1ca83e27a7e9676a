"""The data in the hands of transformers and datasets: real models, tiny and untrained."""

from itertools import pairwise
from pathlib import Path

import datasets
import pytest
import torch
import transformers

from datagen.feed import Feed
from tests.feed.conftest import TASK, stage


@pytest.fixture
def model(out) -> transformers.Qwen2ForCausalLM:
    torch.manual_seed(0)
    size = Feed(out, stage()).vocabulary.size
    config = transformers.Qwen2Config(
        vocab_size=size, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=4096,
    )  # fmt: skip
    return transformers.Qwen2ForCausalLM(config).eval()


def test_attention_does_not_cross_rows(out, model):
    batch = next(iter(Feed(out, stage(batch_size=2))))
    with torch.no_grad():
        packed = model(**batch.inputs).logits.flatten(0, 1)
        ids = batch.inputs["input_ids"].flatten()
        bounds = batch.boundaries.tolist()
        assert len(bounds) > 5
        for begin, end in pairwise(bounds):
            alone = model(input_ids=ids[None, begin:end]).logits[0]
            torch.testing.assert_close(packed[begin:end], alone, atol=1e-4, rtol=1e-4)


def test_a_flat_batch_says_the_same_and_is_seen_as_packed(out, model):
    from transformers.modeling_flash_attention_utils import _is_packed_sequence

    batch = next(iter(Feed(out, stage(batch_size=2))))
    flat = batch.flat().to("cpu")
    assert _is_packed_sequence(flat.inputs["position_ids"], 1)
    with torch.no_grad():
        expected = model(**batch.inputs).logits.flatten(0, 1)
        torch.testing.assert_close(model(**flat.inputs).logits[0], expected, atol=1e-4, rtol=1e-4)
    assert flat.boundaries.tolist()[-1] == flat.inputs["input_ids"].shape[1]


def test_a_batch_trains_a_model(out, model):
    optimizer = torch.optim.AdamW(model.train().parameters(), lr=3e-3)
    losses = []
    for batch in Feed(out, stage(n_sequences=30)):
        loss = model(**batch.inputs).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert sum(losses[-3:]) < 0.9 * sum(losses[:3])


def collate(rows):
    """What the README shows: pad, and learn where the mask says so."""
    ids = [torch.tensor(row["input_ids"]) for row in rows]
    labels = [torch.where(torch.tensor(row["loss_mask"]), i, -100) for row, i in zip(rows, ids, strict=True)]
    pad = torch.nn.utils.rnn.pad_sequence
    attention = pad([torch.ones_like(i) for i in ids], batch_first=True)
    return {"input_ids": pad(ids, True), "labels": pad(labels, True, -100), "attention_mask": attention}


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
def test_plain_datasets_and_trainer_work(out, model, tmp_path):
    rows = datasets.load_dataset(out, TASK, cache_dir=str(tmp_path / "cache"))
    assert set(rows) == {"train", "validation", "test"}
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path / "run"), max_steps=20, per_device_train_batch_size=4, learning_rate=3e-3,
        remove_unused_columns=False, use_cpu=True, report_to=[], save_steps=20, logging_steps=5, disable_tqdm=True,
    )  # fmt: skip
    trainer = transformers.Trainer(
        model, arguments, collate, train_dataset=rows["train"], eval_dataset=rows["validation"]
    )
    before = trainer.evaluate()["eval_loss"]
    trainer.train()
    assert trainer.evaluate()["eval_loss"] < 0.95 * before
    assert (Path(tmp_path) / "run" / "checkpoint-20" / "model.safetensors").exists()
