"""No fault of a path, a file or a value ends in a traceback, whatever the command.

Commands and their parameters are read from the application, so a new command is tested too. The
role of each parameter that takes text is stated once, in `ROLES`.
"""

import contextlib
import inspect
import io
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import typing
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import Enum, auto
from functools import partial
from itertools import pairwise
from pathlib import Path

import msgspec
import pyarrow as pa
import pydantic_core
import pytest
import soundfile
import typer
import yaml

from datagen import cli
from tests.engines.voices.conftest import hum
from tests.measure.test_fit import corpus
from tests.run.builds import made, talk, talks, write


class Role(Enum):
    """What a parameter names."""

    BUILD = auto()
    RECIPE = auto()
    READ = auto()
    WRITTEN = auto()
    SETTING = auto()
    WORD = auto()
    """Text that is no path."""


ROLES = {
    "source": Role.BUILD,
    "takes": Role.BUILD,
    "merge sources": Role.BUILD,
    "check conversations": Role.BUILD,
    "recipe": Role.RECIPE,
    "judge": Role.RECIPE,
    "input": Role.READ,
    "inputs": Role.READ,
    "files": Role.READ,
    "path": Role.READ,
    "model": Role.READ,
    "benchmark": Role.READ,
    "reference": Role.READ,
    "scores": Role.READ,
    "folder": Role.READ,
    "prompts show dialogue": Role.READ,
    "to": Role.WRITTEN,
    "plots": Role.WRITTEN,
    "answers": Role.WRITTEN,
    "outputs": Role.READ,
    "init file": Role.WRITTEN,
    "push to": Role.WORD,
    "set_": Role.SETTING,
    "option": Role.SETTING,
    "tokenizer": Role.WORD,
    "voices limit": Role.SETTING,
    "system": Role.WORD,
    **dict.fromkeys(("engine", "address", "task", "dialogue", "channel", "format", "split", "chunk"), Role.WORD),
    **dict.fromkeys(("kind", "name", "language", "licence", "title", "reason"), Role.WORD),
    **dict.fromkeys(("init voices", "init timing", "init size"), Role.WORD),
    **dict.fromkeys(("for_", "where", "rate", "roles", "codec", "augment", "pace"), Role.WORD),
}
"""By parameter, or by command and parameter. `out` is a build as an argument, and written as an option."""

ALSO = {
    "evaluate all set_": ("--judge", "mine.yaml"),
    "evaluate all answers": ("--judge", "mine.yaml"),
    "listen": ("--decoded",),
    "export": ("--decoded", "--format", "moshi"),
    "engines check": ("--kind", "tts"),
    "merge": ("out",),
    "init": ("--force",),
}
"""What a call needs besides its paths."""

WORDS = {"push": "hf:ann/talks", "prompts show": "script", "engines check": "tone", "encode": "tone", "listen": "d1"}
"""The required word of a command."""


class Parameter(typing.NamedTuple):
    """A parameter of a command."""

    command: str
    name: str
    option: str
    """Empty for an argument."""
    required: bool
    type: object

    @property
    def role(self) -> Role:
        """What it names."""
        if self.name == "out":
            return Role.WRITTEN if self.option else Role.BUILD
        return ROLES[f"{self.command} {self.name}"] if f"{self.command} {self.name}" in ROLES else ROLES[self.name]


def commands(app: typer.Typer = cli.app, before: str = "") -> Iterator[tuple[str, Callable[..., object]]]:
    """All commands with their functions."""
    for each in app.registered_commands:
        yield before + (each.name or each.callback.__name__), each.callback
    for group in app.registered_groups:
        yield from commands(group.typer_instance, f"{group.name} ")


def parameters() -> list[Parameter]:
    """All parameters of all commands that take text or numbers."""
    found = []
    for command, function in commands():
        defaults = inspect.signature(function).parameters
        for name, hint in typing.get_type_hints(function, include_extras=True).items():
            if name == "return":
                continue
            kind, info = typing.get_args(hint)[:2]
            declared = [d for d in (info.default, *(info.param_decls or ())) if isinstance(d, str) and d[:2] == "--"]
            required = defaults[name].default is inspect.Parameter.empty
            found.append(Parameter(command, name, declared[0] if declared else "", required, kind))
    return found


REPORTS = "doctor"
"""Lists all faults as its answer, instead of ending by one: tests/cli/test_doctor.py."""
PARAMETERS = [p for p in parameters() if p.command != REPORTS]
TEXTS = [p for p in PARAMETERS if "str" in str(p.type) or "Path" in str(p.type) or "Literal" in str(p.type)]
NUMBERS = [p for p in PARAMETERS if "int" in str(p.type) or "float" in str(p.type)]
GOOD = {Role.BUILD: "out", Role.RECIPE: "mine.yaml", Role.READ: "in.jsonl", Role.WRITTEN: "new.wav"}
GOOD_INPUT = {"voices": "bank", "timing fit": "calls.csv"}


def of(*roles: Role) -> list[Parameter]:
    return [p for p in TEXTS if p.role in roles]


def each_with_each(parameters: Sequence[Parameter], faults: Iterable[str]) -> pytest.MarkDecorator:
    """Every parameter with every fault. Quick tests have each parameter and each fault at least once."""
    names = list(faults)
    pairs = [(k, j, parameter, name) for k, parameter in enumerate(parameters) for j, name in enumerate(names)]
    return pytest.mark.parametrize(
        ("parameter", "fault"),
        [
            pytest.param(
                parameter,
                name,
                id=f"{parameter.command} {parameter.name}-{name}",
                marks=() if j == k % len(names) or k == j % len(parameters) else pytest.mark.slow,
            )
            for k, j, parameter, name in pairs
        ],
    )


def good(parameter: Parameter) -> str:
    """A value that works."""
    if parameter.role is Role.WORD:
        return WORDS[parameter.command]
    if parameter.role is Role.READ:
        return GOOD_INPUT.get(parameter.command, GOOD[Role.READ])
    return GOOD[parameter.role]


def called(parameter: Parameter, value: str) -> list[str]:
    """A call of a command with this value of a parameter, all else being right."""
    arguments, options = [], []
    for each in PARAMETERS:
        if each.command == parameter.command and (each.required or each == parameter):
            given = value if each == parameter else good(each)
            if each.option:
                options += [each.option, given]
            else:
                arguments.append(given)
    more = list(ALSO.get(f"{parameter.command} {parameter.name}", ALSO.get(parameter.command, ())))
    if parameter.option in more:
        more = []
    return [*parameter.command.split(), *arguments, *more, *options]


def run(*arguments: str) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of a command."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli.app(args=list(arguments), prog_name="datagen")
            status = 0
        except SystemExit as end:
            status = int(end.code or 0)
    return status, out.getvalue(), err.getvalue()


FIX = re.compile(
    r"; \w|\b(use|run|choose|check|fix|install|set|build|must|shipped|available|supported|there is no build)\b", re.I
)


def fails(arguments: list[str], names: str) -> str:
    """The message of a command that fails as it should; it names `names`."""
    status, _, err = run(*arguments)
    assert "Traceback" not in err, err
    assert "bug of datagen" not in err, err
    assert status == 1, (status, err)
    *_, message = err.strip().splitlines()
    assert message.startswith(("datagen: ", f"{GOOD[Role.BUILD]}: ")), err
    assert names in message, err
    assert FIX.search(message), err
    return message


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A folder with a build that tests copy."""
    folder = tmp_path_factory.mktemp("finished")
    made(folder, "mix.keep_audio=true")
    write(folder / "in.jsonl", talks(3))
    (folder / "bank").mkdir()
    for k in range(2):
        soundfile.write(folder / "bank" / f"voice{k}.wav", hum(pitch_hz=120 + 50 * k), 16_000)
    corpus(folder, 40).rename(folder / "calls.csv")
    (folder / "mine.yaml").write_text(
        "name: mine\ninput: {paths: [in.jsonl]}\nengines: {tts: {name: tone}, speech_tokenizer: {name: tone}, "
        "text_tokenizer: {name: bytes}}\nvoices: {assistant: tone-0}\n"
        "write: {input: {paths: [in.jsonl]}, tasks: [script], llm: {model: none, api_key_env: '', "
        "base_url: 'http://127.0.0.1:9/v1', retries: 0}}\n"
    )
    return folder


@pytest.fixture
def here(finished, tmp_path, monkeypatch) -> Path:
    """A working directory with a build, a recipe and an input."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "1000")
    for command in ("build_commands", "export_command"):  # units are made in this process
        monkeypatch.setattr(f"datagen.cli.{command}._N_CORES", 0)
    return tmp_path


def test_every_parameter_has_a_role():
    """A new command or option needs its line in ROLES."""
    assert {p.command for p in PARAMETERS} >= {"build", "show", "timing fit", "prompts show", "engines check"}
    for parameter in TEXTS:
        assert isinstance(parameter.role, Role)


# -- paths --------------------------------------------------------------------------------------------------------

NO_SERVER = ("evaluate texts", "evaluate dialogue", "evaluate all")
"""Their `answers` are written after the first answer of a judge: tests/authoring."""
PATH_PARAMETERS = [
    p for p in of(Role.BUILD, Role.RECIPE, Role.READ, Role.WRITTEN) if p.name != "answers" or p.command not in NO_SERVER
]
READ_PARAMETERS = [p for p in PATH_PARAMETERS if p.role is not Role.WRITTEN]
LONG = "x" * 300


def below_a_file(folder: Path) -> str:
    (folder / "notes").write_text("text")
    return "notes/below.wav"


def a_long_name(folder: Path) -> str:
    return f"{LONG}.wav"


def with_nul(folder: Path) -> str:
    return "a\0b.wav"


def in_a_loop(folder: Path) -> str:
    (folder / "loop").symlink_to("loop")
    return "loop/x.wav"


PATHS = {make.__name__: make for make in (below_a_file, a_long_name, with_nul, in_a_loop)}


@each_with_each(PATH_PARAMETERS, PATHS)
def test_a_path_at_fault(here, parameter, fault):
    path = PATHS[fault](here)
    if parameter.command == "voices":
        path = path.replace(".wav", ".csv")  # the endings of its table
    if fault == "with_nul" and "Path" in str(parameter.type):
        assert run(*called(parameter, path))[0] == 2  # refused by the parser of the command line
        return
    fails(called(parameter, path), "" if fault == "with_nul" else path[:20])


def absent(folder: Path) -> str:
    return "nowhere"


def binary(folder: Path) -> str:
    (folder / "data.bin").write_bytes(bytes(range(256)) * 40)
    return "data.bin"


def empty(folder: Path) -> str:
    (folder / "empty.txt").touch()
    return "empty.txt"


def an_empty_folder(folder: Path) -> str:
    (folder / "hollow").mkdir()
    return "hollow"


def an_endless_device(folder: Path) -> str:
    (folder / "zero.yaml").symlink_to("/dev/zero")
    return "zero.yaml"


CONTENTS = {make.__name__: make for make in (absent, binary, empty, an_empty_folder)}


@each_with_each(READ_PARAMETERS, CONTENTS)
def test_an_input_at_fault(here, parameter, fault):
    fails(called(parameter, CONTENTS[fault](here)), {"absent": "nowhere"}.get(fault, ""))


@pytest.mark.parametrize("parameter", of(Role.RECIPE), ids=lambda p: f"{p[0]} {p[1]}")
def test_a_recipe_that_never_ends(here, parameter):
    assert "larger than 1 MB" in fails(called(parameter, an_endless_device(here)), "zero.yaml")


@pytest.fixture
def nobody(here) -> Iterator[None]:
    """This process as a user who may do nothing here; root may do everything."""
    locked = here / "locked"
    locked.mkdir()
    locked.chmod(0)
    here.chmod(0o777)
    before = os.geteuid()
    closed = [each for each in here.parents if before == 0 and each.stat().st_mode & 0o011 != 0o011]  # those of pytest
    modes = [each.stat().st_mode for each in closed]
    for folder, mode in zip(closed, modes, strict=True):
        folder.chmod(mode | 0o011)
    if before == 0:
        os.seteuid(65_534)
    yield
    os.seteuid(before)
    for folder, mode in zip(closed, modes, strict=True):
        folder.chmod(mode)
    locked.chmod(0o755)


@pytest.mark.parametrize("parameter", PATH_PARAMETERS, ids=lambda p: f"{p[0]} {p[1]}")
def test_a_folder_without_permission(here, parameter, request):
    loaded = run(*called(parameter, "nowhere"))  # imports what the command needs, while that is allowed
    assert "Traceback" not in loaded[2]
    request.getfixturevalue("nobody")
    fails(called(parameter, f"locked/x.{'csv' if parameter.command == 'voices' else 'wav'}"), "locked")


# -- settings and numbers -----------------------------------------------------------------------------------------

BOMB = (
    "{a: &a [x,x,x,x,x,x,x,x,x], "
    + ", ".join(f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]" for a, b in pairwise("abcdefghi"))
    + "}"
)
SETTINGS = {
    "unclosed": "seed=[[[[",
    "a tag of Python": "seed=!!python/object/apply:os.getcwd []",
    "aliases": f"seed={BOMB}",
    "a cycle": "seed=&a [*a]",
    "deep": f"seed={'[' * 100_000}",
    "deep and closed": f"seed={'[' * 1000}{']' * 1000}",
    "deep mappings": "seed=" + "{a: " * 1000 + "1" + "}" * 1000,
    "digits": f"seed={'9' * 5000}",
    "date": "seed=2024-99-99",
    "a key that is no text": "seed={[1]: 2}",
    "a wrong type": "seed=!!bool x",
    "bytes": "seed=!!binary AAAA",
    "control characters": "seed=\x07",
    "half a character": "seed='\udcff'",
    "no key": "=1",
    "an empty part": "a..b=1",
    "a part missing": "a.=1",
    "only dots": "...=1",
    "a long key": ".".join(["a"] * 10_000) + "=1",
    "no value": "seed",
    "an unknown key": "sede=1",
}


@each_with_each(of(Role.SETTING), SETTINGS)
def test_a_setting_at_fault(here, parameter, fault):
    text = SETTINGS[fault]
    fails(called(parameter, text), text.partition("=")[0][:20] if fault != "no key" else "=1")


@each_with_each(NUMBERS, ["-1", str(10**30), "nan", "1e400", "x"])
def test_an_absurd_number(here, parameter, fault):
    status, _, err = run(*called(parameter, fault))
    assert status == 2
    assert f"Invalid value for '{parameter.option}'" in err


# -- damaged builds -----------------------------------------------------------------------------------------------

MANIFESTS = {
    "empty": b"",
    "truncated": b'{"datagen": "0.1.0", "data_',
    "binary": bytes(range(256)),
    "a list": b"[]",
    "a number": b"1e400",
    "an empty object": b"{}",
    "deep": b"[" * 100_000,
    "deep and closed": b'{"recipe": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    "digits": b'{"n_units": ' + b"9" * 5000 + b"}",
    "null": b"null",
}


@each_with_each(of(Role.BUILD), MANIFESTS)
def test_a_damaged_manifest(here, parameter, fault):
    shutil.copytree("out", "hurt")
    Path("hurt/manifest.json").write_bytes(MANIFESTS[fault])
    Path("hurt/plan.json").write_bytes(MANIFESTS[fault])
    fails(called(parameter, "hurt"), "hurt" if parameter.name == "takes" else "hurt/")


N_COMMANDS = len(of(Role.BUILD))
WRONG = (None, 7, "x", [], {}, -1e300, {"x": {"y": [1]}}, [{"name": "x"}])


def places(values: object, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Keys of nested objects, down to the third level."""
    if isinstance(values, dict):
        for key, value in values.items():
            yield (*before, key)
            if len(before) < 2:
                yield from places(value, (*before, key))


@pytest.mark.parametrize("parameter", of(Role.BUILD), ids=lambda p: f"{p[0]} {p[1]}")
def test_a_manifest_with_values_of_another_type(here, parameter):
    """A command that does not need the value may work."""
    shutil.copytree("out", "hurt")
    file = Path("hurt/manifest.json")
    whole = file.read_text("utf-8")
    command = of(Role.BUILD).index(parameter)
    for k, (*parents, last) in enumerate(places(json.loads(whole))):
        if (k + command) % N_COMMANDS:  # each command has its share of the values, and all together have all
            continue
        values = inner = json.loads(whole)
        for key in parents:
            inner = inner[key]
        inner[last] = WRONG[(k + command) % len(WRONG)]
        file.write_text(json.dumps(values), "utf-8")
        status, _, err = run(*called(parameter, "hurt"))
        case = (parents, last, inner[last], err)
        assert status in (0, 1), case
        assert "Traceback" not in err, case
        assert "bug of datagen" not in err, case


def garbage(file: Path) -> None:
    file.write_bytes(b"garbage" * 100)


def half(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def gone(file: Path) -> None:
    file.unlink()


def a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


DAMAGES = (garbage, half, gone, a_folder)


@each_with_each(of(Role.BUILD), ["index", "conversations", "three_stream", "units", "input"])
def test_a_damaged_file_of_a_build(here, parameter, fault):
    """A command that does not read the file may work. Each damage is done to each kind, by some commands."""
    damage = DAMAGES[(of(Role.BUILD).index(parameter) + len(fault)) % len(DAMAGES)]
    shutil.copytree("out", "hurt")
    for file in sorted(Path("hurt", fault).glob("*")):
        damage(file)
    status, _, err = run(*called(parameter, "hurt"))
    assert status in (0, 1)
    assert "Traceback" not in err
    assert "bug of datagen" not in err
    if status and parameter.command not in ("check", "push"):  # which needs a token first
        assert "hurt" in err or fault in err


# -- bugs, and the process around a command -----------------------------------------------------------------------


def test_a_bug_is_said_to_be_one_and_its_traceback_is_a_variable_away(here, monkeypatch):
    monkeypatch.setattr("datagen.resources.recipes", partial({}.__getitem__, "no such thing"))
    status, out, err = run("recipes")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "KeyError: 'no such thing'. This is a bug of datagen" in err
    assert "set DATAGEN_TRACEBACK=1" in err
    monkeypatch.setenv("DATAGEN_TRACEBACK", "1")
    with pytest.raises(KeyError):
        run("recipes")


def test_a_mistake_in_code_of_ones_own_is_named_with_its_line_and_is_no_bug(here, monkeypatch):
    def broken() -> list[str]:
        raise KeyError("umbrella")

    monkeypatch.setattr("datagen.resources.recipes", broken)
    _, _, err = run("recipes")
    assert re.search(r"recipes: KeyError: 'umbrella' \(test_faults.py:\d+, in broken\): this is code of yours", err)
    assert "bug of datagen" not in err


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(24, "Too many open files", "a/b"), "a/b: Too many open files; raise the limit on open files"),
        (OSError(28, "No space left on device"), "recipes: No space left on device; free some space"),
        (PermissionError(13, "Permission denied", "a", None, "b"), "a -> b: Permission denied; fix its permissions"),
        (OSError(98, "Address already in use"), "the port is in use; stop the other program"),
        (OSError("no number"), "recipes: no number; check the path and the disk"),
        (ModuleNotFoundError("No module named 'x'", name="x"), "the package x is missing or broken"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), "text is not UTF-8"),
        (RecursionError(), "nested too deeply"),
        (MemoryError(), "no memory is left"),
        (json.JSONDecodeError("bad", "x", 0), "not valid JSON"),
        (pa.ArrowInvalid("bad"), "a table is damaged (bad)"),
        (pydantic_core.ValidationError.from_exception_data("x", []), "a value is not valid"),
        (msgspec.ValidationError("bad"), "a value is not valid (bad)"),
        (yaml.YAMLError("bad"), "not valid YAML (bad); correct it"),
        (soundfile.LibsndfileError(1), "sound cannot be read or written"),
        (zlib.error("bad"), "compressed data are damaged"),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, Exception) else None,
)
def test_exceptions_of_systems_and_libraries_become_one_line(here, monkeypatch, error, says):
    def broken() -> list[str]:
        raise error

    monkeypatch.setattr("datagen.resources.recipes", broken)
    status, _, err = run("recipes")
    assert (status, err.count("\n")) == (1, 1)
    assert says in err
    assert "bug" not in err


@pytest.mark.parametrize(
    "error", [TimeoutError("not up in 60 s"), RuntimeError("node died\nlong log"), OSError(98, "in use")]
)
def test_ray_that_does_not_start(here, monkeypatch, error):
    """A fake start that fails, because a real one cannot be made to fail in each of these ways."""
    ray = pytest.importorskip("ray")

    def init(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(ray, "init", init)
    said = fails(["build", "mine.yaml", "--out", "new", "--engine", "ray", "--workers", "1"], "Ray at 'local'")
    assert "does not start" in said
    assert "long log" not in said


def program(*arguments: str, before: str = "pass", **more: object) -> subprocess.CompletedProcess[bytes]:
    """Run the command line in a process of its own."""
    code = f"import resource, signal, sys; {before}; from datagen.cli import main; main()"
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more})


def test_too_many_open_files(here):
    assert run("check", "out")[0] == 0  # imports what the command needs
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        status, _, err = run("check", "out")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (status, err.count("\n")) == (1, 1)
    assert "out/manifest.json: Too many open files; raise the limit on open files" in err


@pytest.mark.parametrize(
    "command",
    [
        ["listen", "out", "--dialogue", "d1", "--decoded", "--out", "x.wav"],
        pytest.param(["report", "out"], marks=pytest.mark.slow),
    ],
)
def test_a_full_disk(here, command):
    """A limit on the size of files stands for it."""
    done = program(*command, before="resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))")
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1), done.stderr
    assert b"Traceback" not in done.stderr
    assert b"File too large; raise the limit on the size of files" in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_standard_output_on_a_full_disk(here):
    with Path("/dev/full").open("wb") as full:
        done = program("recipes", stdout=full)
    assert done.returncode == 1
    assert b"datagen: recipes: No space left on device; free some space\n" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["show", "out", "--chunks", "9999"],
        *(pytest.param([name], marks=pytest.mark.slow) for name in ("recipes", "engines")),
    ],
)
def test_a_reader_that_has_ended(here, command):
    reads, writes = os.pipe()
    os.close(reads)
    done = program(*command, stdout=writes)
    os.close(writes)
    assert done.returncode == 1
    assert done.stderr == b""


@pytest.mark.parametrize("encoding", ["ascii", pytest.param("latin-1", marks=pytest.mark.slow)])
def test_a_terminal_without_unicode(here, encoding):
    write(here / "zh.jsonl", [talk("Hello there my friend.", "Hello to you too.", id="\u4e2d\u6587")])
    values = "build", "mine.yaml", "--input", "zh.jsonl", "--out", "zh", "--workers", "1"
    environment = os.environ | {"PYTHONIOENCODING": encoding, "LC_ALL": "C", "PYTHONUTF8": "0"}
    for command in (values, ("show", "zh")):
        done = program(*command, env=environment)
        assert done.returncode == 0, done.stderr
        assert b"Traceback" not in done.stderr


def test_names_that_are_not_utf8(here):
    name = b"caf\xe9"
    done = program("check", os.fsdecode(name))
    assert done.returncode == 1
    assert b"caf\\udce9 has no manifest.json" in done.stderr
    Path("in.jsonl").rename(os.fsdecode(name + b".jsonl"))
    status, _, err = run("build", "mine.yaml", "--input", os.fsdecode(name + b".jsonl"), "--out", "new")
    assert "Traceback" not in err
    assert status in (0, 1)
