"""Dialogue → Dialogue | Reject: keeps dialogues that two people could speak.

Our own thresholds were tuned on Alpaca, MOSS and ShareGPT records until recipes, code, tables and
mathematics were rejected and ordinary talk was kept.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from datagen.pipeline.step import PipelineStage
from datagen.recipe import SelectConfig
from datagen.records import Dialogue, Reject
from datagen.text import to_spoken
from datagen.text.language import detect_language

_CJK = re.compile(r"[\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffd]")
_CODE_HINT = re.compile(r"[`{};=<>()]")
_FENCED = re.compile(r"```.*?(?:```|\Z)|~~~\n.*?(?:~~~|\Z)", re.DOTALL)
_INLINE = re.compile(r"`[^`\n]{1,200}`")
_CODE_LINE = re.compile(
    r"(?:def|class|function|func|fn) \w+ ?[(:{].*"
    r"|(?:import|using|package) [\w.{*\"]+(?: as \w+)?;?|from [\w.]+ import .*|#(?:include|define) .*|@\w+\(.*"
    r"|(?:public|private|protected|static|const|let|var|int|float|double|void|string|char) .*[={;(].*"
    r"|(?:(?:if|while|elif|switch|catch|except)\b|for \w+ in\b|else).*[:{]|(?:for|while|if) ?\(.*\).*"
    r"|(?:print|printf|console\.log|System\.out|cout|echo) ?[(<.].*|</?\w+(?: [^<>]*)?>.*"
    r"|(?:SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE TABLE|FROM|WHERE|GROUP BY|ORDER BY)\b.*"
    r"|[\w.\[\]\"']+ ?[-+*/]?= ?[^=]*[\w)\]}\"';]|return\b.*;|return [\w.]+(?: ?[-+*/] ?\w+| ?\(.*\))?"
    r"|[\w.]+\([^()]*\);?|[{}()\[\];,]+|.*[{}]|.*[)\]\"'\d];|[\w.]+;|//.*|\"[^\"]*\" ?: ?.*"
)
_MATH = re.compile(
    r"\\(?:[a-zA-Z]{2,}|[()\[\]])|[√∑∫∏∂∞≤≥≠≈±÷∈∪∩⊂∀∃²³^π∆θ]|\$[^$\n\d\s][^$\n]{0,60}\$(?!\d)"
    r"|(?<=[\w)\]]) ?[=×] ?(?=[\w(√-])|(?<=\d) ?[+*] ?(?=\d)|(?<=\d) [-/] (?=\d)"
    r"|(?:(?<=\b[a-z])|(?<=\d[a-z])|(?<=[\d)])) ?[+*/-] ?(?=[\da-z]\b|\d[a-z]\b|\()"
)
_COMMON = r"\w\s.,?!;:'\"()%$/&@#*+=~`_\[\]<>°¥€£×·…—–\-“”‘’"
_CHINESE = re.compile(rf"[^{_COMMON}℃，。？！；：、（）《》〈〉「」『』【】～％￥]")
_RARE = {
    "zh": _CHINESE,
    "ja": _CHINESE,
    # letters of scripts an English voice cannot read are rare too
    "en": re.compile(rf"[^{_COMMON}•´¿¡«»]|[\u0370-\u1dff\u3041-\u30ff\u3400-\u9fff\uac00-\ud7a3]"),
}
_RARE_ANYWHERE = re.compile(r"[\\^{}|\u2190-\u2bff\U0001f000-\U0001faff]")
_LIST_ITEM = re.compile(
    r"(?:^|\n)[ \t]*(?:[-*+•◦▪●○■–—·►➤✓✔][ \t]+\S|[(（]?(?:\d{1,2}|[a-h])[.)、）：:][ \t]*[^\s\d]"
    r"|[一二三四五六七八九十]{1,2}、|\#{1,6} )"
    r"|(?<=[\s。；;:：])[(（]?\d{1,2}[.)、）](?!\d)[ \t]*\S|第[一二三四五六七八九十][，、：]"
)
_TABLE_ROW = re.compile(r"^[^\n|]*\|[^\n|]*\|[^\n]*$", re.MULTILINE)
_HTML_TAG = re.compile(r"</?(?!\d)[a-zA-Z][^<>\n]{0,200}>|&(?:lt|gt|amp|nbsp|quot|#\d{1,5});")
_URL = re.compile(r"(?:https?://|ftp://|www\.)[^\s，。）)]+")
_PLACEHOLDER = re.compile(r"\[[^\]\n\d]{2,40}\](?!\()|_{3,}|\{\{|<(?:noinput|blank)>", re.IGNORECASE)
_PLAIN_WORD = re.compile(r"(?:^|[\s，。])[A-Za-z]+(?=[\s,.?!]|$)|[\u4e00-\u9fff]")
_HIDES_WORDS = re.compile(r"[`<|]|\[|://")
_MIN_GROUPS = 12

Check = Callable[[str, SelectConfig], str]
"""A function from the text of a turn to its fault; empty if there is none."""


class Select(PipelineStage[Dialogue, Dialogue]):
    """Keeps dialogues that can be spoken and sets their language.

    >>> from datagen.records import Turn
    >>> chat = Dialogue("a", (Turn("user", "How are you today?"), Turn("assistant", "Fine, thank you!")))
    >>> sums = Dialogue("b", (Turn("user", "Solve it, please."), Turn("assistant", "x = 2a + b, so 3x = 6a + 3b.")))
    >>> [getattr(Select(SelectConfig())(talk), "reason", "kept") for talk in (chat, sums)]
    ['kept', 'mathematics']
    """

    def __init__(self, recipe: SelectConfig) -> None:
        """Set the thresholds."""
        self._recipe = recipe

    def run(self, dialogue: Dialogue) -> Dialogue | Reject:
        """The dialogue with its language set, or the first fault found."""
        language = dialogue.language.lower().replace("_", "-").partition("-")[0]
        language = language or detect_language(" ".join(turn.text for turn in dialogue.turns))
        for reason, detail in _faults(dialogue, language, self._recipe):
            return Reject(dialogue.record, dialogue.id, dialogue.source, "select", reason, detail)
        return replace(dialogue, language=language)


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


def _faults(dialogue: Dialogue, language: str, recipe: SelectConfig) -> Iterator[tuple[str, str]]:
    """Reason and detail of each fault of a dialogue, cheap checks first."""
    if language not in recipe.languages:
        yield "language", f"{language!r}, wanted {', '.join(recipe.languages)}"
    yield from _score_faults(dialogue, recipe)
    yield from _length_faults(dialogue, recipe)
    for reason, check in _CHECKS:
        for i, turn in enumerate(dialogue.turns):
            if detail := check(turn.text, recipe):
                yield reason, f"turn {i}: {detail}"
    text = "".join(turn.text for turn in dialogue.turns)
    rare = _RARE.get(language, _RARE_ANYWHERE).findall(text)
    if len(rare) > recipe.max_rare_share * len(text):
        found = f"{len(rare)} of {len(text)} characters are rare, such as {rare[0]!r}"
        yield "rare_symbols", f"{found}; {_limit(recipe.max_rare_share)}"
    for i, turn in enumerate(dialogue.turns):
        if not _speakable(turn.text, language):
            yield "unspeakable", f"turn {i}: nothing to say in {turn.text[:40]!r}"


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


def _control(text: str, _: SelectConfig) -> str:
    found = _CONTROL.search(text)
    return f"character U+{ord(found[0]):04X} at {found.start()}" if found else ""


def _code(text: str, recipe: SelectConfig) -> str:
    if not _CODE_HINT.search(text):
        return ""
    n_code, rest = 0, text
    for pattern in (_FENCED, _INLINE):
        n_code += sum(len(match[0]) for match in pattern.finditer(rest))
        rest = pattern.sub("", rest)
    n_code += sum(len(line) for line in map(str.strip, rest.split("\n")) if _CODE_LINE.fullmatch(line))
    share = n_code / len(text)
    if share <= recipe.max_code_share:
        return ""
    return f"{share:.0%} of the characters are code; {_limit(recipe.max_code_share)}"


def _repeated(text: str, recipe: SelectConfig) -> str:
    """Check the share of repeated groups of three words, or of six characters without spaces."""
    words = text.lower().split()
    if len(words) * 12 < len(text):
        groups: list[object] = [text[i : i + 6] for i in range(len(text) - 5)]
    else:
        groups = list(zip(words, words[1:], words[2:], strict=False))
    if len(groups) < _MIN_GROUPS:
        return ""
    share, most = 1 - len(set(groups)) / len(groups), recipe.max_repeated_share
    return f"{share:.0%} of it is said again; {_limit(most)}" if share > most else ""


def _long_word(text: str, recipe: SelectConfig) -> str:
    most = recipe.max_word_length
    if len(text) <= most:
        return ""
    longest = max(map(len, _CJK.sub(" ", _URL.sub(" ", text)).split()), default=0)
    return f"{longest} characters without a space, at most {most} allowed" if longest > most else ""


def _counted(pattern: re.Pattern[str], what: str, field: str) -> Check:
    """A check that a pattern occurs no more often than a setting allows."""

    def check(text: str, recipe: SelectConfig) -> str:
        found, allowed = pattern.findall(text), getattr(recipe, field)
        return f"{len(found)} {what}, at most {allowed} allowed" if len(found) > allowed else ""

    return check


def _limit(share: float) -> str:
    return f"at most {share:.0%} allowed"


_CHECKS: tuple[tuple[str, Check], ...] = (
    ("control_characters", _control),
    ("code", _code),
    ("mathematics", _counted(_MATH, "mathematical symbols", "max_math_symbols")),
    ("table", _counted(_TABLE_ROW, "table rows", "max_table_rows")),
    ("html", _counted(_HTML_TAG, "HTML tags", "max_html_tags")),
    ("list", _counted(_LIST_ITEM, "list items", "max_list_items")),
    ("urls", _counted(_URL, "addresses", "max_urls")),
    ("placeholder", _counted(_PLACEHOLDER, "blanks to fill in", "max_placeholders")),
    ("long_word", _long_word),
    ("repetition", _repeated),
)


def _speakable(text: str, language: str) -> bool:
    """True if a text has anything to say; plain words skip the costly full normalization."""
    if _PLAIN_WORD.search(text) and not _HIDES_WORDS.search(text):
        return True
    return bool(to_spoken(text, language))
