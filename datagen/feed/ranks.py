"""Several processes that train one model, a GPU each, started by torchrun or accelerate."""

import os
from typing import Any

from datagen.errors import FeedError
from datagen.feed import Feed, merge_states

try:
    import torch
    from torch import distributed
except ImportError as error:
    raise FeedError("datagen.feed needs torch: pip install 'duplex-datagen[train]'") from error


def join_ranks() -> torch.device:
    """Join the other processes, if the environment names any; returns the device of this one."""
    device = torch.device("cpu")
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
        torch.cuda.set_device(device)
    if int(os.environ.get("WORLD_SIZE", 1)) > 1 and not distributed.is_initialized():
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return device


def ranks() -> tuple[int, int]:
    """Number of this process, and of all of them."""
    joined = distributed.is_available() and distributed.is_initialized()
    return (distributed.get_rank(), distributed.get_world_size()) if joined else (0, 1)


def is_first() -> bool:
    """True in the process that prints and saves."""
    return ranks()[0] == 0


def total(value: torch.Tensor) -> torch.Tensor:
    """The sum over all ranks, in place."""
    if ranks()[1] > 1:
        distributed.all_reduce(value)
    return value


def merged_state(feed: Feed) -> dict[str, Any]:
    """The state of a feed on all ranks, from which any number of them resumes. All ranks must call it."""
    rank, n_ranks = ranks()
    states = [feed.state_dict()] * n_ranks
    if n_ranks > 1:
        distributed.all_gather_object(states, states[rank])
    return merge_states(states)
