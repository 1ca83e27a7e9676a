"""Shapes of public formats: one record each, detected and read right, by name and by itself."""
# ruff: noqa: E501  (tables of records are read by line)

import json
from typing import Any

import pytest

from datagen.errors import SourceError
from datagen.recipe import InputConfig, MappingConfig
from datagen.records import Dialogue, Reject
from datagen.sources import SHAPES, read
from datagen.sources.mappings.detection import fitting
from datagen.sources.mappings.table import ALSO, FORMATS, TABLE
from datagen.sources.shapes import Shapes, read_columns, usable

U, A = "user", "assistant"
Q1, A1, Q2, A2 = "Which tram stops here?", "Line four does.", "How often?", "Every eight minutes."
TALK = [(U, Q1), (A, A1), (U, Q2), (A, A2)]
ONE = TALK[:2]


def listed(
    role: str, text: str, names: tuple[Any, Any] = (U, A), words: tuple[str, ...] = (Q1, A1, Q2, A2)
) -> list[Any]:
    """A list of turns with fields of these names."""
    return [{role: names[i % 2], text: word} for i, word in enumerate(words)]


CHAT = listed("role", "content")
REPLIES = [
    {"role": "assistant", "text": "No idea.", "rank": 1, "replies": []},
    {
        "role": "assistant",
        "text": A1,
        "rank": 0,
        "replies": [{"role": "prompter", "text": Q2, "replies": [{"role": "assistant", "text": A2, "replies": []}]}],
    },
]
RECORDS: dict[str, tuple[str, Any, list[tuple[str, str]]]] = {
    "own": ("turns", {"turns": listed("role", "text")}, TALK),
    "OpenAI": ("messages", {"messages": [{"role": "developer", "content": "Be brief."}, *CHAT]}, TALK),
    "Anthropic": (
        "messages",
        {"system": "Be brief.", "messages": [{**t, "content": [{"type": "text", "text": t["content"]}]} for t in CHAT]},
        TALK,
    ),
    "LLaMA-Factory v1": (
        "messages",
        {"messages": [{**t, "content": [{"type": "text", "value": t["content"]}], "loss_weight": 0.0} for t in CHAT]},
        TALK,
    ),
    "UltraChat 200k": ("messages", {"prompt": Q1, "prompt_id": "p", "messages": CHAT}, TALK),
    "LMSYS": ("messages", {"conversation_id": "c", "model": "m", "conversation": CHAT, "language": "English"}, TALK),
    "CrossWOZ": ("messages", {"goal": [], "messages": listed("role", "content", ("usr", "sys"))}, TALK),
    "KTO": ("messages", {"messages": CHAT, "label": True}, TALK),
    "ShareGPT": ("sharegpt", {"conversations": listed("from", "value", ("human", "gpt"))}, TALK),
    "ShareGPT, models": ("sharegpt", {"conversations": listed("from", "value", ("user", "gpt-4o"))}, TALK),
    "ShareGPT, old": ("sharegpt", {"items": listed("from", "value", ("human", "bing"))}, TALK),
    "Belle 3.5M": ("sharegpt", {"id": "1", "conversations": listed("from", "value", ("human", "assistant"))}, TALK),
    "SDialog": ("sdialog", {"turns": listed("speaker", "text", ("Ann", "Bo"))}, TALK),
    "Taskmaster": ("sdialog", {"instruction_id": "i", "utterances": listed("speaker", "text", ("USER", "ASSISTANT"))}, TALK),
    "Wizard of Wikipedia": ("sdialog", {"dialog": listed("speaker", "text", ("1_Apprentice", "0_Wizard"))}, TALK),
    "Alpaca": ("alpaca", {"instruction": Q2, "input": "", "output": A2, "history": [[Q1, A1]]}, TALK),
    "Belle": ("alpaca", {"instruction": Q1, "input": "", "output": A1}, ONE),
    "Belle, several turns": (
        "alpaca",
        {"instruction": f"Human: {Q1}\nAssistant: {A1}\nHuman: {Q2}\nAssistant:", "input": "", "output": A2},
        TALK,
    ),
    "MOSS 003": (
        "moss",
        {"meta_instruction": "Be kind.", "chat": {
            "turn_1": {"Human": f"<|Human|>: {Q1}<eoh>\n", "Commands": "<|Commands|>: None<eoc>\n", "MOSS": f"<|MOSS|>: {A1}<eom>\n"},
            "turn_2": {"Human": f"<|Human|>: {Q2}<eoh>\n", "Commands": "<|Commands|>: None<eoc>\n", "MOSS": f"<|MOSS|>: {A2}<eom>\n"},
        }},
        TALK,
    ),
    "UltraChat": ("ultrachat", {"id": "0", "data": [Q1, A1, Q2, A2]}, TALK),
    "LIMA": ("lima", {"conversations": [Q1, A1, Q2, A2], "source": "x"}, TALK),
    "DailyDialog": ("dailydialog", {"dialog": [Q1, A1, Q2, A2], "act": [2, 1, 2, 1], "emotion": [0] * 4}, TALK),
    "SODA": ("soda", {"dialogue": [Q1, A1, Q2, A2], "speakers": ["Al", "Bo", "Al", "Bo"], "narrative": "x"}, TALK),
    "SODA, names out of turn": ("soda", {"dialogue": [Q1, A1, A2], "speakers": ["Al", "Bo", "Bo"]}, [(U, Q1), (A, f"{A1}\n{A2}")]),
    "Firefly": (
        "pairs",
        {"conversation_id": 1, "category": "x", "conversation": [{"human": Q1, "assistant": A1}, {"human": Q2, "assistant": A2}]},
        TALK,
    ),
    "Firefly 1.1M": ("firefly", {"kind": "QA", "input": Q1, "target": A1}, ONE),
    "Capybara": ("capybara", {"source": "x", "conversation": [{"input": Q1, "output": A1}, {"input": Q2, "output": A2}]}, TALK),
    "WebQA": ("input_output", {"input": Q1, "output": A1}, ONE),
    "Dolly": ("dolly", {"instruction": Q1, "context": "", "response": A1, "category": "open_qa"}, ONE),
    "Dolly, context": ("dolly", {"instruction": Q1, "context": "At noon.", "response": A1}, [(U, f"{Q1}\nAt noon."), (A, A1)]),
    "prompt, completion": ("prompt_completion", {"prompt": Q1, "completion": A1}, ONE),
    "KTO (TRL)": ("prompt_completion", {"prompt": CHAT[:1], "completion": CHAT[1:2], "label": True}, ONE),
    "prompt, response": ("prompt_response", {"prompt": Q1, "response": A1}, ONE),
    "ms-swift": ("query_response", {"query": Q2, "response": A2, "history": [[Q1, A1]], "system": "Be kind."}, TALK),
    "OpenOrca": ("question_response", {"id": "o", "system_prompt": "Be kind.", "question": Q1, "response": A1}, ONE),
    "WikiQA": ("question_answer", {"question": Q1, "answer": A1}, ONE),
    "CAMEL": ("camel", {"message_1": Q1, "message_2": A1}, ONE),
    "LLaMA-Factory DPO": (
        "dpo",
        {"conversations": listed("from", "value", ("human", "gpt"))[:3], "chosen": {"from": "gpt", "value": A2},
         "rejected": {"from": "gpt", "value": "No."}},
        TALK,
    ),
    "DPO (TRL)": ("dpo_prompt", {"prompt": Q1, "chosen": A1, "rejected": "No."}, ONE),
    "DPO (TRL), turns": ("dpo_prompt", {"prompt": CHAT[:3], "chosen": CHAT[3:], "rejected": CHAT[:1]}, TALK),
    "UltraFeedback": ("dpo", {"prompt": Q1, "chosen": CHAT, "rejected": CHAT[:2], "messages": CHAT}, TALK),
    "Orca DPO": ("dpo_question", {"system": "Be kind.", "question": Q1, "chosen": A1, "rejected": "No."}, ONE),
    "Alpaca DPO": ("dpo_instruction", {"instruction": Q1, "input": "", "chosen": A1, "rejected": "No."}, ONE),
    "DPO without a prompt": ("dpo_chosen", {"chosen": CHAT, "rejected": CHAT[:2]}, TALK),
    "LLaMA-Factory v1 DPO": ("dpo_chosen", {"chosen_messages": CHAT, "rejected_messages": CHAT[:2]}, TALK),
    "Gemini": (
        "gemini",
        {"systemInstruction": {"parts": [{"text": "Be kind."}]},
         "contents": [{"role": role, "parts": [{"text": text}]} for role, text in zip(["user", "model"] * 2, (Q1, A1, Q2, A2), strict=True)]},
        TALK,
    ),
    "OpenAI batch": ("openai_batch", {"custom_id": "b", "body": {"model": "m", "messages": CHAT}}, TALK),
    "MultiWOZ 2.1": ("multiwoz", {"goal": {}, "log": [{"text": text, "metadata": {}} for text in (Q1, A1, Q2, A2)]}, TALK),
    "MultiWOZ 2.2": ("multiwoz_22", {"services": [], "turns": listed("speaker", "utterance", ("USER", "SYSTEM"))}, TALK),
    "MultiWOZ 2.2 of the hub": (
        "multiwoz_22",
        {"turns": {"turn_id": list("0123"), "speaker": [0, 1, 0, 1], "utterance": [Q1, A1, Q2, A2], "frames": [{}] * 4}},
        TALK,
    ),
    "KdConv": ("kdconv", {"name": "x", "messages": [{"message": text} for text in (Q1, A1, Q2, A2)]}, TALK),
    "Topical-Chat": ("topical_chat", {"config": "A", "content": listed("agent", "message", ("agent_1", "agent_2"))}, TALK),
    "Persona-Chat": ("personachat", {"personality": ["x"], "history": [Q1, A1, Q2], "candidates": ["No.", A2]}, TALK),
    "TransferTransfo": (
        "personachat_utterances",
        {"personality": [], "utterances": [{"history": [Q1], "candidates": [A1]}, {"history": [Q1, A1, Q2], "candidates": ["No.", A2]}]},
        TALK,
    ),
    "ConvAI2": ("convai", {"dialog": listed("sender", "text", ("participant1", "participant2"))}, TALK),
    "ConvAI2, the bot first": (
        "convai",
        {"dialog_id": "0x1", "dialog": [
            {"id": i, "sender": f"participant{2 - i % 2}", "sender_class": ("Bot", "Human")[i % 2], "text": text}
            for i, text in enumerate(("Hello.", Q1, A1, Q2, A2))
        ], "bot_profile": [["x"]], "eval_score": 3},
        TALK,
    ),
    "Topical-Chat, as published": (
        "topical_chat",
        {"article_url": "x", "config": "A", "content": [
            {**turn, "sentiment": "Happy", "knowledge_source": ["FS1"], "turn_rating": "Good"}
            for turn in listed("agent", "message", ("agent_1", "agent_2"))
        ], "conversation_rating": {"agent_1": "Good", "agent_2": "Good"}},
        TALK,
    ),
    "Persona-Chat, a row": (
        "personachat",
        {"conv_id": 1, "utterance_idx": 1, "personality": ["x"], "history": [Q1], "candidates": ["No.", A1]},
        ONE,
    ),
    "DialogStudio": (
        "dialogstudio",
        {"original dialog id": "x", "dialog index": 1, "original dialog info": {}, "log": [
            {"turn id": 1, "user utterance": Q1, "system response": A1, "dialog history": "", "original user side information": {}},
            {"turn id": 2, "user utterance": Q2, "system response": A2, "dialog history": "x", "original user side information": {}},
        ], "prompt": ["Answer."]},
        TALK,
    ),
    "Synthetic-Persona-Chat": (
        "synthetic_persona_chat",
        {"Best Generated Conversation": f"User 1: {Q1}\nUser 2: {A1}\nUser 1: {Q2}\nUser 2: {A2}"},
        TALK,
    ),
    "OASST tree": ("oasst_tree", {"message_tree_id": "m", "prompt": {"role": "prompter", "text": Q1, "lang": "en", "replies": REPLIES}}, TALK),
    "HH-RLHF": ("hh_rlhf", {"chosen": f"\n\nHuman: {Q1}\n\nAssistant: {A1}\n\nHuman: {Q2}\n\nAssistant: {A2}", "rejected": "x"}, TALK),
    "Guanaco": ("guanaco", {"text": f"### Human: {Q1}### Assistant: {A1}### Human: {Q2}### Assistant: {A2}"}, TALK),
    "Llama 2 with a system prompt": (
        "llama2_text",
        {"text": f"<s>[INST] <<SYS>>\nBe kind.\n<</SYS>>\n\n{Q1} [/INST] {A1} </s><s>[INST] {Q2} [/INST] {A2} </s>"},
        TALK,
    ),
    "Wizard of Wikipedia, the wizard first": (
        "sdialog",
        {"chosen_topic": "x", "dialog": [
            {"speaker": f"{i % 2}_{('Wizard', 'Apprentice')[i % 2]}", "text": text, "retrieved_topics": []}
            for i, text in enumerate(("Hello.", Q1, A1, Q2, A2))
        ]},
        TALK,
    ),
    "Llama 2": ("llama2_text", {"text": f"<s>[INST] {Q1} [/INST] {A1} </s><s>[INST] {Q2} [/INST] {A2} </s>"}, TALK),
    "ChatML": (
        "chatml_text",
        {"text": "".join(f"<|im_start|>{who}\n{text}<|im_end|>\n" for who, text in [("system", "Be kind."), *TALK])},
        TALK,
    ),
    "MOSS 002": ("moss_002", {"prefix": "Be kind.", "plain_text": f"[Human]: {Q1}<eoh> [MOSS]: {A1}<eoa> [Human]: {Q2}<eoh> [MOSS]: {A2}<eoa>"}, TALK),
    "Baize": ("baize", {"topic": "x", "input": f"A talk.\n[|Human|] {Q1}\n[|AI|] {A1}\n[|Human|] {Q2}\n[|AI|] {A2}\n[|Human|] "}, TALK),
    "speakers": ("speakers", {"messages": listed("speaker", "text", ("A", "B"))}, TALK),
    **{name: (name, dict(zip(name.split("_"), (Q1, A1), strict=True)), ONE) for name in (
        "user_assistant", "human_assistant", "user_bot", "customer_agent", "prompt_answer", "question_reply")},
    "only a list of turns": ("messages", CHAT, TALK),
    "only texts": ("lima", [Q1, A1, Q2, A2], TALK),
    "JSON in a text": ("messages", {"messages": json.dumps(CHAT)}, TALK),
    "columns": ("sharegpt", {"conversations": {"from": ["human", "gpt"] * 2, "value": [Q1, A1, Q2, A2]}}, TALK),
}  # fmt: skip


def items(tmp_path: Any, *records: Any, **options: Any) -> list[Dialogue | Reject]:
    (tmp_path / "x.jsonl").write_text("\n".join(json.dumps(record, ensure_ascii=False) for record in records), "utf-8")
    return list(read(str(tmp_path / "x.jsonl"), **options))


def said(item: Dialogue | Reject) -> list[tuple[str, str]]:
    assert isinstance(item, Dialogue), item
    return [(turn.role, turn.text) for turn in item.turns]


@pytest.mark.parametrize("name", RECORDS)
def test_a_public_format_is_detected_and_may_be_set(tmp_path: Any, name: str) -> None:
    shape, record, words = RECORDS[name]
    assert said(items(tmp_path, record)[0]) == words
    assert said(items(tmp_path, record, shape=shape)[0]) == words
    as_read = record if isinstance(record, dict) else {"conversations": record}
    assert Shapes().read(as_read)[0] == shape


def test_each_shape_has_a_sample_and_names_public_formats() -> None:
    rows = {name for name, m in TABLE.items() if m.rows}
    assert {shape for shape, _, _ in RECORDS.values()} == set(TABLE) - rows
    assert len({format for formats in FORMATS.values() for format in formats}) >= 40
    assert all(FORMATS[name] for name in TABLE) and set(ALSO.values()) <= set(TABLE)
    assert SHAPES[:6] == ("turns", "messages", "sharegpt", "sdialog", "alpaca", "moss")


@pytest.mark.parametrize("name", ALSO)
def test_other_names_of_shapes_work(tmp_path: Any, name: str) -> None:
    record, words = next((record, words) for shape, record, words in RECORDS.values() if shape == ALSO[name])
    assert said(items(tmp_path, record, shape=name)[0]) == words


def test_a_shape_with_nothing_of_its_own_would_be_found_in_a_table() -> None:
    for shape, record, _ in RECORDS.values():
        if isinstance(record, dict):
            assert usable(record, "auto") and usable(record, shape)
            kept = {name: record[name] for name in read_columns(record)}
            assert Shapes().read(kept)[1] == Shapes().read(record)[1]
            only = {name: record[name] for name in read_columns(record, shape)}
            assert Shapes(shape).read(only)[1] == Shapes(shape).read(record)[1]


# -- rows, ids and wrappers ------------------------------------------------------------------------------------------

TREE = [
    {"message_tree_id": "t1", "message_id": "a", "parent_id": None, "role": "prompter", "text": Q1, "lang": "en"},
    {"message_tree_id": "t1", "message_id": "b", "parent_id": "a", "role": "assistant", "text": "No.", "rank": 1},
    {"message_tree_id": "t1", "message_id": "c", "parent_id": "a", "role": "assistant", "text": A1, "rank": 0},
    {"message_tree_id": "t2", "message_id": "d", "parent_id": None, "role": "prompter", "text": Q2, "lang": "en"},
    {"message_tree_id": "t2", "message_id": "e", "parent_id": "d", "role": "assistant", "text": A2, "rank": 0},
]


def test_rows_of_messages_become_best_paths(tmp_path: Any) -> None:
    found = items(tmp_path, *TREE)
    assert [(item.id, said(item), item.record, item.language) for item in found if isinstance(item, Dialogue)] == [
        ("t1", ONE, 0, "en"),
        ("t2", TALK[2:], 1, "en"),
    ]
    assert [said(item) for item in items(tmp_path, *TREE, limit=1)] == [ONE]


def test_rows_without_a_beginning_or_in_a_circle_end(tmp_path: Any) -> None:
    (found,) = items(tmp_path, *TREE[1:3])
    assert isinstance(found, Reject) and found.reason == "bad_turns" and "parent_id" in found.detail
    circle = [TREE[0], {**TREE[2], "message_id": "a"}]
    assert items(tmp_path, *circle)[0].reason == "no_turns"


def test_rows_of_a_table_are_grouped_by_a_field_of_the_recipe(tmp_path: Any) -> None:
    rows = [
        {"call": i // 2, "who": "Kunde" if i % 2 == 0 else "Berater", "words": text}
        for i, text in enumerate((Q1, A1, Q2, A2))
    ]
    mapping = MappingConfig(rows={"group": "call"}, role="who", text="words")  # type: ignore[arg-type]
    found = items(tmp_path, *rows, mapping=mapping, roles={"Kunde": "user", "Berater": "assistant"})
    assert [said(item) for item in found] == [ONE, TALK[2:]]
    (tmp_path / "x.jsonl").unlink()
    emotions = [
        {"conv_id": "e", "utterance_idx": i, "speaker_idx": 7 + i % 2, "utterance": t} for i, t in enumerate((Q1, A1))
    ]
    assert said(items(tmp_path, *emotions)[0]) == ONE


def test_marks_inside_texts_are_replaced(tmp_path: Any) -> None:
    texts = ("Hi_comma_ which tram stops here?", "Line four does_comma_ I think.")
    rows = [{"conv_id": "e", "utterance_idx": i, "speaker_idx": i, "utterance": text} for i, text in enumerate(texts)]
    (found,) = items(tmp_path, *rows)
    assert [text for _, text in said(found)] == [text.replace("_comma_", ",") for text in texts]


@pytest.mark.parametrize(
    "record",
    [
        {"text": f"<s>[INST] <<SYS>>\nBe kind.\n<</SYS>>\n\n{Q1} [/INST] {A1} </s>"},
        {"system": "Be kind.", "conversation": [{"human": Q1, "assistant": A1}]},
    ],
)
def test_a_system_prompt_of_a_text_or_beside_pairs_is_kept(tmp_path: Any, record: Any) -> None:
    (found,) = items(tmp_path, record)
    assert (found.system, said(found)) == ("Be kind.", ONE)


def test_rows_of_one_record_have_a_limit(tmp_path: Any) -> None:
    rows = [{**TREE[0], "message_id": f"{i}", "parent_id": f"{i - 1}" if i else None} for i in range(40)]
    (found,) = items(tmp_path, *rows, max_record_bytes=2000)
    assert isinstance(found, Reject) and found.reason == "record_too_large"


def test_an_object_of_ids_is_many_records_with_these_ids(tmp_path: Any) -> None:
    chats = {"b": {"id": 7, "messages": CHAT}, "a": {"messages": CHAT[:2]}, "c": {"goal": 1}, "d": CHAT}
    found = items(tmp_path, chats)
    assert [getattr(item, "id", None) for item in found] == ["b", "a", None, "d"]
    assert (found[2].reason, found[2].dialogue_id, found[2].record) == ("unknown_shape", "c", 2)


@pytest.mark.parametrize(
    "record",
    [{"version": 1, "data": [{"messages": CHAT}]}, {"train": [CHAT], "valid": []}, {"sample": {"messages": CHAT}}, {"data": {"dialogue": CHAT}}],
)  # fmt: skip
def test_a_wrapper_is_opened_and_gives_no_id(tmp_path: Any, record: Any) -> None:
    (found,) = items(tmp_path, record)
    assert said(found) == TALK and found.id == "x-0"


@pytest.mark.parametrize(
    "record",
    [
        {"questions": [Q1, Q2], "answers": [A1, A2]},
        {"task": {"prompt": Q1, "completion": A1}, "turns": []},
        {"definition": Q1, "positives": [{"input": Q1, "output": A1}]},
        {"a": {"x": 1}, "b": {"messages": CHAT}},
    ],
)
def test_what_only_looks_like_several_records_is_one(tmp_path: Any, record: Any) -> None:
    (found,) = items(tmp_path, record)
    assert isinstance(found, Reject)


# -- detection -------------------------------------------------------------------------------------------------------


def test_a_record_that_reads_differently_names_the_candidates(tmp_path: Any) -> None:
    both = {"messages": CHAT, "instruction": Q2, "output": A2}
    (found,) = items(tmp_path, both)
    assert isinstance(found, Reject) and found.reason == "ambiguous_shape"
    assert "messages or alpaca" in found.detail and "input.shape" in found.detail
    assert said(items(tmp_path, both, shape="alpaca")[0]) == TALK[2:]
    same = {"messages": CHAT[:2], "instruction": Q1, "output": A1}
    assert said(items(tmp_path, same)[0]) == ONE
    unfit = {"messages": CHAT, "instruction": Q1, "output": None}
    assert said(items(tmp_path, unfit)[0]) == TALK


def test_a_shape_that_reads_more_wins() -> None:
    assert fitting({"input": Q1, "output": A1, "instruction": Q1}, "auto") == ["alpaca"]
    assert fitting({"messages": CHAT[:1], "chosen": {"role": A, "content": A1}}, "auto") == ["dpo"]
    assert fitting({"turns": [{"speaker": "Al", "utterance": Q1}]}, "auto") == ["multiwoz_22"]


def test_an_unknown_record_says_what_to_do(tmp_path: Any) -> None:
    (found,) = items(tmp_path, {"id": 1, "talk": [{"by": "x", "says": "y"}]})
    assert isinstance(found, Reject) and found.reason == "unknown_shape"
    assert "'id', 'talk'" in found.detail and "input.mapping" in found.detail


# -- the recipe's own mapping ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mapping", "record"),
    [
        ({"turns": "data.conv", "role": "speaker", "text": "utterance"}, {"data": {"conv": listed("speaker", "utterance")}}),
        ({"turns": "data.conv", "role": "speaker", "text": "utterance"}, {"data": json.dumps({"conv": listed("speaker", "utterance")})}),
        ({"turns": "a.b", "role": "r", "text": "t"}, {"a.b": listed("r", "t")}),
        ({"turns": "sessions.-1", "text": "t"}, {"sessions": [[], [{"t": Q1}, {"t": A1}, {"t": Q2}, {"t": A2}]]}),
        ({"turns": "qa", "user": "q", "assistant": "a"}, {"qa": [{"q": Q1, "a": A1}, {"q": Q2, "a": A2}]}),
        ({"user": "frage", "assistant": "antwort", "history": "davor"}, {"frage": Q2, "antwort": A2, "davor": [Q1, A1]}),
        ({"turns": "t", "names": True, "role": "who", "text": "w"}, {"t": listed("who", "w", ("Ann", "Bo"))}),
        ({"turns": "t", "labels": {"user": "Q>", "assistant": "A>"}}, {"t": f"Q> {Q1} A> {A1} Q> {Q2} A> {A2}"}),
        ({"turns": "c", "numbered": "n", "user": "u", "assistant": "v"}, {"c": {"n2": {"u": Q2, "v": A2}, "n1": {"u": Q1, "v": A1}}}),
    ],
)  # fmt: skip
def test_a_mapping_of_the_recipe(tmp_path: Any, mapping: dict[str, Any], record: Any) -> None:
    given = InputConfig(mapping=mapping, paths=("x",)).mapping  # type: ignore[arg-type]
    assert given is not None
    assert said(items(tmp_path, record, mapping=given)[0]) == TALK
    assert usable(record, given.model_dump_json()) and not usable(["other"], given.model_dump_json())


def test_a_mapping_says_where_ids_languages_and_prompts_are(tmp_path: Any) -> None:
    mapping = MappingConfig(turns="t", role="r", text="w", id="meta.key", language="meta.lang", system="meta.prompt", label="meta.ok")  # type: ignore[arg-type]  # fmt: skip
    talk = {"t": listed("r", "w"), "id": "no", "meta": {"key": "k", "lang": "German", "prompt": "Be kind.", "ok": True}}
    kept, dropped = items(tmp_path, talk, {**talk, "meta": {"ok": False}}, mapping=mapping)
    assert isinstance(kept, Dialogue) and isinstance(dropped, Reject)
    assert (kept.id, kept.language, kept.system, dropped.reason) == ("k", "de", "Be kind.", "undesirable")


@pytest.mark.parametrize("first", [U, A])
def test_alternating_turns_may_begin_with_the_assistant(tmp_path: Any, first: Any) -> None:
    words = ["Hello, taxi office.", Q1, A1] if first == A else [Q1, A1]
    (found,) = items(tmp_path, {"t": words}, mapping=MappingConfig(turns="t", first=first))  # type: ignore[arg-type]
    assert said(found) == ONE


@pytest.mark.parametrize(
    ("mapping", "says"),
    [
        ({}, "name the list of `turns`"),
        ({"user": "q"}, "name the list of `turns`"),
        ({"turns": "t", "speaker": "s"}, "Extra inputs"),
        ({"rows": {"group": "g"}}, "rows need the field `text`"),
        ({"rows": {"group": "g", "id": "i"}, "text": "t"}, "both `rows.id` and `rows.parent`"),
        ({"user": "q", "assistant": "a", "names": True}, "name its path"),
        ({"turns": "t", "role": "r", "labels": {"user": "Q", "assistant": "A"}}, "leave out role"),
    ],
)
def test_a_wrong_mapping_is_an_error_that_names_the_fix(mapping: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        MappingConfig.model_validate(mapping)


def test_shape_and_mapping_exclude_each_other() -> None:
    mapping = MappingConfig(turns="t")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="not both"):
        InputConfig(shape="alpaca", mapping=mapping)
    with pytest.raises(SourceError, match="one of the two"):
        read("x.jsonl", "alpaca", mapping=mapping)


# -- roles -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [("usr", "sys"), ("用户", "助手"), ("caller", "operator"), ("patient", "doctor"), ("user", "gpt4"), ("Human:", "GPT-4o"), ("user", "claude-3-opus")],
)  # fmt: skip
def test_names_of_roles(tmp_path: Any, names: tuple[str, str]) -> None:
    assert said(items(tmp_path, {"conversations": listed("from", "value", names)})[0]) == TALK


def test_sys_is_the_system_beside_an_assistant(tmp_path: Any) -> None:
    (found,) = items(tmp_path, {"messages": [{"role": "sys", "content": "Be kind."}, *CHAT]})
    assert isinstance(found, Dialogue) and found.system == "Be kind." and said(found) == TALK


@pytest.mark.parametrize("name", ["bingo", "gptx", "llamas", "userx", "narrator"])
def test_an_unknown_role_names_the_setting(tmp_path: Any, name: str) -> None:
    record = {"messages": listed("role", "content", ("user", name))}
    (found,) = items(tmp_path, record)
    assert isinstance(found, Reject) and found.reason == "unknown_role" and "input.roles" in found.detail
    assert said(items(tmp_path, record, roles={name.upper(): "assistant"})[0]) == TALK


def test_roles_of_the_recipe_come_first(tmp_path: Any) -> None:
    record = {"messages": listed("role", "content", ("agent", "customer"))}
    assert said(items(tmp_path, record, roles={"agent": "user", "customer": "assistant"})[0]) == TALK
    three = {"turns": [{"speaker": name, "text": text} for name, text in zip("abc", (Q1, A1, Q2), strict=True)]}
    assert items(tmp_path, three)[0].reason == "too_many_speakers"
    assert said(items(tmp_path, three, roles={"a": "user", "b": "assistant", "c": "assistant"})[0]) == [(U, Q1), (A, f"{A1}\n{Q2}")]  # fmt: skip
