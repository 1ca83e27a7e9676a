"""Credentials reach no terminal, log, manifest or recipe, wherever a user writes a URL."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from datagen import recipe as recipes
from datagen import resources
from datagen.cli import app
from datagen.errors import DatagenError, RecipeError, StoreError
from datagen.recipe import refuse_secrets
from datagen.redaction import places_of_secrets, redacted
from datagen.run.build import build

SECRET = "hunter2swordfish"
URLS = (
    f"https://me:{SECRET}@host/x.wav",
    f"https://{SECRET}@host/x",
    f"s3://KEY:{SECRET}@bucket/x",
    f"https://host/x?token={SECRET}",
    f"https://host/x?a=1&X-Amz-Signature={SECRET}&b=2",
    f"https://host/x?sv=2024&sig={SECRET}",
    f"https://host/x#access_token={SECRET}",
    f"az://container/x?sig={SECRET}",
    f"abfss://container:{SECRET}@account.dfs.core.windows.net/x",
    f"https://host/x?api_key={SECRET}",
    f"https://me:a/{SECRET}@slash@host/x",
)
KEYS = ("sk-proj-" + "a1" * 20, "hf_" + "Ab1" * 12, "AKIA" + "ABCD1234" * 2, "ghp_" + "a1" * 18, "AIza" + "a" * 35)
PLAIN = (
    "abfss://talks@account.dfs.core.windows.net/out",
    "az://talks/out",
    "https://host/x?page=2",
    "http://host:8000/v1/x@2",
    "mail bob@example.com about s3://bucket/out",
    "out/my-token=file",
    "keys are sorted; a token per chunk: key=value",
)


@pytest.mark.parametrize("url", [*URLS, *KEYS])
def test_no_credential_is_left(url):
    for text in (url, f"cannot read {url}: no such file", f"{{'path': '{url}'}}", f"a {url}\nb {url}"):
        found = redacted(text)
        assert SECRET not in found
        assert not any(key in found for key in KEYS)
        assert "***" in found
        assert redacted(found) == found


@pytest.mark.parametrize("text", PLAIN)
def test_plain_places_are_unchanged(text):
    assert redacted(text) == text


_word = st.text("abcXYZ019-_.~%", min_size=3)


@given(scheme=st.sampled_from(["http", "https", "s3", "gs", "az"]), user=_word, password=_word, rest=_word)
def test_user_and_password_of_any_url_are_hidden_and_host_and_path_kept(scheme, user, password, rest):
    assert redacted(f"x {scheme}://{user}:{password}@h/{rest} y") == f"x {scheme}://***@h/{rest} y"


@given(name=st.sampled_from(["token", "sig", "X-Amz-Signature", "apikey", "Password", "AWSSecretKey"]), value=_word)
def test_secret_values_of_any_query_are_hidden(name, value):
    assert redacted(f"https://h/p?a=1&{name}={value}&z=2") == f"https://h/p?a=1&{name}=***&z=2"


def test_every_error_hides_them():
    for kind in (DatagenError, StoreError, RecipeError):
        assert SECRET not in str(kind(f"cannot read {URLS[0]}"))


OVERRIDES = (
    "input.paths=['{url}']",
    "takes.reuse=['{url}']",
    "mix.noise=[{{name: directory, options: {{path: '{url}'}}}}]",
    "mix.bursts.sources=[{{name: directory, options: {{path: '{url}'}}}}]",
    "mix.room.engine={{name: 'a:B', options: {{at: ['{url}']}}}}",
    "speak.engine={{name: speech_server, options: {{base_url: '{url}'}}}}",
    "description='{url}'",
    "unknown.key='{url}'",
)


@pytest.mark.parametrize("url", [*URLS, *KEYS])
@pytest.mark.parametrize("override", OVERRIDES)
def test_a_recipe_with_a_credential_is_refused_with_its_key_and_not_repeated(override, url):
    with pytest.raises(RecipeError, match="would end up in manifests and logs; remove it, and set the env") as caught:
        recipes.load("quickstart", (override.format(url=url),))
    assert override.split("=")[0].split(".")[0] in str(caught.value)
    assert SECRET not in str(caught.value)
    assert not any(key in str(caught.value) for key in KEYS)


def test_a_recipe_made_in_python_is_refused_before_anything_is_written(tmp_path):
    values = recipes.load("fake", ("input.limit=1",)).dump()
    values["mix"]["noise"][0]["options"] = {"path": URLS[0]}
    with pytest.raises(RecipeError, match=r"mix\.noise\.0\.options\.path: .* would end up"):
        build(recipes.Recipe.model_validate(values), str(tmp_path / "out"))
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_places_are_keys_of_nested_values():
    values = {"a": [{"b": URLS[0]}, "plain"], "c": {URLS[0]: 1}}
    assert places_of_secrets(values) == ["a.0.b", "c.https://***@host/x.wav"]


@pytest.mark.parametrize("name", resources.recipes())
def test_no_shipped_recipe_is_refused(name):
    refuse_secrets(recipes.load(name).dump(), name)


COMMANDS = (
    "build quickstart --input {url} --out {out}",
    "build quickstart --out {url}",
    "build quickstart --takes {url} --out {out}",
    "build quickstart --set mix.noise={url} --out {out}",
    "build quickstart --set {url} --out {out}",
    "build {url}",
    "check {url}",
    "status {url}",
    "show {url}",
    "report {url}",
    "audit {url}",
    "export {url} --to {out} --format moshi",
    "listen {url} --dialogue a --out {out}.wav",
    "flatten {url} --out {out}",
    "evaluate loss {url} --model {url}",
    "timing fit {url} --out {out}",
    "timing report {url}",
    "write {url} --out {out}",
)


@pytest.mark.parametrize("url", URLS[:5])
@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_prints_or_keeps_a_credential(tmp_path, monkeypatch, command, url):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATAGEN_STORE_PATIENCE_S", "0")
    arguments = [part.format(url=url, out=str(tmp_path / "out")) for part in command.split()]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code != 0
    shown = result.output + str(result.exception or "")
    assert SECRET not in shown
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(SECRET.encode() in path.read_bytes() or SECRET in str(path) for path in files)
