"""Before a run: the dialect by what comes back, the context, speed and cost; and rejects that are opened again."""

import json

import pytest

pytest.importorskip("openai", reason="needs the extra llm")

from datagen.authoring.author import write
from datagen.authoring.authoring_config import Prices, WriteRecipe
from datagen.authoring.live import Live
from datagen.authoring.prompts import load_prompt, names, shown
from datagen.authoring.spend import count_messages
from datagen.errors import EngineError, LimitError, ResumeError, SourceError
from datagen.records import EMOTIONS, PACES, STYLE_PARTS
from datagen.run.job import Watcher
from tests.authoring import model
from tests.authoring.conftest import TALK, llm
from tests.authoring.server import FORMS, Fault
from tests.authoring.test_lazy import of, talks

ALL = ("spoken", "script", "follow_up", "judge")


class Lines(Watcher):
    """Keeps the notices."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def notice(self, line: str) -> None:
        self.lines.append(line)


@pytest.mark.parametrize("status", [400, 422, 500])
@pytest.mark.parametrize("form", FORMS)
def test_the_dialect_is_found_by_what_comes_back(server, tmp_path, form, status):
    server.forms, server.unknown_form = (form, "text") if form != "text" else ("text",), status
    lines = Lines()
    found = write(of(server, tmp_path, *ALL), str(tmp_path / "out"), lines)
    assert (found.n_kept, found.rejects) == (4, {})
    assert f"structured answers as {form}" in lines.lines[0]
    answered = [ask.body for ask in server.asks if _asked(ask.body) == form]
    assert len(answered) >= found.n_answers
    assert server.n_calls - len(answered) <= 2 * len(FORMS), "the form is looked for once"


def _asked(body: dict) -> str:
    if "tools" in body:
        return "tools"
    given = body.get("response_format", {})
    return "json_object_schema" if "schema" in given else given.get("type", "text")


def test_a_form_that_is_taken_and_ignored_is_not_the_dialect(server, tmp_path):
    """The server answers in prose to all forms but one, with status 200."""
    server.faults = lambda ask: Fault(text="Sure, here you are!") if _asked(ask.body) != "json_object" else None
    lines = Lines()
    assert write(of(server, tmp_path, "spoken"), str(tmp_path / "out"), lines).n_kept == 4
    assert "structured answers as json_object" in lines.lines[0]


def test_a_server_that_writes_calls_as_words_takes_no_tools(server, tmp_path):
    """As llama.cpp's server did with a real model: status 200, and `{"name": ..., "arguments": ...}` as the content."""
    server.is_llama_server, server.forms, lines = True, ("tools", "text"), Lines()
    assert write(of(server, tmp_path, *ALL), str(tmp_path / "out"), lines).n_kept == 4
    assert "structured answers as text" in lines.lines[0]
    fixed = llm(server, structured="tools")
    with pytest.raises(EngineError, match=r"no function is called.*set llm\.structured\. Nothing was committed"):
        write(of(server, tmp_path, "spoken", llm=fixed), str(tmp_path / "fixed"))
    assert not list((tmp_path / "fixed").glob("units/*"))


def test_a_server_that_still_loads_its_model_is_waited_for(server, tmp_path):
    server.n_loading, quick = 3, llm(server, max_wait_seconds=0.01)
    found = write(of(server, tmp_path, "spoken", llm=quick), str(tmp_path / "out"))
    assert (found.n_kept, found.rejects) == (4, {})


@pytest.mark.parametrize("is_llama_server", [False, True])
def test_the_servers_words_about_its_context_are_understood(server, tmp_path, is_llama_server):
    server.context, server.is_llama_server = 300, is_llama_server
    with pytest.raises(
        EngineError, match=r"^context_length: .*300 tokens.*\(prompt of about [3-9]\d\d tokens\)"
    ) as caught:
        write(of(server, tmp_path, "script"), str(tmp_path / "out"))
    asked = [sum(len(message["content"]) for message in ask.body["messages"]) // 4 for ask in server.asks]
    assert any(f"prompt of about {n} tokens" in str(caught.value) for n in asked), "the server's count, not ours"


def test_a_corrected_setting_opens_the_way_without_a_new_output(server, tmp_path):
    server.forms, server.unknown_form = ("json_object_schema", "text"), 500
    fixed = llm(server, structured="json_schema", retries=0, max_wait_seconds=0.01)
    with pytest.raises(EngineError):
        write(of(server, tmp_path, "spoken", llm=fixed), str(tmp_path / "out"))
    assert not list((tmp_path / "out").glob("units/*"))
    assert write(of(server, tmp_path, "spoken"), str(tmp_path / "out")).n_kept == 4


def test_the_preflight_costs_nothing_extra_where_it_succeeds(server, tmp_path):
    found = write(of(server, tmp_path, "spoken", "script"), str(tmp_path / "out"))
    assert server.n_calls == found.n_answers == 8


def test_a_context_that_is_too_small_is_one_clear_reason_before_the_run(server, tmp_path):
    server.context = 300
    with pytest.raises(EngineError, match=r"^context_length: .*set llm\.examples=0, .*Nothing was committed"):
        write(of(server, tmp_path, "script"), str(tmp_path / "out"))
    assert not list((tmp_path / "out").glob("units/*"))


def test_fewer_examples_fit_into_a_smaller_context(server, tmp_path):
    server.context = 750
    with pytest.raises(EngineError, match="context_length"):
        write(of(server, tmp_path, "script"), str(tmp_path / "out"))
    found = write(of(server, tmp_path, "script", llm=llm(server, examples=0)), str(tmp_path / "out"))
    assert found.n_kept == 4, "the number of examples is no part of the identity"


def test_answers_are_asked_for_that_fit_into_a_stated_context(server, tmp_path):
    write(of(server, tmp_path, "spoken", llm=llm(server, context_tokens=2000)), str(tmp_path / "out"))
    assert {ask.body["max_tokens"] < 1500 for ask in server.asks} == {True}


def test_a_server_that_cuts_prompts_in_silence_is_found(server, tmp_path):
    said = {"prompt_tokens": 128, "completion_tokens": 30}
    good = {"turns": [{"role": turn.role, "text": f"Well, {turn.text}"} for turn in TALK.turns]}
    body = {"choices": [{"message": {"content": json.dumps(good)}, "finish_reason": "stop"}], "usage": said}
    server.faults = lambda ask: Fault(raw=json.dumps(body).encode())
    with pytest.raises(EngineError, match=r"context_length: .*the server has read 128: it cuts"):
        write(of(server, tmp_path, "spoken"), str(tmp_path / "out"))


def test_missing_usage_is_estimated_and_unknown_prices_are_no_price(server, tmp_path):
    server.usage = False
    lines = Lines()
    found = write(of(server, tmp_path, "spoken"), str(tmp_path / "out"), lines)
    assert found.usage.estimated
    assert found.usage.tokens > 0
    assert "currency" not in " ".join(lines.lines)
    priced = llm(server, prices=Prices(input_per_million=0, output_per_million=0))
    write(of(server, tmp_path, "spoken", llm=priced), str(tmp_path / "free"), lines)
    assert "0.00 in the currency of llm.prices" in " ".join(lines.lines)


def test_a_local_server_needs_no_key(server, tmp_path, monkeypatch):
    monkeypatch.delenv("TEST_LLM_KEY")
    server.keyless = True
    assert write(of(server, tmp_path, "spoken"), str(tmp_path / "out")).n_kept == 4


def test_the_models_parameters_are_sent_as_the_recipe_has_them(server, tmp_path):
    asked = llm(server, temperature=0.3, reasoning_effort="low", extra_body={"top_k": 20})
    write(of(server, tmp_path, "spoken", llm=asked), str(tmp_path / "out"))
    assert {(a.body["temperature"], a.body["reasoning_effort"], a.body["top_k"]) for a in server.asks} == {
        (0.3, "low", 20)
    }
    with pytest.raises(ResumeError):
        write(of(server, tmp_path, "spoken", llm=llm(server, temperature=0.9)), str(tmp_path / "out"))
    with pytest.raises(ValueError, match="extra_body: messages is set by datagen"):
        llm(server, extra_body={"messages": []})


def test_progress_counts_answers(server, tmp_path):
    live = Live()
    server.faults = lambda ask: (
        Fault(text="no") if "Your last" not in ask.question and "21 cups" in ask.question else None
    )
    write(of(server, tmp_path, "spoken"), str(tmp_path / "out"), live=live)
    assert (live.n_left, live.n_records, live.n_answers, live.n_unfit) == (4, 4, 5, 1)
    assert live.seconds_left() == 0


def test_rejects_are_opened_again_and_get_fresh_answers(server, tmp_path):
    bad = {"21 cups", "22 cups"}
    server.faults = lambda ask: Fault(text="no") if any(each in ask.question for each in bad) else None
    out, given = tmp_path / "out", of(server, tmp_path, "spoken")
    assert write(given, str(out)).rejects == {"write/broken_json": 2}
    n_calls, before = server.n_calls, sorted(file.name for file in out.glob("dialogues/*"))
    assert before == ["000000.jsonl", "000001.jsonl"]
    server.faults = lambda ask: None
    assert write(given, str(out)).n_kept == 2, "decided records stay decided"
    assert server.n_calls == n_calls
    with pytest.raises(SourceError, match="no reject of the reason 'nonesuch'; there are: broken_json"):
        write(given, str(out), retry="nonesuch")
    found = write(given, str(out), retry="broken_json")
    assert (found.n_kept, found.rejects) == (4, {})
    assert server.n_calls == n_calls + 2, "what was kept is not asked again"
    assert sorted(file.name for file in out.glob("dialogues/*")) == ["again1-000000.jsonl", "again1-000001.jsonl"]
    assert not list(out.glob("rejects/*"))
    assert write(given, str(out)) == found


def test_a_run_that_keeps_nothing_says_so_and_can_be_tried_again(server, tmp_path):
    server.answers = lambda ask: model.answer(ask) if "Judge" in ask.question else "no"
    out, given = tmp_path / "out", of(server, tmp_path, "spoken", "judge")
    with pytest.raises(LimitError, match=r"no dialogue is kept: 4 of 4 records .*broken_json.*--retry-rejects"):
        write(given, str(out))
    server.answers = model.answer
    with pytest.raises(LimitError):
        write(given, str(out))
    assert write(given, str(out), retry="").n_kept == 4


SHORT = {"script": 1200}


@pytest.mark.parametrize("stem", [stem for stem in names() if stem.split(".")[0] not in ("dialogue", "follow_up")])
def test_prompts_are_short(stem):
    name, language = stem.split(".")
    prompt = load_prompt(name, language)
    more = {"source_language": "Chinese", "max_barge_ins": 2, "max_hesitations": 2, "max_backchannels": 2}
    more |= {"max_styles": 2, "parts": STYLE_PARTS, "emotions": EMOTIONS, "paces": PACES}
    values = {key: value for key, value in {**more, "turns": shown(TALK.turns)}.items() if key in prompt.variables}
    assert count_messages(prompt.render(**values)) <= SHORT.get(name, 700)
    without = prompt.render(0, **values)
    assert [message.role for message in without] == ["system", "user"]
    assert [message.role for message in prompt.render(1, **values)] == ["system", "user", "assistant", "user"]


@pytest.mark.parametrize("form", FORMS)
def test_what_questions_share_comes_first(server, tmp_path, form):
    """A server keeps the beginning of a prompt: only the last message may differ between records."""
    write(of(server, tmp_path, "spoken", llm=llm(server, structured=form)), str(tmp_path / "out"))
    heads = {json.dumps([ask.body["messages"][:-1], ask.body.get("tools")]) for ask in server.asks}
    assert len(heads) == 1
    assert {len(ask.body["messages"]) for ask in server.asks} == {6}


def test_examples_are_part_of_a_recipe_that_may_change(server, tmp_path):
    one = WriteRecipe(name="t", input={"paths": (talks(tmp_path),)}, tasks=("spoken",), llm=llm(server, examples=1))
    two = one.model_copy(update={"llm": llm(server, examples=2, attempts=9, max_tokens=99)})
    assert one.sha256() == two.sha256()
