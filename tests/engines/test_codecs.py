"""Mimi, EnCodec and DAC: transformers' own models with random weights, in the files they are published in."""

import json
import shutil
import warnings
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from datagen.engines import load
from datagen.engines.speech_tokens.dac import reach, windows
from datagen.errors import EngineError, EngineMissingError, RecipeError
from tests.engines.tiny import CODECS, codec_folder, codec_net

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

HOPS = {"mimi": 1920, "encodec": 320, "dac": 320}
CAUSAL = ("mimi", "encodec")


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("codecs")


@pytest.fixture(scope="session")
def tiny(folder):
    """Builds each engine once."""

    @lru_cache
    def build(name: str, **options):
        return load.speech_tokenizer(name, {"model": str(codec_folder(folder, name)), **options})

    return build


def noise(n_samples: int, seed: int = 0) -> np.ndarray:
    """Noise that swells and fades, so that codes change."""
    swell = 1 + np.sin(np.arange(n_samples, dtype=np.float32) / 9000)
    return (np.random.default_rng(seed).normal(0, 3000, n_samples).astype(np.float32) * swell).astype(np.int16)


def library_codes(tokenizer, audio: np.ndarray, n_codebooks: int = 8) -> np.ndarray:
    """What transformers' own `encode` says of a whole file: [n_frames, n_codebooks]."""
    net, given_ = tokenizer._net, torch.from_numpy(audio.astype(np.float32) / 32768)[None, None]
    with torch.inference_mode():
        match tokenizer.info.name:
            case "mimi":
                found = net.encode(given_, num_quantizers=n_codebooks).audio_codes[0]
            case "encodec":
                found = net.encode(given_, bandwidth=6.0).audio_codes[0, 0]
            case _:
                found = net.encode(given_, n_codebooks).audio_codes[0]
    return found.numpy().T


def library_audio(tokenizer, codes: np.ndarray) -> np.ndarray:
    net, given_ = tokenizer._net, torch.from_numpy(codes.T.astype(np.int64))[None]
    with torch.inference_mode():
        match tokenizer.info.name:
            case "mimi":
                return net.decode(given_).audio_values[0, 0].numpy()
            case "encodec":
                return net.decode(given_[None], [None]).audio_values[0, 0].numpy()
            case _:
                return net.decode(audio_codes=given_).audio_values[0].numpy()


@pytest.mark.parametrize("n_frames", [1, 2, 3, 7, 24, 25, 26, 149, 151, 700])
@pytest.mark.parametrize("name", CODECS)
def test_codes_are_those_of_the_library_for_the_whole_file(tiny, name, n_frames):
    """700 frames of Mimi are 56 s: longer than the window of its attention, and 28 blocks."""
    tokenizer, audio = tiny(name), noise(n_frames * HOPS[name], n_frames)
    codes = tokenizer.encode(audio)
    assert codes.tolist() == library_codes(tokenizer, audio).tolist()
    assert n_frames < 700 or min(len(np.unique(column)) for column in codes.T) > 3


@pytest.mark.parametrize("name", CODECS)
@given(share=st.floats(0, 1))
@example(share=0)
@example(share=1)
@settings(max_examples=4, deadline=None)
def test_frames_are_duration_times_rate_from_40_ms_to_20_s(tiny, name, share):
    """Lengths in steps of 40 ms are drawn so that short and long ones are equally likely; silence fills a frame."""
    _has_its_frames(tiny(name), HOPS[name], round(500**share) * 960)


@pytest.mark.slow
@pytest.mark.parametrize("name", CODECS)
def test_frames_of_10_minutes_are_duration_times_rate(tiny, name):
    _has_its_frames(tiny(name), HOPS[name], 15_000 * 960)


def _has_its_frames(tokenizer, hop, n_samples):
    n_frames = -(-n_samples // hop)
    padded = np.pad(noise(n_samples), (0, n_frames * hop - n_samples))
    codes = tokenizer.encode(padded)
    assert codes.shape == (n_frames, 8)
    assert codes.dtype == np.uint16
    assert (codes < tokenizer.codebook_sizes).all()


@pytest.mark.slow
@pytest.mark.parametrize("block_s", [0.56, 1.2, 7.04, 100])
@pytest.mark.parametrize("name", CAUSAL)
def test_any_length_of_a_block_gives_the_same_codes_and_sound(tiny, name, block_s):
    tokenizer, audio = tiny(name), noise(40 * 24_000)
    codes, sound = tokenizer.encode(audio), tokenizer.decode(tokenizer.encode(audio))
    try:
        tokenizer.block_s = block_s
        assert tokenizer.encode(audio).tolist() == codes.tolist()
        assert np.abs(tokenizer.decode(codes) - sound).max() < 1e-5 * np.abs(sound).max()
    finally:
        del tokenizer.block_s


@pytest.mark.parametrize("window_s", [0.5, 1.3, 100])
def test_any_length_of_a_window_of_dac_gives_the_same_codes_and_sound(tiny, window_s):
    tokenizer, audio = tiny("dac"), noise(20 * 24_000)
    codes, sound = tokenizer.encode(audio), tokenizer.decode(tokenizer.encode(audio))
    try:
        tokenizer.window_s = window_s
        assert tokenizer.encode(audio).tolist() == codes.tolist()
        assert np.abs(tokenizer.decode(codes) - sound).max() < 1e-5 * np.abs(sound).max()
    finally:
        del tokenizer.window_s


@pytest.mark.parametrize("name", CAUSAL)
def test_a_code_depends_on_nothing_that_comes_later(tiny, name):
    """Bit by bit, as latents of another shape would not be: what follows is changed, or not there."""
    tokenizer, hop = tiny(name), HOPS[name]
    n = round(9 * tokenizer.frame_rate_hz)
    audio = noise(2 * n * hop)
    codes = tokenizer.encode(audio)
    assert tokenizer.encode(audio[: n * hop]).tolist() == codes[:n].tolist()
    audio[n * hop :] = 0
    assert tokenizer.encode(audio)[:n].tolist() == codes[:n].tolist()


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("batch_size", [1, 3])
def test_channels_are_encoded_as_if_alone(tiny, name, batch_size):
    tokenizer = tiny(name, batch_size=batch_size)
    assert tokenizer.info.bit_exact == ("machine" if batch_size == 1 else "no")
    lengths = (11, 3, 1, 0, 11, 0.08)
    channels = [noise(round(s * 24_000) // HOPS[name] * HOPS[name], k) for k, s in enumerate(lengths)]
    together = tokenizer.encode_many(channels)
    for codes, channel in zip(together, channels, strict=True):
        assert codes.tolist() == tiny(name).encode(channel).tolist()


@pytest.mark.parametrize("name", CODECS)
def test_threads_do_not_change_a_code_and_their_number_is_put_back(tiny, name):
    tokenizer, audio, before = tiny(name), noise(10 * 24_000), torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        codes = tokenizer.encode(audio)
        assert torch.get_num_threads() == 3
        torch.set_num_threads(1)
        assert codes.tolist() == tokenizer.encode(audio).tolist()
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("n_frames", [1, 5, 160, 500])
@pytest.mark.parametrize("name", CODECS)
def test_sound_is_that_of_the_library_for_all_codes_at_once(tiny, name, n_frames):
    tokenizer = tiny(name)
    codes = np.random.default_rng(1).integers(0, tokenizer.codebook_sizes, (n_frames, 8)).astype(np.uint16)
    heard, expected = tokenizer.decode(codes), library_audio(tokenizer, codes)
    assert heard.dtype == np.float32
    assert heard.shape == (n_frames * HOPS[name],)
    assert len(heard) - len(expected) in (0, 8), "DAC's last 8 samples are silence: its stride of 5 is odd"
    assert np.abs(heard[: len(expected)] - expected).max() < 1e-5 * np.abs(expected).max()
    first = tokenizer.decode(codes[:, :1])
    assert np.abs(first[: len(expected)] - library_audio(tokenizer, codes[:, :1])).max() < 1e-5 * np.abs(first).max()


@pytest.mark.parametrize("name", CODECS)
def test_the_first_codebooks_are_the_same_whatever_their_number(tiny, name):
    audio = noise(2 * 24_000)
    codes = tiny(name, n_codebooks=12).encode(audio)
    assert codes.shape[1] == 12
    assert codes[:, :8].tolist() == tiny(name).encode(audio).tolist()
    one = tiny(name, n_codebooks=1)
    assert one.encode(audio).tolist() == codes[:, 0].tolist()
    assert (one.codebook_size, one.silence_code) == (tiny(name).codebook_sizes[0], tiny(name).silence_codes[0])
    assert one.decode(one.encode(audio)).shape == audio.shape


@pytest.mark.parametrize("name", CODECS)
def test_silence_codes_are_the_commonest_of_each_codebook(tiny, name):
    codes = tiny(name).encode(np.zeros(10 * 24_000 // HOPS[name] * HOPS[name], np.int16))
    assert tiny(name).silence_codes == tuple(int(np.bincount(column).argmax()) for column in codes.T)


def test_memory_of_a_long_channel_is_that_of_a_block(tiny):
    """Nothing of the length of the channel is kept but keys and values of 10 s, whatever has been read."""
    tokenizer = tiny("mimi")
    encode = tokenizer._encoder()
    block = torch.zeros(1, 1, 25 * 1920)
    with torch.inference_mode():
        for _ in range(30):
            assert encode(block).shape == (1, 8, 25)
    (attention,) = (cell.cell_contents for cell in encode.__closure__ if hasattr(cell.cell_contents, "_cache"))
    assert attention._cache.layers[0].keys.shape[2] < 250


def test_reach_of_dac_covers_what_its_convolutions_read(tiny):
    """A change of one sample changes no latent farther away than the context of a window."""
    tokenizer = tiny("dac")
    net, hop = tokenizer._net.double(), HOPS["dac"]
    try:
        audio = torch.randn(1, 1, 80 * hop, dtype=torch.float64)
        changed = audio.clone()
        changed[..., 40 * hop + 160] += 100
        with torch.inference_mode():
            differs = (net.encoder(audio) != net.encoder(changed)).any(dim=1)[0].nonzero().ravel()
        assert len(differs) > 5
        assert max(40 - int(differs[0]), int(differs[-1]) - 40) <= tokenizer._context == 17
        assert reach(net.encoder.modules()) <= 17 * hop
    finally:
        net.float()


@given(n_frames=st.integers(0, 2000), n_kept=st.integers(1, 300), context=st.integers(0, 30))
def test_windows_keep_every_frame_once(n_frames, n_kept, context):
    cuts = windows(n_frames, n_kept, context)
    assert [k for w in cuts for k in range(w.first, w.last)] == list(range(n_frames))
    for w in cuts:
        assert (w.start, w.end) == (max(w.first - context, 0), min(w.last + context, n_frames))
        assert 0 < w.last - w.first <= n_kept


@pytest.mark.parametrize("name", CODECS)
def test_files_are_loaded_as_they_are_published(tiny, folder, tmp_path, name):
    """EnCodec's have the older names of its weight norm."""
    from safetensors.torch import load_file, save_file

    published = shutil.copytree(codec_folder(folder, name), tmp_path / "published")
    weights = load_file(published / "model.safetensors")
    older = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    renamed = {}
    for key, values in weights.items():
        for new, old in older.items():
            key = key.replace(new, old)
        renamed[key] = values
    assert (renamed.keys() != weights.keys()) == (name == "encodec")
    save_file(renamed, published / "model.safetensors", metadata={"format": "pt"})
    audio = noise(24_000 // HOPS[name] * HOPS[name])
    found = load.speech_tokenizer(name, {"model": str(published)})
    assert found.encode(audio).tolist() == tiny(name).encode(audio).tolist()
    assert found.info.version.startswith(tiny(name).info.version.partition("+")[0])
    assert found.info.lineage is None, "nobody knows what a folder was made of"


def test_a_weight_that_is_missing_does_not_stay_random(folder, tmp_path):
    from safetensors.torch import load_file, save_file

    broken = shutil.copytree(codec_folder(folder, "mimi"), tmp_path / "broken")
    weights = load_file(broken / "model.safetensors")
    del weights["downsample.conv.weight"]
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(EngineError, match=r"lacks 1 weights, such as .*downsample\.conv\.weight"):
        load.speech_tokenizer("mimi", {"model": str(broken)})


def test_a_pickle_is_not_read(folder, tmp_path):
    ran = tmp_path / "ran"

    class Bomb:
        def __reduce__(self):
            return (Path.touch, (ran,))

    pickled = shutil.copytree(codec_folder(folder, "mimi"), tmp_path / "pickled")
    (pickled / "model.safetensors").unlink()
    torch.save({"x": Bomb()}, pickled / "pytorch_model.bin")
    with pytest.raises(EngineMissingError, match="holds weights as a pickle, which can hold code"):
        load.speech_tokenizer("mimi", {"model": str(pickled)})
    assert not ran.exists()


@pytest.mark.parametrize(
    ("name", "options", "error", "says"),
    [
        ("mimi", {"n_codebooks": 0}, RecipeError, "n_codebooks is 0; .* has 32, so set 1 to 32"),
        ("mimi", {"n_codebooks": 33}, RecipeError, "set 1 to 32"),
        ("dac", {"batch_size": -1}, RecipeError, "batch_size -1 is negative"),
        ("mimi", {"device": "nonesuch"}, EngineMissingError, "no device 'nonesuch'.*start it on a machine"),
        ("encodec", {"of": "mimi"}, EngineError, "has model_type 'mimi', not 'encodec'"),
    ],
)
def test_what_cannot_be_is_refused(folder, name, options, error, says):
    model = codec_folder(folder, options.pop("of", name))
    with pytest.raises(error, match=says):
        load.speech_tokenizer(name, {"model": str(model), **options})


def test_a_folder_without_the_files_is_refused(tmp_path, monkeypatch):
    with pytest.raises(EngineMissingError, match=r"has no config\.json and no model\.safetensors"):
        load.speech_tokenizer("mimi", {"model": str(tmp_path)})
    (tmp_path / "config.json").write_text("[]")
    (tmp_path / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(EngineError, match="is not a JSON object"):
        load.speech_tokenizer("mimi", {"model": str(tmp_path)})
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "mimi"}))
    with pytest.raises(EngineError, match="does not hold a MimiModel"):
        load.speech_tokenizer("mimi", {"model": str(tmp_path)})
    for model in (str(tmp_path / "none"), "mimi"):
        with pytest.raises(EngineMissingError, match=r"there is no folder '.*'; set model to a folder with"):
            load.speech_tokenizer("mimi", {"model": model})
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(
        EngineMissingError, match=r"there is no folder 'nobody/nothing', and the hub gave no such model"
    ):
        load.speech_tokenizer("mimi", {"model": "nobody/nothing"})


@pytest.mark.parametrize("changes", [{"use_causal_conv": False}, {"pad_mode": "reflect"}])
def test_a_mimi_that_is_not_causal_is_refused(folder, changes):
    with pytest.raises(EngineError, match="not causal as those of the published model"):
        load.speech_tokenizer("mimi", {"model": str(codec_folder(folder, "mimi", **changes))})


@pytest.mark.parametrize("changes", [{"normalize": True}, {"norm_type": "time_group_norm"}, {"audio_channels": 2}])
def test_an_encodec_like_that_of_48_khz_is_refused(folder, changes):
    (key,) = changes
    with pytest.raises(EngineError, match=f"{key} is .*only models like that of 24 kHz"):
        load.speech_tokenizer("encodec", {"model": str(codec_folder(folder, "encodec", **changes))})


def test_audio_and_codes_of_another_shape_are_refused(tiny):
    tokenizer = tiny("mimi")
    for audio in (np.zeros(1920, np.float32), np.zeros((2, 1920), np.int16), np.zeros(1921, np.int16)):
        with pytest.raises(ValueError, match="mimi encodes"):
            tokenizer.encode(audio)
    for codes in (np.full((3, 8), 64, np.uint16), np.zeros((3, 9), np.uint16)):
        with pytest.raises(ValueError, match="mimi decodes codes below 64 of 1 to 8 codebooks"):
            tokenizer.decode(codes)
    assert tokenizer.encode(np.zeros(0, np.int16)).shape == (0, 8)
    assert tokenizer.decode(np.zeros((0, 8), np.uint16)).shape == (0,)


def test_loading_leaves_the_logging_of_the_library_as_it_was(folder):
    from transformers.utils import logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load.speech_tokenizer("dac", {"model": str(codec_folder(folder, "dac"))})
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before
    assert codec_net("dac") is not None
