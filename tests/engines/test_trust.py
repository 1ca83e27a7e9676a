"""A data set names engines; without the user's word nothing foreign is imported, called or read."""

import sys

import pytest

from datagen.engines.load import ENGINES, load
from datagen.engines.trust import HARMLESS, refuse_untrusted, refuse_untrusted_recipe
from datagen.errors import RecipeError, TrustError
from tests.conftest import make_recipe


@pytest.mark.parametrize(
    ("kind", "name", "options", "says"),
    [
        ("text_tokenizer", "subprocess:Popen", {"args": ["sh", "-c", "true"]}, "import the module subprocess"),
        ("text_tokenizer", "hf", {"path": "/tmp/model"}, "read what its options name \\(path\\)"),
        ("speech_tokenizer", "s3", {"path": "/tmp/model"}, "read what its options name \\(path\\)"),
        ("speech_tokenizer", "kmeans", {"model": "/tmp/model.npz"}, "read what its option model names"),
        ("speech_tokenizer", "hibari", {}, "import the module hibari"),
        ("text_tokenizer", ["qwen2"], {}, "import the module"),
        ("text_tokenizer", "qwen2", ["x"], "options that are no object"),
        ("no_such_kind", "qwen2", {}, "import the module qwen2"),
        ("text_tokenizer", "a\n\x1b[31m" + "b" * 500 + ":C", {}, "import the module a\\?\\?\\[31mb"),
    ],
)
def test_what_is_not_harmless_is_refused(kind, name, options, says):
    with pytest.raises(TrustError, match=says) as error:
        refuse_untrusted(kind, name, options, "out")
    assert "pass --trust" in str(error.value)
    assert len(str(error.value)) < 400
    assert str(error.value).isprintable()


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in ENGINES for name in ENGINES[kind]])
def test_shipped_engines_without_options_are_harmless_if_they_are_listed(kind, name):
    if name in HARMLESS:
        refuse_untrusted(kind, name, {}, "out")
        refuse_untrusted(kind, name, None, "out")
    else:
        with pytest.raises(TrustError):
            refuse_untrusted(kind, name, {}, "out")


def test_every_shipped_engine_is_judged_and_none_that_takes_a_path_is_harmless():
    names = {name for kind in ENGINES.values() for name in kind}
    assert names - HARMLESS.keys() == {"by_language", "speech_server", "cosyvoice", "s3", "hf", "directory"}
    assert HARMLESS.keys() <= names


def test_the_recipe_of_a_build_of_ours_is_harmless():
    refuse_untrusted_recipe(make_recipe().dump(), "out")


@pytest.mark.parametrize(
    "change",
    [
        "engines.tts={name: os:system}",
        "verify.asr={name: os:system}",
        "verify.mos={name: os:system}",
        "mix.noise=[{name: os:system}]",
        "mix.bursts={sources: [{name: os:system}]}",
        "mix.room={engine: {name: os:system}}",
        "engines.tts={name: by_language, options: {en: {name: os:system}}}",
    ],
)
def test_an_engine_anywhere_in_the_recipe_of_a_data_set_is_judged(change):
    with pytest.raises(TrustError):
        refuse_untrusted_recipe(make_recipe(change).dump(), "out")


@pytest.mark.parametrize("name", ["os:system", "subprocess:run", "subprocess:Popen", "collections:OrderedDict"])
def test_what_is_no_engine_is_never_called(name, tmp_path):
    canary = tmp_path / "canary"
    with pytest.raises(RecipeError, match="is none: it is no class with the method encode"):
        load("text_tokenizer", name, {"args": ["touch", str(canary)]})
    assert not canary.exists()


def test_the_current_folder_is_searched_only_while_an_engine_is_imported(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path not in ("", str(tmp_path))])
    (tmp_path / "mine_here.py").write_text(
        "from datagen.engines.fakes import ByteTokenizer\n\n\nclass Mine(ByteTokenizer):\n    pass\n"
    )
    assert load("text_tokenizer", "mine_here:Mine", {}).info.name == "bytes"
    assert str(tmp_path) not in sys.path
