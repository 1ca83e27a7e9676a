"""Every command does what it says; what a user can mend is one line and exit status 1, never a traceback."""

import json
import os
import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import soundfile

from datagen import __version__, cli, resources
from datagen.shards.manifest import Manifest
from datagen.shards.store import LocalStore
from tests.run.builds import DATAGEN, faults, read, talk, talks, write

LISTEN = ("listen", "out", "--dialogue", "d1", "--decoded")
FAST = ("--set", "flatten.tasks=[asr, three_stream]", "--set", "splits={validation: 0, test: 0}", "--workers", "1")


class Cli:
    """Runs the program's `main` in this process, in a folder of its own."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys, self._monkeypatch = capsys, monkeypatch

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit status, standard output and standard error."""
        self._capsys.readouterr()
        self._monkeypatch.setattr(sys, "argv", ["datagen", *map(str, arguments)])
        status = 0
        try:
            cli.main()
        except SystemExit as end:
            status = end.code or 0
        said = self._capsys.readouterr()
        return status, said.out, said.err

    def ok(self, *arguments: str) -> str:
        status, out, err = self.run(*arguments)
        assert (status, err) == (0, "")
        return out

    def fails(self, *arguments: str) -> str:
        """The one line of an error."""
        status, out, err = self.run(*arguments)
        assert (status, out) == (1, ""), (out, err)
        assert err.startswith("datagen: ")
        assert err.count("\n") == 1
        assert "Traceback" not in err
        return err


@pytest.fixture
def datagen(capsys, monkeypatch, tmp_path) -> Cli:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "1000")
    return Cli(capsys, monkeypatch)


@pytest.fixture
def talks_file(tmp_path) -> Path:
    return write(tmp_path / "in.jsonl", talks(5))


@pytest.fixture(scope="module")
def build_once(tmp_path_factory) -> Path:
    """A folder with a finished build that tests copy."""
    folder = tmp_path_factory.mktemp("build")
    write(folder / "in.jsonl", talks(5))
    command = [DATAGEN, "build", "fake", "--input", "in.jsonl", "--out", "out", *FAST]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    return folder


@pytest.fixture
def built(datagen, build_once, tmp_path) -> Path:
    shutil.copytree(build_once, tmp_path, dirs_exist_ok=True)
    return Path("out")


# -- what works -------------------------------------------------------------------------------------------------


def test_an_output_of_the_recipes_name_is_not_read_as_the_recipe(datagen, talks_file):
    command = ("build", "fake", "--input", talks_file, "--out", "fake", *FAST)
    datagen.ok(*command)
    assert "units done before" in datagen.ok(*command)


def test_build_says_what_was_made_and_what_to_do_next(datagen, talks_file):
    said = datagen.ok("build", "fake", "--input", talks_file, "--out", "out", *FAST)
    assert "out: 5 records in 2 units" in said
    assert "3 dialogues kept, 2 rejected: select/code 2" in said
    assert "datagen show out --task three_stream" in said
    assert Manifest.load(LocalStore("out")).digest in said


def test_build_again_says_it_was_done_before(datagen, built):
    said = datagen.ok("build", "fake", "--input", "in.jsonl", "--out", "out", *FAST)
    assert "2 units done before" in said


def test_without_out_a_build_goes_to_a_folder_of_its_recipes_name(datagen, talks_file):
    datagen.ok("build", "fake", "--input", talks_file, *FAST)
    assert Path("out/fake/manifest.json").exists()


def test_limit_reads_only_the_first_records(datagen, talks_file):
    datagen.ok("build", "fake", "--input", talks_file, "--out", "out", "--limit", "2", *FAST)
    assert Manifest.load(LocalStore("out")).n_records == 2


def test_takes_of_another_build_are_used(datagen, talks_file):
    datagen.ok("build", "fake", "--input", talks_file, "--out", "kept", "--set", "takes.keep=true", *FAST)
    other = ("build", "fake", "--input", talks_file, "--set", "timing.user_fto=700", *FAST)
    datagen.ok(*other, "--out", "new", "--takes", "kept")
    assert not Path("new/takes").exists()
    datagen.ok(*other, "--out", "scratch")
    digests = {Manifest.load(LocalStore(out)).digest for out in ("new", "scratch")}
    assert len(digests) == 1
    assert "keeps no takes" in datagen.fails(*other, "--out", "third", "--takes", "new")


def test_input_may_be_repeated_and_is_read_in_order(datagen, talks_file, tmp_path):
    other = write(tmp_path / "more, [of] 'it'.jsonl", [talk("One more thing please.", "Yes, of course.", id="more")])
    datagen.ok("build", "fake", "--input", other, "--input", talks_file, "--out", "out", *FAST)
    records = {
        row["record"]: row["dialogue_id"] for table in ("conversations", "rejects") for row in read(Path("out"), table)
    }
    assert [records[k] for k in range(6)] == ["more", "d0", "d1", "d2", "d3", "d4"]


def test_set_reaches_the_recipe(datagen, talks_file):
    datagen.ok("build", "fake", "--input", talks_file, "--out", "out", "--set", "seed=99", *FAST)
    assert Manifest.load(LocalStore("out")).recipe["seed"] == 99


def test_check_tells_digest_and_counts(datagen, built):
    manifest = Manifest.load(LocalStore(built))
    said = datagen.ok("check", built)
    assert f"{len(list(manifest.files()))} files" in said
    assert f"digest {manifest.digest}" in said


def test_status_tells_how_far_a_build_is(datagen, built):
    said = datagen.ok("status", built)
    assert "out: 2 of 2 units done, 100.0%" in said
    assert "2 records rejected: select/code 2" in said
    assert "finished: the manifest is there" in said
    (built / "manifest.json").unlink()
    (built / "units" / "000001.json").unlink()
    said = datagen.ok("status", built)
    assert "out: 1 of 2 units done, 50.0%" in said
    assert "speed  not known yet; the last unit was done" in said
    assert "left   1 unit, about 0.01 hours\n" in said
    assert "no manifest yet: the same command goes on" in said
    found = json.loads(datagen.ok("status", built, "--json"))
    assert (found["finished"], found["n_units_done"], found["seconds_left"]) == (False, 1, None)


def test_status_where_nothing_is(datagen):
    assert "there is no build" in datagen.fails("status", "nowhere")


def test_check_names_faults_and_exits_1(datagen, built):
    file = next(Manifest.load(LocalStore(built)).files("asr"))
    (built / file.key).unlink()
    status, out, err = datagen.run("check", built)
    assert (status, out) == (1, "")
    assert file.key in err
    assert "1 fault" in err.splitlines()[-1]


def test_flatten_makes_new_shards(datagen, built):
    said = datagen.ok("flatten", built, "--out", "new", "--chunk", "5/1", "--task", "three_stream", "--workers", "1")
    assert "three_stream" in said
    recipe = Manifest.load(LocalStore("new")).recipe["flatten"]
    assert (recipe["speech_chunk_tokens"], recipe["text_chunk_tokens"], recipe["tasks"]) == (5, 1, ["three_stream"])
    assert faults(Path("new"), built) == []
    assert "no faults" in datagen.ok("check", "new", "--conversations", built)


def test_flatten_takes_the_longest_row(datagen, built):
    datagen.ok("flatten", built, "--out", "new", "--max-tokens", "64", "--workers", "1")
    assert max(row["n_tokens"] for row in read(Path("new"), "three_stream")) <= 64


def test_flatten_takes_any_setting(datagen, built):
    datagen.ok(
        "flatten", built, "--out", "new", "--set", "half_duplex=heard", "--set", "asr_roles=[user]", "--workers", "1"
    )
    recipe = Manifest.load(LocalStore("new")).recipe["flatten"]
    assert (recipe["half_duplex"], recipe["asr_roles"]) == ("heard", ["user"])


@pytest.mark.parametrize("task", ["three_stream", "asr"])
def test_show_paints_a_row_with_its_text(datagen, built, task):
    said = datagen.ok("show", built, "--task", task, "--row", "1", "--chunks", "3")
    assert f"#{task}#" in said
    assert "learned" in said
    plain = datagen.ok("show", built, "--task", task, "--row", "1", "--codes")
    assert plain.count("\n") >= said.count("\n")


def test_show_counts_rows_over_all_files(datagen, built):
    assert len(list(Manifest.load(LocalStore(built)).files("three_stream"))) > 1
    for number, row in enumerate(read(built, "three_stream")):
        assert datagen.ok("show", built, "--row", str(number)).startswith(f"{row['row_id']}  train  ")


def test_show_prints_a_conversation(datagen, built):
    said = datagen.ok("show", built, "--dialogue", "d1")
    assert said.startswith("d1, train, ")
    assert "Tell me about" in said
    assert datagen.run("show", built, "--dialogue", "d1", "--row", "1")[0] == 2
    assert datagen.run("show", built, "--dialogue", "d1", "--task", "asr")[0] == 2


def test_show_says_how_to_see_the_rest(datagen, built):
    assert "more chunks; --chunks" in datagen.ok("show", built, "--chunks", "1")


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "opus", "mp3"])
def test_listen_decodes_both_channels(datagen, built, ending):
    conversation = read(built, "conversations")[0]
    datagen.ok("listen", built, "--dialogue", conversation["dialogue_id"], "--decoded", "--out", f"talk.{ending}")
    audio, rate = soundfile.read(f"talk.{ending}")
    assert audio.shape == (pytest.approx(conversation["n_samples"], abs=2_500), 2)
    assert rate == 24_000


def test_listen_writes_the_kept_sound_of_one_channel_or_both(datagen, talks_file):
    datagen.ok("build", "fake", "--input", talks_file, "--out", "out", "--set", "mix.keep_audio=true", *FAST)
    kept, _ = soundfile.read(BytesIO(read(Path("out"), "conversations")[0]["audio_flac"]), dtype="int16")
    told = datagen.ok("listen", "out", "--dialogue", "d1", "--out", "both.wav")
    assert told.strip().endswith("s, left the user, right the assistant")
    assert np.array_equal(soundfile.read("both.wav", dtype="int16")[0], kept)
    for k, channel in enumerate(("user", "assistant")):
        told = datagen.ok("listen", "out", "--dialogue", "d1", "--out", "one.flac", "--channel", channel)
        assert told.strip().endswith(f"s, the {channel}")
        assert np.array_equal(soundfile.read("one.flac", dtype="int16")[0], kept[:, k])


def test_listen_decodes_where_no_sound_was_kept_and_says_so(datagen, built):
    told = datagen.ok("listen", built, "--dialogue", "d1", "--out", "talk.wav")
    assert told.strip().endswith("decoded from tokens because the build kept no audio (mix.keep_audio)")
    datagen.ok("listen", built, "--dialogue", "d1", "--out", "decoded.wav", "--decoded")
    assert Path("talk.wav").read_bytes() == Path("decoded.wav").read_bytes()


@pytest.mark.parametrize("format", ["lhotse", "moshi", "datasets"])
def test_export_says_what_it_wrote_and_how_to_read_it(datagen, built, format):
    said = datagen.ok("export", built, "--to", "to", "--format", format, "--decoded", "--workers", "1")
    assert f"to: 3 conversations (train 3, validation 0, test 0) for {format}, 0.01 hours\n" in said
    assert "\nNext:  " in said
    again = datagen.ok("export", built, "--to", "to", "--format", format, "--decoded", "--workers", "1")
    assert again.splitlines()[-2:] == said.splitlines()[-2:]
    assert "no faults" in datagen.ok("check", "to")


def test_an_export_for_a_trainer_states_what_it_assumes(datagen, built):
    said = datagen.ok("export", built, "--to", "to", "--for", "moshi-finetune", "--split", "train", "--workers", "1")
    assert "to: 3 conversations (train 3) for moshi" in said
    assert "decoded from tokens because the build kept no audio (mix.keep_audio)" in said
    assert "Assumes:  data.train_data is the folder of one split" in said
    assert datagen.ok("status", "to") == "to: an export, 1 of 1 units done; finished\n"


def test_report_writes_a_page_and_opens_it(datagen, built, monkeypatch):
    shown = []
    monkeypatch.setattr("webbrowser.open", shown.append)
    first, link = datagen.ok("report", built, "--open").splitlines()  # there is no terminal
    assert first.startswith("out/report.html: ")
    assert link.partition("file://")[2].startswith(f"{Path('out/report.html').resolve()}#conversation=")
    assert (built / "report.html").read_text("utf-8").startswith("<!doctype html>")
    assert shown == []
    monkeypatch.setattr("datagen.cli.look_commands._can_open", lambda: True)
    said = datagen.ok("report", built, "--to", "page.html", "--conversations", "1", "--open")
    assert [said.splitlines()[1]] == [f"At an event:  {url}" for url in shown]
    assert Path("page.html").read_text("utf-8").count('class="talk"') == 1
    assert "there is no build" in datagen.fails("report", "nowhere")


def test_recipes_lists_all_that_ship(datagen):
    said = datagen.ok("recipes")
    assert [line.split()[0] for line in said.splitlines()] == resources.recipes()


def test_version(datagen):
    assert datagen.ok("--version") == f"datagen {__version__}\n"


def test_the_shell_completes_commands_and_options():
    def completed(line: str) -> list[str]:
        asked = {"_DATAGEN_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1)}
        run = subprocess.run([DATAGEN], env=os.environ | asked, capture_output=True, text=True, check=True)
        return run.stdout.split()

    assert completed("datagen ev") == ["evaluate"]
    assert completed("datagen timing or") == ["oracle"]
    assert "--judge" in completed("datagen evaluate texts --ju")


def test_no_command_is_help(datagen):
    status, out, err = datagen.run()
    assert status == 2
    assert all(
        name in out + err for name in ("build", "flatten", "check", "show", "listen", "report", "export", "recipes")
    )


# -- what does not ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "needs"),
    [
        (("build", "fake"), "--engine ray"),
        (("build", "fake", "--dry-run"), "--engine ray"),
        (("export", "out", "--to", "x"), "--engine ray"),
        (("write", "from_topics", "--dry-run"), "--engine ray"),
        (("encode", "out", "--engine", "tone", "--out", "x"), "--ray"),
    ],
)
def test_an_address_without_ray_is_a_usage_error(datagen, arguments, needs):
    status, _, err = datagen.run(*arguments, "--address", "127.0.0.1:6379")
    assert status == 2
    assert f"`--address` needs `{needs}`" in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("build", "nonesuch"), "cannot read recipe nonesuch"),
        (("build", "fake", "--set", "sede=1"), "sede: unknown key; did you mean seed?"),
        (("build", "fake", "--set", "seed"), "use the form key=value"),
        (("build", "fake", "--set", "engines.tts.name=nobody"), "no tts engine 'nobody'; known: "),
        (("build", "fake", "--set", "engines.tts.name=hibary"), "'hibary'; did you mean hibari? known: "),
        (("build", "fake", "--set", "engines.tts.options={n_voice: 3}"), "'n_voice'; did you mean n_voices? it takes "),
        (("build", "fake", "--set", "timing.profile=naturel"), "did you mean natural? shipped profiles: "),
        (("build", "naturl"), "did you mean natural? Shipped recipes: "),
        (("build", "fake", "--set", "voices.assistant=nobody"), "'nobody' is not a voice of tone"),
        (("build", "fake", "--set", "select.languages=[fr]"), "does not speak 'fr'"),
        (("build", "fake", "--set", "engines.tts.options={x: 1}"), "does not take these options"),
        (("build", "fake", "--set", "input.paths=[]"), "use --input PATH"),
        (("build", "fake", "--input", "missing.jsonl"), "missing.jsonl: no such file"),
        (("build", "fake", "--input", "empty.jsonl"), "empty.jsonl: contains no records"),
        (("build", "fake", "--input", "notes.txt"), "notes.txt: not a known format"),
        (("build", "fake", "--out", "notes.txt"), "notes.txt is a file; choose another --out"),
        (("build", "fake", "--out", "ftp://host/x"), "supported are s3://"),
        (("build", "fake", "--out", "s3://key:secret@bucket/x"), "a URL with credentials"),
        (("check", "s3://bucket/x?signature=secret"), "a URL with credentials"),
        (("check", "nowhere"), "there is no build"),
        (("show", "nowhere"), "there is no build"),
        (("listen", "nowhere", "--dialogue", "x", "--out", "x.wav"), "there is no build"),
        (("flatten", "nowhere", "--out", "x"), "there is no build"),
    ],
)
def test_an_error_is_one_line_and_status_1(datagen, arguments, says):
    Path("empty.jsonl").touch()
    Path("notes.txt").touch()
    assert says in datagen.fails(*arguments, *(("--workers", "1") if arguments[0] in ("build", "flatten") else ()))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("build", "fake", "--input", "in.jsonl", "--out", "out", "--set", "seed=8", *FAST), "recipe.seed is 7 there"),
        (("show", "out", "--task", "tts"), "no rows of task 'tts'; it has asr, three_stream"),
        (("show", "out", "--task", "three_steam"), "'three_steam'; did you mean three_stream? it has asr"),
        (("export", "out", "--to", "x", "--format", "moshy"), "did you mean moshi? formats: "),
        (("rejects", "out", "--reason", "cod"), "no rejects for 'cod'; did you mean code? it has select/code"),
        (("show", "out", "--task", "rejects"), "no rows of task 'rejects'"),
        (("show", "out", "--row", "99"), "three_stream has 3 rows"),
        (("show", "out", "--dialogue", "zz"), "no conversation of dialogue 'zz'"),
        (("listen", "out", "--dialogue", "zz", "--out", "x.wav"), "no conversation of dialogue 'zz'"),
        ((*LISTEN, "--out", "nowhere/x.wav"), "cannot write nowhere/x.wav"),
        ((*LISTEN, "--out", "x.doc"), "x.doc: cannot write .doc"),
        ((*LISTEN, "--out", "x"), "x: cannot write"),
        (("export", "out", "--to", "out", "--format", "moshi", "--decoded"), "out contains a build; use another --to"),
        (("flatten", "out", "--out", "out"), "holds another build"),
        (("flatten", "out", "--out", "new", "--task", "five_stream"), "flatten.tasks"),
        (("flatten", "out", "--out", "new", "--set", "half_duplex"), "use the form key=value, for example half_duplex"),
    ],
)
def test_an_error_about_a_build_is_one_line_too(datagen, built, arguments, says):
    assert says in datagen.fails(*arguments)


def test_an_unfinished_build_is_said_to_be_so(datagen, built):
    (built / "manifest.json").unlink()
    for command in (("check", built), ("show", built), ("flatten", built, "--out", "new")):
        assert "the build is unfinished: run `datagen build` again" in datagen.fails(*command)


@pytest.mark.parametrize(
    "arguments",
    [
        ("build",),
        ("build", "fake", "--workers", "0"),
        ("build", "fake", "--limit", "0"),
        ("build", "fake", "--limt", "3"),
        ("flatten", "out", "--out", "new", "--chunk", "5"),
        ("flatten", "out", "--out", "new", "--chunk", "a/b"),
        ("show", "out", "--row", "-1"),
        ("nonesuch",),
    ],
)
def test_a_wrong_command_line_is_status_2(datagen, arguments):
    status, out, err = datagen.run(*arguments)
    assert (status, out) == (2, "")
    assert "Error" in err
    assert "Traceback" not in err


def test_a_developer_can_ask_for_the_traceback(datagen, monkeypatch):
    from datagen.errors import StoreError

    monkeypatch.setenv("DATAGEN_TRACEBACK", "1")
    with pytest.raises(StoreError):
        datagen.run("check", "nowhere")


def test_markup_in_names_is_printed_as_it_is(datagen, tmp_path):
    write(tmp_path / "x.jsonl", [talk("Hello there my friend.", "Hello to you too.", id="[bold red]x[/] {0} %s")])
    said = datagen.ok("build", "fake", "--input", "x.jsonl", "--out", "[bold]o", *FAST)
    assert "[bold]o: 1 record in 1 unit" in said
    assert "datagen show '[bold]o'" in said
    assert 'load_dataset("[bold]o"' in said
    assert "[bold red]x[/] {0} %s#three_stream#0" in datagen.ok("show", "[bold]o")


# -- as a program -----------------------------------------------------------------------------------------------


def test_help_loads_nothing_heavy():
    heavy = "numpy", "pyarrow", "pydantic", "scipy", "rich.progress", "datasets", "datagen.build", "datagen.recipe"
    look = f"import sys, atexit; atexit.register(lambda: print([m for m in {heavy} if m in sys.modules]))"
    code = f"{look}; sys.argv = ['datagen', '--help']; from datagen.cli import main; main()"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "build" in said
    assert said.splitlines()[-1] == "[]"


def test_the_installed_program_says_errors_and_status():
    said = subprocess.run([DATAGEN, "check", "/nowhere"], capture_output=True, text=True)
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr == "datagen: /nowhere has no manifest.json; there is no build\n"


def test_output_into_a_closed_pipe_is_no_traceback(built):
    said = subprocess.run(f"{DATAGEN} show {built} --chunks 9999 | head -1", shell=True, capture_output=True, text=True)
    assert "Traceback" not in said.stderr


def test_recipe_files_are_taken_by_path(datagen, talks_file):
    from tests.conftest import make_recipe

    Path("mine.yaml").write_text(make_recipe("name=mine").to_yaml(), "utf-8")
    datagen.ok("build", "mine.yaml", "--input", talks_file, *FAST)
    assert json.loads(Path("out/mine/manifest.json").read_bytes())["recipe"]["name"] == "mine"
