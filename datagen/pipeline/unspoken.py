"""Parts of a turn's text that nobody says, each dropped by a named rule: reasoning and stage directions.

A part that is dropped is named and counted (`Dialogue.notices`), so nothing is lost in silence. What
surrounds it stays as written.
"""

import html
import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from datagen.records import Emotion, Role, Style

_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
_THOUGHT_TAG = re.compile(r"<(/?)(think|thinking|thought|reasoning|reflection|scratchpad)>", re.IGNORECASE)
_SWITCH = re.compile(r"(?<!\S)/(?:no_?)?think(?![\w/])")
_CHINESE_LETTERS = re.compile(r"[\u3400-\u9fff，。？！；：、]+")
_SPACES = re.compile(r"(?<! ) {2,}")
_SPACE_BEFORE = re.compile(r"(?<! ) (?=[,.?!;:，。？！；：](?:\s|\Z))")

_STARS = re.compile(r"(?<![\w*])\*(?![\s*])([^*\n]{1,80})(?<!\s)\*(?![\w*])")
_CHINESE_STARS = re.compile(r"(?<!\*)\*([\u4e00-\u9fff]{1,12})\*(?!\*)")
_STRONG = re.compile(r"(?<![\w*_])(?:\*\*|__?)(?![\s*_])([^*_\n]{1,40})(?:\*\*|__?)(?![\w*_])")
_BRACKETS = re.compile(r"\[([^\[\]\n]{1,40})\](?!\()|〔([^〔〕\n]{1,20})〕|【([^【】\n]{1,20})】")
_PARENTHESES = re.compile(r"[(（]([^()（）\n]{1,40})[)）]")
_SOUND_TAG = re.compile(r"<[/|]?([a-z_]{3,16})[/|]?>")
_NAME_TAG = re.compile(r"\A\s*【([^【】\n]{1,8})】\s*(?=\S)")
_OWN_LABEL: dict[Role, re.Pattern[str]] = {
    "user": re.compile(r"\A\s*(?:user|human|customer|用户|人类|客户)\s?[:：]\s*(?=\S)", re.IGNORECASE),
    "assistant": re.compile(r"\A\s*(?:assistant|chatgpt|gpt|ai|bot|助手|助理|客服)\s?[:：]\s*(?=\S)", re.IGNORECASE),
}

_MANNER = (
    r"(?:(?:[a-z]+ly|a|an|short|long|brief|soft|light|loud|quiet|nervous|deep|slight|background|audience"
    r"|pause and|everyone|both) )"
)
_DONE = (
    r"laugh(?:s|ing|ter)|chuckl(?:es?|ing)|giggl(?:es?|ing)|snicker(?:s|ing)|smil(?:es|ing)|grin(?:s|ning)"
    r"|smirk(?:s|ing)|sigh(?:s|ing)|sob(?:s|bing)|cr(?:ies|ying)|weep(?:s|ing)|nod(?:s|ding)|shrug(?:s|ging)"
    r"|wink(?:s|ing)|cough(?:s|ing)|gasp(?:s|ing)|groan(?:s|ing)|moan(?:s|ing)|whisper(?:s|ing)|paus(?:es|ing)"
    r"|sniff(?:s|ing|les?|ling)|yawn(?:s|ing)|gulp(?:s|ing)|frown(?:s|ing)|blush(?:es|ing)|clap(?:s|ping)"
    r"|applau(?:se|ds|ding)|cheer(?:s|ing)|inhal(?:es|ing)|exhal(?:es|ing)|hum(?:s|ming)|whistl(?:es|ing)"
    r"|wav(?:es|ing)|bow(?:s|ing)|ponder(?:s|ing)|mumbl(?:es|ing)|mutter(?:s|ing)|stutter(?:s|ing)"
    r"|clear(?:s|ing) (?:\w+ )?throat|shak(?:es|ing) (?:\w+ )?head|roll(?:s|ing) (?:\w+ )?eyes"
    r"|rais(?:es|ing) (?:an? |\w+ )?eyebrows?|tak(?:es|ing) a deep breath|beep(?:s|ing)?|inaudible|unintelligible"
    r"|crosstalk|silence|indistinct"
)
_BARE = (
    r"laugh|chuckle|giggle|smile|grin|sigh|sob|cry|cough|gasp|groan|pause|sniff|yawn|clap|breath|noise|music|wink|nod"
    r"|shrug|typing|ringing|uv_break|lbreak|vocalized|mumble|throat clearing"
)
_DIRECTION = re.compile(rf"{_MANNER}?(?:{_DONE})(?: [\w',-]+){{0,5}}[.…!]{{0,3}}", re.IGNORECASE)
_SOUND = re.compile(rf"{_MANNER}?(?:{_DONE}|{_BARE})(?: [\w',-]+){{0,2}}[.…!]{{0,3}}", re.IGNORECASE)
_BRIEFLY = re.compile(
    rf"{_MANNER}?(?:laugh|chuckle|giggle|smile|sigh|sob|nod|shrug|wink|cough|pause)s(?: [a-z]+ly)?", re.I
)
"""A direction in any place: its verb has the third person's ending."""
_ACTION = re.compile(r"(?:[a-z]+ly )?(?P<verb>[a-z]{2,20}(?:s|ing))(?: [\w',-]+){0,9}[.…!]{0,3}")
_NO_ACTIONS = (
    "always this is was does has his its as us yes plus unless perhaps thus things nothing something anything "
    "everything during being sometimes besides towards afterwards across less class thing"
)
"""Words that end like the verb of an action, in one string: such a word between asterisks is emphasis."""
_CHINESE_MANNER = (
    r"(?:(?:轻轻|微微|轻|缓缓|默默|慢慢|忍不住|不好意思|尴尬|开心|害羞|无奈|温柔|爽朗|哈哈|呵呵)(?:地|的)?)?"
)
_CHINESE = re.compile(
    rf"{_CHINESE_MANNER}(?:[微大苦偷傻坏冷狂憨轻]?笑(?:声|着|了|一下|了笑|起来|着说)?|笑笑|[长轻]?叹了?(?:一?口)?气声?"
    r"|叹息|[大痛]?哭(?:泣|声|了)?|抽泣|哽咽|咳嗽?声?|清(?:了清)?嗓子?|点(?:了点)?头|摇(?:了摇)?头|鼓掌|掌声"
    r"|停顿(?:片刻|一下)?|沉默(?:片刻)?|皱(?:了?皱)?眉头?|挥(?:了挥)?手|鞠躬|眨(?:了眨)?眼睛?|耸(?:了耸)?肩"
    r"|思考(?:片刻|中)?|深?呼吸|深吸一口气|[低小轻]声|音乐声?|旁白|听不清|脸红|吐舌头?)"
)
_CHINESE_ASIDE = re.compile(
    r"[\u4e00-\u9fff]{1,8}[地着状]|[\u4e00-\u9fff]{0,4}(?:声音|语气|神情|表情)[\u4e00-\u9fff]{1,6}"
)
_ENDS = frozenset(".?!…,;:\"'”’。？！，；：、)）]】*\n—-")


class Dropped(NamedTuple):
    """A part of a text that nobody says."""

    reason: str
    text: str


_LAUGHING = re.compile(r"laugh|chuckl|giggl|snicker|[大偷傻狂憨]笑|笑[声着]", re.IGNORECASE)
_WHISPERING = re.compile(r"whisper|低声|小声|轻声", re.IGNORECASE)
_FELT: tuple[tuple[re.Pattern[str], Emotion], ...] = (
    (re.compile(r"苦笑|sob|\bcr(?:y|ies)|weep|哭|抽泣|哽咽", re.IGNORECASE), "sad"),
    (re.compile(r"laugh|chuckl|giggl|smil|grin|cheer|笑", re.IGNORECASE), "happy"),
    (re.compile(r"gasp", re.IGNORECASE), "surprised"),
)


def style_of(dropped: Sequence[Dropped]) -> Style | None:
    """The manner of a turn by its stage directions; None if they tell none.

    >>> style_of([Dropped("stage_direction", "*whispers softly*"), Dropped("stage_direction", "(laughs)")])
    Style(emotion='happy', pace='', whisper=True, laughter=True)
    >>> style_of([Dropped("reasoning", "<think>They laugh.</think>")]) is None
    True
    """
    texts = " ".join(part.text for part in dropped if part.reason == "stage_direction")
    felt: list[Emotion] = [emotion for words, emotion in _FELT if words.search(texts)]
    emotion = felt[0] if felt else ""
    style = Style(emotion, "", bool(_WHISPERING.search(texts)), bool(_LAUGHING.search(texts)))
    return style if style.parts else None


def decoded(text: str) -> str:
    """A text with its HTML entities decoded, once.

    >>> decoded("Salt &amp; vinegar, what&#39;s that?")
    "Salt & vinegar, what's that?"
    """
    return _ENTITY.sub(lambda match: html.unescape(match[0]), text) if "&" in text else text


def without_unspoken(text: str, role: Role) -> tuple[str, tuple[Dropped, ...]]:
    """A turn without the parts that nobody says, and these parts.

    Args:
        text: A turn's text, its entities decoded.
        role: Who says it; the label of its own role at its beginning is dropped too.

    >>> without_unspoken("*sighs* Which bus goes there? /no_think", "user")[0]
    'Which bus goes there?'
    >>> without_unspoken("[laughter] Take the *nine*, it is (as always) late.", "assistant")
    ('Take the *nine*, it is (as always) late.', (Dropped(reason='stage_direction', text='[laughter]'),))
    """
    found: list[Dropped] = []
    for rule in (_thoughts, _labels, _directions):
        text = rule(text, role, found)
    if not found:
        return text, ()
    return _SPACE_BEFORE.sub("", _SPACES.sub(" ", text)).strip(), tuple(found)


def _thoughts(text: str, role: Role, found: list[Dropped]) -> str:  # noqa: ARG001
    """Drop closed blocks of reasoning, and the switches of a model's reasoning."""
    if "think" not in text.lower() and not _THOUGHT_TAG.search(text):
        return text
    kept, end, opened = list[str](), 0, -1
    for tag in _THOUGHT_TAG.finditer(text):
        if not tag[1] and opened < 0:
            opened = tag.start()
        elif tag[1] and opened >= 0:
            kept.append(text[end:opened])
            found.append(Dropped("reasoning", text[opened : tag.end()]))
            end, opened = tag.end(), -1
    text = "".join((*kept, text[end:]))
    return _SWITCH.sub(_dropping("reasoning", found), text)


def _labels(text: str, role: Role, found: list[Dropped]) -> str:
    """Drop a label of the turn's own speaker at its beginning."""
    for pattern in (_OWN_LABEL[role], _NAME_TAG):
        if label := pattern.match(text):
            found.append(Dropped("role_labels", label[0].strip()))
            text = text[label.end() :]
    return text


def _directions(text: str, role: Role, found: list[Dropped]) -> str:  # noqa: ARG001
    """Drop stage directions: sounds and gestures in brackets, parentheses, tags and asterisks."""
    for mark, pattern, is_direction in _MARKED:
        if mark.search(text):
            text = pattern.sub(_dropping("stage_direction", found, is_direction), text)
    return text


def _dropping(
    reason: str, found: list[Dropped], is_meant: Callable[[re.Match[str]], bool] = lambda _: True
) -> Callable[[re.Match[str]], str]:
    def drop(match: re.Match[str]) -> str:
        if not is_meant(match):
            return match[0]
        found.append(Dropped(reason, match[0]))
        around = match.string[match.start() - 1 : match.start()] + match.string[match.end() : match.end() + 1]
        return "" if _CHINESE_LETTERS.fullmatch(around) else " "

    return drop


def _is_sound(match: re.Match[str]) -> bool:
    content = next(filter(None, match.groups())).strip()
    return bool(_SOUND.fullmatch(content) or _CHINESE.fullmatch(content))


def _is_aside(match: re.Match[str]) -> bool:
    """True for a direction in parentheses, which mostly hold words that are said."""
    content = match[1].strip()
    if _CHINESE.fullmatch(content) or _BRIEFLY.fullmatch(content):
        return True
    found = _DIRECTION.fullmatch(content) or _SOUND.fullmatch(content) or _CHINESE_ASIDE.fullmatch(content)
    return bool(found) and _stands_alone(match)


def _is_gesture(match: re.Match[str]) -> bool:
    content = match[1]
    return bool(_DIRECTION.fullmatch(content) or _CHINESE.fullmatch(content)) and _stands_alone(match)


def _is_action(match: re.Match[str]) -> bool:
    """True for an action between asterisks, which otherwise mark emphasis."""
    content = match[1]
    if _DIRECTION.fullmatch(content) or _CHINESE.fullmatch(content):
        return True
    action = _ACTION.fullmatch(content)
    return bool(action and not re.search(rf"\b{action['verb']}\b", _NO_ACTIONS) and _stands_alone(match))


def _stands_alone(match: re.Match[str]) -> bool:
    """True if a part does not stand inside a sentence: before it a text or a clause begins or ends."""
    before = match.string[max(match.start() - 2, 0) : match.start()].rstrip(" ")
    after = match.string[match.end() : match.end() + 2].lstrip(" ")
    return match.start() == 0 or (before or "\n")[-1] in _ENDS or after[:1] in ("", "\n")


_MARKED: tuple[tuple[re.Pattern[str], re.Pattern[str], Callable[[re.Match[str]], bool]], ...] = (
    (re.compile(r"\*"), _STARS, _is_action),
    (re.compile(r"\*"), _CHINESE_STARS, _is_sound),
    (re.compile(r"\*\*|_"), _STRONG, _is_gesture),
    (re.compile(r"[\[〔【]"), _BRACKETS, _is_sound),
    (re.compile(r"[(（]"), _PARENTHESES, _is_aside),
    (re.compile(r"<"), _SOUND_TAG, _is_sound),
)


def left_thoughts(text: str) -> Iterator[str]:
    """Tags of reasoning that is not closed, so that nobody knows where it ends."""
    return (tag[0] for tag in _THOUGHT_TAG.finditer(text))
