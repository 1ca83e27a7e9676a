"""The last units in pieces: every record once and in order, whoever works on it, dies, or is slow."""

import os
import signal
import threading
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen.errors import EngineError
from datagen.records import Dialogue, Recorded, RecordedChannel, Reject, Turn
from datagen.run.build import build
from datagen.run.local import run_local
from datagen.run.pieces import Deal
from datagen.shards.unit import Block, Marker, whole_units
from tests.run.builds import children, command, fake, faults, made, start, talk, tree, until
from tests.run.test_parity import same_as_never_stopped

PATIENCE_S = 60


def dialogue(unit: int, k: int, length: int) -> Dialogue:
    return Dialogue(f"{unit}-{k}", (Turn("user", "a" * length),))


def marker(unit: int) -> Marker:
    return Marker(unit, 1, 1, 0, "0")


class Hand:
    """A worker that remembers its work. Its units are lists of lengths of dialogues; None: decided before."""

    def __init__(self, units: dict[int, list[int] | None]) -> None:
        self.units, self.whole, self.pieces, self.committed = units, list[int](), list[list[str]](), {}

    def unit(self, unit: int) -> Marker:
        self.whole.append(unit)
        return marker(unit)

    def begin(self, block: Block) -> Marker | list[Dialogue]:
        unit = block.unit
        lengths = self.units[unit]
        return marker(unit) if lengths is None else [dialogue(unit, k, n) for k, n in enumerate(lengths)]

    def piece(self, block: Block, records: list[Dialogue]) -> list[str]:
        self.pieces.append([record.id for record in records])
        return [f"made {record.id}" for record in records]

    def keep(self, block: Block, results: list[str]) -> Marker:
        self.committed[block.unit] = results
        return marker(block.unit)

    def stop(self) -> None:
        pass

    def close(self) -> None:
        pass


@given(
    sizes=st.lists(st.none() | st.lists(st.integers(1, 9), min_size=1, max_size=40), min_size=1, max_size=12),
    n_hands=st.integers(1, 4),
    shares=st.booleans(),
)
def test_every_unit_is_made_once_and_every_record_of_it_once_and_in_order(sizes, n_hands, shares):
    units, done = dict(enumerate(sizes)), []
    hands = [Hand(units) for _ in range(n_hands)]
    run_local(hands, whole_units(units), done.append, shares=shares)
    assert sorted(marker.unit for marker in done) == list(units)
    whole = [unit for hand in hands for unit in hand.whole]
    n_shared = min(2 * (n_hands - 1), len(units)) if shares else 0
    assert sorted(whole) == list(units)[: len(units) - n_shared]
    committed = {unit: results for hand in hands for unit, results in hand.committed.items()}
    shared = {unit: lengths for unit, lengths in units.items() if unit not in whole and lengths is not None}
    assert committed == {unit: [f"made {unit}-{k}" for k in range(len(n))] for unit, n in shared.items()}
    worked_on = Counter(name for hand in hands for piece in hand.pieces for name in piece)
    assert worked_on == Counter(f"{unit}-{k}" for unit, n in shared.items() for k in range(len(n)))


def test_pieces_become_smaller_toward_the_end_and_begin_with_the_longest_dialogues():
    lengths = [*range(1, 31), 500, 0]
    hand = Hand({4: lengths, 5: lengths})
    assert [marker.unit for marker in Deal(whole_units([4, 5]), 2, shares=True).work(hand)] == [4, 5]
    sizes = [len(piece) for piece in hand.pieces]
    assert sizes == [8, 7, 6, 5, 4, 2, 4, 3, 3, 2, 2, 2, 2, *[1] * 14]
    in_order = [name for piece in hand.pieces for name in piece]
    assert in_order[:3] == ["4-30", "4-29", "4-28"]
    assert in_order[-3:] == ["5-1", "5-0", "5-31"]


def test_recordings_are_as_long_as_their_sound_and_rejects_take_no_time():
    channel = RecordedChannel("s", "a.wav", 0, 24_000)

    def recording(name: str, n_samples: int) -> Dialogue:
        return Dialogue(name, (), recorded=Recorded("r", "c", "l", channel, channel, 0, n_samples))

    records = [Reject(0, "no", "a", "source", "empty", ""), recording("short", 5), recording("long", 9)]
    hand = Hand({})
    hand.begin = lambda _: records
    hand.piece = lambda _, chosen: [hand.pieces.append([r]) or r for r in chosen]
    list(Deal(whole_units([0]), 2, shares=True).work(hand))
    assert [piece[0] for piece in hand.pieces] == [records[2], records[1], records[0]]
    assert hand.committed == {0: records}


def test_workers_finish_what_a_slow_one_has_left_of_its_unit():
    """The slow one holds its first piece until all others are done, which is never if nobody helps."""
    helped, n_others = threading.Event(), 0

    class Slow(Hand):
        def piece(self, block: Block, records: list[Dialogue]) -> list[str]:
            assert helped.wait(PATIENCE_S)
            return super().piece(block, records)

    class Quick(Hand):
        def piece(self, block: Block, records: list[Dialogue]) -> list[str]:
            nonlocal n_others
            assert slow_began.wait(PATIENCE_S)
            n_others += len(records)
            if n_others == 32 - 4:
                helped.set()
            return super().piece(block, records)

    slow_began = threading.Event()
    slow, quick = Slow({0: [1] * 32}), Quick({0: [1] * 32})
    held = slow.piece
    slow.piece = lambda *arguments: (slow_began.set(), held(*arguments))[1]
    done = []
    run_local([slow, quick], whole_units([0]), done.append, shares=True)
    assert [marker.unit for marker in done] == [0]
    assert len(slow.pieces) == 1
    assert len([*slow.committed, *quick.committed]) == 1


@pytest.mark.parametrize("at", ["begin", "piece", "keep"])
def test_an_error_in_any_call_ends_the_run_and_whoever_waits(at):
    """The other worker waits for pieces, or has none; it must not wait for ever."""

    class Failing(Hand):
        def stop(self) -> None:
            self.stopped = True

    def fail(*_: object) -> None:
        raise EngineError("first")

    hands = [Failing({0: [1] * 8, 1: [1] * 8}) for _ in range(2)]
    for hand in hands:
        setattr(hand, at, fail)
    done = []
    with pytest.raises(EngineError, match="first"):
        run_local(hands, whole_units([0, 1]), done.append, shares=True)
    assert done == []
    assert all(hand.stopped for hand in hands)


@pytest.mark.parametrize("fails", [False, True])
def test_whoever_waits_for_pieces_gets_them_or_ends_when_their_reader_fails(monkeypatch, fails):
    waiting = threading.Event()

    class Noticed(threading.Condition):
        def wait(self, timeout: float | None = None) -> bool:
            waiting.set()
            assert super().wait(PATIENCE_S)
            return True

    class Reader(Hand):
        def begin(self, block: Block) -> Marker | list[Dialogue]:
            assert waiting.wait(PATIENCE_S)
            if fails:
                raise EngineError("first")
            return super().begin(block)

    monkeypatch.setattr("datagen.run.pieces.threading.Condition", Noticed)
    hands, done = [Reader({0: [1] * 32}) for _ in range(2)], []
    if fails:
        with pytest.raises(EngineError, match="first"):
            run_local(hands, whole_units([0]), done.append, shares=True)
    else:
        run_local(hands, whole_units([0]), done.append, shares=True)
    assert [marker.unit for marker in done] == ([] if fails else [0])


# -- whole builds -----------------------------------------------------------------------------------------------


def test_units_in_pieces_have_the_bytes_of_whole_ones(tmp_path):
    recipe = fake(tmp_path, "run.unit_dialogues=4", n=22)
    alone = build(recipe, str(tmp_path / "alone"))
    shared = build(recipe, str(tmp_path / "shared"), 3)
    assert shared.digest == alone.digest
    assert tree(tmp_path / "shared") == tree(tmp_path / "alone")


def test_a_decided_unit_is_not_made_again_by_workers_who_share(tmp_path):
    voice = "engines.tts={name: 'tests.run.engines:Fickle'}", "verify.max_floor_db=0", "run.unit_dialogues=16"
    out, first = made(tmp_path, *voice, n=16)
    for name in ("units/000000.json", "manifest.json"):
        (out / name).unlink()
    decided = tree(out)["conversations/000000.parquet"]
    assert build(fake(tmp_path, *voice, n=16), str(out), 2) == first
    assert tree(out)["conversations/000000.parquet"] == decided


def ticketed(folder, *overrides):
    """A unit of 16 dialogues, each of which needs a ticket, and the folder of tickets."""
    tickets = folder / "tickets"
    tickets.mkdir(parents=True)
    records = [talk(f"Tell me about {k} apples please.", "Here is a ticket for you.", id=f"d{k}") for k in range(16)]
    voice = f"engines.tts={{name: 'tests.run.engines:Ticketed', options: {{tickets: {tickets}}}}}"
    return fake(folder, voice, "run.unit_dialogues=16", *overrides, records=records), tickets


@pytest.mark.parametrize(
    "victim", [*(pytest.param(v, marks=pytest.mark.slow) for v in ("one worker", "both workers")), "driver"]
)
def test_whoever_is_killed_in_the_middle_of_a_shared_unit_changes_nothing(tmp_path, victim):
    recipe, tickets = ticketed(tmp_path)
    for k in range(7):  # both workers are then in the middle of a piece, and some pieces are done
        (tickets / f"t{k}").touch()
    arguments = command(recipe, tmp_path, tmp_path / "out", 2)
    process = start(arguments, tmp_path)
    until(lambda: not any(tickets.iterdir()), process)
    workers = children(process.pid)
    assert len(workers) == 2
    for pid in {"one worker": workers[:1], "both workers": workers, "driver": [process.pid]}[victim]:
        os.kill(pid, signal.SIGKILL)
    if victim == "driver":
        assert process.wait() == -signal.SIGKILL
        process = start(arguments, tmp_path, "rerun")
    (tickets / "all").touch()
    assert process.wait() == 0, (tmp_path / "log").read_text()
    same_as_never_stopped(recipe, tmp_path)


@pytest.mark.slow
def test_a_dialogue_that_kills_its_worker_is_a_reject_in_a_shared_unit_too(tmp_path):
    records = [talk(f"Please go on {k}.", "No, I die here." if k == 5 else "Sure.", id=f"d{k}") for k in range(16)]
    voice = "engines.tts={name: 'tests.run.engines:Deadly'}"
    out, manifest = made(tmp_path, voice, "run.unit_dialogues=16", "limits.attempts=2", n_workers=2, records=records)
    assert (manifest.rejects, manifest.n_conversations) == ({"run/crashed_worker": 1}, 15)
    assert faults(out) == []


def test_all_takes_of_a_shared_unit_are_kept(tmp_path):
    overrides = ("takes.keep=true", "run.unit_dialogues=16")
    shared, _ = made(tmp_path / "a", *overrides, n=16, n_workers=2)
    alone, _ = made(tmp_path / "b", *overrides, n=16)
    assert _keys(shared) == _keys(alone)


def _keys(out):
    """Keys of all kept takes."""
    return {
        data[at : at + 16]
        for part in (out / "takes" / "keys").iterdir()
        for data in [part.read_bytes()]
        for at in range(32, len(data), 16)
    }
