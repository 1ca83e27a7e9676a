"""Kills on a Ray cluster of this machine: raylets, workers, actors, drivers, Ctrl-C; and two drivers at once."""

import os
import random
from pathlib import Path

from soak_flips import Round
from soak_processes import apart

from datagen.shards.manifest import Manifest
from datagen.shards.store import LocalStore
from tests.run.ray_cluster import cluster_of
from tests.run.storms import RayStorm

_N_KILLS = 10
"""Per storm: two of each kind of victim."""
_N_NODES = 2
_SECONDS = 1200.0


def _stormy(folder: Path, seed: int) -> Round:
    """A storm on a new cluster, then a driver on Ray and a local one at one output."""
    found = Round()
    (folder / "storm").mkdir()
    (folder / "rivals").mkdir()
    with cluster_of(_N_NODES) as cluster:
        os.environ.update(cluster.environment())
        storm = RayStorm(cluster, folder / "storm", seed, n_kills=_N_KILLS)
        storm.rage()
        found.blows.update(storm.killed)
        found.digest = Manifest.load(LocalStore(storm.out)).digest
        rivals = RayStorm(cluster, folder / "rivals", seed, n=40)
        found.blows[f"{rivals.rivals()} driver beside another"] += 1
    return found


class RayKills:
    """The campaign."""

    unit = "kills"
    spared = ()

    def __init__(self, base: Path) -> None:
        """Nothing is prepared: each storm compares with an undisturbed build of its own."""
        self._base = base

    def round(self, folder: Path, chance: random.Random, n_most: int, deadline: float) -> Round:  # noqa: ARG002
        """One cluster and its storms; eleven kills, whatever `n_most` is."""
        found: Round = apart(folder / "log", _stormy, folder, chance.randrange(2**31), seconds=_SECONDS)
        return found

    def close(self) -> None:
        """Nothing is to be ended."""


def campaign(name: str, base: Path) -> RayKills:  # noqa: ARG001
    """The only one of this file."""
    return RayKills(base)
