"""A data set names engines; without the user's word nothing foreign is imported, called or read."""

import json
import subprocess
import sys

import pytest
import yaml
from typer.testing import CliRunner

import datagen
from datagen.cli import app
from datagen.engines.load import ENGINES, load
from datagen.engines.trust import HARMLESS, refuse_untrusted, refuse_untrusted_recipe
from datagen.errors import RecipeError, TrustError
from datagen.shards.seal import document
from tests.conftest import make_recipe
from tests.run.builds import made


@pytest.mark.parametrize(
    ("kind", "name", "options", "says"),
    [
        ("text_tokenizer", "subprocess:Popen", {"args": ["sh", "-c", "true"]}, "import the module subprocess"),
        ("text_tokenizer", "hf", {"path": "model"}, "read or call what its options name \\(path: 'model'\\)"),
        ("speech_tokenizer", "s3", {"path": "model"}, "read or call what its options name \\(path: 'model'\\)"),
        (
            "speech_tokenizer",
            "kmeans",
            {"model": "model.npz"},
            "read or call what its options name \\(model: 'model.npz'\\)",
        ),
        ("speech_tokenizer", "hibari", {}, "import the module hibari"),
        ("text_tokenizer", ["qwen2"], {}, "import the module"),
        ("text_tokenizer", "qwen2", ["x"], "options that are no object"),
        ("no_such_kind", "qwen2", {}, "import the module qwen2"),
        ("text_tokenizer", "a\n\x1b[31m" + "b" * 500 + ":C", {}, r"import the module a\\n\\u001b\[31mb"),
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
    assert names - HARMLESS.keys() == {
        *("by_language", "speech_server", "cosyvoice", "s3", "hf", "directory"),
        *("mimi", "encodec", "dac"),
    }
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
        "engines.tts={name: by_language, options: {en: {name: [os:system]}}}",
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


# -- readers of a build -----------------------------------------------------------------------------------------------

ATTACKS = {
    "text_tokenizer": {"name": "subprocess:Popen", "options": {"args": ["sh", "-c", "touch canary"], "shell": False}},
    "speech_tokenizer": {"name": "subprocess:Popen", "options": {"args": ["touch", "canary"]}},
}


@pytest.fixture(scope="module")
def attacked(tmp_path_factory):
    """A build whose manifest and recipe name engines that would run a command."""
    out, _ = made(tmp_path_factory.mktemp("attacked"), "mix.keep_audio=true", n=2)
    manifest = json.loads((out / "manifest.json").read_bytes())
    manifest["recipe"]["engines"] |= ATTACKS
    (out / "manifest.json").write_bytes(document(manifest))
    recipe = yaml.safe_load((out / "recipe.yaml").read_text("utf-8"))
    recipe["engines"] = {**recipe.get("engines", {}), **ATTACKS}
    (out / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    return out


COMMANDS = [
    ["show"],
    ["show", "--dialogue", "ID"],
    ["listen", "--dialogue", "ID", "--decoded", "--out", "sound.wav"],
    ["report", "--to", "page.html"],
    ["check"],
    ["audit"],
    ["export", "--to", "exported", "--format", "moshi", "--decoded"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_looking_at_a_build_runs_nothing_that_it_names(command, attacked, tmp_path, monkeypatch):
    started: list[object] = []

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if watching and event in ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system", "socket.connect"):
            started.append((event, arguments))

    watching = True
    sys.addaudithook(watch)
    monkeypatch.chdir(tmp_path)
    dialogue = next(datagen.open(attacked).conversations()).dialogue_id
    arguments = [dialogue if part == "ID" else part for part in command[1:]]
    result = CliRunner().invoke(app, [command[0], str(attacked), *arguments])
    watching = False
    assert started == []
    assert not (tmp_path / "canary").exists()
    assert not isinstance(result.exception, subprocess.SubprocessError | OSError)
    if command[0] in ("listen", "export"):
        assert result.exit_code == 1
        assert "import the module subprocess" in result.stderr


def test_the_display_of_a_notebook_runs_nothing_that_a_build_names(attacked, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    output = datagen.open(attacked)
    assert "<" in output._repr_html_()
    with pytest.raises(TrustError):
        output.row("three_stream")._repr_html_()
    assert not (tmp_path / "canary").exists()


def test_with_trust_the_engine_is_loaded_and_still_must_be_one(attacked):
    with pytest.raises(RecipeError, match="is none: it is no class with the method encode"):
        _ = datagen.open(attacked, trust=True).text_tokenizer


def test_a_recipe_inside_a_data_set_is_not_code(attacked, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["build", str(attacked / "recipe.yaml"), "--out", "again"])
    assert result.exit_code == 1
    assert "pass --trust" in result.stderr
    assert not (tmp_path / "again").exists()
    (tmp_path / "mine.yaml").write_text((attacked / "recipe.yaml").read_text("utf-8"), "utf-8")
    result = CliRunner().invoke(app, ["build", "mine.yaml", "--out", "again"])
    assert result.exit_code == 1
    assert "is none: it is no class" in result.stderr
