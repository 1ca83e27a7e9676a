"""Engines written for an older datagen learn the new address of what they import, in one clear error."""

from importlib import import_module
from importlib.util import find_spec

import pytest

from datagen.engines.load import load
from datagen.engines.moved import MOVED
from datagen.errors import RecipeError


@pytest.mark.parametrize("new", sorted(set(MOVED.values())))
def test_every_new_address_is_there(new):
    module, _, name = f"datagen.{new}".rpartition(".")
    if find_spec(f"datagen.{new}" if name.islower() else module) is None:
        pytest.fail(f"datagen.{new} is not there")
    assert name.islower() or hasattr(import_module(module), name)


@pytest.mark.parametrize("old", sorted(MOVED))
def test_no_old_address_is_a_new_one(old):
    assert old == "engines.noise" or old not in MOVED.values()


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("datagen.engines.hibari:Hibari", "datagen.engines.hibari is now datagen.engines.tts.hibari"),
        ("datagen.engines.tone:ToneVoice", "datagen.engines.tone is now datagen.engines.fakes"),
        ("datagen.engines.noise:GeneratedNoise", "datagen.engines.noise is now datagen.engines.noise.noise"),
        ("datagen.engines.bank.table:X", "datagen.engines.bank.table is now datagen.engines.voices"),
        (
            "datagen.engines.bank.recordings:X",
            "datagen.engines.bank.recordings is now datagen.engines.voices.recordings",
        ),
    ],
)
def test_an_engine_that_moved_is_named_with_its_new_address(target, says):
    with pytest.raises(RecipeError) as error:
        load("tts", target, {})
    assert str(error.value) == f"tts engine {target!r} cannot be imported: {says}"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("from datagen.stages.speak import Speak", "datagen.stages.speak is now datagen.pipeline.speak.speak"),
        ("from datagen.stages.place import Place", "datagen.stages.place is now datagen.pipeline.place"),
        ("from datagen.build import Build", "datagen.build.Build is now datagen.pipeline.pipeline.Pipeline"),
        ("from datagen.build import other", "datagen.build is now datagen.pipeline.pipeline"),
        ("import datagen.run.manifest", "datagen.run.manifest is now datagen.shards.manifest"),
        ("from datagen import units", "datagen.units is now datagen.clock"),
        ("from datagen.units import (\n    hop_samples,\n)", "datagen.units is now datagen.clock"),
        ("from datagen.spoken.english import x", "datagen.spoken.english is now datagen.text.english"),
        ("from datagen.phrases import x", "datagen.phrases is now datagen.text.phrases"),
    ],
)
def test_an_engine_of_ones_own_that_imports_what_moved_learns_the_new_address(tmp_path, monkeypatch, line, says):
    name = f"engine_{abs(hash(line))}"
    (tmp_path / f"{name}.py").write_text(f"{line}\n\nclass Mine:\n    pass\n", "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(RecipeError) as error:
        load("tts", f"{name}:Mine", {})
    assert str(error.value) == f"tts engine '{name}:Mine' cannot be imported: {says}"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("import nonesuch_package", "No module named 'nonesuch_package'"),
        ("from datagen.engines.noise.noise import Missing", "cannot import name 'Missing'"),
        ("from datagen.nonesuch import x", "No module named 'datagen.nonesuch'"),
    ],
)
def test_other_faults_keep_their_own_words(tmp_path, monkeypatch, line, says):
    name = f"engine_{abs(hash(line))}"
    (tmp_path / f"{name}.py").write_text(f"{line}\n\nclass Mine:\n    pass\n", "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(RecipeError, match=rf"cannot be imported: \w+Error: {says}.*\({name}.py:1\)"):
        load("tts", f"{name}:Mine", {})


MINE = """
from datagen.engines.base import ASR, MOS, TTS, VAD, Audio, BitExact, Codes, EngineInfo, Noise, Options, RoomResponse
from datagen.engines.base import Rooms, Speech, SpeechTokenizer, TextTokenizer, Voice, WordTimes


class Mine(TTS):
    info = EngineInfo("mine", "1", "MIT", "all")
    sample_rate_hz = 24_000
    voices = ("a",)
    languages = ("en",)

    def speak(self, text, voice, seed):
        raise OSError
"""


def test_engines_written_for_the_protocols_load_unchanged(tmp_path, monkeypatch):
    """`datagen.engines.base` keeps its names."""
    (tmp_path / "engine_of_mine.py").write_text(MINE, "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert load("tts", "engine_of_mine:Mine", {}).about("a").speaker == "a"
