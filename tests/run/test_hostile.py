"""Whatever the input holds: every record ends in conversations or rejects, and nothing leaves the output."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.pipeline.pipeline import Pipeline
from datagen.records import Dialogue, Reject, Streams, Turn
from datagen.run.planning import plan_build
from datagen.run.worker import Worker
from datagen.shards.manifest import Manifest
from datagen.shards.store import LocalStore
from tests.run.builds import fake, faults, made, read, talk, talks, tree

OK = "That sounds very nice to me."
LINES: list[object] = [
    b"{",
    b"nonsense",
    b"[]",
    b"null",
    b'"text"',
    b"1e999",
    b"\xff\xfe\x00",
    b'{"turns": "x"}',
    b"[" * 5000,
    b'{"id": ' + b"9" * 6000 + b"}",
    {"turns": []},
    {"turns": [{"role": "user", "text": 7}, {"role": "assistant", "text": OK}]},
    {"turns": [{"role": "tool", "text": "x"}]},
    {"turns": [{"role": "user"}, None]},
    {"turns": {"a": 1}, "id": ["x"]},
    talk("What\x00 is this?", OK, id="nul"),
    b'{"id": "surrogate", "turns": [{"role": "user", "text": "a \\ud800 b"}, {"role": "assistant", "text": "Yes."}]}',
    talk("Tell me about the sea.", "\u202eemoc lla ew\u202c and the sea.", id="rtl"),
    talk("قل لي شيئا عن البحر.", "البحر واسع وجميل جدا.", id="arabic"),
    talk("Do you know what <|im_end|> means?", "No, <|im_end|> is new to me.", id="special"),
    talk("Say <|endoftext|> aloud.", "<|speech_silence|> it is.", id="special2"),
    talk("Say it like [word](/phonemes/) please.", "Sure, [word](/wɜːd/) it is.", id="phonemes"),
    talk("Is <b>this</b> bold?", "<script>alert(1)</script> No, it is not.", id="html"),
    talk("One fish, two fish, red fish?", OK, id="../../etc/passwd"),
    talk("Three fish, four fish, more fish?", OK, id="/etc/passwd"),
    talk("Five fish, six fish, no fish?", OK, id="CON:|?*.parquet"),
    talk("Is this the same one?", OK, id="twice"),
    talk("Is this the other one?", OK, id="twice"),
    talk("", "", id="empty"),
    talk("  ", OK, id="blank"),
    talk("Is {0} or %s or ${x} what you mean?", OK, id="{0} %s %(x)s"),
    talk("Is [bold]this[/bold] rich to you?", OK, id="[bold red]x[/]"),
    talk("x" * 2_000_000, OK),
    talk("Say " + "very " * 300_000 + "long things.", OK),
    talk("Say " + "very " * 100_000 + "long things.", OK, id="wordy"),
    talk("🦊" * 300, OK, id="foxes"),
    talk("Zalgo t̷̢̛e̸x̵t is fine?", OK, id="zalgo"),
    talk("Is \u200bthis\ufeff seen by anyone?", OK, id="invisible"),
    talk(*[f"Turn number {k} of many." for k in range(200)], id="turns"),
    {"conversations": [{"from": "human", "value": "Is this sharegpt?"}, {"from": "gpt", "value": OK}]},
    {"messages": [{"role": "user", "content": "Is it?"}, {"role": "assistant", "content": [{"type": "image"}]}]},
    {"instruction": "Say hello to everybody.", "input": "", "output": "Hello to everybody."},
    talk("Is this one good?", "Yes, this one is good.", id="good"),
]


LONG = next(k for k, line in enumerate(LINES) if len(str(line)) > 1 << 20)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "beside").write_bytes(b"mine")
    return made(folder, "run.unit_dialogues=8", "input.near_duplicates=0.9", records=LINES)


def test_every_record_is_kept_or_rejected_once_with_a_reason(built):
    out, manifest = built
    kept, rejects = read(out, "conversations"), read(out, "rejects")
    assert sorted(row["record"] for row in kept + rejects) == list(range(len(LINES)))
    assert manifest.n_records == len(LINES)
    assert all(row["stage"] and row["reason"] and row["detail"] for row in rejects)
    assert faults(out) == []


def test_none_of_it_is_a_surprise(built):
    """A reject for the reason `error` is an exception nobody foresaw."""
    rejects = read(built[0], "rejects")
    assert [(row["record"], row["detail"], row["traceback"]) for row in rejects if row["reason"] == "error"] == []


def test_the_good_ones_are_kept(built):
    kept = {row["dialogue_id"] for row in read(built[0], "conversations")}
    assert {"good", "../../etc/passwd", "/etc/passwd", "twice"} <= kept
    rejects = read(built[0], "rejects")
    reasons = {row["dialogue_id"]: row["reason"] for row in rejects}
    assert reasons["surrogate"] == "invalid_unicode"
    assert reasons["twice"] == "duplicate_id"
    assert reasons["nul"] == "control_characters"
    assert [row["reason"] for row in rejects if row["record"] in (LONG, LONG + 1)] == ["record_too_large"] * 2


def test_nothing_is_written_outside_the_output(built):
    out, _ = built
    assert {path.name for path in out.parent.iterdir()} == {"out", "in.jsonl", "beside"}
    assert (out.parent / "beside").read_bytes() == b"mine"
    names = {part for key in tree(out) for part in key.split("/")}
    assert not any("passwd" in name or "CON" in name for name in names)


def test_text_never_becomes_a_special_token(built):
    out, manifest = built
    n_text = manifest.vocabulary.n_text
    conversations = read(out, "conversations")
    assert all(token < n_text for c in conversations for u in c["utterances"] for token in u["text_ids"])


@pytest.mark.parametrize("text", ["<|im_end|>", "a<|endoftext|>b", "<|im_start|>user", "<|speech_silence|>"])
def test_the_real_tokenizer_spells_special_tokens_out(text):
    from datagen.engines.text_tokens.qwen2 import Qwen2Tokenizer

    tokenizer = Qwen2Tokenizer()
    ids = tokenizer.encode(text)
    assert len(ids) > 1
    assert max(ids) < 151_643  # below Qwen2's own special ids, the first of which is <|endoftext|>
    assert tokenizer.decode(ids) == text


@pytest.mark.slow
def test_a_huge_line_costs_only_itself(tmp_path):
    line = b'{"turns": [{"role": "user", "text": "' + b"x" * 50_000_000 + b'"}]}'
    out, _ = made(tmp_path, records=[talk("Is this one good?", OK, id="good"), line, talk("And this?", OK, id="too")])
    assert [row["dialogue_id"] for row in read(out, "conversations")] == ["good", "too"]
    assert [(row["record"], row["reason"]) for row in read(out, "rejects")] == [(1, "record_too_large")]
    assert faults(out) == []


# -- any records at all -----------------------------------------------------------------------------------------

spice = st.sampled_from(
    ["<|im_end|>", "{0}", "%s", "[x](/y/)", "<b>", "\x00", "\u202e", "...", "3.14", "你好吗", "🦊", "\n"]
)
letters = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
phrase = st.lists(
    st.sampled_from(["yes", "tell me", "about it", "please", "Well,", "no."]) | spice | letters, max_size=6
)
turns = st.lists(phrase.map(" ".join), max_size=5)
language = st.sampled_from(["", "en", "zh", "de"])


@pytest.fixture(scope="module")
def hands(tmp_path_factory: pytest.TempPathFactory) -> Worker:
    folder = tmp_path_factory.mktemp("worker")
    work, store = Pipeline(fake(folder)), LocalStore(folder / "out")
    return Worker(work, plan_build(work, store), store)


@given(st.lists(st.tuples(turns, language, letters), max_size=4), st.sets(st.integers(0, 3)))
@settings(max_examples=15, deadline=None)
def test_each_record_gives_exactly_one_result(hands, records, rejected):
    batch = []
    for k, (texts, spoken_in, name) in enumerate(records):
        said = tuple(Turn("assistant" if i % 2 else "user", text) for i, text in enumerate(texts))
        kept = Dialogue(name, said, "s", spoken_in, k)
        batch.append(Reject(k, name, "s", "source", "broken_json", "") if k in rejected else kept)
    found = hands.apply(batch)
    assert [result.record for result in found] == list(range(len(batch)))
    for item, result in zip(batch, found, strict=True):
        if isinstance(item, Reject):
            assert result is item
        assert isinstance(result, Streams | Reject)
        assert isinstance(result, Streams) or result.reason != "error", result.traceback


@given(st.lists(st.binary(max_size=60) | st.recursive(st.none() | st.booleans() | st.integers() | letters, st.lists)))
@settings(max_examples=10, deadline=None)
def test_lines_of_anything_are_all_accounted_for(tmp_path_factory, values):
    lines = [value.replace(b"\n", b"") if isinstance(value, bytes) else json.dumps(value).encode() for value in values]
    lines = [talks(2)[1], *(line for line in lines if line.strip())]
    out, manifest = made(tmp_path_factory.mktemp("any"), "limits.max_rejected_share=1", records=lines)
    assert manifest.n_records == len(lines) == manifest.n_rejects + 1
    assert faults(out) == []
