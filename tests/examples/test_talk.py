"""A model answers a sound file: the sound and the page are those of its tokens."""

import json
import re
import sys

import numpy as np
import pytest
import soundfile
import torch

import datagen
from datagen.evaluate.detokenizer import Detokenizer
from datagen.evaluate.models import load
from datagen.evaluate.player import Player
from datagen.evaluate.scored_rows import Layout
from datagen.report.live import write_talk
from datagen.seeds import rng
from tests.examples import loaded
from tests.run.builds import made

ALL_TASKS = "flatten.tasks=[asr, tts, four_stream, three_stream, two_stream]"
RATE = 24_000


@pytest.fixture(scope="module")
def example():
    return loaded("talk")


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> str:
    return str(made(tmp_path_factory.mktemp("talk"), ALL_TASKS, "flatten.max_tokens=512", n=8)[0])


@pytest.fixture(scope="module")
def model(tmp_path_factory, out) -> str:
    """A tiny one, untrained: it says whatever comes."""
    train, to = loaded("train"), tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    plan = train.stages(1e5, 512, 2)
    train.save(*train.new_model("tiny", out, 512, plan), to)
    return str(to)


@pytest.fixture
def user(tmp_path) -> tuple[str, np.ndarray]:
    """Two and a half seconds of a tone that swells and rests."""
    at = np.arange(int(2.53 * RATE)) / RATE
    samples = np.rint(8000 * np.sin(2 * np.pi * 220 * at) * np.sin(2 * np.pi * at) ** 2).astype(np.int16)
    soundfile.write(tmp_path / "user.wav", samples, RATE)
    return str(tmp_path / "user.wav"), samples


@pytest.mark.parametrize("task", ["three_stream", "two_stream"])
def test_the_streamed_answer_is_the_one_that_is_made_at_once(example, out, model, user, tmp_path, capsys, task):
    file, samples = user
    to = tmp_path / "talks" / "answer"
    example.main(
        [out, "--model", model, "--task", task, "--user", file, "--to", str(to), "--after", "1", "--seed", "4"]
    )
    output = datagen.open(out)
    layout, tokenizer, v = Layout.of(output.manifest, task), output.speech_tokenizer, output.vocabulary
    chunk = layout.n_speech * 960
    heard = np.zeros(-(-(len(samples) + RATE) // chunk) * chunk, np.int16)
    heard[: len(samples)] = samples
    rows = np.zeros((len(heard) // chunk, layout.width), np.int32)
    rows[:, layout.chunk.user] = v.speech(tokenizer.encode(heard)[:, None]).reshape(len(rows), -1)
    player = Player(load(model, v.size), layout, v)
    at_once = player.free(rows.reshape(-1), 0, len(rows), rng(4, "talk"))
    expected = Detokenizer(tokenizer, v, 1).sound(at_once.speech[:, 0])

    written, rate_hz = soundfile.read(tmp_path / "talks" / "answer.wav", dtype="int16", always_2d=True)
    assert rate_hz == RATE
    delay = len(written) - len(heard)
    assert delay >= chunk
    assert np.array_equal(written[: len(heard), 0], heard)
    assert np.abs(written[delay:, 1] - np.clip(expected, -1, 1) * 32767).max() <= 1
    assert not written[:delay, 1].any() and np.abs(written[:, 1]).max() > 100

    page = (tmp_path / "talks" / "answer.html").read_text("utf-8")
    talk = json.loads(re.search(r'class="talk">(.*?)</script>', page, re.DOTALL)[1])
    (row,) = talk["rows"]
    assert len(row["lines"]) == len(rows) and row["n_tokens"] == rows.size
    codes = [code for line in row["lines"] for code in line["assistant"]]
    assert codes == [None if code < 0 else code for code in v.codes(at_once.speech[:, 0].astype(np.int32)).tolist()]
    spoken_ms = sum(u["end_ms"] - u["start_ms"] for u in talk["utterances"])
    assert spoken_ms >= 40 * (~at_once.silent).sum()
    assert any(line["text"] for line in row["lines"]) == (task == "three_stream")
    assert f"{1000 * delay / RATE:.0f} ms after its tokens" in capsys.readouterr().out
    assert not re.search(r"(src|href)=[\"'](?!#)", page)  # nothing to load


def test_without_a_microphone_library_it_says_what_is_needed(example, out, model, monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(SystemExit, match="pip install sounddevice"):
        example.main([out, "--model", model])


def test_a_build_without_rows_of_the_task_is_named(example, tmp_path, model):
    other = str(made(tmp_path, n=6)[0])
    with pytest.raises(SystemExit, match="no rows of two_stream; it has asr, three_stream: use --task"):
        example.main([other, "--model", model, "--user", "x.wav"])


@pytest.mark.slow
def test_the_page_plays_in_a_browser(example, out, model, user, tmp_path):
    from tests.report.browser import chromium

    options = example.parsed([out, "--model", model, "--task", "three_stream", "--user", user[0]])
    talk = example.converse(options)
    write_talk(talk, tmp_path / "talk.html")
    seen = chromium(1280, dark=False)
    try:
        seen.open(tmp_path / "talk.html")
        assert seen.run("return state.talk.id") == "user.wav"
        assert len(seen.all("#lines tbody tr")) == len(talk.said) - 1
        seen.click("#play")
        seen.until(lambda: float(seen.run("return state.ms")) > 300)
        seen.click("[data-sound='decoded']")
        assert seen.run("return state.sound") == "decoded"
        assert seen.messages() == []
    finally:
        seen.quit()
