"""Every row of all five tasks, made again from the conversations table by the words of docs/format.md alone.

What an independent reader would write: no part of the package that lays out rows is used here.
"""

import hashlib
import itertools
import math
from dataclasses import asdict, replace

import numpy as np
import pytest

from datagen.pipeline.flatten import Flatten
from datagen.recipe import FlattenConfig
from datagen.records import KINDS, Event, Mixing, Row, Spoken, Streams
from datagen.shards.schema import conversations_table, rows_table
from datagen.shards.vocab import Vocabulary
from tests.run.builds import made, read, talk

SPECIALS = ("<|asr|>", "<|tts|>", "<|sos|>", "<|eos|>", "<|sot|>", "<|eot|>", "<|text_silence|>", "<|speech_silence|>")
FLOOR = ("turn", "filler", "insert", "resumption")
TASKS = ("asr", "tts", "four_stream", "three_stream", "two_stream")


class Reader:
    """A conversation of the table, and what the manifest says."""

    def __init__(self, conversation: dict, flatten: dict, vocabulary: dict, hop: int, silence_code: int) -> None:
        self.c, self.flatten, self.hop = conversation, flatten, hop
        self.id = {name: vocabulary["special_offset"] + k for k, name in enumerate(SPECIALS)}
        offset = vocabulary["speech_offset"]
        self.heard = [u for u in conversation["utterances"] if u["end_samples"] > u["start_samples"]]
        self.n_frames = len(conversation["user_codes"])
        self.padding = {"user": offset + silence_code, "assistant": offset + silence_code}
        self.stream = {role: [offset + code for code in conversation[f"{role}_codes"]] for role in self.padding}
        if flatten["assistant_silence"] == "special":
            self.padding["assistant"] = self.id["<|speech_silence|>"]
            touched = {f for u in self.heard if u["role"] == "assistant" for f in range(*self.frames(u))}
            for frame in set(range(self.n_frames)) - touched:
                self.stream["assistant"][frame] = self.id["<|speech_silence|>"]
        self.offset = offset

    def frames(self, u: dict) -> tuple[int, int]:
        return u["start_samples"] // self.hop, math.ceil(u["end_samples"] / self.hop)

    def spoken(self, u: dict) -> list[int]:
        return u["spoken_ids"] or u["text_ids"]

    def speech(self, u: dict, whole: bool) -> list[int]:
        first, last = self.frames(u)
        if whole and u["rest_codes"]:
            stream = self.stream[u["role"]]
            return stream[first : u["rest_start_frames"]] + [self.offset + code for code in u["rest_codes"]]
        return self.stream[u["role"]][first:last]

    def text(self, u: dict, whole: bool) -> list[int]:
        return self.spoken(u) if whole and u["rest_codes"] else u["text_ids"]

    def row(self, task: str, part: int, ids: list[int], mask: list[bool], frames: tuple[int, int], **more) -> dict:
        nothing = ("user_turn_ends", "barge_ins", "event_kinds", "event_roles", "event_starts", "event_ends")
        return {
            "row_id": f"{self.c['dialogue_id']}#{task}#{part}",
            "dialogue_id": self.c["dialogue_id"],
            "language": self.c["language"],
            "input_ids": ids,
            "loss_mask": mask,
            "n_tokens": len(ids),
            "start_frames": frames[0],
            "n_frames": frames[1] - frames[0],
            "n_late_text_tokens": 0,
            "n_dropped_text_tokens": 0,
            "n_pad_tokens": 0,
            **{name: [] for name in nothing},
            **more,
        }

    def rows(self, task: str) -> list[dict]:
        if task in ("asr", "tts"):
            return self.alignment(task)
        return self.four_stream() if task == "four_stream" else self.full_duplex(task)

    # -- asr, tts

    def alignment(self, task: str) -> list[dict]:
        whole, found = self.flatten["alignment_takes"] == "whole", []
        for part, u in enumerate(self.heard):
            text, speech = self.text(u, whole), self.speech(u, whole)
            spoken = [self.id["<|sos|>"], *speech, self.id["<|eos|>"]]
            written = [self.id["<|sot|>"], *text, self.id["<|eot|>"]]
            first, second = (spoken, written) if task == "asr" else (written, spoken)
            ids = [self.id[f"<|{task}|>"], *first, *second]
            if u["role"] in self.flatten[f"{task}_roles"] and text and len(ids) <= self.flatten["max_alignment_tokens"]:
                mask = [False] * (len(first) + 2) + [True] * (len(second) - 1)
                found.append((u, part, self.row(task, part, ids, mask, self.frames(u), n_text_tokens=len(text))))
        canned = [part for u, part, _ in found if u["kind"] not in ("turn", "resumption")]
        share, n = self.flatten["max_canned_share"], len(found) - len(canned)
        kept = {
            part for part in canned if share == 1 or self.number(part) < min(1, n / len(canned) * share / (1 - share))
        }
        return [row for _, part, row in found if part in kept or part not in canned]

    def number(self, part: int) -> float:
        name = self.c["dialogue_id"].encode()
        data = b"s6:canned" + b"s%d:" % len(name) + name + b"i%d:" % len(str(part)) + str(part).encode()
        return int.from_bytes(hashlib.blake2b(data, digest_size=16).digest(), "little") // 2**75 / 2**53

    # -- four_stream

    def turns(self) -> list[dict]:
        whole = self.flatten["half_duplex"] == "whole"
        found: list[dict] = []
        for u in self.heard:
            if u["kind"] not in (("turn", "filler") if whole else FLOOR):
                continue
            first, last = self.frames(u)
            speech, text = self.speech(u, whole), self.text(u, whole)
            before = found[-1] if found else None
            if before and (before["role"], before["turn"]) == (u["role"], u["turn"]):
                if before["is_whole_take"]:
                    before["speech"] += speech
                else:
                    before["speech"] += self.stream[u["role"]][before["last"] : first]
                    before["speech"] += speech[max(before["last"] - first, 0) :]
                before["text"] += text
                before |= {"last": last, "is_whole_take": whole and bool(u["rest_codes"])}
                continue
            about = {"role": u["role"], "turn": u["turn"], "first": first, "last": last}
            is_whole_take = whole and bool(u["rest_codes"])
            found.append({**about, "speech": list(speech), "text": list(text), "is_whole_take": is_whole_take})
        return found

    def tokens(self, turn: dict) -> tuple[list[int], list[bool]]:
        speech = [self.id["<|sos|>"], *turn["speech"], self.id["<|eos|>"]]
        text = [self.id["<|sot|>"], *turn["text"], self.id["<|eot|>"]]
        if turn["role"] == "assistant":
            return text + speech, [True] * len(text + speech)
        return speech + text, [False] * len(speech) + [self.flatten["loss_on_user_text"]] * len(text)

    def four_stream(self) -> list[dict]:
        n_most, turns = self.flatten["max_tokens"], self.turns()
        rows: list[list[dict]] = []
        dropped: list[int] = []
        pending, is_open = 0, False
        for k, turn in enumerate(turns):
            n = len(self.tokens(turn)[0])
            if n > n_most:
                pending, is_open = pending + len(turn["text"]), False
                continue
            following = len(self.tokens(turns[k + 1])[0]) if k + 1 < len(turns) else 0
            together = n + (following if following <= n_most else 0)
            n_here = sum(len(self.tokens(t)[0]) for t in rows[-1]) if is_open else 0
            if not is_open or n_here + n > n_most or (turn["role"] == "user" and n_here + together > n_most):
                rows.append([])
                dropped.append(pending)
                pending, is_open = 0, True
            rows[-1].append(turn)
        if rows:
            dropped[-1] += pending
        found = []
        for part, (held, n_dropped) in enumerate(zip(rows, dropped, strict=True)):
            ids = [token for turn in held for token in self.tokens(turn)[0]]
            mask = [learned for turn in held for learned in self.tokens(turn)[1]]
            frames = held[0]["first"], max(turn["last"] for turn in held)
            counts = {"n_text_tokens": sum(len(t["text"]) for t in held), "n_dropped_text_tokens": n_dropped}
            found.append(self.row("four_stream", part, ids, mask, frames, **counts))
        return found

    # -- three_stream, two_stream

    def text_stream(self, n_speech: int, n_text: int) -> tuple[dict[int, tuple[int, int]], list[tuple[int, int]]]:
        """Slot → utterance and token; chunk of each stop and tokens dropped there."""
        causal = self.flatten["interrupted_text"] == "causal"
        slots: dict[int, tuple[int, int]] = {}
        drops = []
        for k, u in enumerate(self.heard):
            if u["role"] != "assistant":
                continue
            first, last = self.frames(u)
            slot = max(first // n_speech * n_text, max(slots, default=-1) + 1)
            for token in self.spoken(u) if causal else u["text_ids"]:
                slots[slot] = (k, token)
                slot += 1
            if causal and u["n_cut_samples"] > 0:
                stop = (last - 1) // n_speech
                gone = [s for s in slots if s // n_text > stop]
                for s in gone:
                    del slots[s]
                drops.append((stop, len(gone)))
        return slots, drops

    def full_duplex(self, task: str) -> list[dict]:
        s = self.flatten["speech_chunk_tokens"]
        t = self.flatten["text_chunk_tokens"] if task == "three_stream" else 0
        slots, drops = self.text_stream(s, t) if t else ({}, [])
        n_chunks = max(math.ceil(self.n_frames / s), max(slots, default=-1) // t + 1 if t else 0)
        padded = {
            role: self.stream[role] + [self.padding[role]] * (n_chunks * s - self.n_frames) for role in self.padding
        }
        chunks = [
            padded["user"][k * s : (k + 1) * s]
            + [slots[x][1] if x in slots else self.id["<|text_silence|>"] for x in range(k * t, (k + 1) * t)]
            + padded["assistant"][k * s : (k + 1) * s]
            for k in range(n_chunks)
        ]
        rows, first, part = [], 0, 0
        while first < n_chunks:
            last = self.end_of_row(first, n_chunks, self.flatten["max_tokens"] // (2 * s + t), s, t, slots)
            texts = [(x, k) for x, (k, _) in slots.items() if first <= x // t < last] if t else []
            late = [x for x, k in texts if x // t > (self.frames(self.heard[k])[1] - 1) // s]
            rows.append(
                self.row(
                    task,
                    part,
                    [token for chunk in chunks[first:last] for token in chunk],
                    ([False] * s + [True] * (t + s)) * (last - first),
                    (first * s, max(first * s, min(last * s, self.n_frames))),
                    n_text_tokens=len(texts),
                    n_late_text_tokens=len(late),
                    n_dropped_text_tokens=sum(n for stop, n in drops if first <= stop < last),
                    n_pad_tokens=2 * sum(frame >= self.n_frames for frame in range(first * s, last * s)),
                    **self.labels(first, last, s, t),
                )
            )
            first, part = last, part + 1
        return rows

    def end_of_row(self, first: int, n_chunks: int, n_most: int, s: int, t: int, slots: dict) -> int:
        if n_chunks - first <= n_most:
            return n_chunks
        badness = {}
        for place in range(first + 1, first + n_most + 1):
            bad = 0
            for k, u in enumerate(self.heard):
                begin, end = self.frames(u)
                if begin // s < place <= (end - 1) // s:
                    bad += 2 if u["role"] == "assistant" else 1
                held = [x // t for x, (owner, _) in slots.items() if owner == k] if t else []
                bad += bool(held) and min(held) < place <= max(held)
            badness[place] = bad
        return max(place for place, bad in badness.items() if bad == min(badness.values()))

    def labels(self, first: int, last: int, s: int, t: int) -> dict:
        def frame(samples: int) -> int:
            return math.ceil(samples / self.hop)

        def inside(samples: int) -> bool:
            return first * s <= frame(samples) < min(last * s, self.n_frames)

        def position(samples: int) -> int:
            f = frame(samples)
            if f // s >= last:
                return (last - first) * (2 * s + t)
            return (f // s - first) * (2 * s + t) + s + t + f % s

        floor = [u for u in self.heard if u["kind"] in FLOOR]
        ends = [
            u["end_samples"]
            for u, after in itertools.pairwise(floor)
            if (u["role"], after["role"]) == ("user", "assistant")
            and u["n_cut_samples"] == 0
            and after["start_samples"] >= u["end_samples"]
        ]
        stops = [
            u["end_samples"]
            for u in self.c["utterances"]
            if u["role"] == "assistant" and u["kind"] in FLOOR and u["n_cut_samples"] > 0
        ]
        placed = sorted(
            (e for e in self.c["events"] if e["placed"]), key=lambda e: (e["start_samples"], e["end_samples"])
        )
        starts = [
            e["start_samples"]
            for e in placed
            if (e["kind"], e["role"]) == ("barge_in", "user") and e["end_samples"] in stops
        ]
        here = [e for e in placed if inside(e["start_samples"])]
        return {
            "user_turn_ends": [position(end) for end in ends if inside(end)],
            "barge_ins": [position(start) for start in starts if inside(start)],
            "event_kinds": [e["kind"] for e in here],
            "event_roles": [e["role"] for e in here],
            "event_starts": [position(e["start_samples"]) for e in here],
            "event_ends": [position(e["end_samples"]) for e in here],
        }


# -- builds ---------------------------------------------------------------------------------------------------------

RECORDS = [
    talk(
        f"Hello there, I would like to know a few things about train number {k}, please.",
        "Of course. It leaves at nine in the morning, stops in four small towns, and reaches the coast before noon.",
        "And can I take a bicycle with me, or is that not allowed on weekdays?",
        "You can, in the last carriage. There is room for six of them, and you need a ticket for each.",
        "Great, thanks a lot for your help.",
        "You are welcome, and have a good journey.",
        id=f"train-{k}",
    )
    for k in range(12)
]


@pytest.mark.parametrize(
    "overrides",
    [
        ("timing={profile: natural, barge_in: {probability: 0.8}}", "flatten.max_tokens=512"),
        (
            "timing={profile: natural, barge_in: {probability: 0.8}}",
            "flatten={interrupted_text: heard, half_duplex: heard, alignment_takes: heard, max_canned_share: 0.3}",
            "flatten.assistant_silence=codes",
            "flatten.loss_on_user_text=false",
        ),
        (
            "timing={profile: omniflatten, barge_in: {probability: 1}, fade_ms: 100}",
            "flatten={speech_chunk_tokens: 7, text_chunk_tokens: 3, max_tokens: 300, asr_roles: [assistant]}",
        ),
    ],
)
def test_every_row_of_a_build_follows_from_the_format_page(tmp_path, overrides):
    tasks = f"flatten.tasks=[{', '.join(TASKS)}]"
    out, manifest = made(tmp_path, *overrides, tasks, "splits={validation: 0, test: 0}", records=RECORDS)
    conversations = read(out, "conversations")
    assert any(u["rest_codes"] for c in conversations for u in c["utterances"])
    hop, fade_ms = manifest.clock.hop_samples, manifest.recipe["timing"]["fade_ms"]
    for u in (u for c in conversations for u in c["utterances"] if u["rest_codes"]):
        fade_begins = u["end_samples"] - fade_ms * manifest.clock.sample_rate_hz // 1000
        assert u["rest_start_frames"] == max(fade_begins // hop, u["start_samples"] // hop)
    about = manifest.recipe["flatten"], asdict(manifest.vocabulary), hop
    readers = [Reader(c, *about, manifest.silence.silence_code) for c in conversations]
    for task in TASKS:
        wanted = [row for reader in readers for row in reader.rows(task)]
        assert wanted
        assert read(out, task) == wanted


# -- anything -------------------------------------------------------------------------------------------------------

HOP, V = 960, Vocabulary(n_text=1000, special_offset=1000, speech_offset=1010, codebook_size=50)


def anything(seed: int) -> Streams:
    """A conversation in which all kinds of utterances and events are somewhere, cut and uncut."""
    chance = np.random.default_rng(seed)

    def draw(most: int) -> int:
        return int(chance.integers(0, most))

    utterances, ends, turn = [], {"user": 0, "assistant": 0}, 0
    for _ in range(draw(14)):
        role, kind = ("user", "assistant")[draw(2)], list(KINDS)[draw(len(KINDS))]
        start = max(ends[role], max(ends.values()) + (draw(30) - 15) * HOP + draw(HOP))
        length = 1 + draw(60 * HOP)
        n_cut = draw(length + 1) if draw(3) == 0 else 0
        ends[role] = start + length - n_cut
        ids, n_said = chance.integers(0, 1000, draw(25)).astype(np.int32), draw(20)
        u = Spoken(role, "v", "t", "t", "t", "", ids, start, ends[role], n_cut, 0, (), kind, turn := turn + draw(2))
        if n_cut:
            u = replace(u, text_ids=ids[:n_said], spoken_ids=ids if n_said < len(ids) else ids[:0])
        if n_cut and kind in FLOOR:
            first = max((ends[role] - 720) // HOP, start // HOP)
            rest = chance.integers(0, 50, -(-(start + length) // HOP) - first).astype(np.uint16)
            u = replace(u, rest_codes=rest, rest_start_frames=first)
        utterances.append(u)
    n_samples = -(-(max(ends.values()) + draw(9000) + 1) // HOP) * HOP
    cut = [u for u in utterances if u.n_cut_samples]
    events = [Event(("gap", "backchannel", "barge_in")[draw(3)], "user", draw(n_samples), n_samples) for _ in range(4)]
    events += [Event("barge_in", "user", max(u.end_samples - 900, 0), u.end_samples, -1, draw(4) > 0) for u in cut]
    codes = [chance.integers(0, 50, n_samples // HOP).astype(np.uint16) for _ in range(2)]
    about = (tuple(utterances), tuple(events), Mixing("", None, 0, 0))
    return Streams(f"d{seed}ü", 0, "s", "en", "train", n_samples, *codes, *about)


@pytest.mark.parametrize("seed", range(60))
def test_every_row_of_any_conversation_follows_from_the_format_page(seed):
    chance, s = np.random.default_rng((1, seed)), anything(seed)
    settings = FlattenConfig(
        tasks=TASKS,
        speech_chunk_tokens=int(chance.integers(1, 15)),
        text_chunk_tokens=int(chance.integers(1, 5)),
        max_tokens=int(chance.choice([64, 100, 150, 400, 8192])),
        max_alignment_tokens=int(chance.choice([64, 1024])),
        assistant_silence=("special", "codes")[seed % 2],
        interrupted_text=("causal", "causal", "heard")[seed % 3],
        half_duplex=("whole", "heard")[seed % 2],
        alignment_takes=("whole", "heard")[seed // 2 % 2],
        max_canned_share=(0.05, 0.5, 1)[seed % 3],
        tts_roles=("user", "assistant"),
    )
    rows: list[Row] = Flatten(settings, V, HOP, (3,))(s)
    (conversation,) = conversations_table([s]).to_pylist()
    reader = Reader(conversation, settings.model_dump(mode="json"), asdict(V), HOP, 3)
    for task in TASKS:
        assert rows_table([row for row in rows if row.task == task]).to_pylist() == reader.rows(task)
