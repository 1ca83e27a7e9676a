"""Numbers of a report, against a count of everything one by one."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from datagen.records import Event, Judged, Mixing, Origin, Streams
from datagen.report.choice import Candidate, Sample, opening, stretch
from datagen.report.survey import WrittenSums, count_rows, rejects, survey
from datagen.shards.unit import File
from tests.run.builds import made, read

FILE = File("conversations/000000.parquet", "conversations", "", 1, 0, 0, "")
NO_CODES = np.zeros(0, np.uint16)


@pytest.fixture(scope="module")
def found(output):
    return survey(output, 3)


def streams(*events: tuple[str, str, int], id: str = "d", n_samples: int = 100_000, language: str = "en") -> Streams:
    happened = tuple(Event(kind, role, at, at + 10) for kind, role, at in events)
    return Streams(
        id, 0, "", language, "train", n_samples, NO_CODES, NO_CODES, (), happened, Mixing("", None, 0.0, 0.0)
    )


def test_hours_languages_splits_and_voices(found, out):
    rows = read(out, "conversations")
    assert found.measured.battery.n_conversations == len(rows)
    assert found.languages == {"en": sum(row["n_samples"] for row in rows)}
    assert found.n_of_split == Counter(row["split"] for row in rows)
    for split, n_samples in found.splits.items():
        assert n_samples == sum(row["n_samples"] for row in rows if row["split"] == split)
    voices: Counter = Counter()
    for row in rows:
        for u in row["utterances"]:
            voices[u["role"], u["voice"]] += u["end_samples"] - u["start_samples"]
    assert found.voices == voices


def test_scores_of_takes(found, out):
    spoken = [u for row in read(out, "conversations") for u in row["utterances"]]
    figures = found.takes.figures()
    assert (figures["n"], figures["n_again"]) == (len(spoken), sum(u["attempt"] > 0 for u in spoken))
    assert dict(figures["faults"]) == Counter(fault for u in spoken for fault in u["scores"]["faults"])
    by_name = {figure["of"]: figure for figure in figures["measured"]}
    assert set(by_name) == {"ms_per_syllable", "longest_pause_ms", "tail_ms"}  # no recognizer, no judge
    values = sorted(u["scores"]["ms_per_syllable"] for u in spoken)
    assert by_name["ms_per_syllable"]["mean"] == pytest.approx(np.mean(values), abs=0.5)
    for name, share in (("p5", 0.05), ("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        nearest = values[math.ceil(share * len(values)) - 1]
        assert by_name["ms_per_syllable"][name] == pytest.approx(nearest, abs=0.5)


def test_use_of_codes(found, out, output):
    hop = output.manifest.clock.hop_samples
    for role in ("user", "assistant"):
        read_codes, n_frames, n_quiet = [], 0, 0
        for row in read(out, "conversations"):
            spans = [
                range(u["start_samples"] // hop, -(-u["end_samples"] // hop))
                for u in row["utterances"]
                if u["role"] == role and u["end_samples"] > u["start_samples"]
            ]
            for k, code in enumerate(row[f"{role}_codes"]):
                spoken = any(k in span for span in spans)
                n_frames, n_quiet = n_frames + 1, n_quiet + (not spoken)
                if spoken or role == "user":
                    read_codes.append(code)
        counts = Counter(read_codes)
        shares = [n / len(read_codes) for n in counts.values()]
        n_top = max(counts.values())
        figures = found.codes[role].figures()
        assert (figures["n_frames"], figures["n_codes"], figures["n_used"]) == (n_frames, len(read_codes), len(counts))
        assert figures["quiet_share"] == n_quiet / n_frames
        assert math.isclose(figures["entropy_bits"], -sum(s * math.log2(s) for s in shares))
        assert math.isclose(figures["perplexity"], math.prod(s**-s for s in shares))
        assert figures["top_share"] == n_top / len(read_codes) == counts[figures["top_code"]] / len(read_codes)
        assert figures["silence_code_share"] == counts[0] / len(read_codes)


def test_the_codes_counted_are_those_of_the_rows(found, out, output):
    """In two_stream every frame of both channels stands once, but for the filling of the last chunk."""
    v = output.vocabulary
    codes = {"user": Counter(), "assistant": Counter()}
    n_pad = 0
    for row in read(out, "two_stream"):
        for k, token in enumerate(row["input_ids"]):
            if v.kind(token) == "speech":
                codes["user" if k % 20 < 10 else "assistant"][token - v.speech_offset] += 1
        n_pad += row["n_pad_tokens"]
    assert n_pad == 0
    for role, counts in codes.items():
        assert {code: n for code, n in enumerate(found.codes[role].counts.tolist()) if n} == counts


def test_sums_of_tasks(out, output):
    sums = count_rows(output)
    assert set(sums) == {"asr", "tts", "four_stream", "three_stream", "two_stream"}
    for task, found in sums.items():
        rows = read(out, task)
        lengths = sorted(len(row["input_ids"]) for row in rows)
        figures = found.figures()
        n_text = sum(row["n_text_tokens"] for row in rows)
        assert (figures["n_rows"], figures["n_tokens"]) == (len(rows), sum(lengths))
        assert (figures["shortest"], figures["longest"]) == (lengths[0], lengths[-1])
        assert figures["median"] == lengths[math.ceil(len(rows) / 2) - 1]
        assert figures["p95"] == lengths[math.ceil(len(rows) * 0.95) - 1]
        assert figures["learned_share"] == sum(sum(row["loss_mask"]) for row in rows) / sum(lengths)
        assert figures["pad_share"] == sum(row["n_pad_tokens"] for row in rows) / sum(lengths)
        late = sum(row["n_late_text_tokens"] for row in rows)
        assert figures["late_share"] == (late / n_text if n_text else None)


def test_rejects_have_counts_and_the_first_examples(tmp_path):
    out = made(tmp_path, n=15)[0]
    import datagen.inspect

    (reason,) = rejects(datagen.inspect.open(str(out)))
    rows = read(out, "rejects")
    assert (reason["stage"], reason["n"], reason["examples"]) == (rows[0]["stage"], 5, rows[:3])


def offer(sample: Sample, *talks: Streams) -> list[str]:
    for index, talk in enumerate(talks):
        sample.offer(Candidate.of(talk, FILE, index, 1000))
    return [candidate.dialogue_id for candidate in sample.chosen()]


def test_the_sample_shows_everything_that_happens_barge_ins_first():
    dull = [streams(("gap", "user", 5), id=f"dull{k}") for k in range(30)]
    barge_in = streams(("barge_in", "user", 5), id="barge-in")
    hesitation = streams(("hesitation", "user", 5), id="hesitation")
    foreign = streams(("gap", "user", 5), id="foreign", language="zh")
    chosen = offer(Sample(4), *dull, hesitation, foreign, barge_in)
    assert chosen[0] == "barge-in"
    assert {"hesitation", "foreign"} < set(chosen)
    assert chosen == offer(Sample(4), barge_in, foreign, *reversed(dull), hesitation)


def test_what_was_scripted_and_did_not_happen_is_nothing_to_show():
    ghost = Event("barge_in", "user", 5, 10, placed=False)
    talk = streams(("gap", "user", 5))
    unplaced = Candidate.of(
        Streams(**{n: getattr(talk, n) for n in talk.__dataclass_fields__} | {"events": (ghost,)}), FILE, 0, 1
    )
    assert unplaced.traits == {"language en"}


def test_short_conversations_are_preferred_and_few_are_held():
    sample = Sample(2)
    talks = [streams(("gap", "user", 5), id=f"d{k}", n_samples=10**6 if k % 2 else 1000) for k in range(40)]
    chosen = offer(sample, *talks)
    assert all(int(name[1:]) % 2 == 0 for name in chosen)
    assert sum(map(len, sample._by_traits.values())) == 2


def test_the_stretch_of_a_long_conversation_is_where_most_happens():
    events = [("gap", "user", at) for at in range(0, 100_000, 2000)]
    events += [("barge_in", "user", 70_000), ("backchannel", "user", 75_000)]
    first, last = stretch(streams(*events), 200, 1000, 100)
    assert last - first == 200
    assert first * 100 <= 70_000 and last * 100 > 75_000
    assert stretch(streams(*events), 5000, 1000, 100) == (0, 1000)


def test_the_stretch_leaves_time_to_hear_the_event():
    """A cough before would fit into the stretch, but then the barge-in would be its end."""
    first, last = stretch(streams(("cough", "user", 32_000), ("barge_in", "user", 44_000)), 200, 1000, 100)
    assert first * 100 <= 44_000
    assert last * 100 - 44_000 >= 5000


def test_a_conversation_opens_at_the_users_barge_in():
    events = streams(
        ("gap", "user", 5),
        ("hesitation", "user", 10),
        ("barge_in", "assistant", 20),
        ("barge_in", "user", 30),
        ("barge_in", "user", 40),
    ).events
    assert opening(events).start_samples == 30
    assert opening(events[:3]).start_samples == 20
    assert opening(events[:2]).kind == "hesitation"
    assert opening(events[:1]) is None


def test_who_wrote_scripted_and_judged():
    sums = WrittenSums()
    origin = Origin("script", "script", 2, "f" * 64, "m", "a")
    sums.add(replace(streams(), scripted_by="marks", judged=Judged(7, None, 10), written_by=(origin, origin)))
    sums.add(replace(streams(), scripted_by="marks", judged=Judged(8, None, 10), written_by=(origin,)))
    sums.add(streams())
    figures = sums.figures()
    assert figures["scripted_by"] == {"marks": 2, "rules": 1, "recorded": 0}
    assert [(j["of"], j["n"], j["mean"]) for j in figures["judged"]] == [("spokenness", 2, 7.5), ("safety", 2, 10)]
    assert figures["judged"][0]["shares"] == [0, 0, 0, 0, 0, 0, 0.5, 0.5, 0, 0]
    assert figures["origins"] == [
        {"task": "script", "prompt": "script", "version": 2, "sha256": "f" * 64, "model": "m", "n": 2}
    ]
    for k in range(30):
        sums.add(replace(streams(), written_by=(replace(origin, model=f"m{k}"),)))
    assert (len(sums.figures()["origins"]), sums.figures()["n_more"]) == (20, 11)
