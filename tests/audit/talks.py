"""A build made by hand: conversations in which nothing is wrong, or one thing is.

Only columns that every data version has are written, and a recipe with the few keys that readers need, so it is also a
build of foreign make.
"""

import random
import zlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa

from datagen.shards.identity import Clock, Silence
from datagen.shards.manifest import MANIFEST, Manifest, Reproducible, Sums, write_part
from datagen.shards.store import LocalStore
from datagen.shards.tables import to_parquet
from datagen.shards.unit import File
from datagen.shards.vocab import Vocabulary
from datagen.text.references import function_words

RATE_HZ, HOP = 24_000, 960
N_SPEECH, N_TEXT = 10, 2
CHUNK = N_SPEECH * HOP
VOCABULARY = Vocabulary(n_text=5000, special_offset=5000, speech_offset=5100, codebook_size=512)
N_TALKS = 48
_VOICES = ("ann", "bob", "eve")
_LISTENER = {"en": ["mm hm", "yeah", "uh huh", "oh okay"], "zh": ["嗯嗯", "对", "是的", "哦好"]}
_SYLLABLES = [c + v + d for c in "bdfgklmnprtv" for v in "aeiou" for d in "bkmnprtl"]


def ms(n: float) -> int:
    """Milliseconds in samples."""
    return round(n * RATE_HZ / 1000)


class Talk:
    """One conversation: a user asks, interrupts the answer, hesitates in a third turn; a listener's sounds between."""

    def __init__(self, k: int, language: str = "en", fault: str = "") -> None:
        self.random, self.language, self.fault = random.Random(f"{k} {language}"), language, fault
        self.id, self.k = f"{language}-{k}", k
        self.split = "train" if k % 6 else "validation"
        self.voice = _VOICES[k % len(_VOICES)]
        self.utterances: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self._script()
        self.n_frames = -(-(max(u["end_samples"] for u in self.utterances) + ms(1000)) // HOP)
        self._sound()

    # -- what is said ---------------------------------------------------------------------------------------------

    def words(self, n: int) -> list[str]:
        """A sentence of words that nobody has said before."""
        if self.language == "zh":
            empty = function_words("zh")
            words = [c for c in (chr(0x4E00 + self.random.randrange(6000)) for _ in range(3 * n)) if c not in empty][:n]
            return [*words[:-1], words[-1] + "。"]
        words = ["".join(self.random.choices(_SYLLABLES, k=2)) for _ in range(n)]
        return [*words[:-1], words[-1] + "."]

    def say(self, role: str, words: list[str], at: int, turn: int, kind: str = "turn", **more: Any) -> dict[str, Any]:
        """Add an utterance; `end` cuts it off, `last` is by how much its last word is drawn out."""
        end, last = more.pop("end", None), more.pop("last", 1.6)
        per_letter, timed, time = ms(280 if self.language == "zh" else 55), [], at
        for k, word in enumerate(words):
            n = len(word.strip(".。"))
            length = round(n * per_letter * self.random.uniform(0.92, 1.08) * (last if k == len(words) - 1 else 1))
            timed.append({"text": word, "start_samples": time, "end_samples": time + length})
            time += length + ms(10)
        whole_end = timed[-1]["end_samples"]
        said = [w for w in timed if end is None or w["end_samples"] <= end]
        stop = whole_end if end is None else end
        texts = {"spoken": self.joined(words), "said": self.joined([w["text"] for w in said])}
        texts["unsaid"] = self.joined(words[len(said) :])
        found = {
            "role": role,
            "kind": kind,
            "turn": turn,
            "voice": self.voice if role == "user" else "anna",
            "text": texts["spoken"] if kind == "turn" else "",
            **texts,
            "words": said,
            "text_ids": self.ids(texts["said"]),
            "start_samples": at,
            "end_samples": stop,
            "n_cut_samples": whole_end - stop,
            **more,
        }
        self.utterances.append(found)
        return found

    def joined(self, words: list[str]) -> str:
        return ("" if self.language == "zh" else " ").join(words)

    def ids(self, text: str) -> list[int]:
        """A word an id, the end of a sentence one more."""
        words = list(text.replace("。", "")) if self.language == "zh" else text.replace(".", "").split()
        found = [10 + zlib.crc32(word.encode()) % 4000 for word in words]
        return [*found, 1] if text.endswith((".", "。")) else found

    def happens(self, kind: str, role: str, start: int, end: int, u: dict[str, Any] | None = None, **more: Any) -> None:
        utterance = self.utterances.index(u) if u else -1
        self.events.append(
            {"kind": kind, "role": role, "start_samples": start, "end_samples": end, "utterance": utterance}
            | {"placed": True, **more}
        )

    def beside(self, kind: str, words: list[str], at: int, turn: int, end: int | None = None) -> None:
        """A sound of the listener, and its event."""
        names = {"false_start": "attempt"}
        u = self.say("user", words, at, turn, names.get(kind, kind), end=end)
        self.happens(kind, "user", u["start_samples"], u["end_samples"], u)

    def _script(self) -> None:
        r = self.random
        first = self.say("user", self.words(7), ms(500), 0)
        answer = self._answer_start(first, r.randrange(50, 400))
        told = self.words(24)
        times = self.say("assistant", told, answer, 1)["words"]
        self.utterances.pop()
        start, reaction = times[13]["end_samples"], ms(r.uniform(450, 700))
        asks = self.words(6)
        if self.fault == "unheard":
            asks[2:4] = told[20:22]
        self.random.seed(f"again {self.id}")
        cut = self.say("assistant", told, answer, 1, end=start + reaction)
        start = cut["words"][-1]["end_samples"] - ms(300)
        cut_in = start, cut["end_samples"]
        self.beside("backchannel", [*r.choice(_LISTENER[self.language]).split()], cut["words"][2]["end_samples"], 1)
        if self.fault == "equal":
            self._make_equal(self.utterances[-1])
        brief = cut["words"][6]["end_samples"] + ms(100)
        claims = self.fault == "must_stop"
        n, length = (5, ms(r.uniform(900, 1200))) if claims else (2, ms(r.uniform(120, 220)))
        self.beside("false_start", self.words(n), brief, 1, brief + length)
        asked = self.say("user", asks, start, 2)
        for kind in ("barge_in", "next_turn"):
            self.happens(kind, "user", *cut_in, asked)
        second = self.say("assistant", self.words(14), self._answer_start(asked, r.randrange(50, 400)), 3)
        cough = second["words"][5]["start_samples"]
        self.happens("cough", "user", cough, cough + ms(350))
        whole = self.words(10)
        drawn = 2.4 if self.fault == "hesitation" else 1.05
        before = self.say("user", whole[:5], second["end_samples"] + ms(r.randrange(100, 600)), 4, last=drawn)
        after = self.say("user", whole[5:], before["end_samples"] + ms(r.randrange(500, 900)), 4, text="")
        before["text"] = self.joined(whole)
        self.happens("hesitation", "user", before["end_samples"], after["start_samples"], after)
        early = -200 if self.k % 4 == 0 else r.randrange(0, 400)
        self.say("assistant", self.words(12), self._answer_start(after, early), 5)
        self.events.sort(key=lambda e: (e["start_samples"], e["end_samples"]))

    def _answer_start(self, u: dict[str, Any], after_ms: float) -> int:
        if self.fault == "early" and self.k % 3 == 0:
            after_ms = -600
        return int(u["end_samples"]) + ms(after_ms)

    def _make_equal(self, u: dict[str, Any]) -> None:
        """The take that every conversation has."""
        at, length = u["start_samples"], ms(300) + _VOICES.index(self.voice)
        text = _LISTENER[self.language][0]
        words = text.split()
        u["words"] = [
            {"text": w, "start_samples": at + k * length, "end_samples": at + (k + 1) * length - 7}
            for k, w in enumerate(words)
        ]
        u["spoken"] = u["said"] = text
        u["end_samples"] = u["words"][-1]["end_samples"]
        u["text_ids"] = self.ids(text)

    # -- what it sounds like --------------------------------------------------------------------------------------

    def _sound(self) -> None:
        noise = random.Random(f"noise {self.id}")
        loop = [noise.randrange(1, 9) for _ in range(300)]
        if self.fault == "periodic":
            self.user = [loop[k % 300] if noise.random() < 0.9 else noise.randrange(1, 9) for k in range(self.n_frames)]
        else:
            self.user = [noise.randrange(1, 9) for _ in range(self.n_frames)]
        if self.fault == "shared":
            same = random.Random(f"loop {self.k // 2}")
            self.user[-60:] = [same.randrange(1, 9) for _ in range(60)]
        self.assistant = [0] * self.n_frames
        heard = [(u["role"], u["start_samples"], u["end_samples"]) for u in self.utterances]
        heard += [("user", e["start_samples"], e["end_samples"]) for e in self.events if e["kind"] == "cough"]
        for role, start, end in heard:
            codes = self.user if role == "user" else self.assistant
            for frame in range(start // HOP, -(-end // HOP)):
                codes[frame] = noise.randrange(100, 500)

    # -- its rows -------------------------------------------------------------------------------------------------

    def row(self) -> dict[str, Any]:
        """The row of `conversations`."""
        return {
            "dialogue_id": self.id,
            "language": self.language,
            "split": self.split,
            "n_samples": self.n_frames * HOP,
            "user_codes": self.user,
            "assistant_codes": self.assistant,
            "utterances": self.utterances,
            "events": self.events,
            "mixing": {"noise": "white", "snr_db": 20.0, "bursts": [], "bursts_db": None},
        }

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """Training rows by task."""
        turns = [u for u in self.utterances if u["kind"] == "turn" or self.fault == "canned"]
        aligned = [self._tokens("asr", k, u["text_ids"], u["start_samples"] // HOP) for k, u in enumerate(turns)]
        return {"asr": aligned, "tts": aligned, "four_stream": [self._four()], "three_stream": [self._three()]}

    def _tokens(self, task: str, part: int, ids: list[int], first: int, ends: tuple[int, ...] = ()) -> dict[str, Any]:
        return {
            "row_id": f"{self.id}#{task}#{part}",
            "dialogue_id": self.id,
            "input_ids": ids,
            "start_frames": first,
            "n_frames": self.n_frames,
            "n_text_tokens": len(ids),
            "user_turn_ends": list(ends),
        }

    def _four(self) -> dict[str, Any]:
        v, ids = VOCABULARY, list[int]()
        for u in self.utterances:
            if u["kind"] == "turn":
                text = u["text_ids"] if self.fault == "half" else self.ids(u["spoken"])
                ids += [v["<|sot|>"], *text, v["<|eot|>"]]
        return self._tokens("four_stream", 0, ids, 0)

    def _three(self) -> dict[str, Any]:
        v, n_chunks = VOCABULARY, -(-self.n_frames // N_SPEECH)
        text = [v["<|text_silence|>"]] * (n_chunks * N_TEXT)
        for u in self.utterances:
            if u["role"] == "assistant":
                first, stop = u["start_samples"] // CHUNK * N_TEXT, -(-u["end_samples"] // CHUNK) * N_TEXT
                ids = u["text_ids"] if self.fault == "knows" else self.ids(u["spoken"])
                ids = ids[: stop - first] if u["n_cut_samples"] else ids
                text[first : first + len(ids)] = ids
        row = list[int]()
        for k in range(n_chunks):
            user, assistant = (
                [v.speech_offset + c for c in (codes + [0] * N_SPEECH)[k * N_SPEECH : (k + 1) * N_SPEECH]]
                for codes in (self.user, self.assistant)
            )
            row += [*user, *text[k * N_TEXT : (k + 1) * N_TEXT], *assistant]
        ends = [
            -(-u["end_samples"] // HOP)
            for u, after in self._answered()
            if after["start_samples"] >= u["end_samples"] or self.fault == "answered"
        ]
        width = 2 * N_SPEECH + N_TEXT
        places = [f // N_SPEECH * width + width - N_SPEECH + f % N_SPEECH for f in ends]
        return self._tokens("three_stream", 0, row, 0, tuple(places))

    def _answered(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        floor = sorted((u for u in self.utterances if u["kind"] == "turn"), key=lambda u: u["start_samples"])
        return [(a, b) for a, b in pairwise(floor) if (a["role"], b["role"]) == ("user", "assistant")]


def publish(
    folder: Path, talks: list[Talk], change: Callable[[list[dict[str, Any]]], None] = lambda rows: None
) -> Path:
    """Write conversations and rows as a finished build of two units.

    Args:
        folder: Where.
        talks: Of which.
        change: What to do to the rows of `conversations` before they are written.
    """
    store, files = LocalStore(folder), list[File]()

    def put(key: str, table: str, split: str, rows: list[dict[str, Any]]) -> None:
        data = to_parquet(pa.Table.from_pylist(rows, schema=_CONVERSATIONS if table == "conversations" else _ROWS))
        store.create(key, data)
        files.append(File(key, table, split, len(rows), 0, len(data), ""))

    half = len(talks) // 2
    for unit, part in enumerate((talks[:half], talks[half:])):
        rows = [talk.row() for talk in part]
        change(rows)
        put(f"conversations/{unit:06d}.parquet", "conversations", "", rows)
        for task in ("asr", "tts", "four_stream", "three_stream"):
            for split in ("train", "validation"):
                made = [row for talk in part if talk.split == split for row in talk.rows()[task]]
                if made:
                    put(f"{task}/{split}-{unit:06d}.parquet", task, split, made)
    tables = {table: dict[str, Sums]() for table in ("asr", "tts", "four_stream", "three_stream")}
    manifest = Manifest(
        datagen="",
        data_version=0,
        recipe={"flatten": {"speech_chunk_tokens": N_SPEECH, "text_chunk_tokens": N_TEXT}},
        recipe_sha256="",
        inputs=(),
        engines={},
        vocabulary=VOCABULARY,
        clock=Clock(RATE_HZ, RATE_HZ // HOP, HOP),
        silence=Silence("special", "codes", 0),
        n_records=len(talks),
        n_conversations=len(talks),
        n_rejects=0,
        rejects={},
        hours=sum(talk.n_frames for talk in talks) / 25 / 3600,
        n_units=2,
        digest="",
        tables={**tables, "conversations": {"all": Sums(len(talks), 0, 0)}},
        reproducible=Reproducible("no", (), {}),
        index=(write_part(store, 0, files),),
    )
    store.create(MANIFEST, manifest.to_json())
    return folder


def _struct(**fields: pa.DataType) -> pa.DataType:
    return pa.struct(list(fields.items()))


_WORD = _struct(text=pa.string(), start_samples=pa.int64(), end_samples=pa.int64())
_UTTERANCE = _struct(
    **{name: pa.string() for name in ("role", "kind", "voice", "text", "spoken", "said", "unsaid")},
    **{name: pa.int64() for name in ("start_samples", "end_samples", "n_cut_samples")},
    turn=pa.int32(),
    words=pa.list_(_WORD),
    text_ids=pa.list_(pa.int32()),
)
_EVENT = _struct(
    **{name: pa.string() for name in ("kind", "role")},
    **{name: pa.int64() for name in ("start_samples", "end_samples", "utterance")},
    placed=pa.bool_(),
)
_MIXING = _struct(noise=pa.string(), snr_db=pa.float64(), bursts=pa.list_(pa.string()), bursts_db=pa.float64())
_CONVERSATIONS = pa.schema(
    [
        *((name, pa.string()) for name in ("dialogue_id", "language", "split")),
        *((name, pa.list_(pa.uint16())) for name in ("user_codes", "assistant_codes")),
        *(("n_samples", pa.int64()), ("utterances", pa.list_(_UTTERANCE)), ("events", pa.list_(_EVENT))),
        ("mixing", _MIXING),
    ]
)
_ROWS = pa.schema(
    [
        *((name, pa.string()) for name in ("row_id", "dialogue_id")),
        *((name, pa.list_(pa.int32())) for name in ("input_ids", "user_turn_ends")),
        *((name, pa.int32()) for name in ("start_frames", "n_frames", "n_text_tokens")),
    ]
)
