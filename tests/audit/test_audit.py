"""Each predictor fails on the fault that it is there for, and no other does; on sound data all pass."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from datagen.audit import Finding, audit
from datagen.audit.run import PREDICTORS
from datagen.cli import app
from datagen.errors import DatagenError
from datagen.run.manifest import Manifest
from datagen.run.store import LocalStore
from tests.audit.talks import N_TALKS, Talk, ms, publish

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
