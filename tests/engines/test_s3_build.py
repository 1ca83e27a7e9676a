"""S3 tokenizers in whole builds, at both of their rates; and what a build without them imports."""

import subprocess
import sys
from dataclasses import asdict
from io import BytesIO
from itertools import pairwise

import numpy as np
import pytest
import soundfile

import datagen.inspect
from datagen.engines import load
from datagen.engines.audio import resample
from datagen.errors import EngineMissingError
from datagen.report.report import write_report
from tests.engines.tiny import need_s3tokenizer, s3_file
from tests.run.builds import environment, fake, faults, made, read

TASKS = "flatten.tasks=[asr, tts, four_stream, three_stream, two_stream]"


@pytest.fixture(scope="module", params=["speech_tokenizer_v1", "speech_tokenizer_v2_25hz"])
def finished(request, tmp_path_factory):
    """A build on fake voices with a real S3 model of random weights, its conversations kept with their audio."""
    need_s3tokenizer()
    folder, model = tmp_path_factory.mktemp("s3_build"), request.param
    options = {"path": str(s3_file(folder, model)), "model": model}
    engine = f"engines.speech_tokenizer={{name: s3, options: {{path: {options['path']}, model: {model}}}}}"
    out, manifest = made(folder, engine, TASKS, "mix.keep_audio=true")
    return out, manifest, load.speech_tokenizer("s3", options)


def test_a_build_passes_a_check_at_its_rate(finished):
    out, manifest, tokenizer = finished
    rate = tokenizer.frame_rate_hz
    assert rate == (50 if "v1" in tokenizer.info.name else 25)
    clock = {"sample_rate_hz": 24_000, "frame_rate_hz": rate, "hop_samples": 24_000 // rate}
    assert asdict(manifest.clock) == clock
    assert manifest.vocabulary.codebook_size == (4096 if rate == 50 else 6561)
    assert manifest.silence.silence_code == tokenizer.silence_code
    assert faults(out) == []


def test_streams_are_the_codes_of_their_audio_at_the_rate_of_the_tokenizer(finished):
    out, _, tokenizer = finished
    rows = read(out, "conversations")
    assert rows
    for row in rows:
        audio, rate = soundfile.read(BytesIO(row["audio_flac"]), dtype="int16", always_2d=True)
        assert rate == 24_000
        for channel, role in enumerate(("user", "assistant")):
            narrow = resample(np.ascontiguousarray(audio[:, channel]).astype(np.float32), 24_000, 16_000)
            codes = tokenizer.encode(np.clip(np.rint(narrow), -32768, 32767).astype(np.int16))
            stored = row[f"{role}_codes"]
            stored = np.frombuffer(stored, "<u2") if isinstance(stored, bytes) else np.asarray(stored)
            assert stored.tolist() == codes.tolist()
            assert len(codes) == len(audio) * tokenizer.frame_rate_hz // 24_000


def test_chunks_hold_the_codes_of_their_time(finished):
    """As many at any rate: at 50 codes a second a chunk is half as long."""
    out, _, tokenizer = finished
    output = datagen.inspect.open(str(out))
    row, hop = output.row("two_stream", 0), 24_000 // tokenizer.frame_rate_hz
    codes = output.conversation(row.dialogue_id).streams.user_codes
    chunks = list(row.chunks())
    n_speech = fake(out.parent / "plain").flatten.speech_chunk_tokens
    assert len(chunks) > 3
    for chunk, after in pairwise(chunks):
        assert after.start_samples - chunk.start_samples == n_speech * hop
        assert list(chunk.user) == codes[chunk.start_samples // hop :][:n_speech].tolist()


def test_a_report_tells_why_tokens_are_not_heard(finished, tmp_path):
    out, _, _ = finished
    page = write_report(str(out), str(tmp_path / "report.html"), n_conversations=1, trust=True).file.read_text("utf-8")
    assert "this tokenizer has no decoder" in page
    untrusted = write_report(str(out), str(tmp_path / "untrusted.html"), n_conversations=1).file.read_text("utf-8")
    assert "pass --trust" in untrusted
    output = datagen.inspect.open(str(out), trust=True)
    talk = output.conversation(read(out, "conversations")[0]["dialogue_id"])
    with pytest.raises(EngineMissingError, match=r"set decoder\.model_dir"):
        _ = talk.decoded


def test_engines_that_are_not_used_are_not_imported(tmp_path):
    recipe = fake(tmp_path, n=2)
    (tmp_path / "recipe.yaml").write_text(recipe.to_yaml(), "utf-8")
    code = (
        "import sys\nfrom datagen.pipeline.pipeline import Pipeline\nfrom datagen.recipe import load\n"
        "from datagen.run.build import build\n"
        "Pipeline(load('quickstart')).describe()\n"
        f"build(load({str(tmp_path / 'recipe.yaml')!r}), {str(tmp_path / 'out')!r}, 0)\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment())
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "datagen" in loaded
    assert not {"torch", "torchaudio", "s3tokenizer", "transformers", "tokenizers", "einops"} & loaded
