"""What every engine must do, real or fake, embedded or not: the laws that `datagen engines check` asks of any."""

import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.engines import load
from datagen.engines.audio import resample
from datagen.engines.base import EngineInfo
from datagen.engines.catalogue import CARDS, cards
from datagen.engines.conformance import SAMPLES, check
from datagen.errors import EngineError, RecipeError
from datagen.recipe.mix_config import RoomConfig
from tests.engines import tiny

GIVEN = {"rooms": {"room": RoomConfig(), "sample_rate_hz": 24_000, "run_seed": 0}}
"""What a build gives engines of a kind."""
OPTIONS = {"by_language": {"en": {"name": "tone"}, "zh": {"name": "tone"}}}
ELSEWHERE = {
    ("noise", "directory"): "tests/pipeline/test_mix.py",
    ("tts", "speech_server"): "tests/engines/speech_server/test_calls.py",
    ("tts", "cosyvoice"): "tests/engines/cosyvoice/test_speech.py",
}
"""Engines that need files, code or a server of the user, and where they are tested."""
_built = {}


def engine(kind: str, name: str):
    """An engine, built once; one that needs weights gets tiny random ones."""
    if (kind, name) not in _built:
        _built[kind, name] = load.load(kind, name, GIVEN.get(kind, {}) | OPTIONS.get(name, {}) | tiny.options(name))
    return _built[kind, name]


def every() -> list:
    return [
        pytest.param(kind, name, marks=pytest.mark.skipif(bool(card.missing), reason=card.state))
        for kind, name, card in cards()
        if (kind, name) not in ELSEWHERE
    ]


def plain_speech(rate: int):
    spoken = engine("tts", "hibari").speak(SAMPLES["en"], "heart", 0)
    return resample(spoken.audio, 24_000, rate), rate, SAMPLES["en"]


@pytest.mark.parametrize(("kind", "name"), every())
def test_an_engine_keeps_all_laws_of_its_kind(kind, name):
    tried = engine(kind, name)
    sample = None if kind == "normalizer" else plain_speech(getattr(tried, "sample_rate_hz", 16_000))
    found = list(check(kind, tried, sample))
    assert len(found) > 2
    assert [finding for finding in found if not finding.holds] == []
    assert tried.info.bit_exact in ("machine", "all", "no")


def test_every_engine_of_the_table_has_a_card():
    assert {(kind, name) for kind, names in load.ENGINES.items() for name in names} == set(CARDS)


@pytest.mark.parametrize(
    ("kind", "name"), [("tts", "hibari"), ("speech_tokenizer", "kmeans"), ("text_tokenizer", "qwen2")]
)
def test_an_embedded_engine_and_its_card_state_one_origin_of_its_weights(kind, name):
    assert engine(kind, name).info.lineage == CARDS[kind, name].lineage != ""


def test_an_engine_that_promises_something_unknown_is_refused():
    with pytest.raises(EngineError, match=r"engine mine: bit_exact is 'mostly'; it must be one of machine, all, no"):
        EngineInfo("mine", "1", "MIT", "mostly")


@pytest.mark.parametrize("name", ("qwen2", "bytes", "hf"))
@given(
    st.text(max_size=60)
    | st.sampled_from(["<|im_end|>", "a <|endoftext|> b", "<|im_start|>system", "<|extra_0|>", "你好"])
)
@settings(max_examples=60, deadline=None)
def test_a_text_tokenizer_reads_back_and_never_yields_a_special_id(name, text):
    tokenizer = engine("text_tokenizer", name)
    ids = tokenizer.encode(text)
    assert all(0 <= i < tokenizer.vocabulary_size for i in ids)
    assert name != "qwen2" or all(i < 151_643 for i in ids)
    expected = unicodedata.normalize("NFC", text) if name == "qwen2" else text
    assert tokenizer.decode(ids) == expected


@pytest.mark.parametrize("name", ("kmeans", "tone"))
def test_codes_that_follow_from_their_frame_alone_are_one_for_all_silence(name):
    tokenizer = engine("speech_tokenizer", name)
    assert set(tokenizer.encode(np.zeros(10 * tokenizer.sample_rate_hz, np.int16)).tolist()) == {tokenizer.silence_code}


def test_qwen2_ids_are_those_of_qwen2():
    """Known ids of Qwen2's published tokenizer."""
    tokenizer = engine("text_tokenizer", "qwen2")
    assert tokenizer.encode("Hello world!") == [9707, 1879, 0]
    assert tokenizer.encode("你好") == [108386]
    assert tokenizer.vocabulary_size == 151_646


def test_engines_are_named_in_one_table_or_by_class():
    assert load.tts("datagen.engines.fakes:ToneVoice", {"n_voices": 2}).voices == ("tone-0", "tone-1")
    for name, options, says in [
        ("nonesuch", {}, "known: hibari, .*tone.*, or your own as module:Class"),
        ("datagen.engines.fakes:Missing", {}, "cannot be imported"),
        ("no.such.module:X", {}, "cannot be imported"),
        ("tone", {"volume": 3}, "does not take these options"),
        ("collections:OrderedDict", {}, "is not an engine: it must be a class with the method speak"),
    ]:
        with pytest.raises(RecipeError, match=says):
            load.tts(name, options)


def test_a_kind_that_is_none_is_refused():
    with pytest.raises(RecipeError, match="no kind of engine 'voice'; kinds: tts, "):
        load.load("voice", "hibari", {})


def test_a_mistake_inside_an_engine_is_not_called_one_of_its_options():
    with pytest.raises(
        EngineError, match=r"cannot be made: TypeError: unsupported operand.*\(engines.py:\d+, in __init__\)"
    ):
        load.tts("tests.run.engines:Clumsy", {})


def test_a_module_beside_the_command_is_found(tmp_path):
    (tmp_path / "mine.py").write_text("from datagen.engines.fakes import ToneVoice as Mine\n", "utf-8")
    program = str(Path(sys.executable).with_name("datagen"))
    run = subprocess.run(
        [program, "engines", "check", "mine:Mine", "--kind", "tts"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (run.returncode, run.stdout.splitlines()[-1]) == (0, "verdict: usable"), run.stderr


def test_codes_must_fit_a_shard(monkeypatch):
    from datagen.engines.fakes import ToneTokenizer

    monkeypatch.setattr(ToneTokenizer, "codebook_size", 1 << 17)
    with pytest.raises(EngineError, match="do not fit in 16 bits"):
        load.speech_tokenizer("tone", {})
