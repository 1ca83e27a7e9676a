"""Checks of one turn: what makes it no speech. Each reason names the thing that was found.

Our own thresholds were tuned on Alpaca, MOSS and ShareGPT records until recipes, code, tables and
mathematics were rejected and ordinary talk was kept.
"""

import re
from collections.abc import Callable

from datagen.pipeline.unspoken import left_thoughts
from datagen.recipe import SelectConfig

_CJK = re.compile(r"[\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffd]")
_MEDIA = re.compile(
    r"<[/|]?(?:image|img|video|audio|picture|vision)(?:_?(?:pad|start|end|token|url))?[/|]?>"
    r"|!\[[^\]\n]{0,200}\]\([^)\n]{0,500}\)"
    r"|\[(?:image|img|video|audio|photo|picture|gif|sticker|图片|图像|视频|语音|表情|文件)(?:[:：][^\]\n]{0,80})?\]",
    re.IGNORECASE,
)
_TEMPLATE = re.compile(
    r"<\|[^|<>\n]{1,40}\|>|\[/?INST\]|<</?SYS>>|</?(?:start|end)_of_turn>|<eo[hmcra]>|</s>|<(?:bos|eos|pad|sep)>"
    r"|^\#{2,3} ?(?:Human|Assistant|User|System|Instruction|Response|Input|Output|问题|回答|指令|输入|输出) ?[:：]",
    re.MULTILINE,
)
_SPEAKERS = re.compile(
    r"^[ \t]{0,4}[*_\[【]{0,2}(?P<sure>human|assistant|chatgpt|user|moss|用户|人类|助手|机器人|人工智能助手)?"
    r"(?P<perhaps>ai|bot|gpt|model|system|customer|client|agent|[qa]|客户|客服|顾客|问|答)?"
    r"[*_\]】]{0,2} ?[:：][*_]{0,2}",
    re.MULTILINE | re.IGNORECASE,
)
_CODE_HINT = re.compile(r"[`{};=<>()]")
_FENCED = re.compile(r"```.*?(?:```|\Z)|~~~\n.*?(?:~~~|\Z)", re.DOTALL)
_INLINE = re.compile(r"`[^`\n]{1,200}`")
_NAME = re.compile(r"`[\w' -]+`")
"""Words in backticks, which are said like any others."""
_WORD_SET = re.compile(r"\{[\w' -]+(?:[,，、][\w' -]+)+\}")
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
    r"|(?:(?<=\b[a-z])|(?<=\d[a-z])|(?<=\))) ?[+*/-] ?(?=[\da-z]\b|\d[a-z]\b|\()"
    r"|(?<=\d) ?[+*/-] ?(?=[a-z]\b|\d[a-z]\b|\()"
)
_LIST_ITEM = re.compile(
    r"(?:^|\n)[ \t]*(?:[-*+•◦▪●○■–—·►➤✓✔][ \t]+\S|[(（]?(?:\d{1,2}|[a-h])[.)、）：:][ \t]*[^\s\d]"
    r"|[一二三四五六七八九十]{1,2}、|\#{1,6} )"
    r"|(?<=[\s。；;:：])[(（]?\d{1,2}[.)、）](?!\d)[ \t]*\S|第[一二三四五六七八九十][，、：]"
)
_TABLE_ROW = re.compile(r"^[^\n|]*\|[^\n|]*\|[^\n]*$", re.MULTILINE)
_HTML_TAG = re.compile(r"</?(?!\d)[a-zA-Z][^<>\n]{0,200}>")
_URL = re.compile(r"(?:https?://|ftp://|www\.)[^\s，。）)]+")
_PLACEHOLDER = re.compile(
    r"\[(?:(?:insert|your|enter|add|name|e\.g\.)\b[^\]\n]{0,40}|[^\]\n\d,，、\"'\[|]{2,40})\](?![(+*?])|_{3,}|\{\{"
    r"|<(?:noinput|blank)>",
    re.IGNORECASE,
)
_MIN_GROUPS = 12

Check = Callable[[str, SelectConfig], str]
"""A function from the text of a turn to its fault; empty if there is none."""


def _control(text: str, _: SelectConfig) -> str:
    found = _CONTROL.search(text)
    return f"character U+{ord(found[0]):04X} at {found.start()}" if found else ""


def _role_labels(text: str, _: SelectConfig) -> str:
    if ":" not in text and "：" not in text:
        return ""
    labels = [match for match in _SPEAKERS.finditer(text) if match["sure"] or match["perhaps"]]
    if not any(label["sure"] for label in labels) and len(labels) < _FEWEST_LABELS:
        return ""
    return f"{len(labels)} lines begin with a speaker's label, such as {labels[0][0].strip()!r}"


_FEWEST_LABELS = 2
"""Labels such as `Q:` and `Customer:`; one of them may be a heading."""


def _reasoning(text: str, _: SelectConfig) -> str:
    tag = next(left_thoughts(text), "") if "<" in text else ""
    return f"{tag} without its other half" if tag else ""


def _code(text: str, recipe: SelectConfig) -> str:
    if not _CODE_HINT.search(text):
        return ""
    n_code, rest = 0, text
    for pattern in (_FENCED, _INLINE):
        n_code += sum(len(match[0]) for match in pattern.finditer(rest) if not _NAME.fullmatch(match[0]))
        rest = pattern.sub("", rest)
    rest = _WORD_SET.sub("", rest)
    n_code += sum(len(line) for line in map(str.strip, rest.split("\n")) if _CODE_LINE.fullmatch(line))
    share = n_code / len(text)
    if share <= recipe.max_code_share:
        return ""
    return f"{share:.0%} of the characters are code; {limit(recipe.max_code_share)}"


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
    return f"{share:.0%} of it is said again; {limit(most)}" if share > most else ""


def _long_word(text: str, recipe: SelectConfig) -> str:
    most = recipe.max_word_length
    if len(text) <= most:
        return ""
    longest = max(map(len, _CJK.sub(" ", _URL.sub(" ", text)).split()), default=0)
    return f"{longest} characters without a space, at most {most} allowed" if longest > most else ""


def _counted(pattern: re.Pattern[str], what: str, field: str = "") -> Check:
    """A check that a pattern occurs no more often than a setting allows, without one never."""

    def check(text: str, recipe: SelectConfig) -> str:
        found = [match[0] for match in pattern.finditer(text)]
        allowed = getattr(recipe, field) if field else 0
        if len(found) <= allowed:
            return ""
        return f"{len(found)} {what}, such as {found[0].strip()[:40]!r}, at most {allowed} allowed"

    return check


def limit(share: float) -> str:
    """The allowed share, for a detail."""
    return f"at most {share:.0%} allowed"


CHECKS: tuple[tuple[str, Check], ...] = (
    ("control_characters", _control),
    ("media_tag", _counted(_MEDIA, "references to pictures or sounds")),
    ("chat_template", _counted(_TEMPLATE, "marks of a chat template")),
    ("reasoning", _reasoning),
    ("code", _code),
    ("role_labels", _role_labels),
    ("mathematics", _counted(_MATH, "mathematical symbols", "max_math_symbols")),
    ("table", _counted(_TABLE_ROW, "table rows", "max_table_rows")),
    ("html", _counted(_HTML_TAG, "HTML tags", "max_html_tags")),
    ("list", _counted(_LIST_ITEM, "list items", "max_list_items")),
    ("urls", _counted(_URL, "addresses", "max_urls")),
    ("placeholder", _counted(_PLACEHOLDER, "blanks to fill in", "max_placeholders")),
    ("long_word", _long_word),
    ("repetition", _repeated),
)
