"""One test for each way out of a build that was open once."""

import json
import re
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

import datagen
from datagen import cli
from datagen.cli import app
from datagen.errors import DatagenError, StoreError
from datagen.export.export_job import ExportRequest, export
from datagen.recipe import stored
from datagen.recipe.in_data_set import in_data_set
from datagen.run.reflatten import reflatten
from datagen.shards.card import card
from datagen.shards.manifest import Manifest
from datagen.shards.store import LocalStore, inside
from datagen.terminal import console, print_json, printable
from tests.run.builds import Forger
from tests.trust.conftest import Target, columns
from tests.trust.payloads import TERMINAL, replaced
from tests.trust.watch import SECRET, Watch


@pytest.mark.parametrize("key", ["/x", "../x", "a/../../x", "a/..", "a\\..\\x", "C:/x", "a\0b"])
def test_a_key_stays_in_its_store(key, tmp_path):
    store = LocalStore(tmp_path / "in")
    for use in (
        lambda: store.create(key, b"x"),
        lambda: store.replace(key, b"x"),
        lambda: store.read(key),
        lambda: store.open(key),
        lambda: store.exists(key),
        lambda: list(store.keys(key)),
    ):
        with pytest.raises(StoreError, match="is no name of a file below it"):
            use()
    assert not list(tmp_path.rglob("*"))


@pytest.mark.parametrize("key", ["", "a", "a/b.parquet", "a..b/c", "日本/x"])
def test_an_ordinary_key_is_one(key):
    assert inside(key, "out") == key


@pytest.mark.parametrize("split", ["../../../out-of-it", "/tmp/out-of-it", "", "new"])
def test_a_split_of_the_data_is_no_folder_to_write(target: Target, split):
    columns(target, "conversations", lambda row: {**row, "split": split})
    before = {*target.out.parent.rglob("*")}
    to = target.work / "a" / "b" / "to"
    with pytest.raises(DatagenError, match="is in no known split"):
        export(str(target.out), str(to), ExportRequest(format="moshi"))
    if ".." in split:
        with pytest.raises(StoreError, match="is no name of a file below it"):
            reflatten(str(target.out), str(target.work / "a" / "flat"), {})
    assert {path for path in {*target.out.parent.rglob("*")} - before if target.work / "a" not in path.parents} <= {
        target.work / "a"
    }
    assert not list(to.rglob("*.flac"))


def test_a_report_follows_no_link_of_the_build(target: Target, tmp_path):
    mine = tmp_path / "mine"
    mine.write_text("mine")
    for name in (".report.html.writing", "report.html"):
        (target.out / name).symlink_to(mine)
    result = CliRunner().invoke(app, ["report", str(target.out), "--conversations", "0"])
    assert result.exit_code == 0, result.exception
    assert mine.read_text() == "mine"
    assert not (target.out / "report.html").is_symlink()


def test_a_profile_out_of_a_build_is_not_read(target: Target, tmp_path):
    (tmp_path / "profile.yaml").write_text("fade_ms: 77")
    values = Manifest.load(LocalStore(target.out)).recipe
    theirs = {**values, "timing": {"profile": str(tmp_path / "profile.yaml")}}
    with Watch([target.out], []) as watch:
        assert stored(theirs).timing.fade_ms == 30
    assert watch.seen == []
    assert stored({**values, "timing": {"profile": "natural"}}).timing.assistant_fto.kind != "constant"


@pytest.mark.parametrize("name", ["recipe", "recipe.yaml", "sub/folder/other.yml"])
@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"engines": {"tts": {"name": "os:system"}}}, "import the module os"),
        ({"input": {"paths": [SECRET]}}, "sets input.paths to \\['/etc/passwd'\\]"),
        ({"takes": {"reuse": ["s3://theirs/takes"]}}, "sets takes.reuse to \\['s3://theirs/takes'\\]"),
        ({"timing": {"profile": "/theirs.yaml"}}, "sets timing.profile to '/theirs.yaml'"),
    ],
)
def test_a_recipe_anywhere_in_a_data_set_is_judged(target: Target, name, values, says):
    file = target.out / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump({"name": "theirs", **values}))
    result = CliRunner().invoke(app, ["build", str(file), "--out", "again"])
    assert result.exit_code == 1
    assert re.search(f"{says}.*pass --trust", result.stderr)
    assert not Path("again").exists()
    link = target.work / "mine.yaml"
    link.symlink_to(file)
    assert in_data_set(str(link))


def test_what_the_user_sets_is_the_users_word(target: Target):
    (target.out / "x.yaml").write_text(f"name: theirs\ninput: {{paths: [{SECRET}]}}\ntiming: {{profile: /theirs.yaml}}")
    arguments = ["build", str(target.out / "x.yaml"), "--out", "o", "--input", "none.jsonl", "--set", "timing={}"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert "--trust" not in result.stderr
    assert "none.jsonl" in result.stderr


def test_a_manifest_of_another_program_makes_no_data_set(tmp_path):
    (tmp_path / "manifest.json").write_text('{"short_name": "a web application"}')
    assert not in_data_set(str(tmp_path / "mine.yaml"))
    (tmp_path / "manifest.json").write_text("{damaged")
    assert in_data_set(str(tmp_path / "mine.yaml"))
    assert not in_data_set("quickstart")


def test_where_a_recipe_lies_is_judged_strictly_and_never_fails(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("loop").symlink_to("loop")
    for absent in ("loop/x.yaml", "a\0b", f"{'x' * 300}/x.yaml", "nowhere/x.yaml"):
        assert not in_data_set(absent)
    Path("mine.yaml").touch()
    assert not in_data_set("mine.yaml")
    Path("manifest.json").symlink_to("manifest.json")  # nobody can say what it is
    assert in_data_set("mine.yaml")


@pytest.mark.parametrize(
    "command", [["write", "RECIPE", "--dry-run"], ["evaluate", "texts", "OUT", "--judge", "RECIPE"]]
)
def test_an_authoring_recipe_in_a_data_set_sends_nothing(target: Target, command):
    recipe = target.out / "recipe.yaml"
    recipe.write_text("name: theirs\nllm: {model: m, base_url: 'http://127.0.0.1:9/v1', api_key_env: HOME}")
    arguments = [{"OUT": str(target.out), "RECIPE": str(recipe)}.get(each, each) for each in command]
    with Watch([target.out], [target.work]) as watch:
        result = CliRunner().invoke(app, arguments)
    assert watch.seen == []
    assert result.exit_code == 1
    assert re.search("to a server that it names.*pass --trust", result.stderr)
    assert "pass --trust" not in CliRunner().invoke(app, [*arguments, "--trust"]).output


def test_a_card_holds_no_markup_of_the_data(target: Target):
    document = target.document("manifest.json")
    evil = "![x](http://y/x.png) <img src=x> | a\n---\n# title `"
    for path in (
        ("datagen",),
        ("engines", "tts", "licence"),
        ("engines", "tts", "lineage"),
        ("recipe", "name"),
        ("reproducible", "because"),
        ("reproducible", "processors"),
    ):
        value = {"because": [evil], "processors": {evil: 1}}.get(path[-1], evil)
        document = replaced(document, path, value)
    for promise in ("machine", "no"):
        document["reproducible"]["promise"] = promise
        target.put("manifest.json", document)
        text = card(Manifest.load(LocalStore(target.out)))
        metadata, prose = text.split("\n---\n", 1)
        assert not [each for each in ("<img", "![", "](http", "\n# title", "| a |") if each in prose]
        front = yaml.safe_load(metadata)
        assert list(front)[:4] == ["pretty_name", "license", "language", "size_categories"]
        assert list(front)[4:] == ["task_categories", "tags", "configs"]
    assert "&#60;img src=x&#62;" in text


def test_the_metadata_of_a_table_makes_no_column_a_file(target: Target, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    forger = Forger(target.out)
    keys = forger.keys("asr")
    for key in keys:
        table = pq.read_table(target.out / key)
        at = table.column_names.index("row_id")
        bait = pa.array([{"bytes": None, "path": SECRET}] * table.num_rows, kind)
        info = {"info": {"features": {"row_id": {"_type": "Image"}}}}
        changed = table.set_column(at, "row_id", bait).replace_schema_metadata({"huggingface": json.dumps(info)})
        pq.write_table(changed, target.out / key)
    with pytest.raises(Exception, match=r"generating the dataset|cast|column"):
        datagen.open(str(target.out)).dataset("asr")


@pytest.mark.parametrize("text", TERMINAL)
def test_what_is_printed_steers_no_terminal(text, capsys, monkeypatch):
    assert printable(text).isprintable()
    console().print(text, markup=False)
    print_json({text: [text]})
    monkeypatch.setattr("datagen.resources.recipes", lambda: (_ for _ in ()).throw(DatagenError(text)))
    monkeypatch.setattr(sys, "argv", ["datagen", "recipes"])
    with pytest.raises(SystemExit):
        cli.main()
    printed = capsys.readouterr()
    assert printed.err.startswith("datagen: ")
    assert (printed.out + printed.err).replace("\n", "").isprintable()


def test_printed_json_is_the_same_json(capsys):
    values = {"a\x9b\u202e": ["\x1b", "\U000e0001", "ok é 日本"]}
    print_json(values)
    assert json.loads(capsys.readouterr().out) == values


def test_colours_and_lines_stay(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    console().print("[green]a[/]\nb")
    assert capsys.readouterr().out.splitlines()[1] == "b"


def test_a_resealed_document_is_what_readers_take(target: Target):
    document = target.document("manifest.json")
    target.put("manifest.json", document)
    assert datagen.open(str(target.out)).manifest.digest == document["digest"]


def test_nothing_reads_pickles_or_code_of_models():
    package = Path(datagen.__file__).parent
    sources = {path: path.read_text("utf-8") for path in package.rglob("*.py")}
    for path, text in sources.items():
        name = path.relative_to(package).as_posix()
        for call in ("torch.load(", "from_pretrained(", "np.load("):
            for after in text.split(call)[1:]:
                inside_call = after[: after.index("\n\n") if "\n\n" in after else None]
                if call == "torch.load(":
                    assert "weights_only=True" in inside_call, name
                if call == "from_pretrained(":
                    assert "trust_remote_code=False" in inside_call, name
        assert "allow_pickle=True" not in text
        assert "trust_remote_code=True" not in text
        assert "weights_only=False" not in text
        assert "joblib" not in text
        assert "yaml.unsafe" not in text
        assert "yaml.full_load" not in text
        if "pickle.loads" in text:
            assert name == "run/ray.py"
        if "yaml.load(" in text:
            assert name == "resources.py"  # of the package's own files
            assert text.count("yaml.load(") == text.count("yaml.SafeLoader))") == 1
