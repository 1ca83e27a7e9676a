"""Dialogues normalized per second of processor time, and the time for hostile texts of a million characters."""

import argparse
import random
import time
from collections.abc import Callable

from common import show

from datagen.text import to_spoken

_TURNS = {
    "en": "I booked it for {} and they said it takes {}, but then we need at least {} before we leave, or maybe {}.",
    "zh": "我订了{}，他们说需要{}，但是我们出发之前至少还需要{}，或者{}也可以。",
}
_PLAIN = {"en": ("a week", "a while", "some rest", "not"), "zh": ("一个房间", "很久", "休息一下", "不用")}
_HOSTILE = {
    "en": (
        "1. a\n",
        "- a\n",
        "\n",
        "> a\n",
        "a\n",
        "1**",
        "$1 ",
        "1 ",
        "a. ",
        "<b>",
        "[a](b)",
        "&amp;",
        "😀",
        "\u0301",
    ),
    "zh": ("1. a\n", "1**", "(1)", "①", "，", "的 ", "I ", "1元", "第I", "😀", "é "),
}
_DIALOGUE = 8
"""Turns of a dialogue."""


def _figures(rng: random.Random, language: str) -> list[str]:
    """Four written numbers, each of another class."""
    n, two, many = rng.randrange(2, 60), rng.randrange(10, 60), rng.randrange(1000, 99999)
    if language == "zh":
        kinds = [
            f"{n}.{two}元",
            f"{n}公斤",
            f"{n % 12 + 1}:{two}",
            f"{1950 + n}年3月{n % 28 + 1}日",
            f"{n}%",
            f"{many:,}",
        ]
        kinds += [f"1{3_000_000_000 + many}", f"{n}-{n + two}天", f"{100 + n}室", f"{n % 9}.{n % 7}"]
    else:
        kinds = [
            f"${n}.{two}",
            f"{n} kg",
            f"{n % 12 + 1}:{two} pm",
            f"March {n % 28 + 1}, {1950 + n}",
            f"{n}%",
            f"{many:,}",
        ]
        kinds += [f"555-{100 + n}-{many % 9000 + 1000}", f"{n}-{n + two}", f"Room {100 + n}", f"{n % 9}.{n % 7}"]
    return rng.sample(kinds, 4)


def _per_second(make: Callable[[], str], language: str, n_dialogues: int, times: int) -> float:
    turns = [make() for _ in range(n_dialogues * _DIALOGUE)]
    best = float("inf")
    for _ in range(times):
        begin = time.process_time()
        for turn in turns:
            to_spoken(turn, language)
        best = min(best, time.process_time() - begin)
    return n_dialogues / best


def main() -> None:
    """Measure and print; the best of several runs, in processor time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=9, help="runs of which the best is shown")
    parser.add_argument("--dialogues", type=int, default=100)
    parser.add_argument("--characters", type=int, default=1 << 20, help="length of the hostile texts")
    options = parser.parse_args()
    rng = random.Random(1)
    for language, turn in _TURNS.items():
        plain = turn.format(*_PLAIN[language])
        speed = _per_second(lambda plain=plain: plain, language, options.dialogues, options.times)  # type: ignore[misc]
        show(f"{language}, plain", speed, "dialogues/s", least=5000)
        numbered = lambda turn=turn, language=language: turn.format(*_figures(rng, language))  # noqa: E731
        speed = _per_second(numbered, language, options.dialogues, options.times)
        show(f"{language}, four numbers per turn", speed, "dialogues/s", least=1000)
        for piece in _HOSTILE[language]:
            text = (piece * (options.characters // len(piece) + 1))[: options.characters]
            begin = time.process_time()
            to_spoken(text, language)
            show(f"{language}, {piece!r} repeated", time.process_time() - begin, "s", most=1.0)


if __name__ == "__main__":
    main()
