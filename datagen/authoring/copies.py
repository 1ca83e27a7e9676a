"""Copies of a prompt's examples in an answer: a lazy model says the example back, and passes all other checks."""

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

from datagen.authoring.answers import UnfitAnswerError
from datagen.authoring.prompts import Prompt
from datagen.text.phrases import units

MOST_COPIED = 0.4
"""Largest share of an answer that may come from one example and not from the question."""
_N = 4
"""Words in a run that is no accident."""
_N_HAN = 6
"""Chinese characters in such a run."""
_NOT_TEXT = frozenset(("role", "after"))
"""Fields that are chosen from a list, or copied from the question on purpose."""
_MARKS = ",.?!;:，。？！；：…'\"“”‘’"


def refuse_copy(answer: Any, prompt: Prompt, examples: Sequence[str], question: str) -> None:
    """Check that an answer does not repeat an example.

    Args:
        answer: The answer as a JSON value.
        prompt: Its prompt.
        examples: Answers of the examples, as the prompt shows them.
        question: Text of the question, whose words may be repeated.

    Raises:
        UnfitAnswerError: `copied_example`.
    """
    for example in examples:
        share = copied_share(answer, _value(example), question)
        if share > MOST_COPIED:
            raise UnfitAnswerError(
                "copied_example",
                f"{share:.0%} of the answer is copied from an example of the prompt {prompt.name}; use your own words",
            )


def copied_share(answer: Any, example: Any, question: str) -> float:
    """Share of an answer's text that is in an example and not in the question, 0 to 1.

    Of whole texts, such as turns or reasons, and of runs of four words or six Chinese characters; the larger one.

    >>> copied_share({"text": "Well, ten minutes at most, I think."}, {"text": "ten minutes at most, I think"}, "")
    0.75
    >>> copied_share({"text": "That's the red one over there."}, {"text": "Ten minutes at most."}, "")
    0.0
    """
    said, shown = list(texts(answer)), list(texts(example))
    asked = _runs([question])
    found, known = _runs(said), _runs(shown) - asked
    of_runs = len(found & known) / len(found) if found else 0.0
    whole = [tuple(_words(text)) for text in said]
    same = {tuple(_words(text)) for text in shown}
    n_same = sum(words in same for words in whole)
    of_texts = n_same / len(whole) if len(whole) > 1 or (whole and len(whole[0]) >= _N) else 0.0
    return max(of_runs, of_texts)


def texts(value: Any, key: str = "") -> Iterator[str]:
    """The texts in a JSON value, without those that are chosen from a list.

    >>> list(texts({"turns": [{"role": "user", "text": "Hi."}], "score": 3}))
    ['Hi.']
    """
    if isinstance(value, str):
        if value and key not in _NOT_TEXT:
            yield value
    elif isinstance(value, dict):
        for name, child in value.items():
            yield from texts(child, name)
    elif isinstance(value, list):
        for child in value:
            yield from texts(child, key)


def shared_runs(text: str, others: Iterable[str]) -> float:
    """Share of the runs of a text that are in other texts, 0 to 1; 0 for a text that is too short to tell.

    >>> shared_runs("as I said, turn left at the church", ["Turn left at the church, then right."])
    0.4
    """
    found = _runs([text])
    return len(found & _runs(others)) / len(found) if found else 0.0


def _runs(some: Iterable[str]) -> set[tuple[str, ...]]:
    found: set[tuple[str, ...]] = set()
    for text in some:
        words = _words(text)
        n = _N_HAN if sum("\u3400" <= word[:1] <= "\u9fff" for word in words) * 2 > len(words) else _N
        found.update(tuple(words[k : k + n]) for k in range(len(words) - n + 1))
    return found


def _words(text: str) -> list[str]:
    words = (text[unit.start : unit.end].strip(_MARKS).casefold() for unit in units(text))
    return [word for word in words if word]


@cache
def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
