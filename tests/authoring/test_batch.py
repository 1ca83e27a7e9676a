"""The batch: units, each once, whatever stops it; the same files from any order, server faults and workers."""

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

pytest.importorskip("openai", reason="needs the extra llm")

from datagen import sources
from datagen.authoring.author import SUMMARY, write
from datagen.authoring.authored import begun
from datagen.authoring.authoring_config import Budget, Llm, Prices, WriteRecipe
from datagen.errors import BudgetError, EngineError, LimitError, RecipeError, ResumeError, SourceError
from datagen.records import Dialogue, Mark, Reject, Turn
from datagen.run.job import Watcher
from datagen.shards.store import LocalStore, open_store
from datagen.shards.tables import from_parquet
from datagen.shards.unit import marker_key
from tests.authoring import model
from tests.authoring.conftest import llm
from tests.authoring.server import KEY, Fault, Server, serving

TOPICS = [f"how to keep {what}" for what in ("bees", "a diary", "bread fresh", "in touch", "warm", "time", "calm")]
TASKS = ("dialogue", "spoken", "script", "judge")


@pytest.fixture
def topics(tmp_path) -> Path:
    file = tmp_path / "topics.txt"
    file.write_text("\n".join([*TOPICS, '{"topic": 3}']) + "\n", "utf-8")
    return file


def recipe(server: Server, topics: Path, **values) -> WriteRecipe:
    given = {
        "judging": {"second_share": 0, "canaries_every": 0},
        "llm": llm(server, concurrency=4),
        "dialogues": {"min_turns": 2, "max_turns": 6},
        "unit_records": 2,
    }
    return WriteRecipe(name="t", input={"topics": str(topics)}, tasks=TASKS, **{**given, **values})


def files(out: Path) -> dict[str, bytes]:
    """All that a run leaves but the answers and what speaks of the clock."""
    found = {str(file.relative_to(out)): file.read_bytes() for file in out.rglob("*") if file.is_file()}
    return {name: data for name, data in found.items() if not name.startswith(("answers/", "units/", "plan"))}


def kept(out: Path) -> list[dict]:
    return [
        json.loads(line)
        for file in sorted(out.glob("dialogues/*"))
        for line in file.read_text("utf-8").split("\n")
        if line
    ]


class Counting(Watcher):
    def __init__(self, stop_after: int = 10**9) -> None:
        self.units: list[int] = []
        self.stop_after = stop_after

    def unit_done(self, marker) -> None:
        self.units.append(marker.unit)
        if len(self.units) >= self.stop_after:
            raise KeyboardInterrupt


@pytest.fixture
def whole(server, topics, tmp_path):
    summary = write(recipe(server, topics), str(tmp_path / "whole"))
    return summary, tmp_path / "whole"


def test_every_topic_becomes_a_dialogue_or_a_reject(whole, server):
    summary, out = whole
    assert (summary.n_records, summary.n_kept, summary.rejects) == (8, 7, {"write/bad_topic": 1})
    assert server.n_calls == summary.n_answers == 7 * len(TASKS)
    assert [record["topic"] for record in kept(out)] == TOPICS
    (file,) = out.glob("rejects/*")
    (reject,) = from_parquet(file.read_bytes(), file.name).to_pylist()
    assert (reject["record"], reject["reason"]) == (7, "bad_topic")
    said = json.loads((out / SUMMARY).read_text("utf-8"))
    assert (said["n_kept"], said["digest"], said["rejects"]) == (7, summary.digest, summary.rejects)
    assert set(said["identity"]["prompts"]) >= {"dialogue.en", "spoken.en", "script.en", "judge.en"}


def test_a_build_reads_what_was_written(whole):
    _, out = whole
    read = list(sources.read(str(out / "dialogues")))
    assert [r.id for r in read] == [record["id"] for record in kept(out)]
    assert not any(isinstance(r, Reject) for r in read)


def test_a_finished_run_asks_nothing_again(whole, server, topics):
    summary, out = whole
    n_calls, before = server.n_calls, files(out)
    assert write(recipe(server, topics), str(out)) == summary
    assert server.n_calls == n_calls
    assert files(out) == before


def test_ctrl_c_decides_nothing_about_records_under_way(whole, server, topics, tmp_path):
    """The client is closed behind units that are still asking: none of them may become rejects."""
    summary, out = whole
    asked = threading.Event()
    n_before = server.n_replies
    server.faults = lambda ask: Fault(hang=True) if server.n_replies > n_before + 5 else None
    server.on_reply = lambda n: asked.set() if n > n_before + 5 else None
    code = (
        "import sys\nfrom datagen.authoring.author import write\nfrom datagen.authoring.authoring_config import parse\n"
        "write(parse(open(sys.argv[1]).read(), 'r'), sys.argv[2])"
    )
    values = recipe(server, topics).model_dump(mode="json")
    (tmp_path / "r.yaml").write_text(json.dumps(values), "utf-8")
    command = [sys.executable, "-c", code, str(tmp_path / "r.yaml"), str(tmp_path / "cut")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as child:
        assert asked.wait(60)
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=60)
    assert "EndedError: ended by SIGINT" in said
    assert "never retrieved" not in said
    server.faults, server.on_reply = lambda ask: None, lambda n: None
    assert write(recipe(server, topics), str(tmp_path / "cut")).digest == summary.digest
    assert files(tmp_path / "cut") == files(out)


def test_a_topic_that_comes_twice_is_written_once(server, topics, tmp_path):
    topics.write_text("bees\nbees\n", "utf-8")
    found = write(recipe(server, topics), str(tmp_path / "out"))
    assert (found.n_kept, found.rejects) == (1, {"write/duplicate": 1})


def test_marks_and_scores_that_a_dialogue_has_stay_with_it(whole, server, tmp_path):
    _, out = whole
    judged = WriteRecipe(name="j", input={"paths": (str(out / "dialogues"),)}, tasks=("judge",), llm=llm(server))
    write(judged, str(tmp_path / "judged"))
    before, after = kept(out), kept(tmp_path / "judged")
    assert [record["marks"] for record in after] == [record["marks"] for record in before]
    assert any(record["marks"] for record in after)
    assert [len(r["written_by"]) for r in after] == [len(r["written_by"]) + 1 for r in before]
    spoken = WriteRecipe(name="s", input={"paths": (str(out / "dialogues"),)}, tasks=("spoken",), llm=llm(server))
    with pytest.raises(LimitError, match=r"no dialogue is kept: .* write/has_marks"):
        write(spoken, str(tmp_path / "spoken"))


def test_prompts_that_will_be_missed_are_missed_before_anything_is_paid(server, topics, tmp_path):
    with pytest.raises(RecipeError, match=r"no readable prompt dialogue\.de\.md"):
        write(recipe(server, topics, languages=("en", "de")), str(tmp_path / "out"))
    assert server.n_calls == 0


@pytest.mark.parametrize("n_units", [1, 3])
def test_a_run_that_is_stopped_goes_on_to_the_same_files(whole, server, topics, tmp_path, n_units):
    summary, out = whole
    slow = recipe(server, topics, unit_records=1, llm=llm(server, concurrency=1))
    with pytest.raises(KeyboardInterrupt):
        write(slow, str(tmp_path / "again"), Counting(n_units))
    resumed = Counting()
    assert write(slow, str(tmp_path / "again"), resumed).digest == summary.digest
    assert 0 < len(resumed.units) <= 8 - n_units
    assert kept(tmp_path / "again") == kept(out)


def test_units_of_another_size_and_another_concurrency_write_the_same(whole, server, topics, tmp_path):
    summary, out = whole
    found = write(recipe(server, topics, unit_records=5, llm=llm(server, concurrency=1)), str(tmp_path / "other"))
    assert found.digest == summary.digest
    assert kept(tmp_path / "other") == kept(out)


def test_a_marker_that_was_lost_is_written_again_from_answers_alone(whole, server, topics):
    summary, out = whole
    n_calls, before = server.n_calls, files(out)
    (out / marker_key(1)).unlink()
    (out / SUMMARY).unlink()
    assert write(recipe(server, topics), str(out)).digest == summary.digest
    assert (server.n_calls, files(out)) == (n_calls, before)


def test_faults_that_pass_change_nothing(whole, server, topics, tmp_path):
    summary, out = whole
    ways = [Fault(status=429, headers=(("retry-after", "0"),)), Fault(status=500), Fault(drop=True)]
    n_asked = 0

    def third(ask):
        nonlocal n_asked
        n_asked += 1
        return ways[n_asked // 3 % 3] if n_asked % 3 == 0 else None

    server.faults = third
    patient = llm(server, concurrency=4, retries=20, max_wait_seconds=0.01)
    found = write(recipe(server, topics, llm=patient), str(tmp_path / "faulty"))
    assert found.digest == summary.digest
    assert files(tmp_path / "faulty")["dialogues/000000.jsonl"] == files(out)["dialogues/000000.jsonl"]


def test_a_budget_stops_a_run_and_a_larger_one_goes_on(whole, server, topics, tmp_path):
    summary, _ = whole
    out = str(tmp_path / "thrifty")
    small = llm(server, concurrency=2, budget=Budget(tokens=20_000))
    with pytest.raises(BudgetError, match=r"raise llm\.budget and run the same command again"):
        write(recipe(server, topics, llm=small), out)
    n_paid = server.n_calls
    found = write(recipe(server, topics, llm=llm(server, budget=Budget(tokens=10**8))), out)
    assert found.digest == summary.digest
    assert server.n_calls - n_paid < 7 * len(TASKS)
    assert max(server.paid.values()) <= 2  # the whole run of the fixture, and this one


def test_a_key_that_is_turned_down_stops_the_run_and_is_nowhere(server, topics, tmp_path, capsys):
    server.faults = lambda ask: Fault(status=401)
    out = tmp_path / "closed"
    with pytest.raises(EngineError) as error:
        write(recipe(server, topics), str(out))
    assert KEY not in str(error.value)
    assert not list(out.glob("dialogues/*"))
    assert all(KEY.encode() not in file.read_bytes() for file in out.rglob("*") if file.is_file())
    assert KEY not in "".join(capsys.readouterr())


def test_another_recipe_or_other_topics_are_refused(whole, server, topics):
    _, out = whole
    with pytest.raises(ResumeError, match=r"recipe.seed is 0 there and 5 now"):
        write(recipe(server, topics, seed=5), str(out))
    topics.write_text("something else\n", "utf-8")
    with pytest.raises(ResumeError, match="inputs"):
        write(recipe(server, topics), str(out))


def test_how_a_server_is_asked_may_change(whole, server, topics):
    summary, out = whole
    other = llm(server, concurrency=1, stream=True, prices=Prices(input_per_million=3))
    assert write(recipe(server, topics, llm=other), str(out)).digest == summary.digest


def test_nothing_to_write_from_is_an_error(server, tmp_path):
    (tmp_path / "none.txt").write_text("\n\n", "utf-8")
    with pytest.raises(SourceError, match="contains no records"):
        write(recipe(server, tmp_path / "none.txt"), str(tmp_path / "out"))
    with pytest.raises(SourceError, match="cannot read topics"):
        write(recipe(server, tmp_path / "nowhere.txt"), str(tmp_path / "out"))


def test_two_drivers_at_once_write_one_output(whole, server, topics, tmp_path):
    summary, out = whole
    found, begin = [], threading.Barrier(2, timeout=60)

    def drive() -> None:
        begin.wait()
        found.append(write(recipe(server, topics), str(tmp_path / "both")).digest)

    drivers = [threading.Thread(target=drive) for _ in range(2)]
    for driver in drivers:
        driver.start()
    for driver in drivers:
        driver.join(120)
    assert found == [summary.digest] * 2
    assert files(tmp_path / "both") == files(out)


def test_on_an_object_store(whole, server, topics, s3):
    summary, _ = whole
    assert write(recipe(server, topics), s3).digest == summary.digest
    assert sum(key.startswith("dialogues/") for key in open_store(s3).keys("dialogues")) == 4


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
def test_on_ray(whole, topics, tmp_path):
    pytest.importorskip("ray")
    summary, out = whole
    with serving(model.answer) as server:
        found = write(recipe(server, topics), str(tmp_path / "ray"), engine="ray", n_workers=2)
        assert found.digest == summary.digest
        assert files(tmp_path / "ray") == files(out)
        assert set(server.paid.values()) == {1}
        server.faults = lambda ask: Fault(status=401)
        with pytest.raises(EngineError):
            write(recipe(server, topics), str(tmp_path / "ray-closed"), engine="ray", n_workers=2)


def test_a_store_that_fails_ends_the_run_and_it_goes_on(whole, server, topics, tmp_path, monkeypatch):
    summary, out = whole
    create, n = LocalStore.create, 0

    def failing(self, key, data):
        nonlocal n
        n += key.startswith("dialogues/")
        if key.startswith("dialogues/") and n == 2:
            raise OSError("disk gone")
        return create(self, key, data)

    monkeypatch.setattr(LocalStore, "create", failing)
    with pytest.raises(OSError, match="disk gone"):
        write(recipe(server, topics), str(tmp_path / "bad"))
    n_calls = server.n_calls
    assert write(recipe(server, topics), str(tmp_path / "bad")).digest == summary.digest
    assert server.n_calls == n_calls  # every answer had been kept
    assert files(tmp_path / "bad") == files(out)


def test_a_recipe_that_names_no_key_needs_none(topics, monkeypatch):
    with serving(model.answer) as server:
        keyless = Llm(model="writer", base_url=server.url, api_key_env="")
        monkeypatch.delenv("TEST_LLM_KEY")
        assert recipe(server, topics, llm=keyless).llm.api_key_env == ""


def test_a_system_prompt_stays_with_its_dialogue_and_its_marks(tmp_path):
    turns = (Turn("user", "Which bus goes there?"), Turn("assistant", "The nine."))
    mark = Mark("hesitation", 0, 1, "user", "um")
    record = begun(Dialogue("d", turns, "s", "en", 0, (mark,), system="Be brief.")).to_json()
    (tmp_path / "d.jsonl").write_text(json.dumps(record))
    (again,) = sources.read(str(tmp_path / "d.jsonl"))
    assert (again.turns, again.system, again.marks) == (turns, "Be brief.", (mark,))
