"""All resources are probed before the first speech, and all faults listed at once."""

import json

import numpy as np
import pytest
import soundfile

from datagen.engines.base import Speech, Word
from datagen.engines.fakes import ToneTokenizer, ToneVoice
from datagen.engines.normalizers import English
from datagen.errors import DatagenError, EngineError, ResumeError, StoreError
from datagen.pipeline.pipeline import Pipeline
from datagen.recipe import load
from datagen.run.build import build
from datagen.run.cost import core_hours
from datagen.run.job import Watcher
from datagen.run.preflight import dry_run, preflight
from datagen.shards.store import LocalStore, open_store
from tests.run.builds import fake, read, talk


def sounds(folder, *bad):
    folder.mkdir()
    soundfile.write(folder / "good.wav", np.sin(np.arange(24_000) / 9), 24_000)
    for name in bad:
        (folder / name).write_bytes(b"RIFF")
    return folder


def noisy(folder):
    return f"mix.noise=[{{name: directory, options: {{path: '{folder}'}}}}]"


class Notices(Watcher):
    def __init__(self):
        self.lines = []

    def notice(self, line):
        self.lines.append(line)


def test_all_faults_are_listed_at_once_before_anything_is_written(tmp_path):
    (tmp_path / "empty").mkdir()
    recipe = fake(
        tmp_path,
        noisy(tmp_path / "empty"),
        "engines.tts={name: nonesuch}",
        f"input.paths=[{tmp_path / 'no.jsonl'}]",
        f"takes.reuse=[{tmp_path / 'none'}]",
    )
    with pytest.raises(DatagenError) as error:
        build(recipe, str(tmp_path / "out"))
    message = str(error.value)
    assert message.startswith("4 faults: (1) noise: no audio files below")
    assert "nonesuch" in message and "no.jsonl" in message and "keeps no takes" in message
    assert not (tmp_path / "out").exists()


def test_bad_sounds_are_skipped_with_one_notice_each_and_another_is_drawn(tmp_path):
    folder, watcher = sounds(tmp_path / "noise", "bad.wav", "._good.wav"), Notices()
    both = f"mix.bursts={{probability: 1, sources: [{{name: directory, options: {{path: '{folder}'}}}}]}}"
    build(fake(tmp_path, noisy(folder), both), str(tmp_path / "out"), watcher=watcher)
    (line,) = (line for line in watcher.lines if "wav" in line)
    assert line.startswith("skipped: ") and "bad.wav: cannot read" in line
    assert {row["mixing"]["noise"] for row in read(tmp_path / "out", "conversations")} == {"good.wav"}


def test_workers_get_the_files_that_were_found_and_make_the_same_bytes(tmp_path):
    recipe = fake(tmp_path, noisy(sounds(tmp_path / "noise", "bad.wav")))
    here = build(recipe, str(tmp_path / "here"))
    there = build(recipe, str(tmp_path / "there"), n_workers=2)
    assert here.digest == there.digest
    files = Pipeline(recipe).worker_recipe()["mix"]["noise"][0]["options"]["files"]
    assert list(files) == ["good.wav"]


def test_an_output_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(StoreError, match="is a file; choose another --out"):
        preflight(Pipeline(fake(tmp_path)), LocalStore(tmp_path / "out"))


def test_an_output_that_cannot_fit_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("datagen.run.preflight._BYTES_PER_HOUR", 10**18)
    with pytest.raises(StoreError, match=r"needs about .* GB, and .* are free"):
        build(fake(tmp_path), str(tmp_path / "out"))


def test_a_dry_run_writes_nothing_and_knows_what_is_left(tmp_path):
    recipe, out = fake(tmp_path), tmp_path / "out"
    found = dry_run(recipe, str(out))
    assert (found.n_records, found.n_units, found.n_left) == (6, 3, 3)
    assert found.kept_share == pytest.approx(4 / 6) and found.hours > 0 and found.n_bytes > 0
    assert found.cost.startswith("core-hours: not known for the engine tone; ")
    assert not out.exists()
    build(recipe, str(out))
    before = {file: file.stat().st_mtime_ns for file in out.rglob("*")}
    assert dry_run(recipe, str(out)).n_left == 0
    assert {file: file.stat().st_mtime_ns for file in out.rglob("*")} == before
    with pytest.raises(ResumeError):
        dry_run(fake(tmp_path, "seed=8"), str(out))


def test_core_hours_follow_from_the_engines_and_what_is_left(tmp_path):
    (tmp_path / "in.jsonl").write_text(
        json.dumps(talk("What do I need for tea?", "Leaves, and water that has boiled."))
    )
    real = load("quickstart", (f"input.paths=[{tmp_path / 'in.jsonl'}]",))
    found = dry_run(real, str(tmp_path / "out"))
    assert found.core_hours == pytest.approx(found.hours / 108)
    assert f"about {found.core_hours:.2g} (" in found.cost
    assert core_hours(load("quickstart", ("verify.asr={name: whisper}",)), 1.0)[0] == pytest.approx(1 / 108 + 1 / 22)
    by_language = "engines.tts={name: by_language, options: {en: {name: hibari}, zh: {name: kokoro}}}"
    assert core_hours(load("quickstart", (by_language,)), 3.0) == (pytest.approx(1.0), "")


def test_a_dry_run_finds_the_faults_of_a_build(tmp_path):
    with pytest.raises(DatagenError, match="no dialogue is kept"):
        dry_run(fake(tmp_path, records=[{"id": 1}]), str(tmp_path / "out"))
    assert json.loads((tmp_path / "in.jsonl").read_text()) == {"id": 1}


def test_a_dry_run_lists_the_output_on_a_store_and_writes_nothing(tmp_path, s3):
    found = dry_run(fake(tmp_path), s3)
    assert found.notices[-1] == "output: listed; writing was not tried, because nothing is written"
    assert not list(open_store(s3).keys(""))


def test_a_dry_run_finds_that_a_bucket_is_missing(tmp_path, s3):
    with pytest.raises(StoreError, match="there is no such bucket"):
        dry_run(fake(tmp_path), "s3://no-such-bucket/out")


def test_a_dry_run_lists_a_missing_cluster_with_the_other_faults(tmp_path):
    recipe = fake(tmp_path, f"takes.reuse=[{tmp_path / 'none'}]")
    with pytest.raises(DatagenError, match=r"keeps no takes.*no Ray cluster at '127\.0\.0\.1:1'"):
        dry_run(recipe, str(tmp_path / "out"), "127.0.0.1:1")


class Seconds(ToneVoice):
    """Gives word times in seconds."""

    def speak(self, text, voice, seed):
        s = super().speak(text, voice, seed)
        return Speech(s.audio, tuple(Word(w.text, w.start_samples / 24e3, w.end_samples / 24e3) for w in s.words))


class TooBig(ToneTokenizer):
    """Makes codes that its codebook lacks."""

    def encode(self, audio):
        return super().encode(audio) + np.uint16(600)


class Loud(ToneTokenizer):
    """Declares another code of silence than it makes."""

    silence_code = 5


class Text(English):
    """Returns text instead of a reading."""

    def spoken(self, text):
        return super().spoken(text).text


class Refusing(ToneVoice):
    """Refuses most texts, as an engine may."""

    def speak(self, text, voice, seed):
        if "apples" not in text:
            raise EngineError("apples only")
        return super().speak(text, voice, seed)


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("engines.tts={name: '%s:Seconds'}", "word times look like seconds"),
        ("engines.speech_tokenizer={name: '%s:TooBig'}", "its largest code is .*, and its codebook_size 512"),
        ("engines.speech_tokenizer={name: '%s:Loud'}", "the commonest is 0 .*, declared is 5"),
        ("script.normalizer={en: {name: '%s:Text'}}", "answers any text with a Reading: got str"),
    ],
)
def test_an_engine_of_ones_own_that_breaks_a_law_is_refused_before_the_first_speech(tmp_path, override, says):
    recipe = fake(tmp_path, override % "tests.run.test_preflight")
    wanted = (
        rf"engine 'tests.run.test_preflight:\w+': .*{says}.*datagen engines check tests.run.test_preflight:\w+ --kind"
    )
    with pytest.raises(EngineError, match=wanted):
        build(recipe, str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_an_engine_may_refuse_the_sentence_that_it_is_asked(tmp_path):
    recipe = fake(tmp_path, "engines.tts={name: 'tests.run.test_preflight:Refusing'}")
    preflight(Pipeline(recipe), LocalStore(tmp_path / "out"))
