"""Placement of worker pools on the nodes of a cluster."""

from collections.abc import Sequence

from datagen.recipe import PoolConfig


def sized(pools: Sequence[PoolConfig], n_workers: int, n_units: int) -> list[PoolConfig]:
    """The pools, each with its largest number of workers; more may fit later, since nodes may join."""
    mosts = [min(pool.max_workers or n_workers or n_units, n_units) for pool in pools]
    return [
        pool.model_copy(update={"max_workers": max(most, pool.min_workers)})
        for pool, most in zip(pools, mosts, strict=True)
    ]


def room(pool: PoolConfig, nodes: Sequence[dict[str, float]]) -> int:
    """Number of workers of a pool that fit on empty nodes, at most a million.

    >>> nodes = [{"CPU": 5, "GPU": 0}, {"CPU": 1, "GPU": 0}]
    >>> room(PoolConfig(cpus=2), nodes), room(PoolConfig(gpus=1), nodes)
    (2, 0)
    """
    needs = [(kind, each) for kind, each in _needs(pool).items() if each]
    return sum(min([int(node[kind] / each + 1e-6) for kind, each in needs], default=1_000_000) for node in nodes)


def missing(pools: Sequence[PoolConfig], nodes: Sequence[dict[str, float]]) -> str:
    """Why the fewest workers of all pools cannot run at once; empty if they can.

    >>> missing([PoolConfig(min_workers=2), PoolConfig(gpus=1)], [{"CPU": 4, "GPU": 1}])
    ''
    >>> missing([PoolConfig(gpus=1, min_workers=2)], [{"CPU": 4, "GPU": 1}])
    'no room for worker 2 of 2 that needs 1 CPU, 1 GPU beside the others; there are 1 nodes: 4 CPU, 1 GPU'
    """
    left = [dict(node) for node in nodes]
    for pool in sorted(pools, key=lambda pool: (-pool.gpus, -pool.cpus)):
        for k in range(pool.min_workers):
            needs = _needs(pool)
            node = next((n for n in left if all(n[kind] + 1e-6 >= each for kind, each in needs.items())), None)
            if node is None:
                there = "; ".join(_spelled(node) for node in nodes[:8])
                return (
                    f"no room for worker {k + 1} of {pool.min_workers} that needs {_spelled(needs)} beside the others; "
                    f"there are {len(nodes)} nodes: {there}"
                )
            for kind, each in needs.items():
                node[kind] -= each
    return ""


def _needs(pool: PoolConfig) -> dict[str, float]:
    return {"CPU": pool.cpus, "GPU": pool.gpus}


def _spelled(resources: dict[str, float]) -> str:
    return ", ".join(f"{amount:g} {kind}" for kind, amount in resources.items())
