"""A build whose speech tokenizer has four codebooks, from the recipe to all that reads it."""

from pathlib import Path

import numpy as np
import pytest

import datagen
from datagen.audit.audit import audit
from datagen.errors import FeedError, RecipeError
from datagen.feed import Feed, Stage
from datagen.report.lines import lines_of
from datagen.report.survey import count_rows, survey
from datagen.run.merge import merge
from datagen.run.reflatten import reflatten
from datagen.shards.identity import Clock, Silence
from tests.run.builds import faults, made, read, talks

CODEC = "engines.speech_tokenizer={name: tone_codebooks}"
TASKS = "flatten.tasks=[asr, tts, four_stream, interleaved, chat, three_stream, two_stream, parallel]"
RECIPE = (CODEC, TASKS, "flatten.text_alignment=words", "splits.share_voices=true")
SIZES = (512, 16, 8, 4)


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory):
    return made(tmp_path_factory.mktemp("codebooks"), *RECIPE)


@pytest.fixture(scope="module")
def out(build) -> Path:
    return build[0]


def test_the_manifest_says_all_of_the_codebooks(build):
    manifest = build[1]
    assert manifest.vocabulary.sizes == SIZES
    assert manifest.vocabulary.codebook_size == sum(SIZES)
    assert manifest.clock == Clock(24_000, 12.5, 1920)
    assert manifest.silence == Silence("special", "codes", 0, (0, 8, 4, 2))
    assert manifest.row_codebooks == 4


def test_a_check_finds_no_fault(out):
    assert faults(out) == []


def test_codes_lie_frame_by_frame(out):
    for c in read(out, "conversations"):
        codes = np.array(c["user_codes"]).reshape(-1, 4)
        assert len(codes) * 1920 == c["n_samples"]
        assert (codes < SIZES).all()
        assert codes[:, 0].max() >= max(SIZES[1:])


def test_an_opened_build_shows_decodes_and_gives_matrices(out):
    output = datagen.open(str(out))
    talk = next(output.conversations())
    assert talk.decoded.seconds == talk.seconds
    (row,) = talk.rows("parallel")
    (three,) = talk.rows("three_stream")
    assert row.input_ids.shape == row.loss_mask.shape == (9, row.n_tokens)
    chunks, theirs = list(row.chunks()), list(three.chunks())
    assert [chunk.user for chunk in chunks[:3]] == [chunk.user for chunk in theirs[:3]]
    assert "9 streams" in str(row)
    assert all(len(chunk.user) == len(chunk.assistant) == 10 for chunk in theirs)
    assert f"{talk.streams.user_codes[0]}" in three._repr_html_()
    kind = output.arrow("parallel").schema.field("input_ids").type
    assert (kind.list_size, np.array(output.table("parallel")["input_ids"][0].tolist()).shape) == (
        9,
        row.input_ids.shape,
    )
    dataset = output.dataset("parallel")
    stored = {row["row_id"]: row["input_ids"] for row in read(out, "parallel")}
    first = dataset["train"].with_format("numpy")[0]
    assert first["input_ids"].tolist() == stored[first["row_id"]]


@pytest.mark.parametrize("task", ["interleaved", "chat"])
def test_rows_of_turns_are_shown_reported_and_fed(out, task, tmp_path):
    """Each stretch of speech is at its place in its speaker's channel, in frames of four codes."""
    output = datagen.open(str(out))
    n_lines = 0
    for talk in output.conversations():
        channels = {role: getattr(talk.streams, f"{role}_codes").reshape(-1, 4)[:, 0] for role in ("user", "assistant")}
        for row in talk.rows(task):
            assert "<|sot|>" in str(row)
            spoken = [line for line in lines_of(row, talk.streams) if "codes" in line]
            assert sum(len(line["codes"]) for line in spoken) * 4 == np.sum(row.input_ids >= 264)
            for line in spoken:
                role = line["kind"].split()[0]
                if role in channels and not line["kind"].endswith("unheard"):
                    first, last = line["start_samples"] // 1920, line["end_samples"] // 1920
                    assert line["codes"] == channels[role][first:last].tolist()
                    assert line["learned"] <= (role == "assistant")
                    n_lines += 1
    assert n_lines > 20
    stage = Stage("s", {task: 1}, max_tokens=8192, batch_size=1)
    ids = [batch.flat().inputs["input_ids"] for batch in Feed(str(out), stage, epochs=1, shuffle=False)]
    assert sum(int((each >= 264).sum()) for each in ids) == sum(
        sum(token >= 264 for token in row["input_ids"]) for row in output.arrow(task, "train").to_pylist()
    )


def test_a_report_counts_each_codebook(out):
    output = datagen.open(str(out))
    codes = {name: use.figures() for name, use in survey(output, 1).codes.items()}
    assert [codes[name]["codebook_size"] for name in codes if name.startswith("user")] == [*SIZES]
    n_frames = sum(c["n_samples"] for c in read(out, "conversations")) // 1920
    assert {use["n_frames"] for use in codes.values()} == {n_frames}
    assert codes["user, codebook 3"]["silence_code"] == 4
    sums = count_rows(output)["parallel"].figures()
    rows = read(out, "parallel")
    assert sums["n_tokens"] == sum(len(row["input_ids"][0]) for row in rows)
    learned = [learned for row in rows for line in row["loss_mask"] for learned in line]
    assert sums["learned_share"] == sum(learned) / len(learned)


def test_an_audit_reads_it(build):
    findings = audit(build[1], 100)
    assert findings
    assert not [finding.name for finding in findings if finding.verdict == "fail"]


def test_a_feed_gives_matrices_with_the_time_last(out, tmp_path):
    output = datagen.open(str(out))
    stored = [np.array(row["input_ids"]) for row in output.arrow("parallel", "train").to_pylist()]
    stage = Stage("s", {"parallel": 1}, max_tokens=512, batch_size=2)
    for _ in range(2):  # from shards, then from the cache
        found = []
        for batch in Feed(str(out), stage, epochs=1, shuffle=False, cache=str(tmp_path / "cache")):
            ids, labels = (batch.inputs[name].numpy() for name in ("input_ids", "labels"))
            assert ids.shape == labels.shape == (len(batch.tasks), 9, 512)
            flat = batch.flat().inputs["input_ids"][0].numpy()
            begins, ends = batch.boundaries.tolist()[:-1], batch.boundaries.tolist()[1:]
            found += [flat[:, begin:end] for begin, end in zip(begins, ends, strict=True) if flat[0, begin] >= 0]
            assert (labels[:, 5:] == -100).all()
            assert (labels[:, :, 0] == -100).all()
            assert ((labels == ids) | (labels == -100)).all()
        assert sorted(map(key, found)) == sorted(map(key, stored))
    assert stored


def key(matrix: np.ndarray) -> list[list[int]]:
    return matrix.tolist()


def test_matrices_share_no_stage_with_sequences():
    with pytest.raises(FeedError, match="no other task fits into a stage with them"):
        Stage("s", {"parallel": 1, "asr": 1}, 512, 2)


@pytest.mark.parametrize("n", (1, 3))
def test_fewer_codebooks_are_flattened_from_the_same_conversations(out, tmp_path, n):
    manifest = reflatten(str(out), str(tmp_path / "new"), {"codebooks": n})
    assert (manifest.row_codebooks, manifest.vocabulary.sizes) == (n, SIZES)
    assert faults(tmp_path / "new", out) == []
    many, few = (
        {row["row_id"]: row["input_ids"] for row in read(folder, "parallel")} for folder in (out, tmp_path / "new")
    )
    assert few == {name: [lines[0], *lines[1 : 1 + n], *lines[5 : 5 + n]] for name, lines in many.items()}


def test_more_codebooks_than_there_are_are_refused(out, tmp_path):
    with pytest.raises(RecipeError, match=r"flatten\.codebooks is 5; the speech tokenizer has 4"):
        reflatten(str(out), str(tmp_path / "new"), {"codebooks": 5})
    with pytest.raises(RecipeError, match=r"flatten\.codebooks is 5; the speech tokenizer has 4"):
        made(tmp_path, CODEC, "flatten.codebooks=5")
    assert not (tmp_path / "new").exists()


def test_builds_of_several_codebooks_merge(out, tmp_path):
    more = talks(4)
    for k, record in enumerate(more):
        record["id"] = f"e{k}"
        record["turns"][0]["text"] = f"And what about {k} pears?"
    other, _ = made(tmp_path, *RECIPE, records=more)
    merged = merge([str(out), str(other)], str(tmp_path / "both"))
    assert merged.vocabulary.sizes == SIZES
    assert faults(tmp_path / "both") == []
