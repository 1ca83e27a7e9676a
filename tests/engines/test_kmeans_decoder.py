"""The decoder of the embedded speech tokenizer by hibari's vocoder: as a stream, as a whole, and its training."""

from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from datagen.engines.speech_tokens import decoder_net
from datagen.engines.speech_tokens.decoder import AHEAD_SECONDS, HOP, Decoder
from datagen.engines.speech_tokens.decoder_net import N_HIDDEN, DecoderNetwork
from datagen.engines.speech_tokens.decoder_sound import SoundStream
from datagen.engines.speech_tokens.kmeans import DECODER_FILE, MODEL_FILE, KMeansTokenizer
from datagen.engines.tts import hibari_net as net
from datagen.engines.tts.hibari import Hibari
from datagen.errors import EngineError, EngineMissingError
from tools.train_kmeans import write

WIDTH, N_CODES = 16, 4096
SAME = 0.05
"""Most difference of a stream from the whole, relative to the root mean square: hibari's head rounds piece by piece."""


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> KMeansTokenizer:
    """With a decoder of random weights."""
    file = tmp_path_factory.mktemp("decoder") / "decoder.npz"
    write(file, arrays())
    return KMeansTokenizer(decoder=str(file))


@cache
def speech() -> np.ndarray:
    audio = Hibari().speak("Could you tell me how long the bread should stay in the oven?", "heart", 0).audio
    return np.rint(np.pad(audio, (0, -len(audio) % HOP)) * 32767).astype(np.int16)


@cache
def arrays() -> dict[str, np.ndarray]:
    """A small network of random weights."""
    rng = np.random.default_rng(0)
    shapes = {
        "table.weight": (N_CODES, 8), "enter.weight": (8, WIDTH), "enter.bias": (WIDTH,), "phase": (16, WIDTH),
        "leave.weight": (WIDTH, N_HIDDEN + 3), "leave.bias": (N_HIDDEN + 3,),
    }  # fmt: skip
    for name, kernel in (("slow.0", 7), ("slow.1", 7), ("fast.0", 5)):
        shapes |= {
            f"{name}.depthwise.weight": (kernel, WIDTH), f"{name}.depthwise.bias": (WIDTH,),
            f"{name}.first.weight": (WIDTH, 24), f"{name}.first.bias": (24,),
            f"{name}.second.weight": (24, WIDTH), f"{name}.second.bias": (WIDTH,),
        }  # fmt: skip
    made = {name: rng.standard_normal(shape).astype(np.float32) * 0.5 for name, shape in shapes.items()}
    return {"format": np.array(1), "decodes": np.array(KMeansTokenizer().info.version), **made}


def cut(n: int, ends: list[int]) -> list[slice]:
    edges = sorted({0, n, *(end % (n + 1) for end in ends)})
    return [slice(a, b) for a, b in pairwise(edges)]


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 70), st.lists(st.integers(0, 100), max_size=6))
def test_frames_do_not_depend_on_the_pieces(n: int, ends: list[int]) -> None:
    codes = np.random.default_rng(n).integers(0, N_CODES, n).astype(np.uint16)
    whole = DecoderNetwork(arrays()).stream().push(codes, last=True)
    stream = DecoderNetwork(arrays()).stream()
    parts = [stream.push(codes[piece], last=piece.stop == n) for piece in cut(n, ends)]
    assert len(whole.hidden) == len(whole.f0) == decoder_net.n_frames_of(n)
    for name in ("hidden", "f0", "log_gain"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_allclose(joined, getattr(whole, name), rtol=1e-4, atol=1e-4)


@settings(max_examples=15, deadline=None)
@given(st.integers(4, 90), st.lists(st.integers(0, 100), max_size=6))
def test_sound_does_not_depend_on_the_pieces(n: int, ends: list[int]) -> None:
    rng = np.random.default_rng(n)
    head = rng.normal(-3, 0.5, (n, 5 * net.N_BINS)).astype(np.float32)
    f0 = np.where(rng.random(n) < 0.7, rng.uniform(80, 300, n), 0).astype(np.float32)
    whole = net.synthesize(head, f0, np.random.default_rng(3))
    stream = SoundStream(np.random.default_rng(3))
    parts = [stream.push(head[piece], f0[piece], last=piece.stop == n) for piece in cut(n, ends)]
    joined = np.concatenate(parts)
    assert joined.shape == whole.shape
    assert np.abs(joined - whole).max() < 1e-3 * np.abs(whole).max()


def test_a_stream_sounds_like_the_whole_and_is_as_late_as_stated(tokenizer: KMeansTokenizer) -> None:
    codes = tokenizer.encode(speech())
    whole = tokenizer.decode(codes)
    stream, made, lags = tokenizer.decoder.stream("heart"), [], []
    for start in range(0, len(codes), 10):
        made.append(stream.push(codes[start : start + 10], last=start + 10 >= len(codes)))
        lags.append(min(start + 10, len(codes)) * HOP - sum(map(len, made)))
    joined = np.concatenate(made)
    assert joined.shape == whole.shape
    assert np.sqrt(np.mean((joined - whole) ** 2)) < SAME * np.sqrt(np.mean(whole**2))
    assert max(lags) <= AHEAD_SECONDS * 24_000 <= 0.4 * 24_000
    assert lags[-1] == 0


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5, 126])
def test_each_code_is_960_samples(tokenizer: KMeansTokenizer, n: int) -> None:
    audio = tokenizer.decode(np.full(n, 7, np.uint16))
    assert audio.shape == (n * HOP,)
    assert audio.dtype == np.float32
    assert np.isfinite(audio).all()


def test_threads_and_calls_change_no_sample(tokenizer: KMeansTokenizer) -> None:
    codes = tokenizer.encode(speech())[:40]
    expected = tokenizer.decode(codes).tobytes()
    with threadpool_limits(2):
        assert tokenizer.decode(codes).tobytes() == expected
    assert tokenizer.decode(codes).tobytes() == expected


def test_the_voice_decides_the_sound_and_an_unknown_one_is_heart(tokenizer: KMeansTokenizer) -> None:
    codes = tokenizer.encode(speech())[:50]
    heart, male, unknown = (tokenizer.decode_as(codes, voice) for voice in ("heart", "heart-m1", "nobody"))
    assert not np.allclose(heart, male, atol=1e-3)
    assert heart.tobytes() == unknown.tobytes() == tokenizer.decode(codes).tobytes()


@pytest.mark.parametrize(
    ("change", "fault"),
    [({"decodes": np.array("1+other")}, "decodes codes of 1"), ({"format": np.array(9)}, "format 9")],
)
def test_another_decoder_is_refused(tmp_path: Path, change: dict, fault: str) -> None:
    write(tmp_path / "decoder.npz", arrays() | change)
    with pytest.raises(EngineError, match=fault):
        KMeansTokenizer(decoder=str(tmp_path / "decoder.npz")).decode(np.zeros(3, np.uint16))


def test_a_model_of_ones_own_without_a_decoder_says_what_is_missing() -> None:
    own = KMeansTokenizer(str(MODEL_FILE))
    with pytest.raises(EngineMissingError, match="train_decoder"):
        own.decode(np.zeros(3, np.uint16))


def test_the_shipped_decoder_speaks_in_speech_and_is_silent_in_noise() -> None:
    shipped = KMeansTokenizer()
    loud = shipped.decode(shipped.encode(speech()))
    noise = np.random.default_rng(0).normal(0, 100, 50 * HOP).astype(np.int16)
    quiet = shipped.decode(shipped.encode(noise))
    assert 0.02 < np.sqrt(np.mean(loud**2)) < 0.2
    assert np.sqrt(np.mean(quiet**2)) < 0.003
    assert DECODER_FILE.stat().st_size + MODEL_FILE.stat().st_size < 6_000_000


def test_a_decoder_that_is_no_file_is_an_engine_error(tmp_path: Path) -> None:
    (tmp_path / "decoder.npz").write_bytes(b"no npz")
    for name in ("decoder.npz", "missing.npz"):
        with pytest.raises(EngineError, match=name):
            Decoder(str(tmp_path / name), "1")


# -- training
# --------------------------------------------------------


def test_the_shipped_form_computes_what_was_trained() -> None:
    torch = pytest.importorskip("torch")
    from tools import train_decoder

    torch.manual_seed(0)
    network = train_decoder.Network(N_CODES).eval()
    codes = np.random.default_rng(0).integers(0, N_CODES, 40).astype(np.uint16)
    with torch.no_grad():
        expected = network(torch.from_numpy(codes.astype(np.int64))[None])[0].T.numpy()[:, :N_HIDDEN]
    found = DecoderNetwork(train_decoder.arrays_of(network)).stream().push(codes, last=True).hidden
    assert np.abs(found - expected).mean() < 0.02 * np.abs(expected).mean()


def test_training_twice_gives_the_same_file_and_a_decoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("pyroomacoustics")
    from tools import train_decoder, train_decoder_pairs

    small = {"WIDTH": 16, "EMBEDDING": 48, "SLOW_BLOCKS": 1, "SLOW_INNER": 16, "FAST_BLOCKS": 1, "BATCH": 1, "CROP": 50}
    for name, value in small.items():
        monkeypatch.setattr(train_decoder, name, value)
    maker = train_decoder_pairs.PairMaker(KMeansTokenizer(), 0)
    pairs = maker.pairs(0)
    assert [len(pair.frames) for pair in pairs] == [decoder_net.n_frames_of(len(pair.codes)) for pair in pairs]
    again = train_decoder_pairs.PairMaker(KMeansTokenizer(), 0).pairs(0)
    assert [pair.codes.tolist() for pair in again] == [pair.codes.tolist() for pair in pairs]
    files = [tmp_path / "one.npz", tmp_path / "two.npz"]
    for file in files:
        write(file, train_decoder.train(pairs, KMeansTokenizer(), 2, 0))
    assert files[0].read_bytes() == files[1].read_bytes()
    decoded = KMeansTokenizer(decoder=str(files[0])).decode(pairs[0].codes)
    assert decoded.shape == (len(pairs[0].codes) * HOP,)
