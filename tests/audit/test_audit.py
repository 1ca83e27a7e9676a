"""Each predictor fails on the fault that it is there for, and no other does; on sound data all pass."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from datagen.audit import Finding, audit
from datagen.audit.audit import PREDICTORS
from datagen.cli import app
from datagen.errors import DatagenError
from datagen.shards.manifest import Manifest
from datagen.shards.store import LocalStore
from tests.audit.talks import N_TALKS, Talk, publish

Rows = list[dict[str, Any]]
FAULTS = {
    "knows": "interruption_from_text",
    "periodic": "voice_from_periodicity",
    "equal": "equal_waveforms",
    "shared": "shared_noise",
    "unheard": "unheard_references",
    "early": "early_answers",
    "canned": "canned_tokens",
    "answered": "events_without_trace",
    "hesitation": "hesitations_as_endings",
    "half": "half_texts",
    "must_stop": "must_stop_from_must_ignore",
}
"""What is wrong with a conversation of `Talk`, and which predictor finds it."""


def audited(folder: Path, language: str = "en", fault: str = "", **more: Any) -> dict[str, Finding]:
    """Findings on a build of conversations that have a fault, by name."""
    out = publish(folder, [Talk(k, language, fault) for k in range(N_TALKS)], **more)
    return {finding.name: finding for finding in audit(Manifest.load(LocalStore(out)))}


def failed(findings: dict[str, Finding]) -> list[str]:
    return [name for name, finding in findings.items() if finding.verdict == "fail"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_all_pass_where_nothing_is_wrong(tmp_path, language):
    findings = audited(tmp_path, language)
    assert len(findings) == len(PREDICTORS) + 1
    assert {f.name: f.verdict for f in findings.values()} == dict.fromkeys(findings, "pass")


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(("fault", "name"), FAULTS.items())
def test_a_fault_is_found_by_its_predictor_alone(tmp_path, language, fault, name):
    findings = audited(tmp_path, language, fault)
    assert failed(findings) == [name]
    assert findings[name].examples


# -- events that nothing shows ----------------------------------------------------------------------------------


def _event(row: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(e for e in row["events"] if e["kind"] == kind)


def _cuts_nothing(rows: Rows) -> None:
    for row in rows:
        cut = next(u for u in row["utterances"] if u["n_cut_samples"] and u["role"] == "assistant")
        whole = {"n_cut_samples": 0, "unsaid": "", "spoken": cut["said"]}
        cut.update(whole)


def _not_heard(rows: Rows) -> None:
    for row in rows:
        u = row["utterances"][_event(row, "backchannel")["utterance"]]
        u["end_samples"] = u["start_samples"]


def _inaudible(rows: Rows) -> None:
    for row in rows:
        event = _event(row, "cough")
        first, last = event["start_samples"] // 960, -(-event["end_samples"] // 960)
        row["user_codes"][first:last] = [3] * (last - first)


def _out_of_order(rows: Rows) -> None:
    for row in rows:
        row["events"].append(row["events"].pop(0))


def _set_for_nothing(rows: Rows) -> None:
    for row in rows:
        row["mixing"]["bursts_db"] = -12.0


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (_cuts_nothing, "barge_ins_that_cut_nothing"),
        (_not_heard, "utterances_not_heard"),
        (_inaudible, "inaudible_hard_negatives"),
        (_out_of_order, "events_out_of_order"),
        (_set_for_nothing, "settings_of_nothing"),
    ],
)
def test_each_label_without_a_trace_is_found(tmp_path, change: Callable[[Rows], None], what: str):
    found = audited(tmp_path, change=change)["events_without_trace"]
    assert found.verdict == "fail"
    shares = {name: share for name, share in found.figures.items() if share > 0}
    assert set(shares) == {what}
    assert what.replace("_", " ") in found.examples[0].text


def test_an_event_that_was_not_placed_counts_for_nothing(tmp_path):
    def unplaced(rows: Rows) -> None:
        _not_heard(rows)
        for row in rows:
            _event(row, "backchannel")["placed"] = False

    assert audited(tmp_path, change=unplaced)["events_without_trace"].verdict == "pass"


# -- twins ------------------------------------------------------------------------------------------------------


def _twins(rows: Rows) -> None:
    for held_out, train in zip(rows[::6], rows[1::6], strict=False):
        for u, of_train in zip(held_out["utterances"], train["utterances"], strict=True):
            u["text"] = of_train["text"]


def test_twins_across_splits_are_found(tmp_path):
    findings = audited(tmp_path, change=_twins)
    assert failed(findings) == ["twins_across_splits"]
    assert findings["twins_across_splits"].score == 1.0
    pairs = {(e.dialogue_id, e.text) for e in findings["twins_across_splits"].examples}
    assert ("en-0", "1.00 like en-1") in pairs


# -- other builds -----------------------------------------------------------------------------------------------


def test_generic_interruptions_refer_to_nothing(tmp_path):
    """Their words are no reference, whatever the unheard rest says."""

    def generic(rows: Rows) -> None:
        for row in rows:
            _event(row, "next_turn")["kind"] = "repeat_request"

    assert audited(tmp_path, fault="unheard", change=generic)["unheard_references"].n == 0


def test_a_later_turn_that_names_an_unheard_word_counts(tmp_path):
    def later(rows: Rows) -> None:
        for row in rows:
            cut = next(u for u in row["utterances"] if u["n_cut_samples"] and u["role"] == "assistant")
            turn = next(u for u in row["utterances"] if u["turn"] == 4)
            turn["said"] += " " + cut["unsaid"]

    found = audited(tmp_path, change=later)["unheard_references"]
    assert (found.verdict, found.figures["in_the_interruption"]) == ("fail", 0.0)


def test_too_little_data_is_no_verdict(tmp_path):
    out = publish(tmp_path, [Talk(k, fault="knows") for k in range(6)])
    verdicts = {f.name: f.verdict for f in audit(Manifest.load(LocalStore(out)))}
    assert verdicts["interruption_from_text"] == verdicts["must_stop_from_must_ignore"] == "not enough data"


def test_a_large_build_is_sampled_by_id(tmp_path):
    out = publish(tmp_path, [Talk(k) for k in range(N_TALKS)])
    some, again = (audit(Manifest.load(LocalStore(out)), N_TALKS // 3) for _ in range(2))
    assert some == again
    by_name = {f.name: f.n for f in some}
    assert 5 < by_name["unheard_references"] < N_TALKS * 2 / 3
    assert by_name["twins_across_splits"] == 8, "twins are looked for in all texts"


def test_rows_alone_cannot_be_audited(tmp_path):
    out = publish(tmp_path, [Talk(0)])
    manifest = Manifest.load(LocalStore(out))
    del manifest.tables["conversations"]
    with pytest.raises(DatagenError, match="from which it was flattened"):
        audit(manifest)


# -- the command ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def builds(tmp_path_factory) -> dict[str, Path]:
    """A build that passes, and one that does not."""
    folder = tmp_path_factory.mktemp("builds")
    return {
        fault: publish(folder / fault, [Talk(k, fault=fault.strip("-")) for k in range(N_TALKS)])
        for fault in ("-", "half")
    }


def test_the_command_prints_a_table_and_its_status_tells(builds):
    whole, half = (CliRunner().invoke(app, ["audit", str(builds[name])]) for name in ("-", "half"))
    assert (whole.exit_code, half.exit_code) == (0, 1)
    assert "half texts" in whole.output
    assert "is missing" not in whole.output
    assert "is missing" in half.output, "examples of what failed are shown"


def test_json_has_all_of_it(builds):
    run = CliRunner().invoke(app, ["audit", str(builds["half"]), "--json"])
    found = {each["name"]: each for each in json.loads(run.output)}
    assert run.exit_code == 1
    assert found["half_texts"]["verdict"] == "fail"
    assert found["half_texts"]["examples"][0]["dialogue_id"] in {f"en-{k}" for k in range(N_TALKS)}
    assert set(found["half_texts"]) == set(Finding.__dataclass_fields__)


def test_the_audit_changes_nothing(builds):
    before = {path: path.read_bytes() for path in builds["half"].rglob("*") if path.is_file()}
    CliRunner().invoke(app, ["audit", str(builds["half"])])
    assert before == {path: path.read_bytes() for path in builds["half"].rglob("*") if path.is_file()}
