"""Flipped bits in files of a finished build, and between a kill and the resume; changed values of the manifest."""

import json
import random
import re
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from soak_kills import contents
from soak_orders import Order
from soak_processes import CRASHED, Forked, Soaked, apart, rehearse

from datagen.cli import main as datagen
from datagen.errors import DatagenError
from datagen.recipe import Recipe
from datagen.recipe import load as load_recipe
from datagen.run.build import build
from datagen.run.check import check
from datagen.shards.manifest import MANIFEST, Manifest
from datagen.shards.store import LocalStore
from tests.run.builds import fake, talk, talks

_AT_ONCE = 50
"""Flips per round."""
_SECONDS = 120.0
"""Longest time for one check or resume."""
_N_DIALOGUES = 6
"""Dialogues that are near-duplicates of one another."""
_SUBJECTS = (
    ("bakers", "bread", "rises overnight"),
    ("sailors", "wind", "turns west at noon"),
    ("glaciers", "ice", "moves slowly downhill"),
    ("violins", "wood", "sounds best when old"),
    ("orchards", "plums", "ripen late this year"),
    ("bridges", "steel", "needs fresh paint"),
    ("owls", "mice", "hide under leaves"),
    ("tunnels", "rock", "holds if it is dry"),
)
"""Dialogues that are unlike one another, for all splits."""
_MOST_CHANGES = 150
"""Changes of files after which a build is killed, at most; a whole one makes about 250."""
_MOST_MISSED = 10
"""Missed values after which a reader is not run again."""
_NUMBER = re.compile(r"(?:\w+-)?\d{5,6}(?:-[0-9a-f]{12})?\.\w+\Z|\b[0-9a-f]{32}(?:\.parquet)?\Z")

Path_ = tuple[str | int, ...]


@dataclass
class Round:
    """The result of some flips."""

    digest: str = ""
    blows: Counter[str] = field(default_factory=Counter)
    """Flips by kind of file and outcome."""
    faults: list[str] = field(default_factory=list)

    @property
    def n(self) -> int:
        """Number of flips."""
        return self.blows.total()

    def count(self, kind: str, outcome: str, place: str) -> None:
        """Count a flip; all outcomes but `found` and `harmless` are faults."""
        self.blows[f"{kind}: {outcome.split(':')[0]}"] += 1
        if outcome not in ("found", "harmless"):
            self.faults.append(f"{outcome}: {place}")


def kind_of(key: str) -> str:
    """The kind of a file of a build.

    >>> [kind_of(key) for key in ("asr/train-000001.parquet", "input/00000-groups-0123456789ab.parquet", "plan.json")]
    ['asr', 'input groups', 'plan.json']
    >>> [kind_of(key) for key in ("takes/keys/" + "0a" * 16, "takes/" + "0a" * 16 + ".parquet", "takes/index.parquet")]
    ['takes/keys', 'takes', 'takes/index.parquet']
    """
    name = _NUMBER.sub("", key.replace("groups-", "")).rstrip("/")
    return f"{name} groups" if "groups-" in key else name


def by_kind(out: Path) -> dict[str, list[str]]:
    """All files of an output by their kind, without scratch and empty files."""
    found: dict[str, list[str]] = {}
    for file in sorted(path for path in out.rglob("*") if path.is_file() and path.stat().st_size):
        key = file.relative_to(out).as_posix()
        if not key.startswith(".writing/"):
            found.setdefault(kind_of(key), []).append(key)
    return found


def flipped(data: bytes, bit: int) -> bytes:
    """The same bytes but for one bit.

    >>> flipped(b"ab", 9)
    b'a`'
    """
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def _recipe(base: Path) -> Recipe:
    """Files of every kind: all tasks and splits, rejects, groups, kept takes and sound."""
    splits = "splits={validation: 0.3, test: 0.3, keep_together: 0.5}"
    tasks = "flatten.tasks=[asr, tts, four_stream, three_stream, two_stream]"
    unlike = [talk(f"Tell me more about {x} and {y}.", f"Well, {y} {z}.", id=x) for x, y, z in _SUBJECTS]
    records = [*talks(_N_DIALOGUES), *unlike]
    return fake(base, splits, tasks, "takes.keep=true", "mix.keep_audio=true", records=records)


def _write_recipe(base: Path) -> None:
    (base / "recipe.yaml").write_text(_recipe(base).to_yaml(), "utf-8")


def _build(base: Path, out: Path) -> None:
    build(load_recipe(str(base / "recipe.yaml")), str(out))


def _built(base: Path, out: Path) -> tuple[str, dict[str, str]]:
    _build(base, out)
    if faults := check(LocalStore(out)).faults:
        raise SystemExit(f"an undisturbed build has faults: {faults}")
    return Manifest.load(LocalStore(out)).digest, contents(out)


def _check_outcome(out: Path) -> str:
    try:
        return "found" if check(LocalStore(out)).faults else "missed"
    except DatagenError:
        return "found"


def _outcome(log: Path, look: Callable[..., str], *arguments: object) -> str:
    """An outcome from a child, which a damaged file may crash or hang."""
    try:
        result: str = apart(log, look, *arguments, seconds=_SECONDS)
    except Soaked as error:
        lines = str(error).splitlines()
        return f"crashed: {lines[0]}: {lines[-1]}"
    return result


class Finished:
    """Flips in a finished build: the check must find each."""

    unit = "flips"
    spared = ()

    def __init__(self, base: Path) -> None:
        """Make the build."""
        self._base, self._out = base, base / "build"
        apart(base / "log", _write_recipe, base)
        rehearse(base / "log", _built, base, base / "rehearsal")
        self._digest, _ = apart(base / "log", _built, base, self._out)
        self._kinds = by_kind(self._out)

    def round(self, folder: Path, chance: random.Random, n_most: int, deadline: float) -> Round:
        """Flip bits one at a time, kind after kind."""
        found = Round(self._digest)
        for _ in range(min(_AT_ONCE, n_most)):
            if time.monotonic() > deadline:
                break
            kind = chance.choice(sorted(self._kinds))
            key = chance.choice(self._kinds[kind])
            file = self._out / key
            data = file.read_bytes()
            bit = chance.randrange(8 * len(data))
            file.write_bytes(flipped(data, bit))
            found.count(kind, _outcome(folder / "log", _check_outcome, self._out), f"{key}, bit {bit}")
            file.write_bytes(data)
        return found

    def close(self) -> None:
        """Nothing is to be ended."""


# -- between kill and resume
# ---------------------------------------------------------------


def _killed_build(base: Path, out: Path, nth: int) -> None:
    Order(nth, signal.SIGKILL).arm(out)
    _build(base, out)


def _resume_outcome(base: Path, out: Path, digest: str) -> str:
    """`found` if the resume or the check reports it, `harmless` if nothing has changed."""
    try:
        _build(base, out)
        faults = check(LocalStore(out)).faults
    except DatagenError:
        return "found"
    changed = Manifest.load(LocalStore(out)).digest != digest
    if faults:
        return "found"
    return "changed the digest" if changed else "harmless"


class Between:
    """Flips between a kill and the resume: each is found or harmless."""

    unit = "flips"
    spared = ()

    def __init__(self, base: Path) -> None:
        """Make what an undisturbed build gives."""
        self._base = base
        apart(base / "log", _write_recipe, base)
        rehearse(base / "log", _built, base, base / "rehearsal")
        self._digest, _ = apart(base / "log", _built, base, base / "clean")

    def round(self, folder: Path, chance: random.Random, n_most: int, deadline: float) -> Round:
        """Kill a build somewhere, and resume copies of it with one flipped bit each."""
        found, out = Round(self._digest), folder / "out"
        Forked(partial(_killed_build, self._base, out, chance.randint(5, _MOST_CHANGES)), folder / "log").wait()
        if (out / MANIFEST).exists():
            return found  # it ended first
        kinds = by_kind(out)
        for _ in range(min(_AT_ONCE // 5, n_most)):
            if not kinds or time.monotonic() > deadline:
                break
            kind = chance.choice(sorted(kinds))
            key = chance.choice(kinds[kind])
            copy = folder / "copy"
            shutil.copytree(out, copy)
            data = (copy / key).read_bytes()
            bit = chance.randrange(8 * len(data))
            (copy / key).write_bytes(flipped(data, bit))
            outcome = _outcome(folder / "log", _resume_outcome, self._base, copy, self._digest)
            found.count(kind, outcome, f"{key}, bit {bit}")
            shutil.rmtree(copy)
        return found

    def close(self) -> None:
        """Nothing is to be ended."""


# -- values of the manifest
# ---------------------------------------------------------------


def leaves(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Paths of all values that are no containers, and not null, which has no other value of its type.

    >>> list(leaves({"a": [1, {"b": "x"}], "c": None, "d": {}}))
    [('a', 0), ('a', 1, 'b')]
    """
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        if value is not None:
            yield path
        return
    for name, part in items:
        yield from leaves(part, (*path, name))


def another(value: Any) -> Any:
    """Another value of the same type.

    >>> another(True), another(3), another(0.5), another("ab"), another("")
    (False, 4, 1.5, 'bb', 'a')
    """
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    return ("b" if value[:1] == "a" else "a") + value[1:]


def changed(value: Any, path: Path_) -> Any:
    """A copy of JSON values with another value at a path.

    >>> changed({"a": [1, 2]}, ("a", 1))
    {'a': [1, 3]}
    """
    if not path:
        return another(value)
    copied = value.copy()
    copied[path[0]] = changed(value[path[0]], path[1:])
    return copied


READERS: dict[str, Callable[[str, str], tuple[str, ...]]] = {
    "check": lambda out, _: ("check", out),
    "show": lambda out, _: ("show", out, "--row", "1"),
    "listen": lambda out, to: ("listen", out, "--dialogue", "d1", "--out", f"{to}/heard.wav"),
    "status": lambda out, _: ("status", out),
    "flatten": lambda out, to: ("flatten", out, "--chunk", "5/1", "--out", f"{to}/flat", "--workers", "1"),
    "export": lambda out, to: ("export", out, "--to", f"{to}/export", "--format", "moshi"),
    "audit": lambda out, _: ("audit", out),
    "timing report": lambda out, _: ("timing", "report", out),
    "report": lambda out, to: ("report", out, "--to", f"{to}/report.html"),
}
"""Commands that read a finished build, of its output and a folder for what they write."""


def _read(arguments: tuple[str, ...]) -> None:
    sys.argv = ["datagen", *arguments]
    datagen()


def _feed(out: str) -> None:
    from datagen.feed import Feed, Stage

    try:
        next(iter(Feed(out, Stage("soak", {"three_stream": 1}, 16_384, 1))))
    except DatagenError as error:
        print(error)
        raise SystemExit(1) from None


class Values:
    """Changed values of the manifest: the check and every reader must refuse each."""

    unit = "values"
    spared = ()

    def __init__(self, base: Path) -> None:
        """Make the build, and see that all readers read it."""
        self._out, self._readers, self._n_missed = base / "build", (*READERS, "feed"), Counter[str]()
        apart(base / "log", _write_recipe, base)
        rehearse(base / "log", _built, base, base / "rehearsal")
        self._digest, _ = apart(base / "log", _built, base, self._out)
        for name in self._readers:
            rehearse(base / "log", self._reading(name, base))

    def round(self, folder: Path, chance: random.Random, n_most: int, deadline: float) -> Round:  # noqa: ARG002
        """Change each value once, in a random order, and pass the manifest to every reader."""
        found, file = Round(self._digest), self._out / MANIFEST
        data = file.read_bytes()
        values = json.loads(data)
        places = list(leaves(values))
        chance.shuffle(places)
        for path in places:
            if time.monotonic() > deadline:
                found.faults.append(f"time was up after {found.n} of {len(places)} values")
                break
            file.write_text(json.dumps(changed(values, path), indent=1, sort_keys=True, ensure_ascii=False), "utf-8")
            unseen = self._unseen(folder)
            place = f"{'.'.join(map(str, path))} by {', '.join(unseen)}"
            found.count("manifest", "missed" if unseen else "found", place)
        file.write_bytes(data)
        return found

    def _unseen(self, folder: Path) -> list[str]:
        """Readers that do not refuse the manifest; one that has missed many is not run again."""
        unseen = []
        for name in self._readers:
            if self._n_missed[name] < _MOST_MISSED and (outcome := self._outcome(name, folder)) != "found":
                self._n_missed[name] += 1
                unseen.append(name if outcome == "missed" else f"{name} ({outcome})")
        return unseen or [f"{name}, not run again" for name, n in self._n_missed.items() if n >= _MOST_MISSED]

    def _reading(self, name: str, folder: Path) -> Callable[[], None]:
        """The run of a reader, which may write to an empty folder."""
        to = folder / "to"
        shutil.rmtree(to, ignore_errors=True)
        to.mkdir()
        out = str(self._out)
        return partial(_feed, out) if name == "feed" else partial(_read, READERS[name](out, str(to)))

    def _outcome(self, name: str, folder: Path) -> str:
        child = Forked(self._reading(name, folder), folder / "log")
        if not child.wait(_SECONDS):
            child.kill()
            return "hangs"
        if child.code == 1 and "Traceback" not in child.said():
            return "found"
        last = (child.said().splitlines() or [""])[-1]
        return (
            "missed"
            if child.code == 0
            else f"traceback: {last}"
            if child.code == CRASHED
            else f"ends with {child.code}"
        )

    def close(self) -> None:
        """Nothing is to be ended."""


def campaign(name: str, base: Path) -> Finished | Between | Values:
    """One of the three."""
    return {"flips": Finished, "flips_between": Between, "manifest": Values}[name](base)
