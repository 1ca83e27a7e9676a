"""Mutants are made of what decides, a test that fails kills them, and the working tree is never touched."""

import ast
import os
import subprocess
from pathlib import Path

import pytest

from tools.mutate import Mutant, Repository, main, mutants_of, sampled

SOURCE = '''"""A module."""


def near(n: int) -> bool:
    """True below three."""
    return n < 3


def shout(text: str) -> str:
    """No test looks at this."""
    return text + "!"
'''
TEST = """from datagen.near import near


def test_that_fails_anyway():
    assert near(3)


def test_near():
    assert [near(n) for n in (2, 3)] == [True, False]
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one module and one test."""
    for name, text in {
        "datagen/__init__.py": "",
        "datagen/near.py": "",
        "tests/test_near.py": TEST,
        "pyproject.toml": "[tool.pytest.ini_options]\naddopts = '--doctest-modules'\nmarkers = ['slow: slow']\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "-c", "user.name=n", "-c", "user.email=e", "commit", "-qm", "first")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def git(folder: Path, *arguments: str) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    subprocess.run(["git", *arguments], cwd=folder, check=True, env=environment)


def kinds(source: str) -> list[tuple[str, str]]:
    return [(mutant.kind, mutant.source) for mutant in mutants_of("a.py", source)]


@pytest.mark.parametrize(
    ("source", "kind", "mutant"),
    [
        ("x = a >= b", "compare", "x = a > b"),
        ("x = a is not None", "compare", "x = a is None"),
        ("x = a not in b", "compare", "x = a in b"),
        ("x = y[1:]", "off by one", "x = y[2:]"),
        ("x = a - (b - c)", "operator", "x = a + (b - c)"),
        ("x = 0.5", "swapped constant", "x = 1.0"),
        ("x = f(True)", "swapped constant", "x = f(False)"),
        ("x = a if b else c", "swapped branches", "x = ((c) if (b) else (a))"),
        ("x = not a", "removed not", "x = (a)"),
        ("x = a or b", "and/or", "x = a and b"),
        ("x = [a for a in b if a]", "removed filter", "x = [a for a in b if True]"),
        ("x.y = 'ö'; z = 2", "removed statement", "pass; z = 2"),
        ("while a:\n    f()", "negated condition", "while not (a):\n    f()"),
        ("if a:\n    raise E('b')", "removed guard", "pass"),
        ("x = 'é' if (a ==\n    1) else b", "compare", "x = 'é' if (a !=\n    1) else b"),
    ],
)
def test_each_kind_of_change(source: str, kind: str, mutant: str) -> None:
    assert (kind, mutant) in kinds(source)


def test_nothing_is_changed_that_decides_nothing() -> None:
    assert kinds('def f(x: "tuple[1]" = None) -> 2:\n    """Text 1."""\n    raise E(f"{x + 1}", 3)') == []
    assert kinds("@d(frozen=True)\nclass A:\n    b = zip(c, strict=True)") == []


def test_every_mutant_is_a_module_and_no_two_are_equal() -> None:
    found = mutants_of("a.py", SOURCE)
    for mutant in found:
        ast.parse(mutant.source)
    assert len({mutant.source for mutant in found} | {SOURCE}) == len(found) + 1


def test_a_sample_is_that_of_its_seed() -> None:
    found = [Mutant("a", k, "", "", "") for k in range(100)]
    assert sampled(found, 9, 1) == sampled(found, 9, 1) != sampled(found, 9, 2)
    assert len(set(sampled(found, 9, 1))) == 9
    assert sampled(found, 1000, 1) == found


@pytest.mark.slow
def test_survivors_are_reported_and_decide_the_exit_status(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "datagen/near.py").write_text(SOURCE, "utf-8")
    assert main(["--since", "HEAD", "--survivors", "0.3"]) == 1
    printed = capsys.readouterr()
    first, *lines = printed.out.splitlines()
    assert first == "3 of 3 mutants in 1 files, seed 0"
    killed = sorted(line.split(" (")[0] for line in lines[:2])
    assert killed == ["killed    datagen/near.py:6 compare", "killed    datagen/near.py:6 off by one"]
    assert all(line.endswith("by tests/test_near.py::test_near") for line in lines[:2])
    assert lines[2].startswith("SURVIVED  datagen/near.py:11 operator")
    assert lines[3:] == ['    - return text + "!"', '    + return text - "!"', "2 killed, 1 survived"]
    assert "test_that_fails_anyway fails without a mutant and is left out" in printed.err
    assert (repository / "datagen/near.py").read_text("utf-8") == SOURCE


def test_paths_without_modules_are_refused(repository: Path) -> None:
    with pytest.raises(SystemExit, match=r"datagen/nothing\.py holds no Python file"):
        main(["datagen/nothing.py"])
    with pytest.raises(SystemExit):
        main([])
    with pytest.raises(SystemExit, match="git diff nowhere"):
        main(["--since", "nowhere"])


def test_tests_of_a_module_mirror_it_or_import_it() -> None:
    rounds = Repository(Path(__file__).parents[2]).tests_of("datagen/shards/chunks.py")
    assert rounds[0][0] == "datagen/shards/chunks.py"
    assert any(name.endswith("test_flatten.py") for name in rounds[0])
    assert "tests/test_golden.py" in rounds[1]
    assert sum(map(len, rounds)) == len({name for names in rounds for name in names})
