"""CosyVoice's real flow and vocoder, tiny and random, as a decoder of speech codes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen.engines.speech_tokens.cosyvoice_decoder import Detokenizer, pieces
from datagen.errors import EngineError, EngineMissingError

pytestmark = pytest.mark.filterwarnings("ignore")  # of code that is not ours


@given(st.integers(1, 5000), st.integers(2, 400), st.integers(1, 199))
def test_pieces_cover_all_and_overlap_their_neighbours(n, most, overlap):
    overlap = min(overlap, most // 2)
    found = pieces(n, most, overlap)
    assert (found[0][0], found[-1][1]) == (0, n)
    assert all(0 < end - start <= most for start, end in found)
    assert all(end - start == overlap for (start, _), (_, end) in zip(found[1:], found, strict=False))
    lengths = [end - start for start, end in found]
    assert max(lengths) - min(lengths) <= 1


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("who", ["recording", "path", "nobody"])
def test_each_code_is_heard_for_its_time_and_the_same_way(models, code, bank, version, who):
    import torch

    reference = {"recording": bank["eve"], "path": str(bank["eve"].path), "nobody": None}[who]
    decode = Detokenizer(str(models[version]), str(code), reference)
    rate, per_code = {1: (22_050, 441), 2: (24_000, 960)}[version]
    assert (decode.sample_rate_hz, decode.sample_rate_hz // decode.frame_rate_hz) == (rate, per_code)
    rng = np.random.default_rng(4)
    for n in (0, 1, 2, 7, 60):
        codes = rng.integers(0, 64, n).astype(np.uint16)
        torch.manual_seed(n)
        expected_draw = torch.rand(1)
        torch.manual_seed(n)
        audio = decode(codes)
        assert torch.rand(1) == expected_draw  # decoding takes nothing from the stream that engines draw from
        assert (audio.dtype, audio.shape) == (np.float32, (n * per_code,))
        assert np.isfinite(audio).all()
        assert not n or np.abs(audio).max() > 0.01
        torch.manual_seed(n + 1)
        assert np.array_equal(audio, decode(codes))


def test_the_voice_is_that_of_the_reference(models, code, bank):
    codes = np.arange(30, dtype=np.uint16)
    heard = [Detokenizer(str(models[2]), str(code), who)(codes) for who in (None, bank["eve"], bank["finn"])]
    assert not np.array_equal(heard[0], heard[1])
    assert not np.array_equal(heard[1], heard[2])


def test_long_codes_are_heard_in_pieces_without_a_seam(models, code, monkeypatch):
    """What the model hears of each piece, and that what it says is faded into one."""
    decode = Detokenizer(str(models[2]), str(code))
    codes = np.random.default_rng(4).integers(0, 64, 1000).astype(np.uint16)
    lengths = []
    tts = decode._model.tts
    monkeypatch.setattr(
        decode._model, "tts", lambda **kw: (lengths.append(kw["source_speech_token"].shape[1]), tts(**kw))[1]
    )
    assert len(decode(codes)) == 1000 * 960
    assert lengths == [340, 340, 340]  # 15 s are 375 codes
    monkeypatch.setattr(decode, "_decoded", lambda codes: np.repeat(codes / 64, 960).astype(np.float32))
    assert np.allclose(decode(codes), np.repeat(codes / 64, 960), atol=1e-6)


def test_what_cannot_be_decoded_is_said(models, code, tmp_path):
    from shutil import copytree

    import torch

    decode = Detokenizer(str(models[2]), str(code))
    with pytest.raises(EngineError, match="code 64 is none of the 64 of the model"):
        decode(np.array([1, 64], np.uint16))
    copy = copytree(models[1], tmp_path / "copy")
    torch.save({}, copy / "spk2info.pt")
    with pytest.raises(EngineError, match="has no speakers; set a reference recording"):
        Detokenizer(str(copy), str(code))
    torch.save({}, copy / "flow.pt")
    with pytest.raises(EngineError, match=r"cannot load .*copy"):
        Detokenizer(str(copy), str(code))
    (copy / "flow.pt").unlink()
    (copy / "spk2info.pt").unlink()
    with pytest.raises(EngineMissingError, match=r"lacks flow\.pt, spk2info\.pt"):
        Detokenizer(str(copy), str(code))


def test_the_language_model_is_not_loaded(models, code, tmp_path):
    from shutil import copytree

    copy = copytree(models[2], tmp_path / "copy")
    (copy / "llm.pt").unlink()
    (copy / "CosyVoice-BlankEN" / "model.safetensors").unlink()
    assert len(Detokenizer(str(copy), str(code))(np.zeros(3, np.uint16))) == 3 * 960
