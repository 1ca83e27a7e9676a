"""Mutation testing: breaks single lines of the product and checks that some test fails.

    python tools/mutate.py datagen/shards/chunks.py datagen/pipeline/mix --sample 30 --seed 13
    python tools/mutate.py --since origin/main --sample 12

A mutant is one small change to one expression or statement. A seeded sample of all possible mutants
of the files is tested, each in a copy of the repository: first the module's doctests and the tests
that mirror its path or import it, then those of its package, then those that import its importers.
The first failure kills the mutant, provided that the same test passes without it. A mutant that
outlives these tests, or the time limit, is a survivor and is reported as a diff. Some survivors are
equivalent: no input can tell them from the original.
"""

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

_COMPARES: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
}
_OPERATORS: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "+"),
    ast.FloorDiv: ("//", "*"),
    ast.Div: ("/", "*"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
}
_NO_BEHAVIOUR = {"strict", "copy", "slots", "frozen", "repr", "kw_only", "dtype", "maxsize"}
"""Keyword arguments that are declarations or safety nets; changing one changes no result."""
_PASSED, _NOT_FOUND, _NO_TESTS = 0, 4, 5
"""Exit statuses of pytest. A test that is not found without a mutant is one whose parameters the mutant makes."""
_HANG_S = 300
"""Seconds after which a single test counts as hung, and so as failed."""


@dataclass(frozen=True)
class Mutant:
    """A file with one change."""

    path: str
    line: int
    kind: str
    source: str
    """The whole changed file."""
    diff: str

    @classmethod
    def of(cls, path: str, source: str, node: ast.AST, kind: str, new: str) -> "Mutant":
        """Replace the text of a node."""
        lines = source.encode().splitlines(keepends=True)
        first, last = node.lineno - 1, node.end_lineno - 1  # type: ignore[attr-defined]
        old = b"".join(lines[first : last + 1])
        end = len(old) - len(lines[last]) + node.end_col_offset  # type: ignore[attr-defined]
        changed = old[: node.col_offset] + new.encode() + old[end:]  # type: ignore[attr-defined]
        whole = b"".join([*lines[:first], changed, *lines[last + 1 :]]).decode()
        return cls(path, first + 1, kind, whole, _diff(old.decode(), changed.decode()))


def _diff(old: str, new: str) -> str:
    """The lines that differ."""
    before, after = old.splitlines(), new.splitlines()
    while before and after and before[0] == after[0]:
        before, after = before[1:], after[1:]
    while before and after and before[-1] == after[-1]:
        before, after = before[:-1], after[:-1]
    return "\n".join([f"    - {line.strip()}" for line in before] + [f"    + {line.strip()}" for line in after])


def mutants_of(path: str, source: str) -> list[Mutant]:
    r"""All mutants of a module, in the order of its text.

    >>> for mutant in mutants_of("a.py", "if n < 3 and ready: stop()"):
    ...     print(f"{mutant.kind}: {mutant.source}")
    negated condition: if not (n < 3 and ready): stop()
    and/or: if n < 3 or ready: stop()
    compare: if n <= 3 and ready: stop()
    off by one: if n < 4 and ready: stop()
    removed statement: if n < 3 and ready: pass
    """
    found = []
    for node, kind, new in _changes(ast.parse(source), source):
        mutant = Mutant.of(path, source, node, kind, new)
        try:
            ast.parse(mutant.source)
        except SyntaxError:
            continue
        found.append(mutant)
    return sorted(found, key=lambda mutant: mutant.line)


def _changes(tree: ast.AST, source: str) -> Iterator[tuple[ast.AST, str, str]]:
    """The nodes that can be changed, the kind of change, and the new text; depth first."""
    for node in _reached(tree):
        yield from _changes_of_flow(node, source)
        yield from _changes_of_value(node, source)


def _changes_of_flow(node: ast.AST, source: str) -> Iterator[tuple[ast.AST, str, str]]:
    """Conditions and statements."""
    match node:
        case ast.If(body=[ast.Raise() | ast.Return() | ast.Continue() | ast.Break()], orelse=[]):
            yield node, "removed guard", "pass"
        case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Continue() | ast.Break():
            yield node, "removed statement", "pass"
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield node, "removed statement", "pass"
        case ast.comprehension(ifs=ifs):
            yield from ((test, "removed filter", "True") for test in ifs)
        case ast.IfExp(test=test, body=body, orelse=other):
            parts = (ast.get_source_segment(source, part) for part in (other, test, body))
            yield node, "swapped branches", "(({}) if ({}) else ({}))".format(*parts)
    match node:
        case ast.If(test=test) | ast.While(test=test):
            yield test, "negated condition", f"not ({ast.get_source_segment(source, test)})"


def _changes_of_value(node: ast.AST, source: str) -> Iterator[tuple[ast.AST, str, str]]:
    """Operators and constants."""
    match node:
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            yield from _swapped(source, node, left, right, _COMPARES[type(op)], "compare")
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            yield from _swapped(source, node, left, right, _OPERATORS[type(op)], "operator")
        case ast.BoolOp(op=op, values=[left, right]):
            pair = ("and", "or") if isinstance(op, ast.And) else ("or", "and")
            yield from _swapped(source, node, left, right, pair, "and/or")
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield node, "removed not", f"({ast.get_source_segment(source, operand)})"
        case ast.Constant(value=bool(value)):
            yield node, "swapped constant", str(not value)
        case ast.Constant(value=int(value)):
            yield node, "off by one", str(value + 1)
        case ast.Constant(value=float(value)):
            yield node, "swapped constant", str(value * 2 or 1.0)


def _reached(node: ast.AST) -> Iterator[ast.AST]:
    """A node and all below it that decide something: no annotations, decorators, f-strings or texts of errors."""
    yield node
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list", "type_params"}:
            continue
        for child in value if isinstance(value, list) else [value]:
            declared = isinstance(child, ast.keyword) and child.arg in _NO_BEHAVIOUR
            message = isinstance(node, ast.Raise) and name in {"exc", "cause"}
            if isinstance(child, ast.AST) and not isinstance(child, ast.JoinedStr) and not declared and not message:
                yield from _reached(child)


def _swapped(
    source: str, node: ast.AST, left: ast.AST, right: ast.AST, pair: tuple[str, str], kind: str
) -> Iterator[tuple[ast.AST, str, str]]:
    """The node with the operator between its two sides replaced."""
    whole = ast.get_source_segment(source, node) or ""
    one, other = (ast.get_source_segment(source, side) or "" for side in (left, right))
    begin, end = whole.index(one) + len(one), whole.rindex(other)
    between = whole[begin:end]
    if between.count(pair[0]) == 1:
        yield node, kind, whole[:begin] + between.replace(*pair) + whole[end:]


class Repository:
    """The files of a repository and which tests exercise a module."""

    def __init__(self, root: Path) -> None:
        """Read which test file and which module imports what."""
        self.root = root
        names = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split("\n")
        self.files = [name for name in names if name and (root / name).is_file()]
        self._imports = {name: self._imported(name) for name in self.files if name.endswith(".py")}

    def _imported(self, name: str) -> set[str]:
        """Dotted names that a file imports."""
        found: set[str] = set()
        for node in ast.walk(ast.parse((self.root / name).read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        return found

    def modules(self, paths: Sequence[str]) -> list[str]:
        """The product's modules at or below some paths.

        Raises:
            SystemExit: If a path holds none.
        """
        found = []
        for path in paths:
            inside = [f for f in self._imports if f == path or f.startswith(path.rstrip("/") + "/")]
            if not inside:
                raise SystemExit(f"{path} holds no Python file that git knows")
            found += [f for f in inside if not f.startswith("tests/")]
        return sorted(set(found))

    def changed(self, ref: str) -> list[str]:
        """The product's modules that differ from a git ref."""
        listed = subprocess.run(
            ["git", "diff", "--name-only", ref, "--", "datagen"], cwd=self.root, capture_output=True, text=True
        )
        if listed.returncode:
            raise SystemExit(f"git diff {ref}: {listed.stderr.strip()}")
        return sorted(set(listed.stdout.split("\n")) & set(self._imports))

    def tests_of(self, path: str) -> list[list[str]]:
        """What to run for a module, in rounds, the likeliest killers first; its doctests are in the first."""
        tests = [f for f in self._imports if f.startswith("tests/") and Path(f).name.startswith("test_")]
        parts = Path(path).with_suffix("").parts[1:]
        direct = self._importing(path)
        near = [f for user in direct if not user.startswith("tests/") for f in self._importing(user)]
        golden = [f for f in tests if f.endswith("test_golden.py")]
        first = [path, *(f for f in tests if _mirrors(Path(f), parts)), *(f for f in direct if f in tests)]
        second = [f for f in tests if any(_mirrors(Path(f), parts[:n]) for n in range(2, len(parts)))]
        rounds, seen = [], set[str]()
        for names in (first, [*second, *golden], [f for f in near if f in tests]):
            rounds.append([f for f in dict.fromkeys(names) if f not in seen])
            seen |= set(names)
        return [names for names in rounds if names]

    def _importing(self, path: str) -> list[str]:
        """Files that import a module; those that import the least come first."""
        parts = Path(path).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found = [f for f, names in self._imports.items() if name in names and f != path]
        package = str(Path(path).parent / "__init__.py")
        if path != package and name in self._imports.get(package, ()):
            found += self._importing(package)  # names that the package passes on
        return sorted(set(found), key=lambda f: (len(self._imports[f]), f))

    def copy_to(self, target: Path) -> None:
        """Copy all files that git knows."""
        for name in self.files:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(self.root / name, target / name)


def _mirrors(test: Path, parts: tuple[str, ...]) -> bool:
    """True if a test file mirrors a module: tests/a/test_b*.py or tests/a/b/test_*.py for datagen/a/b.py.

    >>> [_mirrors(Path(test), ("mix", "levels")) for test in ("tests/mix/test_levels.py", "tests/test_mix_levels.py")]
    [True, True]
    >>> _mirrors(Path("tests/mix/levels/test_loud.py"), ("mix", "levels")), _mirrors(Path("tests/test_a.py"), ("b",))
    (True, False)
    """
    folders, name = test.parts[1:-1], test.stem.removeprefix("test_")
    if folders == parts:
        return True
    rest = parts[len(folders) :]
    return (
        folders == parts[: len(folders)]
        and bool(rest)
        and any(
            name == "_".join(rest[begin:]) or name.startswith("_".join(rest[begin:]) + "_")
            for begin in range(len(rest))
        )
    )


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant."""

    mutant: Mutant
    killer: str | None
    """The test that failed; None for a survivor."""
    wall_s: float
    ran_out: bool
    """True if the time limit ended the search."""


class Bench:
    """Copies of a repository in which mutants are tested, one at a time in each."""

    def __init__(self, repository: Repository, folder: Path, n_jobs: int, limit_s: float) -> None:
        """Make the copies, and one that stays unchanged."""
        self._repository, self._limit_s = repository, limit_s
        self._clean = folder / "clean"
        self._free: Queue[Path] = Queue()
        repository.copy_to(self._clean)
        for job in range(n_jobs):
            repository.copy_to(folder / str(job))
            self._free.put(folder / str(job))
        self._passing: set[str] = set()
        self._broken: set[str] = set()

    def __call__(self, mutant: Mutant) -> Verdict:
        """Test a mutant in a free copy, and restore the copy."""
        place, begin = self._free.get(), time.monotonic()
        try:
            (place / mutant.path).write_text(mutant.source, "utf-8")
            killer, ran_out = self._first_failure(place, self._repository.tests_of(mutant.path))
            return Verdict(mutant, killer, time.monotonic() - begin, ran_out)
        finally:
            shutil.copy2(self._clean / mutant.path, place / mutant.path)
            self._free.put(place)

    def _first_failure(self, place: Path, rounds: Sequence[Sequence[str]]) -> tuple[str | None, bool]:
        """The first test that fails with the mutant and not without it, and whether time ran out before."""
        end = time.monotonic() + self._limit_s
        left = list(rounds)
        while left:
            try:
                done = _pytest(place, left[0], sorted(self._broken), end - time.monotonic())
            except subprocess.TimeoutExpired:
                return None, True
            if done.returncode in (_PASSED, _NO_TESTS):
                left.pop(0)
                continue
            killer = _failed(done.stdout)
            if killer is None or self._passes_clean(killer):
                return killer or left[0][0], False
        return None, False

    def _passes_clean(self, test: str) -> bool:
        """True if a test does not fail without a mutant; one that does is left out from then on."""
        if test not in self._passing:
            if _pytest(self._clean, [test], [], _HANG_S).returncode not in (_PASSED, _NOT_FOUND):
                print(f"{test} fails without a mutant and is left out", file=sys.stderr)
                self._broken.add(test)
                return False
            self._passing.add(test)
        return True


def _pytest(
    place: Path, tests: Sequence[str], left_out: Sequence[str], limit_s: float
) -> subprocess.CompletedProcess[str]:
    hang = ["-o", f"faulthandler_timeout={_HANG_S}", "-o", "faulthandler_exit_on_timeout=true"]
    skipped = [f"--{'deselect' if '::' in test else 'ignore'}={test}" for test in left_out]
    quick = ["-x", "-q", "--no-header", "--tb=no", "-m", "not slow", "-p", "no:cacheprovider", "-p", "no:xdist"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *quick, *hang, "--hypothesis-seed=0", *skipped, *tests],
        cwd=place,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(place), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
        timeout=max(limit_s, 0),
    )


def _failed(output: str) -> str | None:
    r"""The test that failed, as pytest's short summary names it.

    >>> _failed("F\nFAILED tests/test_a.py::test_b[c d] - assert 1 == 2")
    'tests/test_a.py::test_b[c d]'
    """
    for line in output.splitlines():
        for word in ("FAILED ", "ERROR "):
            if line.startswith(word):
                return line.removeprefix(word).split(" - ")[0]
    return None


def sampled(mutants: Sequence[Mutant], n: int, seed: int) -> list[Mutant]:
    """A seeded sample of mutants, in the order of their files and lines."""
    chosen = random.Random(seed).sample(range(len(mutants)), min(n, len(mutants)))
    return [mutants[k] for k in sorted(chosen)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Test a sample of mutants, report the survivors, and return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("paths", nargs="*", help="files or folders to mutate")
    parser.add_argument("--since", metavar="REF", help="mutate the files that differ from this git ref")
    parser.add_argument("--sample", type=int, default=12, help="mutants to test (default: 12)")
    parser.add_argument("--seed", type=int, default=0, help="of the sample (default: 0)")
    parser.add_argument("--jobs", type=int, default=2, help="mutants tested at a time (default: 2)")
    parser.add_argument("--limit-s", type=float, default=1200, help="seconds per mutant (default: 1200)")
    parser.add_argument("--survivors", type=float, default=0.1, help="largest share that may survive (default: 0.1)")
    options = parser.parse_args(arguments)
    repository = Repository(Path.cwd())
    paths = repository.modules(options.paths) if options.paths else []
    paths = sorted({*paths, *(repository.changed(options.since) if options.since else [])})
    if not paths:
        parser.error("nothing to mutate: give paths, or --since a ref from which files differ")
    found = [m for path in paths for m in mutants_of(path, (repository.root / path).read_text("utf-8"))]
    chosen = sampled(found, options.sample, options.seed)
    print(f"{len(chosen)} of {len(found)} mutants in {len(paths)} files, seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(options.jobs) as pool:
        bench = Bench(repository, Path(folder), options.jobs, options.limit_s)
        verdicts = []
        for verdict in pool.map(bench, chosen):
            verdicts.append(verdict)
            print(_line(verdict), flush=True)
    survivors = [v for v in verdicts if v.killer is None]
    print(f"{len(verdicts) - len(survivors)} killed, {len(survivors)} survived")
    return int(len(survivors) > options.survivors * len(verdicts))


def _line(verdict: Verdict) -> str:
    """A verdict as a line, with the diff of a survivor."""
    mutant = verdict.mutant
    where = f"{mutant.path}:{mutant.line} {mutant.kind} ({verdict.wall_s:.0f} s)"
    if verdict.killer:
        return f"killed    {where} by {verdict.killer}"
    return f"SURVIVED  {where}{', out of time' if verdict.ran_out else ''}\n{mutant.diff}"


if __name__ == "__main__":
    sys.exit(main())
