"""Faults of an object store, by the thousand, in builds, resumes, checks, flattenings and feeds."""

import hashlib
import os
import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from soak_flips import Round
from soak_processes import apart

from datagen.errors import DatagenError, StoreError
from datagen.recipe import load as load_recipe
from datagen.run.build import build
from datagen.run.check import check
from datagen.run.reflatten import reflatten
from datagen.run.status import status
from datagen.shards import bucket
from datagen.shards.manifest import Manifest
from datagen.shards.store import open_store
from tests.flaky_s3 import FlakyS3, Plan, at_random, flaky
from tests.run.builds import fake, tree
from tests.stores import BUCKET, contents, s3_environment, s3_server

_SHARE = 1 / 3
"""Share of the calls that fail."""
_FAULTS = (
    *("500", "503", "409", "reset", "500 after", "reset after", "half") * 6,
    *("403", "short", "hang", "hang after"),
)
"""Those that end a run or cost seconds are rarer."""
_TIMEOUT = "1s"
_MOST_RUNS = 200
_CHANGES = {"speech_chunk_tokens": 5, "text_chunk_tokens": 1}
_N_DIALOGUES = 40


@dataclass
class Wanted:
    """The results of undisturbed runs on a disk."""

    files: dict[str, str]
    digest: str
    flattened: str
    batches: str


@dataclass
class Tries:
    """Runs of one command until it succeeds."""

    faults: list[str] = field(default_factory=list)

    def run(self, name: str, work: Callable[[], object]) -> object:
        """Run until the work succeeds; only errors that a user can read may come between."""
        for _ in range(_MOST_RUNS):
            try:
                return work()
            except DatagenError:
                continue
            except Exception as error:
                self.faults.append(f"{name}: {type(error).__name__}: {error}")
        self.faults.append(f"{name}: no success in {_MOST_RUNS} runs")
        return None


def plan_of(seed: int, lies: bool = True) -> Plan:
    """A third of the calls fails, in all ways; half of the failing listings are answered as they were before."""
    broken = at_random(_SHARE, *(fault for fault in _FAULTS if lies or fault != "short"), seed=seed)

    def plan(method: str, path: str, n: int) -> str:
        fault = broken(method, path, n)
        return "stale" if fault and n % 2 and "list-type=2" in path else fault

    return plan


def batches(out: str) -> str:
    """Hash of an epoch of a feed."""
    from datagen.feed import Feed, Stage

    hashed = hashlib.sha256()
    for batch in Feed(out, Stage("soak", {"three_stream": 1}, 2048, 2), epochs=1, lanes=4):
        hashed.update(batch.inputs["input_ids"].numpy().tobytes())
    return hashed.hexdigest()


def _hashed(files: dict[str, bytes]) -> dict[str, str]:
    return {key: hashlib.sha256(data).hexdigest() for key, data in files.items()}


def _undisturbed(base: Path) -> Wanted:
    recipe = fake(base, "run.unit_dialogues=1", "takes.keep=true", n=_N_DIALOGUES)
    (base / "recipe.yaml").write_text(recipe.to_yaml(), "utf-8")
    out = base / "out"
    digest = build(recipe, str(out)).digest
    flattened = reflatten(str(out), str(base / "flat"), _CHANGES).digest
    return Wanted(_hashed(tree(out)), digest, flattened, batches(str(out)))


def _stormy(base: Path, seed: int, wanted: Wanted) -> Round:
    """Everything once through a flaky store, then a look at the store itself."""
    bucket._FIRST_WAIT_S = 0.001
    found, tries = Round(), Tries()
    recipe, url = load_recipe(str(base / "recipe.yaml")), f"s3://{BUCKET}/soak"
    with ExitStack() as stack:
        endpoint = stack.enter_context(s3_server())
        proxy: FlakyS3 = stack.enter_context(flaky(endpoint))
        os.environ.update({**s3_environment(proxy.endpoint), "AWS_TIMEOUT": _TIMEOUT})
        proxy.plan = plan_of(seed)
        tries.run("build", lambda: build(recipe, url))
        tries.run("status", lambda: status(open_store(url)))
        proxy.plan = plan_of(seed, lies=False)  # a cut file without a sign of it is damage to a check
        tries.run("check", lambda: _clean(url))
        proxy.plan = plan_of(seed)
        tries.run("flatten", lambda: reflatten(url, f"{url}-flat", _CHANGES))
        if tries.run("feed", lambda: batches(url)) != wanted.batches:
            tries.faults.append("the feed's batches differ")
        found.blows.update({fault: n for fault, n in proxy.faults.items() if fault})
        proxy.plan = lambda *_: ""
        found.digest = Manifest.load(open_store(url)).digest
        found.faults = tries.faults + _final_faults(url, wanted)
    return found


def _clean(url: str) -> None:
    """Check; a file that the store did not give is an outage, whatever else the check concludes from it."""
    faults = check(open_store(url)).faults
    if any(fault.startswith("cannot read") for fault in faults):
        raise StoreError(faults[0])
    if faults:
        raise AssertionError(f"false alarm: {faults[:2]}")


def _final_faults(url: str, wanted: Wanted) -> list[str]:
    from soak_kills import differences

    faults = differences(_hashed(contents(open_store(url))), wanted.files)
    faults += [f"check: {fault}" for fault in check(open_store(url)).faults[:3]]
    faults += [f"check of flattened: {fault}" for fault in check(open_store(f"{url}-flat"), open_store(url)).faults[:3]]
    digests = Manifest.load(open_store(url)).digest, Manifest.load(open_store(f"{url}-flat")).digest
    if digests != (wanted.digest, wanted.flattened):
        faults.append(f"digests are {digests}")
    return faults


class Store:
    """A campaign of faults."""

    unit = "faults"
    spared = ()

    def __init__(self, base: Path) -> None:
        """Make what undisturbed runs on a disk give."""
        self._base = base
        self._wanted: Wanted = apart(base / "log", _undisturbed, base)

    def round(self, folder: Path, chance: random.Random, n_most: int, deadline: float) -> Round:  # noqa: ARG002
        """One build with all that follows; the number of faults is what happened, and may exceed `n_most`."""
        seconds = max(600.0, deadline - time.monotonic())
        found: Round = apart(
            folder / "log", _stormy, self._base, chance.randrange(2**31), self._wanted, seconds=seconds
        )
        return found

    def close(self) -> None:
        """Nothing is to be ended."""


def campaign(name: str, base: Path) -> Store:  # noqa: ARG001
    """The only one of this file."""
    return Store(base)
