"""Lazy models: one that says the examples back, one that judges everything alike, one that translates half."""

import json

import pytest

pytest.importorskip("openai", reason="needs the extra llm")

from datagen.authoring.author import write
from datagen.authoring.authored import Unanswered
from datagen.authoring.authoring_config import WriteRecipe
from datagen.authoring.canaries import canaries
from datagen.authoring.copies import copied_share
from datagen.authoring.prompts import load_prompt, names
from datagen.errors import DatagenError, EngineError, LimitError
from datagen.records import Reject
from tests.authoring import model
from tests.authoring.conftest import TALK, llm, recipe
from tests.authoring.conftest import write as write_items
from tests.authoring.server import Ask, Fault, Server

TASKS = ("spoken", "script", "follow_up", "judge")
CONTEXT_TOKENS = {"script": 1200}


def parrot(which: int):
    """A model that answers with the example of its prompt."""

    def answer(ask: Ask) -> str:
        said = [message["content"] for message in ask.body["messages"] if message["role"] == "assistant"]
        return said[min(which, len(said) - 1)] if said else "Hello."

    return answer


def six_nine_ten(ask: Ask) -> str:
    """A judge that gives the same scores to everything."""
    return json.dumps(model.judged(6, 9, 10)) if "Judge" in ask.question else model.answer(ask)


def half(ask: Ask) -> str:
    """A translator that leaves a turn as it is, though the whole is in the language."""
    if "翻译成中文" not in ask.question:
        return model.answer(ask)
    turns = json.loads(model.answer(ask))["turns"]
    for k, turn in enumerate(ask.data):
        turns[k]["text"] = turn["text"] if k == 2 else turns[k]["text"]
    return json.dumps({"turns": turns})


def talks(tmp_path) -> str:
    path = tmp_path / "talks.jsonl"
    turns = [{"role": turn.role, "text": turn.text} for turn in TALK.turns]
    path.write_text(
        "".join(
            json.dumps(
                {
                    "id": f"t{k}",
                    "language": "en",
                    "turns": [{**turns[0], "text": f"{k + 20} cups. {turns[0]['text']}"}, *turns[1:]],
                }
            )
            + "\n"
            for k in range(4)
        )
    )
    return str(path)


def of(server: Server, tmp_path, *tasks: str, **values) -> WriteRecipe:
    given = {"llm": llm(server, concurrency=2), "unit_records": 2, **values}
    return WriteRecipe(name="t", input={"paths": (talks(tmp_path),)}, tasks=tasks, **given)


def nothing_kept(recipe: WriteRecipe, out) -> DatagenError:
    with pytest.raises(DatagenError) as error:
        write(recipe, str(out))
    assert not list(out.glob("dialogues/*"))
    assert not (out / "written.json").exists()
    return error.value


@pytest.mark.parametrize("which", [0, 1])
def test_of_a_parrot_nothing_is_kept(server, tmp_path, which):
    server.answers = parrot(which)
    for task in ("spoken", "judge"):
        error = nothing_kept(of(server, tmp_path, task), tmp_path / f"out-{task}")
        assert "no usable answer" in str(error)
        assert "copied_example" in str(error)
        assert not list((tmp_path / f"out-{task}").glob("units/*"))


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("task", ["spoken", "script", "judge", "translate"])
def test_what_is_copied_is_asked_again_and_then_a_reject(server, task, which):
    server.answers = parrot(which)
    values = {"translate_to": "zh"} if task == "translate" else {}
    (found,) = write_items(recipe(server, task, **values), [TALK])
    assert isinstance(found, Reject)
    assert (found.reason, server.n_calls) == ("copied_example", 3)
    assert "use your own words" in server.asks[-1].question


def test_a_parrot_in_one_task_is_found_while_the_others_answer(server, tmp_path):
    server.answers = lambda ask: parrot(0)(ask) if "Reword" in ask.question else model.answer(ask)
    error = nothing_kept(of(server, tmp_path, "spoken", "judge"), tmp_path / "out")
    assert isinstance(error, LimitError)
    assert "copied_example" in str(error)
    assert "--retry-rejects" in str(error)


def test_a_judge_that_gives_everything_the_same_scores_stops_the_run(server, tmp_path):
    server.answers = six_nine_ten
    error = nothing_kept(of(server, tmp_path, "judge"), tmp_path / "out")
    assert isinstance(error, EngineError)
    assert "the model is no judge: spokenness of the bad dialogue is 6, and of the good one 6" in str(error)
    assert not list((tmp_path / "out").glob("units/*"))


def test_a_judge_that_becomes_lazy_is_found_at_the_next_interval(server, tmp_path):
    tested = set()

    def later(ask: Ask) -> str:
        is_canary = any(talk.turns[0].text in ask.question for talk in canaries("en").values())
        if is_canary and ask.question in tested:
            return json.dumps(model.judged(6, 9, 10))
        if is_canary and "Judge" in ask.question and "strict reviewer" not in ask.body["messages"][0]["content"]:
            tested.add(ask.question)
        return model.answer(ask)

    server.answers = later
    with pytest.raises(EngineError, match="the model is no judge"):
        write(of(server, tmp_path, "judge", judging={"canaries_every": 2}), str(tmp_path / "out"))
    server.answers = model.answer
    found = write(of(server, tmp_path, "judge", judging={"canaries_every": 3}), str(tmp_path / "out"))
    assert found.n_kept == 4


def test_two_wordings_of_the_judge_give_agreement(server, tmp_path):
    found = write(of(server, tmp_path, "judge", judging={"second_share": 1.0}), str(tmp_path / "out"))
    assert (found.agreement.n_dialogues, found.agreement.within_one) == (12, 1.0)
    (file, _) = sorted((tmp_path / "out").glob("dialogues/*"))
    record = json.loads(file.read_text("utf-8").splitlines()[0])
    assert record["scores_again"] == record["scores"]


def test_of_half_a_translation_nothing_is_kept(server, tmp_path):
    server.answers = half
    error = nothing_kept(of(server, tmp_path, "translate", translate_to="zh"), tmp_path / "one")
    assert "untranslated" in str(error)
    error = nothing_kept(of(server, tmp_path, "translate", "judge", translate_to="zh"), tmp_path / "two")
    assert "untranslated" in str(error)


def test_only_answers_decide(server, tmp_path):
    """A record that the server cannot answer is no reject; the run fails, and the same command continues."""
    server.faults = lambda ask: Fault(status=500) if "21 cups" in ask.question else None
    patient = llm(server, concurrency=2, retries=1, max_wait_seconds=0.01)
    out, given = tmp_path / "out", of(server, tmp_path, "spoken", llm=patient)
    with pytest.raises(EngineError, match=r"gave no answer to 1 records \(status_500 1\).*Run the same command again"):
        write(given, str(out))
    assert [file.name for file in out.glob("units/*")] == ["000001.json"]
    assert not list(out.glob("rejects/*"))
    server.faults = lambda ask: None
    n_calls = server.n_calls
    assert write(given, str(out)).n_kept == 4
    assert server.n_calls == n_calls + 1


def test_a_record_that_the_server_cannot_answer_is_a_reject_only_by_the_users_word(server):
    server.faults = lambda ask: Fault(status=413)
    (found,) = write_items(recipe(server, "judge"), [TALK])
    assert isinstance(found, Unanswered)
    (found,) = write_items(recipe(server, "judge", limits={"reject_unanswered": True}), [TALK])
    assert (type(found), found.reason) == (Reject, "turned_down")


def test_a_content_filter_is_an_answer(server):
    server.faults = lambda ask: Fault(status=400, body={"error": {"message": "no", "code": "content_filter"}})
    (found,) = write_items(recipe(server, "judge"), [TALK])
    assert (type(found), found.reason, server.n_calls) == (Reject, "refused", 1)


@pytest.mark.parametrize("stem", [stem for stem in names() if not stem.startswith("score")])
def test_no_example_is_a_copy_of_the_other(stem):
    one, two = (json.loads(text) for text in load_prompt(*stem.split(".")).examples())
    assert copied_share(one, two, "") < 0.4
    assert copied_share(one, one, "") == 1.0
