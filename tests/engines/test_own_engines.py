"""Engines of a user's own that are not right are refused when they are loaded, by name, line and fix."""

import numpy as np
import pytest

from datagen.engines import load
from datagen.engines.base import EngineInfo, TextTokenizer
from datagen.engines.fakes import ToneTokenizer, ToneVoice
from datagen.errors import DatagenError, EngineError, RecipeError

BEEPER = """
from datagen.engines.base import TTS, EngineInfo, Speech
from datagen.engines.fakes import ToneVoice


class Beeper(ToneVoice):
    def __init__(self, loud=1):
        super().__init__()
"""


@pytest.fixture
def own(tmp_path, monkeypatch, request):
    """Writes a module with the fake engine `Beeper` and more lines; returns its name."""

    def write(more: str = "") -> str:
        name = f"own_{abs(hash((request.node.name, more)))}"
        (tmp_path / f"{name}.py").write_text(BEEPER + more, "utf-8")
        return name

    monkeypatch.chdir(tmp_path)
    return write


def refused(name: str, kind: str = "tts") -> str:
    with pytest.raises(DatagenError) as error:
        load.load(kind, name, {})
    assert isinstance(error.value, RecipeError | EngineError)
    return str(error.value)


class Named(ToneVoice):
    """A fake voice that is changed."""

    def __init__(self, **changes: object) -> None:
        super().__init__(2)
        for name, value in changes.items():
            setattr(self, name, value)


HERE = "tests.engines.test_own_engines"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"sample_rate_hz": None}, "sample_rate_hz is None; it must be a whole number from 1"),
        ({"sample_rate_hz": 24_000.0}, "sample_rate_hz is 24000.0; it must be a whole number"),
        ({"voices": "robot"}, "voices is 'robot'; it must be a tuple of names"),
        ({"voices": ()}, r"voices is \(\); it must be a tuple of names"),
        ({"languages": "nl"}, r"languages is 'nl'; it must be a tuple of language codes, such as \('en',\)"),
        ({"word_times": "own"}, "word_times is 'own'; it must be 'model' or 'estimated'"),
        ({"concurrency": 0}, "concurrency is 0; it must be a whole number from 1"),
        ({"give_up_seconds": -1}, "give_up_seconds is -1; it must be a number of seconds"),
        ({"about": None}, "about is no method"),
        ({"info": "mine"}, "info is 'mine'; it must be an EngineInfo"),
        ({"info": EngineInfo("mine", 1, "MIT", "all")}, "info.version is 1; it must be text, such as '1'"),
    ],
)
def test_an_attribute_of_a_wrong_type_is_named_with_what_is_allowed(changes, says):
    with pytest.raises(RecipeError, match=rf"^tts engine '{HERE}:Named': {says}"):
        load.tts(f"{HERE}:Named", changes)


def test_lists_and_numbers_of_numpy_become_tuples_and_whole_numbers():
    changes = {"voices": ["a", "b"], "languages": ["nl"], "sample_rate_hz": np.int64(16_000)}
    engine = load.tts(f"{HERE}:Named", changes)
    assert (engine.voices, engine.languages) == (("a", "b"), ("nl",))
    assert type(engine.sample_rate_hz) is int


class Codes(ToneTokenizer):
    """A fake tokenizer that is changed."""

    def __init__(self, **changes: object) -> None:
        super().__init__()
        for name, value in changes.items():
            setattr(self, name, value)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"silence_code": 512}, "silence_code is 512; it must be below its codebook_size, 512"),
        ({"silence_code": -1}, "silence_code is -1; it must be a whole number from 0"),
        ({"codebook_size": 0}, "codebook_size is 0; it must be a whole number from 1"),
    ],
)
def test_a_silence_code_outside_the_codebook_is_refused(changes, says):
    with pytest.raises(RecipeError, match=says):
        load.speech_tokenizer(f"{HERE}:Codes", changes)
    assert load.speech_tokenizer(f"{HERE}:Codes", {"silence_code": 511}).silence_code == 511


class Bare(TextTokenizer):
    """A tokenizer without a method of its own."""

    info = EngineInfo("bare", "1", "MIT", "all")


class Duck:
    """A voice without the base class."""

    info = EngineInfo("duck", "1", "MIT", "all")
    sample_rate_hz, voices, languages = 16_000, ("a",), ("en",)

    def speak(self, text, voice, seed):
        return None


def test_a_missing_member_is_named_with_the_base_class_that_has_it():
    assert "has no method encode of its own" in refused(f"{HERE}:Bare", "text_tokenizer")
    said = refused(f"{HERE}:Duck")
    assert "has no `about`; the base class TTS of datagen.engines.base has a default for it" in said


def test_a_mistake_in_the_module_is_named_with_its_line(own):
    name = own("\nvoices = undefined\n")
    assert f"cannot be imported: NameError: name 'undefined' is not defined ({name}.py:10)" in refused(f"{name}:Beeper")
    name = own("\ndef speak(:\n")
    assert "cannot be imported: SyntaxError" in (said := refused(f"{name}:Beeper"))
    assert f"({name}.py:10)" in said


def test_a_mistake_in_the_constructor_or_a_property_is_named_with_its_line(own):
    name = own("\nclass Bad(Beeper):\n    def __init__(self):\n        self.voices = {}['x']\n")
    assert f"cannot be made: KeyError: 'x' ({name}.py:12, in __init__)" in refused(f"{name}:Bad")
    name = own("\nclass Bad(Beeper):\n    @property\n    def concurrency(self):\n        return 1 // 0\n")
    assert "concurrency cannot be read: ZeroDivisionError" in (said := refused(f"{name}:Bad"))
    assert f"({name}.py:13, in concurrency)" in said


def test_an_error_of_ones_own_constructor_keeps_its_words(own):
    name = own(
        "\nfrom datagen.errors import RecipeError\n\n\nclass Bad(Beeper):\n    def __init__(self):\n"
        "        raise RecipeError('loud must be 1 to 3')\n"
    )
    assert refused(f"{name}:Bad") == "loud must be 1 to 3"


def test_a_misspelled_class_and_a_dot_are_recognized(own):
    name = own()
    assert f"module {name} has no class 'Beper'; did you mean Beeper?" in refused(f"{name}:Beper")
    assert f"no tts engine '{name}.Beeper'; did you mean {name}:Beeper?" in refused(f"{name}.Beeper")
