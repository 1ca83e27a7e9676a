"""The S3 tokenizers: real models with random weights, in the files they are saved in."""

import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from datagen.engines import load
from datagen.engines.speech_tokens import s3_nets
from datagen.engines.speech_tokens.s3 import CONTEXT_S, WINDOW_S, windows
from datagen.errors import EngineError, EngineMissingError, OutageError, RecipeError
from tests.engines.tiny import S3_MODELS, need_s3tokenizer, s3_file, s3_graph, s3_net

need_s3tokenizer()

RATE = 16_000


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("s3")


@pytest.fixture(scope="session")
def tiny(folder):
    """Builds each model once."""

    @lru_cache
    def build(model: str, **options):
        return load.speech_tokenizer("s3", {"path": str(s3_file(folder, model)), "model": model, **options})

    return build


def noise(n_samples: int, seed: int = 0) -> np.ndarray:
    """Noise that swells and fades, so that codes change."""
    swell = 1 + np.sin(np.arange(n_samples, dtype=np.float32) / 9000)
    return (np.random.default_rng(seed).normal(0, 2000, n_samples).astype(np.float32) * swell).astype(np.int16)


@given(n_frames=st.integers(0, 40_000), rate=st.sampled_from([25, 50]))
def test_windows_keep_every_frame_once_and_are_short(n_frames, rate):
    cuts = windows(n_frames, rate)
    assert [frame for w in cuts for frame in (w.first, w.last)][1:-1] == [w.first for w in cuts[1:] for _ in range(2)]
    assert sum(w.last - w.first for w in cuts) == n_frames
    for w in cuts:
        assert 0 <= w.start <= w.first < w.last <= w.end <= n_frames
        assert w.end - w.start <= WINDOW_S * rate < 30 * rate
        assert w.start == max(0, w.first - (CONTEXT_S * rate if len(cuts) > 1 else 0))
        assert w.end == min(n_frames, w.last + (CONTEXT_S * rate if len(cuts) > 1 else 0))


@pytest.mark.parametrize("model", S3_MODELS)
@given(share=st.floats(0, 1))
@example(share=0)
@example(share=1)
@settings(max_examples=6, deadline=None)
def test_tokens_are_duration_times_rate_from_40_ms_to_10_minutes(tiny, model, share):
    """Lengths are drawn so that short and long ones are equally likely."""
    tokenizer = tiny(model)
    assert tokenizer.frame_rate_hz == (50 if model == "speech_tokenizer_v1" else 25)
    assert tokenizer.codebook_size == (4096 if "v1" in model else 6561)
    n_40_ms = round(15_000**share)
    codes = tokenizer.encode(noise(n_40_ms * RATE // 25))
    assert len(codes) == n_40_ms * tokenizer.frame_rate_hz // 25
    assert codes.dtype == np.uint16
    assert codes.max() < tokenizer.codebook_size


@pytest.mark.parametrize("seconds", [28.96, 29, 29.04, 29.96, 30, 30.04, 34, 50, 58])
@pytest.mark.parametrize("model", [S3_MODELS[0], S3_MODELS[2]])
def test_no_token_is_lost_around_the_cuts(tiny, model, seconds):
    tokenizer = tiny(model)
    assert len(tokenizer.encode(noise(round(seconds * RATE)))) == round(seconds * tokenizer.frame_rate_hz)


@pytest.mark.parametrize("model", S3_MODELS)
def test_up_to_29_s_codes_are_those_of_the_library(tiny, model):
    import torch

    audio = noise(29 * RATE)
    library, net = s3_nets.import_s3tokenizer(), s3_net(model)
    mel = library.log_mel_spectrogram(torch.from_numpy(audio.astype(np.float32) / 32768), n_mels=80)
    expected, n = net.quantize(*library.padding([mel]))
    found = tiny(model).encode(audio)
    assert found.tolist() == expected[0, : n[0]].tolist()
    assert len(set(found.tolist())) > 20


@pytest.mark.parametrize("model", S3_MODELS)
def test_frames_far_from_a_cut_are_those_of_their_window_alone(tiny, model):
    """The kept part of each window is what the model says of that stretch of the channel's log-mel."""
    import torch

    audio = noise(40 * RATE)
    tokenizer, net, library = tiny(model), s3_net(model), s3_nets.import_s3tokenizer()
    mel = library.log_mel_spectrogram(torch.from_numpy(audio.astype(np.float32) / 32768), n_mels=80)
    rate = tokenizer.frame_rate_hz
    step, kept = 100 // rate, []
    for w in windows(40 * rate, rate):
        codes, _ = net.quantize(*library.padding([mel[:, w.start * step : w.end * step]]))
        kept += codes[0, w.first - w.start : w.last - w.start].tolist()
    assert tokenizer.encode(audio).tolist() == kept


@pytest.mark.parametrize("model", S3_MODELS)
def test_channels_are_encoded_as_if_alone(tiny, model):
    tokenizer = tiny(model)
    assert tokenizer.info.bit_exact == "machine"
    channels = [noise(41 * RATE, 1), noise(5 * RATE, 2), np.zeros(RATE, np.int16), np.zeros(0, np.int16)]
    together = tokenizer.encode_many(channels)
    for codes, channel in zip(together, channels, strict=True):
        assert codes.tolist() == tokenizer.encode(channel).tolist()


@pytest.mark.parametrize("model", S3_MODELS)
def test_batches_give_the_same_codes_but_for_rounding_and_promise_nothing(tiny, model):
    batched = tiny(model, batch_size=4)
    assert batched.info.bit_exact == "no"
    channels = [noise(70 * RATE, 1), noise(5 * RATE, 2)]
    for codes, alone in zip(batched.encode_many(channels), tiny(model).encode_many(channels), strict=True):
        assert len(codes) == len(alone)
        assert (codes == alone).mean() > 0.98


def test_threads_do_not_change_a_code_and_their_number_is_put_back(tiny):
    import torch

    tokenizer, audio, before = tiny(S3_MODELS[2]), noise(20 * RATE), torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        codes = tokenizer.encode(audio)
        assert torch.get_num_threads() == 3
        torch.set_num_threads(1)
        assert codes.tolist() == tokenizer.encode(audio).tolist()
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors", ".onnx"])
@pytest.mark.parametrize("model", S3_MODELS)
def test_every_file_format_holds_the_same_model(tiny, folder, model, suffix):
    if suffix == ".safetensors":
        pytest.importorskip("safetensors")
    path = s3_file(folder, model, suffix)
    loaded = load.speech_tokenizer("s3", {"path": str(path), "model": model})
    audio = noise(3 * RATE)
    assert loaded.encode(audio).tolist() == tiny(model).encode(audio).tolist()
    assert loaded.silence_code == tiny(model).silence_code
    assert loaded.info.version.startswith("0.3.0+")


@pytest.mark.parametrize("model", S3_MODELS[:2])
def test_onnxruntime_runs_the_file_without_torch(tiny, folder, model):
    path, audio = s3_graph(folder, model), noise(45 * RATE)
    by_onnx = load.speech_tokenizer("s3", {"path": str(path), "model": model, "runtime": "onnx"})
    codes, expected = by_onnx.encode(audio), tiny(model).encode(audio)
    assert len(codes) == 45 * by_onnx.frame_rate_hz
    assert (codes == expected).mean() > 0.99, "the two sum in different orders"
    assert (by_onnx.silence_code, by_onnx.codebook_size) == (tiny(model).silence_code, 4096)
    code = (
        f"import sys, numpy as np\nfrom datagen.engines.speech_tokens.s3 import S3Tokenizer\n"
        f"S3Tokenizer({str(path)!r}, {model!r}, runtime='onnx').encode(np.zeros(16000, np.int16))\n"
        f"assert not {{'torch', 's3tokenizer', 'torchaudio'}} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("n_mels", [80, 128])
def test_our_log_mel_is_that_of_the_library(n_mels):
    import torch

    audio = noise(4 * RATE).astype(np.float32) / 32768
    audio[:RATE] = 0
    expected = s3_nets.import_s3tokenizer().log_mel_spectrogram(torch.from_numpy(audio), n_mels=n_mels).numpy()
    found = s3_nets.log_mel(audio, s3_nets.mel_filters(n_mels))
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-4


def test_silence_code_is_the_commonest_of_digital_silence(tiny):
    for model in S3_MODELS:
        codes = tiny(model).encode(np.zeros(10 * RATE, np.int16))
        assert np.bincount(codes).argmax() == tiny(model).silence_code


def test_a_file_of_another_model_is_refused(folder, tmp_path, monkeypatch):
    path = str(s3_file(folder, "speech_tokenizer_v1_25hz"))
    for model in S3_MODELS[2:]:
        with pytest.raises(EngineError, match=f"does not contain the weights of {model}"):
            load.speech_tokenizer("s3", {"path": path, "model": model})
    (tmp_path / "x.pt").write_bytes(b"nothing")
    with pytest.raises(EngineError, match=r"x\.pt does not contain the weights"):
        load.speech_tokenizer("s3", {"path": str(tmp_path / "x.pt")})
    with pytest.raises(EngineError, match=r"x\.pt is not an ONNX file"):
        load.speech_tokenizer("s3", {"path": str(tmp_path / "x.pt"), "runtime": "onnx"})
    sha256 = s3_nets.file_sha256(Path(path), "speech_tokenizer_v1_25hz")
    monkeypatch.setitem(s3_nets.PUBLISHED, sha256, "speech_tokenizer_v1_25hz")
    with pytest.raises(EngineError, match=r"contains speech_tokenizer_v1_25hz, not speech_tokenizer_v1; set model: "):
        load.speech_tokenizer("s3", {"path": path, "model": "speech_tokenizer_v1"})


@pytest.mark.parametrize("part", ["encoder.blocks.0.mlp.0.weight", "encoder.conv2.bias"])
@pytest.mark.parametrize("model", S3_MODELS)
def test_a_weight_that_is_missing_does_not_stay_random(tmp_path, model, part):
    import torch

    weights = s3_net(model).state_dict()
    del weights[part]
    torch.save(weights, tmp_path / "part.pt")
    with pytest.raises(EngineError, match=f"1 weights are missing or unknown, such as {part}"):
        load.speech_tokenizer("s3", {"path": str(tmp_path / "part.pt"), "model": model})


def test_code_in_a_file_of_weights_is_not_run(tmp_path):
    import torch

    torch.save({"encoder.conv1.weight": _Bomb(tmp_path / "ran")}, tmp_path / "bomb.pt")
    with pytest.raises(EngineError, match="does not contain the weights"):
        load.speech_tokenizer("s3", {"path": str(tmp_path / "bomb.pt")})
    assert not (tmp_path / "ran").exists()


class _Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"path": "/nonesuch.pt"}, EngineMissingError, r"no weights file /nonesuch\.pt; set engines\.speech_tok"),
        ({"model": "speech_tokenizer_v9"}, RecipeError, "'speech_tokenizer_v9' is not one of speech_tokenizer_v1, "),
        ({"runtime": "tf"}, RecipeError, "runtime 'tf' is not one of torch, onnx"),
        ({"batch_size": -1}, RecipeError, "batch_size -1"),
        ({"runtime": "onnx", "batch_size": 2}, RecipeError, "with runtime onnx it must be 1"),
        ({"device": "nonesuch"}, EngineMissingError, "no device 'nonesuch'.*start it on a machine that has a GPU"),
    ],
)
def test_what_cannot_be_is_refused(folder, options, error, says):
    with pytest.raises(error, match=says):
        load.speech_tokenizer("s3", {"path": str(s3_file(folder, S3_MODELS[2])), **options})


@pytest.mark.parametrize("bad", [np.zeros(641, np.int16), np.zeros(640, np.float32), np.zeros((2, 640), np.int16)])
def test_audio_that_is_no_whole_frames_is_refused(tiny, bad):
    with pytest.raises(ValueError, match="s3 encodes"):
        tiny(S3_MODELS[2]).encode(bad)


def test_a_model_that_gives_too_few_codes_is_found_out(folder):
    tokenizer = load.speech_tokenizer("s3", {"path": str(s3_file(folder, S3_MODELS[0])), "model": S3_MODELS[0]})
    whole = tokenizer._net.codes
    tokenizer._net.codes = lambda mels: [codes[:-1] for codes in whole(mels)]
    with pytest.raises(EngineError, match="gave 49 codes for 50 frames"):
        tokenizer.encode(noise(RATE))


@pytest.mark.parametrize("part", ["mel", "codes"])
def test_a_gpu_that_fails_stops_the_build_and_is_no_fault_of_the_channel(folder, monkeypatch, part):
    tokenizer = load.speech_tokenizer("s3", {"path": str(s3_file(folder, S3_MODELS[2]))})
    for says, error in (("CUDA error: an illegal memory access", OutageError), ("shapes differ", RuntimeError)):
        monkeypatch.setattr(tokenizer._net, part, lambda _, says=says: (_ for _ in ()).throw(RuntimeError(says)))
        with pytest.raises(error, match=says):
            tokenizer.encode(noise(RATE))


def test_without_a_decoder_codes_cannot_be_heard(tiny):
    with pytest.raises(EngineMissingError, match=r"no decoder: set decoder\.model_dir to a CosyVoice model directory"):
        tiny(S3_MODELS[2]).decode(np.zeros(3, np.uint16))


@pytest.mark.parametrize("surplus", [-300, 0, 300])
def test_a_decoder_gets_its_options_and_its_sound_is_cut_to_frames(folder, monkeypatch, surplus):
    """A stand-in for CosyVoice: a second of 24 kHz sound per 25 codes, more or less."""
    import types

    class Detokenizer:
        sample_rate_hz = 24_000

        def __init__(self, model_dir: str) -> None:
            assert model_dir == "somewhere"

        def __call__(self, codes):
            return np.full(len(codes) * 960 + surplus, 0.5, np.float32)

    module = types.SimpleNamespace(Detokenizer=Detokenizer)
    monkeypatch.setitem(sys.modules, "datagen.engines.speech_tokens.cosyvoice_decoder", module)
    options = {"path": str(s3_file(folder, S3_MODELS[2])), "decoder": {"model_dir": "somewhere"}}
    audio = load.speech_tokenizer("s3", options).decode(np.zeros(50, np.uint16))
    assert (audio.dtype, audio.shape) == (np.float32, (2 * RATE,))
    assert np.allclose(audio[1000:-1000], 0.5, atol=0.01)
    with monkeypatch.context() as patch:
        patch.setattr(Detokenizer, "__call__", lambda *_: pytest.fail("nothing is to be heard"))
        assert load.speech_tokenizer("s3", options).decode(np.zeros(0, np.uint16)).shape == (0,)


@pytest.mark.parametrize("broken", ["raise ImportError('no such file')", "raise OSError('undefined symbol')"])
def test_torchaudio_need_not_load(folder, tmp_path, broken):
    """In a process where torchaudio is installed but fails, as where it was built for another torch."""
    (tmp_path / "torchaudio.py").write_text(broken)
    code = (
        f"import sys, numpy as np\nsys.path.insert(0, {str(tmp_path)!r})\n"
        f"from datagen.engines.speech_tokens.s3 import S3Tokenizer\n"
        f"t = S3Tokenizer({str(s3_file(folder, S3_MODELS[2]))!r})\n"
        f"print(len(t.encode(np.zeros(16000, np.int16))), 'torchaudio' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["25", "False"]


def test_a_package_that_is_missing_is_named(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "s3tokenizer", None)
    with pytest.raises(EngineMissingError, match=r"needs: .*pip install .*\[s3\]"):
        load.speech_tokenizer("s3", {"path": str(s3_file(folder, S3_MODELS[2]))})


@pytest.mark.slow
@pytest.mark.parametrize("model", S3_MODELS)
def test_models_of_full_size_give_a_code_a_frame(tmp_path, model):
    path = s3_file(tmp_path, model, full=True)
    tokenizer = load.speech_tokenizer("s3", {"path": str(path), "model": model})
    path.unlink()
    for n_frames in (1, 31 * tokenizer.frame_rate_hz):
        codes = tokenizer.encode(noise(n_frames * RATE // tokenizer.frame_rate_hz))
        assert len(codes) == n_frames
        assert codes.max() < tokenizer.codebook_size
