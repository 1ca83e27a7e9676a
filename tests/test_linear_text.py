"""Text takes time in proportion to its length: hostile texts pass within a budget of processor time.

No time is asserted: a process with a limit of its processor time must end by itself. The limit is
that of a stage, for the largest record. A quadratic rule needs many times that.
"""

import subprocess
import sys

import pytest

from datagen.recipe import LimitsConfig

_LIMIT_CPU_S = int(LimitsConfig().stage_cpu_seconds)
_N_CHARACTERS = 1 << 20

_PROGRAM = """
import resource, sys
kind, limit, n = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
from tests.test_linear_text import RUNS
RUNS[kind](n)
"""


def _text(piece: str, n: int, end: str = "a") -> str:
    return (piece * (n // len(piece) + 1))[:n] + end


def _spoken(piece: str, *languages: str):
    def run(n: int) -> None:
        from datagen.text import to_spoken

        for language in languages:
            to_spoken(_text(piece, n), language)

    return run


def _selected(piece: str):
    def run(n: int) -> None:
        from datagen.pipeline.select import Select
        from datagen.recipe import SelectConfig
        from tests.conftest import dialogue

        most = SelectConfig(max_words=10**6, max_words_per_turn=10**6, max_word_length=10**4)
        Select(most)(dialogue(_text(piece, n), "Yes.", id="d"))

    return run


def _compared(n: int) -> None:
    from datagen.sources.duplicates import essence_of
    from tests.conftest import dialogue

    essence_of(dialogue(_text("\u0301\u0327", n), "Yes.", id="d"))


def _stems(n: int) -> None:
    from datagen.text.references import content

    content(_text("ing", n), "en")


def _pauses(n: int) -> None:
    from datagen.pipeline.script.floor import n_repeatable, pause_places

    text = f"So {_text(',', n)} ends well, does it"
    pause_places(text, "fr")
    n_repeatable(text, 4)


def _pieces(n: int) -> None:
    from datagen.records import Word
    from datagen.text.phrases import places

    places([Word("好吧", 0, 1)] * (n // 2), "好吧" * (n // 2))


def _interruptions(n: int) -> None:
    from datagen.pipeline.draws import Draws
    from datagen.pipeline.script.beside import beside
    from datagen.pipeline.script.floor import Setting, TurnPlan
    from datagen.pipeline.script.interrupt import _spots
    from tests.conftest import make_recipe

    timing = make_recipe("timing.backchannel.user_probability=0.5", "timing.backchannel.min_words=1").timing
    voices = {"user": "u", "assistant": "a"}
    setting = Setting("en", timing, timing.tokens["en"], voices, Draws.of_script(1, "d", 24_000))
    turns = ["Tell me about pears.", _text("a plum, a fig, ", n, "tea."), "Are apples good?", "Yes."]
    parts = [TurnPlan(k, "assistant" if k % 2 else "user", text, text) for k, text in enumerate(turns)]
    for family in ("repeat_request", "got_it"):
        _spots(family, parts, 1, setting)
    beside(parts[1], setting)


def _marks(n: int) -> None:
    from datagen.pipeline.script.script import _mark_places
    from datagen.records import Mark

    words = n // 5
    marks = [Mark("hesitation", 0, k, "user") for k in range(0, words, 20)]
    assert list(_mark_places(marks, ["plum " * words])) == []


RUNS = {
    "mixed spaces": _spoken(" \u2003", "en", "zh", "fr"),
    "mixed spaces in talk": _spoken("a, \u2003\u00a0", "en", "zh", "fr"),
    "groups of digits": _spoken("1,123", "en"),
    "groups of digits, European": _spoken("1.123", "es", "de", "fr", "pt"),
    "numbers": _spoken("1, ", "en"),
    "numbers, European": _spoken("1, ", "es", "de", "fr", "pt"),
    "prices": _spoken("$1,", "en"),
    "fractions": _spoken("1 1/2-", "en"),
    "letters": _spoken("a", "en"),
    "initials": _spoken("a.", "en"),
    "hyphens": _spoken("a-", "en"),
    "words with rules": _spoken("x ", "en", "zh"),
    "apostrophes": _spoken("x'", "en", "zh", "fr"),
    "short forms": _spoken("St. ", "en"),
    "items": _spoken("1. a\n", "en", "zh"),
    "bullets": _spoken("- a\n", "en", "zh"),
    "empty lines": _spoken("\n \n", "en"),
    "stars after digits": _spoken("1**", "zh"),
    "circled numbers": _spoken("①", "zh"),
    "addresses": _spoken("a.b@", "en"),
    "combining marks": _spoken("\u0301\u0327", "en", "zh", "fr"),
    "halfwidth marks": _spoken("\u0301\uff9e", "en"),
    "digits of an entity": _spoken("&#" + "1" * 5000, "en"),
    "spaces, selected": _selected(" \u2003"),
    "open brackets, selected": _selected("[<`"),
    "tags of reasoning, selected": _selected("<think> "),
    "directions, selected": _selected("(laughs *sighs "),
    "labels, selected": _selected("\n user"),
    "sets of words, selected": _selected("{a, b, "),
    "combining marks, compared": _compared,
    "suffixes": _stems,
    "marks of a unit": _pauses,
    "pieces of a text": _pieces,
    "phrases of a turn": _interruptions,
    "marks of a record": _marks,
}


@pytest.mark.parametrize("share", [4, pytest.param(1, marks=pytest.mark.slow)], ids=["quarter", "whole"])
@pytest.mark.parametrize("kind", RUNS)
def test_a_hostile_text_passes_within_its_budget(kind, share):
    command = [sys.executable, "-c", _PROGRAM, kind, str(_LIMIT_CPU_S // share), str(_N_CHARACTERS // share)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.returncode}\n{done.stderr[-2000:]}"


def test_a_run_of_combining_marks_is_cut_where_no_script_has_so_many():
    from datagen.text.markup import fold

    assert fold("a" + "\u0301" * 31 + "b" + "\u0327" * 2).count("\u0301") == 29  # one is in the letter á
    assert fold("😀" * 40 + "\u0301" * 3) == "😀" * 40 + "\u0301" * 3
