"""Units of several blocks: one file per table for all of them, and each record still made once, whatever dies."""

import gc
import os
import signal
import weakref
from collections import Counter

import pyarrow.parquet as pq
import pytest

from datagen.errors import StoreError
from datagen.export.export_job import ExportRequest, export
from datagen.inspect import open as open_output
from datagen.recipe import Recipe
from datagen.records import Reject
from datagen.run import unit_files
from datagen.run.build import build
from datagen.run.commit import commit_blocks
from datagen.run.merge import merge
from datagen.run.pieces import Deal
from datagen.run.reencode import reencode
from datagen.run.reflatten import reflatten
from datagen.run.status import status
from datagen.shards.manifest import Manifest
from datagen.shards.plan import PlannedInput, blocks_of, load_plan
from datagen.shards.schema import conversations_table
from datagen.shards.store import LocalStore
from datagen.shards.unit import Block, Marker
from tests.run.builds import children, command, fake, faults, flip, made, read, start, talk, talks, tree, until, worker
from tests.run.test_commit import FICKLE, Died
from tests.run.test_parity import same_as_never_stopped
from tests.run.test_pieces import ticketed

N = 10
BIG = ("run.unit_dialogues=2", "run.units_per_file=3")
"""Units of three blocks, of which the last unit has two."""


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A build of units of one block."""
    return made(tmp_path_factory.mktemp("plain"), "run.unit_dialogues=2", "mix.keep_audio=true", n=N)


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """The same in units of three."""
    return made(tmp_path_factory.mktemp("big"), *BIG, "mix.keep_audio=true", n=N)


def test_units_per_file_change_files_but_neither_rows_nor_digest(plain, big):
    assert big[1].digest == plain[1].digest
    assert (plain[1].n_units, big[1].n_units) == (5, 2)
    for table in ("conversations", "rejects", "asr", "three_stream"):
        assert sorted(map(repr, read(big[0], table))) == sorted(map(repr, read(plain[0], table)))
    files = Counter(file.table for file in big[1].files())
    assert files["conversations"] == files["rejects"] == 2
    assert max(files.values()) <= 2 * 3
    assert faults(big[0]) == []
    assert not (big[0] / "blocks").exists()


def test_one_unit_per_file_is_no_part_of_an_identity(tmp_path):
    """So builds from before there were any resume, and keep their hashes."""
    found = [fake(tmp_path, *more).identity()["run"] for more in ((), ("run.units_per_file=2",))]
    assert found == [{"unit_dialogues": 2}, {"unit_dialogues": 2, "units_per_file": 2}]


def test_planned_input_is_the_same_for_any_number_of_units_per_file(plain, big):
    found = [{k: data for k, data in tree(out).items() if k.startswith("input/")} for out, _ in (plain, big)]
    assert found[0] == found[1]
    store = LocalStore(big[0])
    plan = load_plan(store)
    records = PlannedInput(plan, store)
    assert [record.record for record in records.unit(1)] == [6, 7, 8, 9]
    assert [[r.record for r in records.block(block)] for block in blocks_of(plan, 1)] == [[6, 7], [8, 9]]


def test_a_block_is_a_row_group(big):
    path = big[0] / "conversations/000000.parquet"
    metadata = pq.ParquetFile(path).metadata
    assert [metadata.row_group(k).num_rows for k in range(metadata.num_row_groups)] == [1, 1, 2]  # d0 and d3: rejects


@pytest.mark.parametrize("n_workers", [1, 3])
def test_workers_do_not_show(big, tmp_path, n_workers):
    build(fake(big[0].parent, *BIG, "mix.keep_audio=true", n=N), str(tmp_path / "out"), n_workers)
    assert tree(tmp_path / "out") == tree(big[0])


# -- exactly once -----------------------------------------------------------------------------------------------


def dying(patch: pytest.MonkeyPatch, call: int, after: bool) -> list[str]:
    """Let the store die at its `call`-th change, a removal too, before or after it; gives the keys changed."""
    changed: list[str] = []

    def wrap(name: str) -> None:
        real = getattr(LocalStore, name)

        def change(store: LocalStore, key: str, *data: bytes) -> object:
            if len(changed) >= call + after:
                raise Died
            result = real(store, key, *data)
            changed.append(key)
            if len(changed) == call + 1 and after:
                raise Died
            return result

        patch.setattr(LocalStore, name, change)

    for name in ("create", "replace", "remove"):
        wrap(name)
    patch.setattr(unit_files, "_N_WRITERS", 1)
    return changed


def run(recipe: Recipe, out, call: int, after: bool) -> bool:
    """Build until the store dies; tells whether it did."""
    with pytest.MonkeyPatch.context() as patch:
        dying(patch, call, after)
        try:
            build(recipe, str(out))
        except Died:
            return True
        return False


def small(folder, *overrides: str) -> Recipe:
    """Units of two blocks of a record, and of one."""
    own = ("run.unit_dialogues=1", "run.units_per_file=2", "flatten.tasks=[three_stream]")
    return fake(folder, *own, *overrides, records=talks(4)[1:])


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_dying_at_any_change_and_running_again_changes_no_byte(tmp_path, after):
    recipe, call = small(tmp_path), 0
    build(recipe, str(tmp_path / "clean"))
    clean = tree(tmp_path / "clean")
    while run(recipe, out := tmp_path / f"out{call}", call, after):
        build(recipe, str(out))
        assert tree(out) == clean  # so nothing is lost, double or left over
        call += 1
    assert call == len(clean) + 2 * 2  # two blocks come and go
    assert faults(out) == []


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_voice_that_never_repeats_itself_still_gives_one_content(tmp_path, after):
    """What a block was when it was kept, it is in its unit."""
    recipe, call = small(tmp_path, *FICKLE), 0
    while run(recipe, out := tmp_path / f"out{call}", call, after):
        before = tree(out)
        build(recipe, str(out))
        assert faults(out) == []
        kept = {k for k in before if k.startswith(("conversations/", "three_stream/", "rejects/", "units/"))}
        assert {k: before[k] for k in kept} == {k: tree(out)[k] for k in kept}
        call += 1
    assert call > 10


def test_kept_blocks_are_not_made_again(tmp_path):
    recipe, out = fake(tmp_path, *BIG, *FICKLE, n=6), tmp_path / "out"
    first = worker(recipe, LocalStore(out))
    blocks = blocks_of(load_plan(LocalStore(out)), 0)
    assert first.block(blocks[1]) is None
    made_again: list[str] = []
    apply = first.apply
    first.apply = lambda items: made_again.extend(item.id for item in items) or apply(items)
    first.run(0)
    assert made_again == ["d0", "d1", "d4", "d5"]


def test_a_late_attempt_at_a_block_leaves_nothing_behind(tmp_path):
    """It has begun a block of a unit that another attempt commits meanwhile."""
    recipe, store = fake(tmp_path, *BIG, n=6), LocalStore(tmp_path / "out")
    late, first = worker(recipe, store), worker(recipe, store)
    block = blocks_of(load_plan(store), 0)[1]
    results = late.apply(late.begin(block))
    marker = first.run(0)
    before = tree(tmp_path / "out")
    assert late.keep(block, results) is None
    assert late.join_if_last(block) == late.join(block) == marker
    assert tree(tmp_path / "out") == before


def test_attempts_that_commit_a_unit_at_once_agree(tmp_path, monkeypatch):
    """The other one commits, and removes the blocks, while this one reads them."""
    recipe, store = fake(tmp_path, *BIG, n=6), LocalStore(tmp_path / "out")
    slow, quick = worker(recipe, store), worker(recipe, store)
    blocks = blocks_of(load_plan(store), 0)
    for block in blocks:
        slow.block(block)
    real, joined = LocalStore.read, []

    def read(self: LocalStore, key: str) -> bytes:
        if key == blocks[2].key and not joined:
            joined.append(True)
            joined.append(quick.join(blocks[0]))
        return real(self, key)

    monkeypatch.setattr(LocalStore, "read", read)
    assert slow.join(blocks[0]) == joined[1]
    assert not (tmp_path / "out/blocks").exists()


@pytest.mark.parametrize("damage", ["flipped", "of another unit"])
def test_a_damaged_block_is_named(tmp_path, damage):
    recipe, store = fake(tmp_path, *BIG, n=12), LocalStore(tmp_path / "out")
    made_by = worker(recipe, store)
    first, other = blocks_of(load_plan(store), 0)[0], blocks_of(load_plan(store), 1)[0]
    made_by.block(first)
    if damage == "flipped":
        flip(tmp_path / "out" / first.key)
    else:
        made_by.block(other)
        (tmp_path / "out" / first.key).write_bytes(store.read(other.key))
    with pytest.raises(StoreError, match=rf"{first.key} .*; delete it and run the same command again"):
        build(recipe, str(tmp_path / "out"))
    (tmp_path / "out" / first.key).unlink()
    build(recipe, str(tmp_path / "out"))
    assert faults(tmp_path / "out") == []


def test_a_block_that_a_killed_worker_left_is_reported_and_removed_by_the_next_run(tmp_path):
    recipe, out = fake(tmp_path, *BIG, n=6), tmp_path / "out"
    build(recipe, str(out))
    clean = tree(out)
    (out / "blocks/000000").mkdir(parents=True)
    (out / "blocks/000000/0001.parquet").write_bytes(b"late")
    assert faults(out) == [
        "blocks/000000/0001.parquet: left over from a worker that was killed; delete it, or run the build again"
    ]
    build(recipe, str(out))
    assert tree(out) == clean


@pytest.mark.parametrize("victim", ["worker", "driver"])
def test_a_kill_in_the_middle_of_a_unit_changes_nothing(tmp_path, victim):
    recipe, tickets = ticketed(tmp_path, "run.unit_dialogues=2", "run.units_per_file=6")
    for k in range(5):  # some blocks are then kept, and the first unit is not finished
        (tickets / f"t{k}").touch()
    process = start(command(recipe, tmp_path, tmp_path / "out", 2), tmp_path)
    until(lambda: not any(tickets.iterdir()), process)
    os.kill(children(process.pid)[0] if victim == "worker" else process.pid, signal.SIGKILL)
    if victim == "driver":
        assert process.wait() == -signal.SIGKILL
        assert list((tmp_path / "out/blocks/000000").iterdir())
        assert status(LocalStore(tmp_path / "out")).n_blocks_kept > 0
        process = start(command(recipe, tmp_path, tmp_path / "out", 2), tmp_path, "rerun")
    (tickets / "all").touch()
    assert process.wait() == 0, (tmp_path / "log").read_text()
    same_as_never_stopped(recipe, tmp_path)


def test_a_dialogue_that_kills_its_worker_is_a_reject_and_its_block_is_kept(tmp_path):
    deadly = talk("Please go on.", "No, I die here.", id="x")
    records = [*talks(9)[1:3], deadly, *talks(9)[4:6]]
    voice = "engines.tts={name: 'tests.run.engines:Deadly'}"
    out, manifest = made(tmp_path, voice, *BIG, "limits.attempts=2", records=records, n_workers=1)
    assert (manifest.rejects, manifest.n_conversations, manifest.n_units) == ({"run/crashed_worker": 1}, 4, 1)
    assert faults(out) == []


# -- dealing ----------------------------------------------------------------------------------------------------


class Hand:
    """A worker whose blocks have four records; notes what it does."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Block]] = []

    def block(self, block: Block) -> None:
        self.calls.append(("block", block))

    def begin(self, block: Block) -> list[str] | None:
        self.calls.append(("begin", block))
        return None if block.index == 1 else [reject_of(k) for k in range(4)]

    def piece(self, block: Block, records: list[str]) -> list[str]:
        return records

    def keep(self, block: Block, results: list[str]) -> None:
        self.calls.append(("keep", block))
        assert [r.record for r in results] == [0, 1, 2, 3]

    def join(self, block: Block) -> Marker:
        self.calls.append(("join", block))
        return Marker(block.unit, 1, 1, 0, "0")


def reject_of(record: int) -> Reject:
    return Reject(record, f"d{record}", "a", "source", "empty", "")


def test_blocks_are_dealt_whole_and_the_last_ones_in_pieces_and_a_unit_is_joined_after_its_last():
    blocks, hand = [Block(unit, k, 2) for unit in (3, 4) for k in range(2)], Hand()
    ended = list(Deal(blocks, 2, shares=True).work(hand))
    assert ended[:3] == [blocks[0], blocks[1], Marker(3, 1, 1, 0, "0")]
    assert sorted(each for each in ended if isinstance(each, Block)) == blocks
    assert [each.unit for each in ended if isinstance(each, Marker)] == [3, 4]
    assert [name for name, _ in hand.calls] == ["block", "block", "join", "begin", *["keep", "begin", "join"]]


# -- memory -----------------------------------------------------------------------------------------------------


def test_a_commit_holds_one_block_of_conversations(tmp_path, big):
    """Tables of a block are gone before the third one is read: one is being written, one was just read."""
    store = LocalStore(tmp_path / "out")
    made_by = worker(fake(tmp_path, *BIG, n=N), store)
    alive: list[weakref.ref] = []

    class Held(list):
        """Results that can be watched."""

    def tables():
        for block in blocks_of(load_plan(store), 0):
            results = Held(r for r in made_by.apply(made_by.records(block)) if hasattr(r, "user_codes"))
            gc.collect()
            assert sum(ref() is not None for ref in alive) == 0
            alive.append(weakref.ref(results))
            table = conversations_table(results)
            del results
            yield table, []

    marker = commit_blocks(store, 0, tables(), made_by._flatten, made_by._header)
    assert marker.n_kept == 4


# -- what reads or makes such builds ----------------------------------------------------------------------------


def test_flattening_again_gives_the_same_rows(plain, big, tmp_path):
    changes = {"speech_chunk_tokens": 5}
    one, other = (reflatten(str(out), str(tmp_path / out.parent.name), changes) for out, _ in (plain, big))
    assert one.digest == other.digest
    assert faults(tmp_path / big[0].parent.name, big[0]) == []


def test_flattening_writes_a_row_group_for_many_conversations(big, tmp_path, monkeypatch):
    monkeypatch.setattr("datagen.run.reflatten._UNIT_DIALOGUES", 3)
    reflatten(str(big[0]), str(tmp_path / "out"), {"tasks": ["asr"]})
    store = LocalStore(tmp_path / "out")
    files = [tmp_path / "out" / file.key for file in Manifest.load(store).files("asr")]
    groups = [pq.ParquetFile(file).metadata.num_row_groups for file in files]
    assert max(groups) == 2


def test_encoding_again_gives_the_same_codes(plain, big, tmp_path):
    one, other = (reencode(str(out), str(tmp_path / out.parent.name), "tone_codebooks") for out, _ in (plain, big))
    assert read(tmp_path / plain[0].parent.name, "asr") is not None
    assert (one.n_units, other.n_units) == (5, 2)
    assert one.tables["three_stream"]["train"].n_tokens == other.tables["three_stream"]["train"].n_tokens
    rows = [sorted(map(repr, read(tmp_path / out.parent.name, "conversations"))) for out, _ in (plain, big)]
    assert rows[0] == rows[1]
    assert faults(tmp_path / big[0].parent.name) == []


def test_a_merge_keeps_the_units_of_its_first_build(plain, big, tmp_path):
    merged = merge([str(big[0]), str(plain[0])], str(tmp_path / "out"))
    assert merged.n_units == 4  # 20 records in units of 6
    assert merged.n_conversations == 2 * big[1].n_conversations
    assert faults(tmp_path / "out") == []


def test_a_merge_reads_sources_whose_units_are_no_multiple_of_its_own(plain, big, tmp_path):
    merged = merge([str(plain[0]), str(big[0])], str(tmp_path / "out"))
    assert (merged.n_units, merged.n_conversations) == (10, 2 * big[1].n_conversations)
    assert faults(tmp_path / "out") == []


def test_conversations_open_and_export_as_from_single_blocks(plain, big, tmp_path):
    one, other = (list(open_output(str(out)).conversations()) for out, _ in (plain, big))
    assert [talk.dialogue_id for talk in other] == [talk.dialogue_id for talk in one]
    for a, b in zip(one, other, strict=True):
        assert (a.audio.samples == b.audio.samples).all()
        assert [row.input_ids.tolist() for row in b.rows("asr")] == [row.input_ids.tolist() for row in a.rows("asr")]
    done = [export(str(out), str(tmp_path / out.parent.name), ExportRequest(format="moshi")) for out, _ in (plain, big)]
    assert (done[0].n_conversations, done[0].hours) == (done[1].n_conversations, done[1].hours)


def test_a_feed_reads_files_of_several_row_groups(plain, big):
    feed = pytest.importorskip("datagen.feed")
    found = []
    for out, _ in (plain, big):
        stage = feed.Stage("one", {"three_stream": 1}, 2048, 1)
        learned = Counter(
            label
            for batch in feed.Feed(str(out), stage, epochs=1)
            for label in batch.inputs["labels"].flatten().tolist()
        )
        found.append({label: n for label, n in learned.items() if label != feed.IGNORED})
    assert found[0] == found[1] != {}
