"""The first exchange of held-out conversations: what the user says, and what each system replies.

A judge rates them from 1 to 10 (`ratings`, as OmniFlatten does, arXiv 2410.17799). Only the first exchange is
rated, because then nothing that the assistant of the build has said stands before the reply: all that is rated is
the system's own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from datagen.clock import ceil_div
from datagen.evaluate.player import Player
from datagen.evaluate.recognition import Tools
from datagen.evaluate.scored_rows import Layout, split_rows
from datagen.records import FLOOR
from datagen.seeds import rng
from datagen.shards.manifest import Manifest
from datagen.shards.tables import from_parquet

TRUTH, TOKENS = "ground truth", "ground-truth tokens"
"""Rows of the reply of the build: its words, and what is recognized in its tokens."""
LONGEST_MS = 12_000
"""Longest reply; it also ends where the user next speaks."""
_COLUMNS = [
    "dialogue_id",
    *(f"utterances.list.element.{name}" for name in ("role", "kind", "said", "voice", "start_samples", "end_samples")),
]


@dataclass(frozen=True)
class Exchange:
    """The first words of a user, the reply of the build, and its place in the row."""

    dialogue_id: str
    language: str
    user: str
    reply: str
    voice: str
    row: dict[str, Any]
    start_frames: int
    """End of the user's turn."""
    end_frames: int
    """End of the time in which a reply is heard."""


def exchanges(
    manifest: Manifest, task: str = "two_stream", split: str = "test", n: int | None = None
) -> list[Exchange]:
    """First exchanges of the conversations of a split, at most `n`.

    Raises:
        DatagenError: If the build has no such rows.
    """
    layout = Layout.of(manifest, task)
    firsts = (row for row in split_rows(manifest, task, split) if row["start_frames"] == 0)
    talks = _talks(manifest)
    found: list[Exchange] = []
    for row in firsts:
        if n is not None and len(found) >= n:
            break
        exchange = _exchange(row, talks(row["dialogue_id"]), layout, manifest.clock.hop_samples)
        if exchange is not None:
            found.append(exchange)
    return found


def _talks(manifest: Manifest) -> Any:
    """Gives the utterances of a dialogue; reads file after file, in the order of the rows."""
    files = manifest.files("conversations") if "conversations" in manifest.tables else iter(())
    here: dict[str, list[dict[str, Any]]] = {}

    def of(dialogue_id: str) -> list[dict[str, Any]]:
        while dialogue_id not in here and (file := next(files, None)) is not None:
            table = from_parquet(manifest.store.open(file.key), file.key, _COLUMNS)
            here.clear()
            here.update((row["dialogue_id"], row["utterances"]) for row in table.to_pylist())
        return here.get(dialogue_id, [])

    return of


def _exchange(
    row: dict[str, Any], utterances: Sequence[dict[str, Any]], layout: Layout, hop_samples: int
) -> Exchange | None:
    """The first exchange of a conversation; None if the user does not begin, or gets no reply within the row."""
    floor = sorted((u for u in utterances if u["kind"] in FLOOR and u["said"]), key=lambda u: u["start_samples"])
    first = next((k for k, u in enumerate(floor) if u["role"] == "assistant"), 0)
    after = next((k for k in range(first, len(floor)) if floor[k]["role"] == "user"), len(floor))
    asked, replied = floor[:first], floor[first:after]
    if not asked or not replied:
        return None
    n_frames = len(row["input_ids"]) // layout.width * layout.n_speech
    start = ceil_div(max(u["end_samples"] for u in asked), hop_samples)
    start = min(start, replied[0]["start_samples"] // hop_samples)  # a reply may overlap the last words
    next_user = floor[after]["start_samples"] // hop_samples if after < len(floor) else n_frames
    end = min(next_user, n_frames, start + round(LONGEST_MS / layout.frame_ms))
    if end <= start:
        return None
    question, reply = (" ".join(u["said"] for u in part) for part in (asked, replied))
    return Exchange(row["dialogue_id"], row["language"], question, reply, replied[0]["voice"], row, start, end)


def decoded_replies(found: Sequence[Exchange], layout: Layout, tools: Tools) -> list[str]:
    """Transcripts of the replies of the build, from its tokens."""
    heard = []
    for each in found:
        ids = each.row["input_ids"].reshape(-1, layout.width)[:, layout.chunk.assistant]
        frames = ids.reshape(-1, layout.chunk.n_codebooks)[each.start_frames : each.end_frames]
        heard.append(_recognized(frames.reshape(-1), each, tools))
    return heard


def replies(
    found: Sequence[Exchange],
    player: Player,
    tools: Tools,
    seed: int = 0,
    tell: Callable[[int], object] = lambda _: None,
) -> list[str]:
    """Transcripts of a model's reply to each exchange; empty if it says nothing."""
    heard = []
    for each in found:
        heard.append(_recognized(_said(each, player, seed), each, tools))
        tell(1)
    return heard


def _said(each: Exchange, player: Player, seed: int) -> np.ndarray:
    """Speech ids that a model says in the time of the reply; it reads the row's own past."""
    n_speech = player.layout.n_speech
    first, last = each.start_frames // n_speech, ceil_div(each.end_frames, n_speech)
    chance = rng(seed, "evaluate reply", each.row["row_id"])
    played = player.free(each.row["input_ids"], first, last - first, chance, each.row.get("given", ()))
    begin = each.start_frames - first * n_speech
    return played.speech[begin : begin + each.end_frames - each.start_frames].reshape(-1)


def _recognized(ids: np.ndarray, each: Exchange, tools: Tools) -> str:
    decoder = tools.detokenizer
    sound = decoder.sound(ids, each.voice)
    return tools.recognizer.transcribe(sound, decoder.rate_hz, each.language or "en").strip()
