"""From topics and dialogues to records that a build reads; gates, languages, provenance; what a run would cost."""

import json
from dataclasses import replace

import pytest

pytest.importorskip("openai", reason="needs the extra llm")

from datagen import sources
from datagen.authoring.answers import StylesAnswer, UnfitAnswerError
from datagen.authoring.answers import parse as parse_answer
from datagen.authoring.authored import Brief, Written, begun
from datagen.authoring.authoring import prompts_of, tasks_of
from datagen.authoring.authoring_config import Budget, Gates, Prices, parse
from datagen.authoring.estimate import estimate
from datagen.authoring.prompts import load_prompt
from datagen.authoring.topics import briefs
from datagen.errors import RecipeError, SourceError
from datagen.records import Dialogue, Reject, Style, Turn
from datagen.resources import directory
from datagen.text import to_spoken
from datagen.text.phrases import units
from tests.authoring import model
from tests.authoring.conftest import TALK, llm, recipe, write
from tests.authoring.server import Fault

ALL = ("dialogue", "spoken", "script", "follow_up", "judge")
ZH = Dialogue(
    "cha",
    (Turn("user", "怎么泡绿茶才好喝？"), Turn("assistant", "水烧开以后放5分钟，再倒在茶叶上，两分钟就可以喝了。")),
    "talks.jsonl",
    "zh",
    1,
)


def test_from_a_topic_to_a_record_that_a_build_reads(server, tmp_path):
    (found,) = write(recipe(server, *ALL), [Brief("t-0", "keeping bees", "en", "a teacher", "calm", 0, "t.txt", 0)])
    record = found.to_json()
    file = tmp_path / "written.jsonl"
    file.write_text(json.dumps(record, ensure_ascii=False) + "\n", "utf-8")
    (read,) = sources.read(str(file))
    assert (read.id, read.language) == ("t-0", "en")
    assert [(turn.role, turn.text) for turn in read.turns] == [(t["role"], t["text"]) for t in record["turns"]]
    assert (record["topic"], record["persona"], record["style"]) == ("keeping bees", "a teacher", "calm")
    assert record["scores"] == {"spokenness": 7, "coherence": 8, "safety": 10}
    assert record["reasons"]["safety"] == "Turn 1 shows safety."


@pytest.mark.parametrize("talk", [TALK, ZH], ids=lambda talk: talk.language)
def test_marks_lie_in_the_words_that_will_be_spoken(server, talk):
    (found,) = write(recipe(server, "spoken", "script", "follow_up"), [talk])
    assert all(to_spoken(turn.text, found.language) == turn.text for turn in found.turns)
    kinds = {mark.kind: mark for mark in found.marks}
    cut, pause = kinds["barge_in"], kinds["hesitation"]
    assert 0 < cut.word < len(units(found.turns[cut.turn].text))
    assert (cut.role, found.turns[cut.turn + 1].role) == ("user", "user")
    assert found.turns[cut.turn + 2].text == to_spoken(
        model.GOES_ON if talk is TALK else model.GOES_ON_ZH, talk.language
    )
    assert (pause.role, pause.word, pause.text) == ("user", 0, "")


def test_the_judge_sees_what_is_said_and_not_what_was_cut(server):
    (found,) = write(recipe(server, "script", "judge"), [TALK])
    cut = next(mark.turn for mark in found.marks if mark.kind == "barge_in")
    texts = [turn["text"] for turn in server.asks[1].data]
    assert texts[cut] == "Boil one litre of water," != found.turns[cut].text
    assert texts[cut + 1 :] == [turn.text for turn in found.turns[cut + 1 :]]


def test_styles_are_authored_last_and_read_by_a_build(server, tmp_path):
    found = write(recipe(server, "script", "style", "judge"), [TALK, ZH])
    file = tmp_path / "written.jsonl"
    file.write_text("".join(json.dumps(each.to_json(), ensure_ascii=False) + "\n" for each in found), "utf-8")
    for read in sources.read(str(file)):
        assert [turn.style for turn in read.turns] == [Style("afraid", "fast"), *[None] * (len(read.turns) - 1)]
        assert "style" in [origin.task for origin in read.written_by]
    cut = next(mark.turn for mark in found[0].marks if mark.kind == "barge_in")
    asked = next(ask for ask in server.asks if "Style at most" in ask.question)
    assert asked.data[cut]["text"] != found[0].turns[cut].text, "it sees what is said"


def test_styles_of_a_dialogue_stay_when_its_words_change(server):
    sad = replace(TALK, turns=(replace(TALK.turns[0], style=Style("sad")), *TALK.turns[1:]))
    for tasks in (("spoken",), ("spoken", "script"), ("spoken", "style"), ("translate",)):
        more = {"translate_to": "zh"} if "translate" in tasks else {}
        (found,) = write(recipe(server, *tasks, **more), [sad])
        assert [turn.style for turn in found.turns] == [Style("sad"), *[None] * (len(found.turns) - 1)], tasks
        assert found.turns[0].text != TALK.turns[0].text


USUAL = {"why": "x", "emotion": "", "pace": "", "whisper": False, "laughter": False}


@pytest.mark.parametrize(
    ("styles", "says"),
    [
        ([{"turn": 9, "whisper": True}], "bad_place: there is no turn 9"),
        ([{"turn": 1, "whisper": True}, {"turn": 1, "emotion": "sad"}], "bad_place: .* two styles"),
        ([{"turn": 1}], "bad_style: turn 1 is said as usual"),
        ([{"turn": 0, "laughter": True}], "bad_style: turn 0 has a laughter; the parts are emotion, pace, whisper"),
        ([{"turn": k, "pace": "slow"} for k in range(3)], "bad_size: 3 styles; at most 2"),
        ([{"turn": 0, "emotion": "shouting"}], "emotion"),
        ([{"turn": 0, "emotion": "sad", "volume": "loud"}], "volume"),
    ],
)
def test_a_style_that_is_not_known_does_not_fit(server, styles, says):
    limits = {"turns": 2, "parts": ["emotion", "pace", "whisper"]}
    (task,) = tasks_of(recipe(server, "style", styling=limits))
    with pytest.raises(UnfitAnswerError, match=says):
        task.applied(
            begun(TALK), 0, parse_answer(json.dumps({"styles": [USUAL | each for each in styles]}), StylesAnswer)
        )


@pytest.mark.parametrize("tasks", [("style", "spoken"), ("style", "script"), ("judge", "style")])
def test_a_style_comes_after_what_changes_turns(server, tasks):
    with pytest.raises(ValueError, match=r"`style` must come after|`judge` must come last"):
        recipe(server, *tasks)


def test_each_answer_says_where_it_comes_from(server):
    (found,) = write(recipe(server, "spoken", "judge"), [TALK])
    spoken, judge = found.to_json()["written_by"]
    prompt = load_prompt("spoken", "en")
    assert spoken["prompt_sha256"] == prompt.sha256
    assert (spoken["task"], spoken["prompt"], spoken["version"]) == ("spoken", "spoken", prompt.version)
    assert (judge["task"], judge["model"], judge["attempt"]) == ("judge", "writer-0613", 0)
    assert len(judge["answer_sha256"]) == 64 and judge["answer_sha256"] != spoken["answer_sha256"]


def test_a_translation_is_in_its_language(server):
    (found,) = write(recipe(server, "translate", "judge", translate_to="zh"), [TALK])
    assert (found.language, found.turns[1].text) == ("zh", "这句话说的是1，就这样。")
    assert "从英语翻译成中文" in server.asks[0].question
    assert server.asks[1].question.startswith("<data>") and "评判这段对话" in server.asks[1].question


@pytest.mark.parametrize(("least", "kept"), [(7, True), (8, False)])
def test_scores_can_be_a_gate(server, least, kept):
    (found,) = write(recipe(server, "judge", gates=Gates(spokenness=least)), [TALK])
    assert isinstance(found, Written) == kept
    if not kept:
        assert found.reason == "low_spokenness"
        assert "judged 7, at least 8" in found.detail
        assert "Turn 1 shows spokenness." in found.detail


def test_what_nobody_foresaw_is_a_reject_with_its_traceback(server, monkeypatch):
    monkeypatch.setattr("datagen.authoring.tasks.Judge.applied", lambda *_: 1 / 0)
    found = write(recipe(server, "judge"), [TALK, ZH])
    assert [item.reason for item in found] == ["error", "error"]
    assert "ZeroDivisionError" in found[0].traceback


def test_nothing_that_can_be_said_is_a_reject_before_anything_is_asked(server):
    (found,) = write(
        recipe(server, "script"), [Dialogue("d", (Turn("user", "😀"), Turn("assistant", "🙃")), "x", "en")]
    )
    assert (found.reason, server.n_calls) == ("not_sayable", 0)


def test_a_refusal_in_words_is_kept(server):
    server.faults = lambda ask: Fault(refusal="I would rather not.")
    (found,) = write(recipe(server, "spoken"), [TALK])
    assert found.detail.endswith("last answer: I would rather not.")


TOPICS = """growing tomatoes

{"topic": "看病", "language": "zh", "persona": "奶奶"}
{"topic": "x", "mood": "y"}
{"topic": ""}
{"topic":
"""


def made(tmp_path, server, **values):
    (tmp_path / "topics.txt").write_text(TOPICS, "utf-8")
    found = recipe(server, "dialogue", **{"personas": ("a baker", "a pilot", "a child"), "styles": ("calm",), **values})
    return found.model_copy(update={"input": found.input.model_copy(update={"topics": str(tmp_path / "topics.txt")})})


def test_topics_become_briefs(server, tmp_path):
    found = list(briefs(made(tmp_path, server, languages=("en", "zh"), n_per_topic=2)))
    assert [item.record for item in found] == list(range(9))
    given = [(b.id, b.topic, b.language, b.sample) for b in found[:6]]
    assert given[:4] == [
        (f"topics-{k}", "growing tomatoes", language, k % 2) for k, language in enumerate(["en", "en", "zh", "zh"])
    ]
    assert [(b.language, b.persona, b.style) for b in found[4:6]] == [("zh", "奶奶", "calm")] * 2
    assert [(item.stage, item.reason) for item in found[6:]] == [("write", "bad_topic")] * 3
    assert ["unknown field 'mood'" in found[6].detail, "no topic" in found[7].detail] == [True, True]


def test_what_is_drawn_depends_on_the_topic_and_the_seed_alone(server, tmp_path):
    def drawn(**values):
        found = briefs(made(tmp_path, server, **values))
        return {(b.topic, b.language, b.sample): b.persona for b in found if isinstance(b, Brief)}

    many, few = drawn(n_per_topic=20), drawn(n_per_topic=5)
    assert {key: many[key] for key in few} == few
    assert len(set(many.values())) == 4
    assert drawn(n_per_topic=20, seed=1) != many


def test_samples_of_one_brief_are_asked_for_apart(server):
    items = [Brief(f"t-{k}", "tea", "en", sample=k) for k in range(3)]
    write(recipe(server, "dialogue"), items)
    assert len(server.paid) == 3


def test_topics_that_cannot_be_read(server, tmp_path):
    with pytest.raises(SourceError, match="cannot read topics"):
        list(briefs(recipe(server, "dialogue")))
    found = made(tmp_path, server)
    (tmp_path / "topics.txt").write_bytes(b"\xff")
    with pytest.raises(SourceError, match="not UTF-8"):
        list(briefs(found))


RECIPE = """
name: talks
input: {topics: t.txt}
tasks: [dialogue, spoken, script, follow_up, judge]
llm: {model: m}
"""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("tasks=[spoken]", "`dialogue` must come first"),
        ("tasks=[spoken, dialogue]", "`dialogue` must come first"),
        ("tasks=[dialogue, script, spoken]", "must come before `script`"),
        ("tasks=[dialogue, follow_up, script]", "must come after `script`"),
        ("tasks=[dialogue, judge, judge]", "only once"),
        ("tasks=[dialogue, translate]", "translate_to"),
        ("translate_to=zh", "translate_to"),
        ("input={topics: a, paths: [b]}", "either topics or paths"),
        ("input={}", "either topics or paths"),
        ("llm.base_url=ftp://x", "http"),
        ("llm.base_url=https://user:sk-secret@x/v1", "llm.base_url: a password, token or key"),
        ("llm.base_url=https://x/v1?key=sk-secret", "llm.base_url: a password, token or key"),
        ("llm.api_key=sk-secret", "llm.api_key: unknown key"),
        ("llm.budget.money=1", "needs prices"),
        ("llm.concurrency=0", "llm.concurrency"),
        ("dialogues={min_turns: 5, max_turns: 5}", "even number"),
        ("tasks=[dialogue]\ngates={safety: 8}", "lowest scores need"),
    ],
)
def test_recipes_that_make_no_sense(change, words):
    with pytest.raises(RecipeError, match=words) as error:
        parse(RECIPE, "talks.yaml", tuple(change.split("\n")))
    assert "sk-secret" not in str(error.value)


def test_only_what_decides_the_content_is_in_a_recipes_hash():
    def sha256(*changes):
        return parse(RECIPE, "talks.yaml", changes).sha256()

    same = ("llm.concurrency=99", "llm.stream=true", "llm.base_url=http://x/v1", "llm.budget.tokens=5", "llm.retries=1")
    same += ("llm.attempts=9", "llm.max_tokens=99", "llm.examples=0", "llm.structured=text", "llm.extra_body={a: 1}")
    assert {sha256(change) for change in same} == {sha256()}
    others = ("llm.model=x", "llm.seed=3", "marks.barge_ins=9", "seed=3", "llm.temperature=0.1")
    assert len({sha256(), *map(sha256, others)}) == len(others) + 1


def test_an_estimate_is_near_what_is_then_spent(server):
    found = recipe(
        server, "spoken", "script", "judge", llm=llm(server, prices=Prices(input_per_million=2, output_per_million=8))
    )
    expected = estimate(found, [TALK, ZH])
    write(found, [TALK, ZH])
    assert (expected.n_records, expected.n_questions) == (2, server.n_calls)
    sent = sum(len(message["content"]) for ask in server.asks for message in ask.body["messages"])
    assert sent / 8 < expected.usage.input < sent
    assert 0 < expected.usage.output < expected.most.output == sum(ask.body["max_tokens"] for ask in server.asks)
    assert expected.usage.estimated
    assert expected.money == pytest.approx((2 * expected.usage.input + 8 * expected.usage.output) / 1e6)
    assert expected.money < expected.most_money


def test_a_dry_run_sends_nothing_and_counts_every_task(server):
    found = recipe(server, *ALL, llm=llm(server, budget=Budget(tokens=1)))
    expected = estimate(found, [Brief(f"b-{k}", "tea", language) for k, language in enumerate(("en", "zh"))])
    assert (server.n_calls, expected.n_records) == (0, 2)
    assert expected.n_questions == 2 * (4 + found.marks.barge_ins)


def test_rejects_of_many_keep_their_places(server):
    server.faults = lambda ask: Fault(text="no") if "绿茶" in ask.question else None
    found = write(recipe(server, "judge"), [ZH, TALK])
    assert [type(item) for item in found] == [Reject, Written]
    assert found[0].record == 1


def test_a_language_without_a_prompt_is_a_reject(server):
    german = Dialogue("d", (Turn("user", "Wie wird das Wetter heute?"), Turn("assistant", "Sonnig.")), "x", "de")
    found = write(recipe(server, "spoken"), [german, TALK])
    assert (found[0].reason, found[0].detail) == ("no_prompt", "spoken: there is none in the language 'de'")
    assert isinstance(found[1], Written)


@pytest.mark.parametrize(
    ("tasks", "values"), [(("dialogue",), {"languages": ("en", "de")}), (("translate",), {"translate_to": "de"})]
)
def test_a_language_that_the_recipe_names_must_have_its_prompt(server, tasks, values):
    with pytest.raises(RecipeError, match=rf"no readable prompt {tasks[0]}\.de\.md"):
        write(recipe(server, *tasks, **values), [])


def test_a_dialogue_that_does_not_say_is_in_the_language_it_is_in(server):
    (found,) = write(recipe(server, "judge"), [Dialogue("d", ZH.turns, "x", "")])
    assert found.language == "zh"


def test_prompts_of_ones_own_are_used_and_named_by_their_hash(server, tmp_path):
    shipped = load_prompt("judge", "en")
    text = (directory("prompts") / "judge.en.md").read_text("utf-8").replace("The examples are bad calls", "Be strict")
    (tmp_path / "judge.en.md").write_text(text, "utf-8")
    own = recipe(server, "judge", prompts=str(tmp_path))
    (found,) = write(own, [TALK])
    assert "Be strict" in server.asks[0].body["messages"][0]["content"]
    (prompt,) = prompts_of(own).values()
    assert found.written_by[0].prompt_sha256 == prompt.sha256 != shipped.sha256


def test_a_prompt_of_ones_own_must_ask_for_what_its_task_reads(server, tmp_path):
    text = (directory("prompts") / "judge.en.md").read_text("utf-8").replace("schema: JudgeAnswer", "schema: Turns")
    (tmp_path / "judge.en.md").write_text(text, "utf-8")
    with pytest.raises(RecipeError, match=r"prompt judge\.en: schema must be JudgeAnswer"):
        write(recipe(server, "judge", prompts=str(tmp_path)), [TALK])
    assert server.n_calls == 0


def test_what_no_build_would_speak_is_a_reject_and_is_not_paid_for(server):
    numbers = " ".join(str(k) for k in range(11_111, 11_161))  # 50 words as written, 300 as spoken
    long = Dialogue("n", (Turn("user", f"Read me these, please: {numbers}."), TALK.turns[1]), "s", "en", 0)
    (found,) = write(recipe(server, "script", "judge"), [long])
    assert (found.stage, found.reason) == ("write", "turn_too_long")
    assert server.n_calls == 0
