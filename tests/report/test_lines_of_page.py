"""Lines of summary of a report."""

from types import SimpleNamespace

from datagen.audit.audit import cells
from datagen.audit.finding import Finding
from datagen.report.page import _verdicts, _within


def audit(*verdicts: str) -> SimpleNamespace:
    return SimpleNamespace(audit=[(f"p{k}", verdict) for k, verdict in enumerate(verdicts)])


def test_verdicts_are_counted_with_what_could_not_be_judged():
    few = audit(*["pass"] * 7, *["not enough data"] * 4, "not applicable")
    assert _verdicts(few) == "7 pass, 4 have too little data, 1 does not apply"
    assert _verdicts(audit("pass", "fail")) == "p1 failed, 1 passes"


def test_few_transfers_are_not_compared_with_people():
    figures = {"fto_median_ms": {"value": 240.0, "inside": True}}
    assert "1 of 1 figures" in _within({"figures": figures, "durations": {"fto": {"n": 30}}})
    said = _within({"figures": figures, "durations": {"fto": {"n": 29}}})
    assert "29 transfers" in said and "human range" not in said


def test_a_row_of_the_audit_has_one_unit():
    row = cells(Finding("a", "b", 1.2, 9, 1.0, 0.98, "pass"))
    assert row[2:5] == ("1.20", "1.00", "0.98")
    assert cells(Finding("a", "b", 0.12, 9, 0.5, 0.98, "pass"))[2:5] == ("12.0%", "50.0%", "98.0%")
