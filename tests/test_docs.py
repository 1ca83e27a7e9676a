"""Code and figures of the docs hold."""

import re
import sys
from pathlib import Path

from datagen.engines.conformance import check
from datagen.recipe import Recipe, load

DOCS = Path(__file__).parent.parent / "docs"


def test_the_engine_of_the_engines_page_keeps_all_laws():
    names: dict = {}
    exec(compile(code_of("engines.md")[0], "engines.md", "exec"), names)
    assert [finding for finding in check("tts", names["Humming"]()) if not finding.holds] == []


def test_the_normalizer_of_the_engines_page_passes_the_tests_beside_it(tmp_path, monkeypatch):
    _, module, suite = code_of("engines.md")
    (tmp_path / "portuguese.py").write_text(module, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    names: dict = {}
    exec(compile(suite, "engines.md", "exec"), names)
    names["test_it_keeps_the_laws"]()
    for written, said in names["PAIRS"]:
        names["test_it_says"](written, said)
    assert names["Portuguese"]().spoken("São 3,5 km").unread == ("3,5",)
    sys.modules.pop("portuguese")


def code_of(page: str) -> list[str]:
    """The blocks of Python on a page."""
    return re.findall(r"```python\n(.*?)```", (DOCS / page).read_text("utf-8"), re.DOTALL)


def test_the_page_states_the_limits_of_the_quality_check():
    text = (DOCS / "engines.md").read_text("utf-8")
    verify = Recipe(name="r").verify
    stated = [
        f"below {verify.min_level_dbfs:g} dBFS",
        f"{verify.min_ms_per_syllable:g} to {verify.max_ms_per_syllable:g} ms per syllable",
        f"{verify.short_slack_ms:g} ms less or {verify.long_slack_ms:g} ms more",
        f"over {verify.max_pause_ms / 1000:g} s, over {verify.max_tail_ms / 1000:g} s",
        f"over {verify.max_clipped_share:.1%} of the samples",
        f"over {verify.max_floor_db:g} dB",
        f"over {verify.max_error_rate:g} errors per word **and** {verify.max_letter_error_rate:g} per letter",
        f"texts of {verify.min_units} words",
        f"more than {verify.max_repeated} that",
        f"below MOS {verify.min_mos:g}",
    ]
    assert [line for line in stated if line not in text] == []


def test_the_recipes_of_the_engines_page_are_shipped():
    for name in ("quickstart", "omniflatten", "natural", "hard", "chinese", "cosyvoice2", "speech_server"):
        assert load(name).name == name
