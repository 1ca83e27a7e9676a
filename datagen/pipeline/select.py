"""Dialogue → Dialogue | Reject: keeps dialogues that two people could speak.

A mild fault does not cost a dialogue: text that nobody says is dropped (`unspoken`), and a dialogue
is cut before a turn that is too long. Both are named and counted. What is left is judged turn by turn
(`turn_checks`).
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from datagen.pipeline.step import PipelineStage
from datagen.pipeline.turn_checks import CHECKS, limit
from datagen.pipeline.unspoken import Dropped, decoded, style_of, without_unspoken
from datagen.recipe import SelectConfig
from datagen.records import Dialogue, Mark, Reject, Turn
from datagen.text import READERS, Read, Reading, spoken
from datagen.text.language import detect_language

_CJK = re.compile(r"[\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")
_COMMON = r"\w\s.,?!;:'\"()%$/&@#*+=~`_\[\]<>°¥€£×·…—–\-“”‘’"
_CHINESE = re.compile(rf"[^{_COMMON}℃，。？！；：、（）《》〈〉「」『』【】～％￥]+")
_RARE = {
    "zh": _CHINESE,
    "ja": _CHINESE,
    "en": re.compile(rf"[^{_COMMON}•´¿¡«»]+"),
}
_RARE_ANYWHERE = re.compile(r"[\\^{}|\u2190-\u2bff\U0001f000-\U0001faff]+")
_FOREIGN = {
    # letters of scripts that a voice of the language cannot read
    "zh": re.compile(r"[\u0370-\u1dff\u3041-\u30ff\uac00-\ud7a3]+"),
    "en": re.compile(r"[\u0370-\u1dff\u3041-\u30ff\u3400-\u9fff\uac00-\ud7a3]+"),
}
_EMOJI = re.compile(
    "[\U0001f000-\U0001faff\ufe0f\u200d\u20e3\u2600-\u2604\u2614\u2615\u2639-\u263b\u2665\u26a0\u26a1\u2705\u2708-\u270d"
    "\u2728\u274c\u2753-\u2757\u2763\u2764\u2b50\u2b55]+"
)
"""Dropped from what is spoken by the rules of markup, so they are no fault."""
_PLAIN = re.compile(r"[A-Za-z ,.?!\u4e00-\u9fff，。？！、]+")
_WORD = re.compile(r"[A-Za-z\u4e00-\u9fff]")
_MOST_UNREAD = 5
_MOST_QUOTED = 40
_MOST_IN_A_WORD = 12
_MOST_OF_A_TEXT = 0.1
"""A single foreign word or symbol of this length, in a text of which it is this share, is no fault."""


class Select(PipelineStage[Dialogue, Dialogue]):
    """Keeps dialogues that can be spoken and sets their language.

    >>> from datagen.records import Turn
    >>> chat = Dialogue("a", (Turn("user", "How are you today?"), Turn("assistant", "Fine, thank you!")))
    >>> sums = Dialogue("b", (Turn("user", "Solve it, please."), Turn("assistant", "x = 2a + b, so 3x = 6a + 3b.")))
    >>> [getattr(Select(SelectConfig())(talk), "reason", "kept") for talk in (chat, sums)]
    ['kept', 'mathematics']
    """

    def __init__(self, recipe: SelectConfig, read: Read = spoken) -> None:
        """Set the thresholds, and the normalizer of each language."""
        self._recipe, self._read = recipe, read

    def run(self, dialogue: Dialogue) -> Dialogue | Reject:
        """The dialogue without what nobody says, cut to its limits, its language set; or the first fault found."""
        cleaned = _cleaned(dialogue)
        if isinstance(cleaned, Reject):
            return cleaned
        kept = _trimmed(cleaned, self._recipe) if self._recipe.trim else cleaned
        language = kept.language.lower().replace("_", "-").partition("-")[0]
        language = language or detect_language(" ".join(turn.text for turn in kept.turns))
        for reason, detail in _faults(kept, language, self._recipe, self._read):
            return _rejected(dialogue, reason, detail)
        return replace(kept, language=language)


def count_words(text: str, characters_per_word: float = 1.6) -> int:
    """Count words; a Chinese or Japanese character counts as part of one.

    >>> count_words("how are you"), count_words("今天天气很好啊！ok")
    (3, 5)
    """
    if text.isascii():
        return len(text.split())
    spaced, n_characters = _CJK.subn(" ", text)
    words = sum(any(map(str.isalnum, word)) for word in spaced.split())
    return words + int(n_characters / characters_per_word + 0.5)


def _rejected(dialogue: Dialogue, reason: str, detail: str) -> Reject:
    return Reject(dialogue.record, dialogue.id, dialogue.source, "select", reason, detail)


# -- mild faults ------------------------------------------------------------------------------------


def _cleaned(dialogue: Dialogue) -> Dialogue | Reject:
    """The dialogue with entities decoded and without the parts that nobody says, each with a notice."""
    turns, notices = list[Turn](), list[str]()
    for i, turn in enumerate(dialogue.turns):
        text, dropped = without_unspoken(decoded(turn.text), turn.role)
        before = [without_unspoken(decoded(call.before), turn.role) for call in turn.calls]
        dropped += tuple(part for _, parts in before for part in parts)
        calls = tuple(replace(call, before=words) for call, (words, _) in zip(turn.calls, before, strict=True))
        turns.append(replace(turn, text=text, calls=calls, style=turn.style or style_of(dropped)))
        notices.extend(f"{part.reason}: turn {i}: {_quoted(part)} dropped" for part in dropped)
    if notices and dialogue.marks:
        detail = f"{notices[0].partition(': ')[2]}, but marks count the words of the turn; remove it from the text"
        return _rejected(dialogue, notices[0].partition(":")[0], detail)
    return replace(dialogue, turns=tuple(turns), notices=(*dialogue.notices, *notices))


def _quoted(part: Dropped) -> str:
    return repr(part.text if len(part.text) <= _MOST_QUOTED else part.text[: _MOST_QUOTED - 1] + "…")


def _trimmed(dialogue: Dialogue, recipe: SelectConfig) -> Dialogue:
    """The dialogue up to an assistant's turn before the first turn beyond the limits of length.

    Unchanged if it is within them, or if what is left would be too short.
    """
    n_turns, n_words, fault = 0, 0, ""
    n_left, words_left = 0, 0
    for turn in dialogue.turns:
        n_here = sum(count_words(text, recipe.characters_per_word) for text in _texts(turn))
        n_turns, n_words = n_turns + 1, n_words + n_here
        fault = _length_fault(n_turns, n_here, n_words, recipe) or ("tool_call" if _call_fault(turn, recipe) else "")
        if fault:
            break
        if turn.role == "assistant":
            n_left, words_left = n_turns, n_words
    if not fault or n_left < recipe.min_turns or words_left < recipe.min_words or not n_left:
        return dialogue
    marks = tuple(mark for mark in dialogue.marks if _fits(mark, n_left))
    return replace(dialogue, turns=dialogue.turns[:n_left], marks=marks, cut=fault)


def _length_fault(n_turns: int, n_here: int, n_words: int, recipe: SelectConfig) -> str:
    """The reason for which a dialogue is cut before its last turn so far; empty if there is none."""
    if n_turns > recipe.max_turns:
        return "too_many_turns"
    if n_here > recipe.max_words_per_turn:
        return "turn_too_long"
    return "too_many_words" if n_words > recipe.max_words else ""


def _texts(turn: Turn) -> list[str]:
    """The words of a turn, those before its calls included."""
    return [*filter(None, (call.before for call in turn.calls)), turn.text]


def _call_fault(turn: Turn, recipe: SelectConfig) -> str:
    """The fault of a call or a result that is too long; empty if there is none."""
    limits = (("call", recipe.max_call_characters), ("result", recipe.max_result_characters))
    for call in turn.calls:
        for part, most in limits:
            if (n := len(getattr(call, part))) > most:
                return f"the {part} of a tool has {n} characters, at most {most} allowed"
    return ""


def _fits(mark: Mark, n_turns: int) -> bool:
    """True if the turn of a mark is left, and for a barge-in the next one, which interrupts it."""
    return mark.turn + (mark.kind == "barge_in") < n_turns


# -- faults -----------------------------------------------------------------------------------------


def _faults(dialogue: Dialogue, language: str, recipe: SelectConfig, read: Read) -> Iterator[tuple[str, str]]:
    """Reason and detail of each fault of a dialogue, cheap checks first."""
    if dialogue.cut and not recipe.trim:
        yield dialogue.cut, "the dialogue is cut before its end, and select.trim is off"
    if language not in recipe.languages:
        yield "language", f"{language!r}, wanted {', '.join(recipe.languages)}"
    yield from _score_faults(dialogue, recipe)
    yield from _length_faults(dialogue, recipe)
    texts = [(i, text) for i, turn in enumerate(dialogue.turns) for text in _texts(turn)]
    for reason, check in CHECKS:
        for i, text in texts:
            if detail := check(text, recipe):
                yield reason, f"turn {i}: {detail}"
    yield from _script_faults(dialogue, language, recipe)
    yield from _speech_faults(dialogue, language, read)


def _script_faults(dialogue: Dialogue, language: str, recipe: SelectConfig) -> Iterator[tuple[str, str]]:
    """Characters that a voice of the language cannot read."""
    text = "".join(text for turn in dialogue.turns for text in _texts(turn))
    if detail := _rare(text, _FOREIGN.get(language), "letters of another script", recipe):
        yield "foreign_script", detail
    if detail := _rare(_EMOJI.sub("", text), _RARE.get(language, _RARE_ANYWHERE), "rare", recipe):
        yield "rare_symbols", detail


def _speech_faults(dialogue: Dialogue, language: str, read: Read) -> Iterator[tuple[str, str]]:
    """Turns of which nothing is said, or not all."""
    for i, text in ((i, text) for i, turn in enumerate(dialogue.turns) for text in _texts(turn)):
        said = _said(text, language, read)
        if said is None:
            continue
        if said.unread:
            shown = ", ".join(map(repr, said.unread[:_MOST_UNREAD]))
            yield "unreadable", f"turn {i}: no rule of {language!r} reads {shown}{_advice(language)}"
        if not said.text:
            yield "unspeakable", f"turn {i}: nothing to say in {text[:40]!r}"


def _rare(text: str, pattern: re.Pattern[str] | None, what: str, recipe: SelectConfig) -> str:
    """The fault of a text in which a pattern's characters are too many; a single word of them is none."""
    found = [match[0] for match in pattern.finditer(text)] if pattern else []
    n_found, most = sum(map(len, found)), recipe.max_rare_share
    single = len(found) == 1 and n_found <= min(_MOST_IN_A_WORD, _MOST_OF_A_TEXT * len(text))
    if single or n_found <= most * len(text):
        return ""
    return f"{n_found} of {len(text)} characters are {what}, such as {found[0][:1]!r}; {limit(most)}"


def _score_faults(dialogue: Dialogue, recipe: SelectConfig) -> Iterator[tuple[str, str]]:
    """Scores of the dialogue's judge that are too low or missing."""
    for name, least in recipe.min_scores:
        score = getattr(dialogue.judged, name, None)
        if least is not None and score is None and recipe.require_scores:
            yield "no_score", f"it was not judged for {name}; select.require_scores asks for it"
        if least is not None and score is not None and score < least:
            yield "low_score", f"{name} {score}, at least {least} wanted"


def _length_faults(dialogue: Dialogue, recipe: SelectConfig) -> Iterator[tuple[str, str]]:
    n_turns = len(dialogue.turns)
    if n_turns < recipe.min_turns:
        yield "too_few_turns", f"{n_turns} turns, at least {recipe.min_turns} wanted"
    if n_turns > recipe.max_turns:
        yield "too_many_turns", f"{n_turns} turns, at most {recipe.max_turns} allowed"
    counts = [count_words(turn.text, recipe.characters_per_word) for turn in dialogue.turns]
    if sum(counts) < recipe.min_words:
        yield "too_few_words", f"{sum(counts)} words, at least {recipe.min_words} wanted"
    for i, n_words in enumerate(counts):
        if n_words > recipe.max_words_per_turn:
            yield "turn_too_long", f"turn {i}: {n_words} words, at most {recipe.max_words_per_turn} allowed"
    if sum(counts) > recipe.max_words:
        yield "too_many_words", f"{sum(counts)} words, at most {recipe.max_words} allowed"


def _said(text: str, language: str, read: Read) -> Reading | None:
    """The reading of a text; None for plain words, which are said as written."""
    return None if _PLAIN.fullmatch(text) and _WORD.search(text) else read(text, language)


def _advice(language: str) -> str:
    """Advice for a language without rules; empty for others."""
    if language in READERS:
        return ""
    return f"; datagen has no rules for {language!r}: name a normalizer in script.normalizer (docs/engines.md)"
