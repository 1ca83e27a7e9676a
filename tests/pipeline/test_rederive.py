"""Every row of all eight tasks, made again from the conversations table by the words of docs/format.md alone.

What an independent reader would write: no part of the package that lays out rows is used here.
"""

import hashlib
import itertools
import math
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import NamedTuple

import numpy as np
import pytest

from datagen.pipeline.flatten import Flatten
from datagen.recipe import FlattenConfig
from datagen.records import KINDS, Event, Mixing, Row, Spoken, StoredCall, Streams, VoicePrompt
from datagen.shards.schema import conversations_table, rows_table
from datagen.shards.vocab import Vocabulary
from tests.run.builds import made, read, talk

SPECIALS = ("<|asr|>", "<|tts|>", "<|sos|>", "<|eos|>", "<|sot|>", "<|eot|>", "<|text_silence|>", "<|speech_silence|>")
FLOOR = ("turn", "filler", "insert", "resumption")
TASKS = ("asr", "tts", "four_stream", "interleaved", "chat", "three_stream", "two_stream", "parallel")
OF_TURNS = ("four_stream", "interleaved", "chat")


class Token(NamedTuple):
    """A text token in its slot."""

    of: tuple[int, int]
    """Utterance, and frame from which on it is due."""
    id: int
    is_late: bool


def flat(frames: list[list[int]]) -> list[int]:
    return [token for frame in frames for token in frame]


class Reader:
    """A conversation of the table, and what the manifest says."""

    def __init__(self, conversation: dict, flatten: dict, vocabulary: dict, hop: int, silence: dict) -> None:
        self.c, self.flatten, self.hop = conversation, flatten, hop
        self.id = {name: vocabulary["special_offset"] + k for k, name in enumerate(SPECIALS)}
        self.heard = [u for u in conversation["utterances"] if u["end_samples"] > u["start_samples"]]
        sizes = vocabulary.get("codebook_sizes") or [vocabulary["codebook_size"]]
        self.n_stored, self.n_codebooks = len(sizes), flatten["codebooks"] or len(sizes)
        self.offsets = [vocabulary["speech_offset"] + sum(sizes[:k]) for k in range(self.n_codebooks)]
        self.silence_codes = (silence.get("silence_codes") or [silence["silence_code"]])[: self.n_codebooks]
        silent = self.ids(self.silence_codes)
        self.padding = {"user": silent, "assistant": silent}
        self.codes = {role: self.split(conversation[f"{role}_codes"]) for role in self.padding}
        self.n_frames = len(self.codes["user"])
        self.stream = {role: [self.ids(frame) for frame in frames] for role, frames in self.codes.items()}
        if flatten["assistant_silence"] == "special":
            self.padding["assistant"] = [self.id["<|speech_silence|>"]] * self.n_codebooks
            touched = {f for u in self.heard if u["role"] == "assistant" for f in range(*self.frames(u))}
            for frame in set(range(self.n_frames)) - touched:
                self.stream["assistant"][frame] = self.padding["assistant"]
        self.calls = {call["utterance"]: call for call in conversation["tool_calls"]}
        for k, u in enumerate(conversation["utterances"]):
            u["index"] = k

    def split(self, codes: list[int]) -> list[list[int]]:
        """Frames of stored codes, each with the codebooks that rows have."""
        return [codes[at : at + self.n_codebooks] for at in range(0, len(codes), self.n_stored)]

    def ids(self, frame: list[int]) -> list[int]:
        return [offset + code for offset, code in zip(self.offsets, frame, strict=True)]

    def frames(self, u: dict) -> tuple[int, int]:
        return u["start_samples"] // self.hop, math.ceil(u["end_samples"] / self.hop)

    def spoken(self, u: dict) -> list[int]:
        return u["spoken_ids"] or u["text_ids"]

    def speech(self, u: dict, whole: bool) -> list[list[int]]:
        first, last = self.frames(u)
        if whole and u["rest_codes"]:
            stream = self.stream[u["role"]]
            return stream[first : u["rest_start_frames"]] + [self.ids(frame) for frame in self.split(u["rest_codes"])]
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
            "given_starts": [],
            "given_lengths": [],
            **more,
        }

    # -- given tokens

    def head(self) -> list[int]:
        ids, prompt = [], self.c["voice_prompt"]
        if self.flatten["system_prompt"] and self.c["system_ids"]:
            ids += [self.id["<|sot|>"], *self.c["system_ids"], self.id["<|eot|>"]]
        if self.flatten["voice_prompt"] and prompt:
            speech = flat([self.ids(frame) for frame in self.split(prompt["codes"])])
            ids += [self.id["<|sos|>"], *speech, self.id["<|eos|>"]]
        return ids

    def result(self, call: dict | None) -> list[int]:
        if not call or not call["result_ids"] or not self.flatten["tool_results"]:
            return []
        return [self.id["<|sot|>"], *call["result_ids"], self.id["<|eot|>"]]

    def n_given(self, task: str) -> int:
        results = self.calls.values() if task != "two_stream" else ()
        return len(self.head()) + sum(len(self.result(call)) for call in results)

    def with_given(self, row: dict, blocks: list[tuple[int, list[int]]]) -> dict:
        """A row with blocks before positions; from the last to the first, so that positions hold."""
        row = {**row, "given_starts": [], "given_lengths": []}
        for at, ids in reversed([(0, self.head()), *blocks]):
            if not ids:
                continue
            row["input_ids"] = row["input_ids"][:at] + ids + row["input_ids"][at:]
            row["loss_mask"] = row["loss_mask"][:at] + [False] * len(ids) + row["loss_mask"][at:]
            row["given_starts"] = [at] + [start + len(ids) for start in row["given_starts"]]
            row["given_lengths"] = [len(ids), *row["given_lengths"]]
            for name in ("user_turn_ends", "barge_ins", "event_starts", "event_ends"):
                row[name] = [place + len(ids) * (place >= at) for place in row[name]]
        return {**row, "n_tokens": len(row["input_ids"])}

    def rows(self, task: str) -> list[dict]:
        if task in ("asr", "tts"):
            return self.alignment(task)
        if task == "parallel":
            return self.parallel()
        return self.of_turns(task) if task in OF_TURNS else self.full_duplex(task)

    # -- asr, tts

    def alignment(self, task: str) -> list[dict]:
        whole, found = self.flatten["alignment_takes"] == "whole", []
        for part, u in enumerate(self.heard):
            text, speech = self.text(u, whole), self.speech(u, whole)
            spoken = [self.id["<|sos|>"], *flat(speech), self.id["<|eos|>"]]
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
            before = found[-1] if found and not found[-1]["call"] else None
            call = self.calls.get(u["index"])
            ends = {"is_cut": u["n_cut_samples"] > 0, "call": call}
            called = call["call_ids"] if call else []
            written, text = self.spoken(u) + called, text + called
            if before and (before["role"], before["turn"]) == (u["role"], u["turn"]):
                if before["is_whole_take"]:
                    before["speech"] += speech
                else:
                    before["speech"] += self.stream[u["role"]][before["last"] : first]
                    before["speech"] += speech[max(before["last"] - first, 0) :]
                before["written"] = before["text"] + written
                before["text"] = before["text"] + text
                before |= {"last": last, "is_whole_take": whole and bool(u["rest_codes"]), **ends}
                continue
            about = {"role": u["role"], "turn": u["turn"], "first": first, "last": last, "written": written}
            is_whole_take = whole and bool(u["rest_codes"])
            found.append({**about, "speech": list(speech), "text": list(text), "is_whole_take": is_whole_take, **ends})
        return found

    def tokens(self, turn: dict, task: str) -> tuple[list[int], list[bool], dict[str, int]]:
        """Ids and mask of a turn, and its counts of text."""
        speech = [self.id["<|sos|>"], *flat(turn["speech"]), self.id["<|eos|>"]]
        text = [self.id["<|sot|>"], *turn["text"], self.id["<|eot|>"]]
        counts = {"text": len(turn["text"]), "late": 0, "dropped": 0}
        if turn["role"] == "user" and task == "four_stream":
            return speech + text, [False] * len(speech) + [self.flatten["loss_on_user_text"]] * len(text), counts
        if turn["role"] == "user":
            return speech, [False] * len(speech), {**counts, "text": 0}
        may_stop = self.flatten["half_duplex"] == "heard" and self.flatten["interrupted_text"] == "causal"
        stops = task != "four_stream" and turn["is_cut"] and may_stop
        if stops:
            turn, speech = {**turn, "text": turn["written"]}, speech[:-1]
            text = [self.id["<|sot|>"], *turn["text"], self.id["<|eot|>"]]
        if task == "interleaved":
            return self.interleaved(turn, stops)
        return text + speech, [True] * len(text + speech), {**counts, "text": len(turn["text"])}

    def interleaved(self, turn: dict, stops: bool) -> tuple[list[int], list[bool], dict[str, int]]:
        text = [("text", [token]) for token in turn["text"]] + [("mark", [self.id["<|eot|>"]])]
        speech = [("frame", frame) for frame in turn["speech"]] + [("mark", [self.id["<|eos|>"]])] * (not stops)
        items = []
        while text or speech:
            for queue, n in (
                (text, self.flatten["interleave"]["text"]),
                (speech, self.flatten["interleave"]["speech"]),
            ):
                items += queue[:n]
                del queue[:n]
        last = max(place for place, (kind, _) in enumerate(items) if kind == "frame")
        kept = items[: last + 1] if stops else items
        n_text = sum(kind == "text" for kind, _ in kept)
        n_late = sum(kind == "text" for kind, _ in kept[last:])
        ids = [self.id["<|sot|>"], *flat([item for _, item in kept])]
        return ids, [True] * len(ids), {"text": n_text, "late": n_late, "dropped": len(turn["text"]) - n_text}

    def of_turns(self, task: str) -> list[dict]:
        if self.n_given(task) > self.flatten["max_given_tokens"]:
            return []
        turns = [{**turn, "of": self.tokens(turn, task)} for turn in self.turns()]
        n_most = self.flatten["max_tokens"] - self.n_given(task)
        if task == "chat":
            return self.chat(turns, n_most)
        rows: list[list[dict]] = []
        dropped: list[int] = []
        pending, is_open = 0, False
        for k, turn in enumerate(turns):
            n = len(turn["of"][0])
            if n > n_most:
                pending, is_open = pending + turn["of"][2]["text"] + turn["of"][2]["dropped"], False
                continue
            following = len(turns[k + 1]["of"][0]) if k + 1 < len(turns) else 0
            together = n + (following if following <= n_most else 0)
            n_here = sum(len(t["of"][0]) for t in rows[-1]) if is_open else 0
            if (
                not is_open
                or n_here + n > n_most
                or ((turn["role"] == "user" or turn["call"]) and n_here + together > n_most)
            ):
                rows.append([])
                dropped.append(pending)
                pending, is_open = 0, True
            rows[-1].append(turn)
        if rows:
            dropped[-1] += pending
        return [
            self.row_of(task, part, held, n_dropped)
            for part, (held, n_dropped) in enumerate(zip(rows, dropped, strict=True))
        ]

    def chat(self, turns: list[dict], n_most: int) -> list[dict]:
        rows = []
        for k, answer in enumerate(turns):
            firsts = [
                first
                for first in range(k + 1)
                if (first == 0 or turns[first]["role"] == "user")
                and sum(len(turn["of"][0]) for turn in turns[first : k + 1]) <= n_most
                and k - first <= (self.flatten["chat_turns"] or k)
            ]
            if answer["role"] == "assistant" and firsts:
                history = [
                    {**turn, "of": (turn["of"][0], [False] * len(turn["of"][0]), turn["of"][2])}
                    for turn in turns[firsts[0] : k]
                ]
                rows.append(self.row_of("chat", k, [*history, {**answer, "call": None}], 0))
        return rows

    def row_of(self, task: str, part: int, held: list[dict], n_dropped: int) -> dict:
        ids = [token for turn in held for token in turn["of"][0]]
        mask = [learned for turn in held for learned in turn["of"][1]]
        frames = held[0]["first"], max(turn["last"] for turn in held)
        n_text, n_late, n_cut = (sum(turn["of"][2][name] for turn in held) for name in ("text", "late", "dropped"))
        counts = {"n_text_tokens": n_text, "n_late_text_tokens": n_late, "n_dropped_text_tokens": n_dropped + n_cut}
        row, at, blocks = self.row(task, part, ids, mask, frames, **counts), 0, []
        for turn in held:
            at += len(turn["of"][0])
            blocks.append((at, self.result(turn["call"])))
        return self.with_given(row, blocks)

    # -- three_stream, two_stream

    def due(self, u: dict, ids: list[int]) -> list[tuple[int, int]]:
        """Each token of an utterance, and the frame from which on it is due."""
        first, _ = self.frames(u)
        if self.flatten["text_alignment"] == "relaxed" or u["id_starts_samples"] is None:
            return [(token, first) for token in ids]
        starts = ((u["start_samples"] + start) // self.hop for start in u["id_starts_samples"])
        return list(zip(ids, starts, strict=False))

    def text_stream(self, n_speech: int, n_text: int) -> tuple[dict[int, Token], list[tuple[int, int]]]:
        """Slot → token; chunk of each stop and tokens dropped there."""
        causal = self.flatten["interrupted_text"] == "causal"
        slots: dict[int, Token] = {}
        drops = []
        for k, u in enumerate(self.texts()):
            if u["role"] != "assistant":
                continue
            last = self.frames(u)[1]
            for token, frame in self.due(u, self.spoken(u) if causal else u["text_ids"]):
                slot = max(frame // n_speech * n_text, max(slots, default=-1) + 1)
                by_words = self.flatten["text_alignment"] == "words" and u["id_starts_samples"] is not None
                is_late = slot // n_text > (frame if by_words else last - 1) // n_speech
                slots[slot] = Token((k, frame), token, is_late)
            if causal and u["n_cut_samples"] > 0:
                stop = (last - 1) // n_speech
                gone = [s for s in slots if s // n_text > stop]
                for s in gone:
                    del slots[s]
                drops.append((stop, len(gone)))
        return slots, drops

    def texts(self) -> list[dict]:
        """Heard utterances, and each call as one that is never cut unless it is cancelled."""
        found = []
        for u in self.c["utterances"]:
            found += [u] * (u["end_samples"] > u["start_samples"])
            if call := self.calls.get(u["index"]):
                times = {name: call[name] for name in ("start_samples", "end_samples")}
                ids = {"text_ids": call["call_ids"], "spoken_ids": [], "id_starts_samples": None}
                found.append({"role": "assistant", **times, **ids, "n_cut_samples": int(call["cancelled"])})
        return found

    def slot_ids(self, slots: dict[int, Token], n: int) -> list[int]:
        """The token of every slot, with `<|sot|>` in an empty one before a word."""
        found = [slots[x].id if x in slots else self.id["<|text_silence|>"] for x in range(n)]
        for x in slots if self.flatten["text_alignment"] == "words" else ():
            if x and x - 1 not in slots:
                found[x - 1] = self.id["<|sot|>"]
        return found

    def full_duplex(self, task: str) -> list[dict]:
        s = self.flatten["speech_chunk_tokens"]
        t = self.flatten["text_chunk_tokens"] if task == "three_stream" else 0
        slots, drops = self.text_stream(s, t) if t else ({}, [])
        n_chunks = max(math.ceil(self.n_frames / s), max(slots, default=-1) // t + 1 if t else 0)
        padded = {
            role: self.stream[role] + [self.padding[role]] * (n_chunks * s - self.n_frames) for role in self.padding
        }
        texts = self.slot_ids(slots, n_chunks * t)
        chunks = [
            flat(padded["user"][k * s : (k + 1) * s])
            + texts[k * t : (k + 1) * t]
            + flat(padded["assistant"][k * s : (k + 1) * s])
            for k in range(n_chunks)
        ]
        q = self.n_codebooks
        width = 2 * s * q + t
        n_most = (self.flatten["max_tokens"] - self.n_given(task)) // width
        if self.n_given(task) > self.flatten["max_given_tokens"] or n_most < 1:
            return []
        came = [(call["end_samples"] // self.hop // s, self.result(call)) for call in self.calls.values() if t]
        rows, first, part = [], 0, 0
        while first < n_chunks:
            last = self.end_of_row(first, n_chunks, n_most, s, t, slots)
            here = [token for x, token in slots.items() if first <= x // t < last] if t else []
            row = self.row(
                task,
                part,
                [token for chunk in chunks[first:last] for token in chunk],
                ([False] * s * q + [True] * (t + s * q)) * (last - first),
                (first * s, max(first * s, min(last * s, self.n_frames))),
                n_text_tokens=len(here),
                n_late_text_tokens=sum(token.is_late for token in here),
                n_dropped_text_tokens=sum(n for stop, n in drops if first <= stop < last),
                n_pad_tokens=2 * q * sum(frame >= self.n_frames for frame in range(first * s, last * s)),
                **self.labels(
                    first,
                    last,
                    s,
                    lambda f, c=first: (f // s - c) * width + s * q + t + f % s * q,
                    (last - first) * width,
                ),
            )
            blocks = [((chunk - first) * width, ids) for chunk, ids in came if first <= chunk < last]
            rows.append(self.with_given(row, blocks))
            first, part = last, part + 1
        return rows

    # -- parallel

    def parallel(self) -> list[dict]:
        slots, drops = self.text_stream(1, 1)
        n = max(self.n_frames, max(slots, default=-1) + 1)
        delay, q = self.flatten["acoustic_delay"], self.n_codebooks
        padded = {role: frames + [self.silence_codes] * (n - self.n_frames) for role, frames in self.codes.items()}
        texts = self.slot_ids(slots, n)
        rows, first, part = [], 0, 0
        while first < n:
            last = self.end_of_row(first, n, self.flatten["max_tokens"] - delay, 1, 1, slots)
            width = last - first + delay
            lines = [texts[first:last] + [-1] * delay]
            for role, k in itertools.product(("assistant", "user"), range(q)):
                codes = [frame[k] for frame in padded[role][first:last]]
                lines.append([-1] * delay + codes if k else codes + [-1] * delay)
            mask = [[token != -1 and line <= q for token in tokens] for line, tokens in enumerate(lines)]
            here = [token for x, token in slots.items() if first <= x < last]
            frames = first, max(first, min(last, self.n_frames))
            counts = {
                "n_tokens": width,
                "n_text_tokens": len(here),
                "n_late_text_tokens": sum(token.is_late for token in here),
                "n_dropped_text_tokens": sum(n for stop, n in drops if first <= stop < last),
                "n_pad_tokens": sum(frame >= self.n_frames for frame in range(first, last)),
            }
            labels = self.labels(first, last, 1, lambda f, c=first: f - c, width)
            rows.append(self.row("parallel", part, lines, mask, frames, **counts, **labels))
            first, part = last, part + 1
        return rows

    def end_of_row(self, first: int, n_chunks: int, n_most: int, s: int, t: int, slots: dict) -> int:
        if n_chunks - first <= n_most:
            return n_chunks
        badness = {}
        for place in range(first + 1, first + n_most + 1):
            bad = 0
            for call in self.calls.values():
                begin, end = call["start_samples"] // self.hop, call["end_samples"] // self.hop
                bad += 2 * (begin // s < place <= end // s + 1)
            for u in self.heard:
                begin, end = self.frames(u)
                if begin // s < place <= (end - 1) // s:
                    bad += 2 if u["role"] == "assistant" else 1
            for text in {
                token.of if self.flatten["text_alignment"] == "words" else token.of[:1] for token in slots.values()
            }:
                held = [x // t for x, token in slots.items() if token.of[: len(text)] == text]
                bad += min(held) < place <= max(held)
            badness[place] = bad
        return max(place for place, bad in badness.items() if bad == min(badness.values()))

    def labels(self, first: int, last: int, s: int, place: Callable[[int], int], end: int) -> dict:
        def frame(samples: int) -> int:
            return math.ceil(samples / self.hop)

        def inside(samples: int) -> bool:
            return first * s <= frame(samples) < min(last * s, self.n_frames)

        def position(samples: int) -> int:
            f = frame(samples)
            return place(f) if f // s < last else end

        floor = [u for u in self.heard if u["kind"] in FLOOR]
        ends = [
            u["end_samples"]
            for u, after in itertools.pairwise(floor)
            if (u["role"], after["role"]) == ("user", "assistant")
            and u["n_cut_samples"] == 0
            and after["start_samples"] >= u["end_samples"]
            and not any(c["start_samples"] < u["end_samples"] < c["end_samples"] for c in self.calls.values())
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
            "flatten.interleave={text: 3, speech: 10}",
            "flatten.assistant_silence=codes",
            "flatten.loss_on_user_text=false",
        ),
        (
            "timing={profile: omniflatten, barge_in: {probability: 1}, fade_ms: 100}",
            "flatten={speech_chunk_tokens: 7, text_chunk_tokens: 3, max_tokens: 300, asr_roles: [assistant]}",
        ),
        (
            "timing={profile: natural, barge_in: {probability: 0.8}}",
            "engines.speech_tokenizer={name: tone_codebooks}",
            "flatten={speech_chunk_tokens: 4, text_chunk_tokens: 9, text_alignment: words, acoustic_delay: 2}",
            "flatten={half_duplex: heard, chat_turns: 3, interleave: {text: 5, speech: 4}}",
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
    readers = [Reader(c, *about, asdict(manifest.silence)) for c in conversations]
    for task in TASKS:
        wanted = [row for reader in readers for row in reader.rows(task)]
        assert wanted
        assert read(out, task) == wanted


# -- anything -------------------------------------------------------------------------------------------------------

HOP, SIZES = 960, (50, 9, 7, 3)


def vocabulary(n_codebooks: int) -> Vocabulary:
    return Vocabulary.of(1000, 1000, 1010, SIZES[:n_codebooks])


def anything(seed: int, n_codebooks: int) -> Streams:
    """A conversation in which all kinds of utterances and events are somewhere, cut and uncut."""
    chance = np.random.default_rng(seed)

    def draw_codes(n_frames: int) -> np.ndarray:
        return chance.integers(0, SIZES[:n_codebooks], (n_frames, n_codebooks)).astype(np.uint16).reshape(-1)

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
            rest = draw_codes(-(-(start + length) // HOP) - first)
            u = replace(u, rest_codes=rest, rest_start_frames=first)
        n_heard = ends[role] - start
        starts = np.sort(chance.integers(0, max(n_heard, 1), draw(len(ids) + 1) if n_heard else 0)).astype(np.int32)
        u = replace(u, id_starts_samples=starts[: len(u.spoken_ids) or len(u.text_ids)])
        utterances.append(u)
    n_samples = -(-(max(ends.values()) + draw(9000) + 1) // HOP) * HOP
    cut = [u for u in utterances if u.n_cut_samples]
    events = [Event(("gap", "backchannel", "barge_in")[draw(3)], "user", draw(n_samples), n_samples) for _ in range(4)]
    events += [Event("barge_in", "user", max(u.end_samples - 900, 0), u.end_samples, -1, draw(4) > 0) for u in cut]
    codes = [draw_codes(n_samples // HOP) for _ in range(2)]
    about = (tuple(utterances), tuple(events), Mixing("", None, 0, 0))
    more = np.random.default_rng((2, seed))
    calls, free = [], 0
    for k, u in enumerate(utterances):
        may = u.role == "assistant" and u.kind in ("turn", "filler") and u.end_samples > max(u.start_samples, free)
        if may and more.random() < 0.4:
            free = max(min(u.end_samples + int(more.integers(0, 40 * HOP)), n_samples - 1), u.end_samples)
            calls.append(_call(k, u.end_samples, free, more))
    head = {
        "system_ids": more.integers(0, 1000, int(more.integers(0, 20))).astype(np.int32),
        "voice_prompt": VoicePrompt("v", "t", codes[0][: 9 * n_codebooks]) if more.random() < 0.7 else None,
        "tool_calls": tuple(calls),
    }
    return Streams(f"d{seed}ü", 0, "s", "en", "train", n_samples, *codes, *about, **head)


def _call(k: int, start: int, end: int, chance: np.random.Generator) -> StoredCall:
    cancelled = bool(chance.random() < 0.3)
    ids = [chance.integers(0, 1000, int(chance.integers(1, 12))).astype(np.int32) for _ in range(2)]
    return StoredCall(k, "c", "r", ids[0], ids[1][: 0 if cancelled else None], start, end, cancelled)


@pytest.mark.parametrize("seed", range(60))
def test_every_row_of_any_conversation_follows_from_the_format_page(seed):
    n_codebooks, silence = (1, 4)[seed // 6 % 2], (3, 8, 1, 2)
    chance, s, v = np.random.default_rng((1, seed)), anything(seed, n_codebooks), vocabulary(n_codebooks)
    settings = FlattenConfig(
        tasks=TASKS,
        speech_chunk_tokens=int(chance.integers(1, 15)),
        text_chunk_tokens=int(chance.integers(1, 5)),
        max_tokens=int(chance.choice([64, 100, 150, 400, 8192])) * n_codebooks,
        codebooks=(None, 1, min(3, n_codebooks))[seed % 3],
        text_alignment=("relaxed", "words")[seed // 3 % 2],
        acoustic_delay=seed % 4,
        max_alignment_tokens=int(chance.choice([64, 1024])),
        assistant_silence=("special", "codes")[seed % 2],
        interrupted_text=("causal", "causal", "heard")[seed % 3],
        half_duplex=("whole", "heard")[seed % 2],
        alignment_takes=("whole", "heard")[seed // 2 % 2],
        max_canned_share=(0.05, 0.5, 1)[seed % 3],
        tts_roles=("user", "assistant"),
        system_prompt=bool(seed % 2),
        voice_prompt=seed % 5 > 1,
        tool_results=seed % 4 > 0,
        max_given_tokens=(2048, 40)[seed % 7 == 0],
        interleave={"text": int(chance.integers(1, 14)), "speech": int(chance.integers(1, 27))},
        chat_turns=(None, 1, 2, 5)[seed % 4],
    )
    rows: list[Row] = Flatten(settings, v, HOP, silence[:n_codebooks])(s)
    (conversation,) = conversations_table([s]).to_pylist()
    silences = {"silence_code": silence[0], "silence_codes": silence[:n_codebooks]}
    reader = Reader(conversation, settings.model_dump(mode="json"), asdict(v), HOP, silences)
    for task in TASKS:
        assert rows_table([row for row in rows if row.task == task]).to_pylist() == reader.rows(task)


@pytest.mark.parametrize("seed", range(12))
def test_the_first_codebook_alone_gives_the_rows_of_a_tokenizer_of_one(seed):
    many = anything(seed, 4)
    utterances = tuple(replace(u, rest_codes=u.rest_codes[::4]) for u in many.utterances)
    codes = {"user_codes": many.user_codes[::4], "assistant_codes": many.assistant_codes[::4]}
    one = replace(many, **codes, utterances=utterances)
    settings = FlattenConfig(tasks=TASKS, text_alignment=("relaxed", "words")[seed % 2], acoustic_delay=seed % 3)
    wanted = Flatten(settings, vocabulary(1), HOP, (3,))(one)
    found = Flatten(settings.model_copy(update={"codebooks": 1}), vocabulary(4), HOP, (3, 8, 1, 2))(many)
    for task in TASKS:
        tables = (rows_table([row for row in rows if row.task == task]) for rows in (found, wanted))
        assert len({str(table.to_pylist()) for table in tables}) == 1
