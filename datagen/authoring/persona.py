"""Claims of the speakers of a new dialogue about themselves: the assistant has no body, the user is their persona."""

import re
from collections.abc import Sequence
from functools import cache

import yaml

from datagen import resources
from datagen.authoring.answers import UnfitAnswerError
from datagen.records import Turn
from datagen.text.references import words_of

_KIN = r"(?:wife|husband|kids?|children|son|daughter|mum|mom|mother|father|dad|sister|brother|girlfriend|boyfriend)"
_BODY = r"(?:body|hands?|legs?|feet|stomach|hair|skin|eyes|ears|teeth|knees?|back hurts)"
_BODY_CLAIMS = {
    "en": re.compile(
        rf"\b(?:my (?:own )?(?:{_KIN}|{_BODY}|childhood|apartment|flat|car|garden|kitchen|dog|cat)\b"
        r"|(?:i|we)(?:'ve| have|'d| had)? (?:just |once |always |also |never )?"
        r"(?:ate|eaten|drank|cooked|baked|slept|woke up|swam|grew up|moved (?:here|to)|went to (?:school|college|work)"
        r"|drove|cycled|travell?ed|tasted|smelled)\b"
        r"|i (?:was born|live in|grew up|work (?:as|in|for)|am a (?:human|person|man|woman))\b"
        r"|i feel (?:tired|hungry|sick)\b"
        r"|when i was (?:a (?:kid|child|boy|girl|student)|young|little)\b|i'm (?:hungry|tired|married|pregnant)\b)",
        re.IGNORECASE,
    ),
    "zh": re.compile(
        "我(?:的)?(?:老婆|老公|妻子|丈夫|孩子|儿子|女儿|妈妈|爸爸|身体|胃|手疼|小时候|家的?(?:狗|猫|车))"
        "|我(?:昨天|今天|上次|以前|也|刚|刚刚|经常)?(?:吃了|吃过|喝了|喝过|睡着|睡了|出生|长大|开车去|游泳|结婚)|我(?:饿|困)了|我小的时候"
    ),
}
_I_AM = {
    "en": re.compile(r"\bi(?:'m| am) (?:a|an) ((?:[a-z-]+ ){0,2}[a-z-]+)", re.IGNORECASE),
    "zh": re.compile(r"我(?:就)?是(?:个|一个|一名|一位)?([\u4e00-\u9fff]{2,6})"),
}
_AGE = {
    "en": re.compile(r"\bi(?:'m| am) (\d{1,3})(?: years old)?\b", re.IGNORECASE),
    "zh": re.compile(r"我(?:今年)?(\d{1,3})岁"),
}
_PERSONA_AGE = re.compile(r"\b(\d{1,3})(?:[- ]years?[- ]old)?\b|(\d{1,3})岁")


def check_claims(turns: Sequence[Turn], language: str, persona: str, topic: str) -> None:
    """Check a new dialogue: the assistant claims no body, the user is who the brief says, the topic is there.

    Raises:
        UnfitAnswerError: `claims_body`, `wrong_persona` or `off_topic`, with the turn.

    >>> check_claims([Turn("user", "Is rye bread hard?"), Turn("assistant", "No.")], "en", "", "baking rye bread")
    """
    for k, turn in enumerate(turns):
        if turn.role == "assistant" and (found := claimed_body(turn.text, language)):
            raise UnfitAnswerError("claims_body", f"turn {k}: the assistant has no body, but says {found!r}")
        if turn.role == "user" and persona and (found := contradiction(turn.text, language, persona)):
            raise UnfitAnswerError("wrong_persona", f"turn {k}: the user is {persona!r}, but says {found!r}")
    wanted = words_of([topic], language)
    if len(wanted) > 1 and not wanted & words_of((turn.text for turn in turns), language):
        raise UnfitAnswerError("off_topic", f"no word of the topic is said: {topic[:120]!r}")


def claimed_body(text: str, language: str) -> str:
    """The words by which a speaker claims a body, a family or a past; empty if there are none.

    >>> claimed_body("I ate there once with my wife.", "en"), claimed_body("I can look it up.", "en")
    ('I ate', '')
    >>> claimed_body("我吃过，挺好吃的。", "zh")
    '我吃过'
    """
    pattern = _BODY_CLAIMS.get(language)
    found = pattern.search(text.replace("’", "'")) if pattern else None
    return found[0] if found else ""


def contradiction(text: str, language: str, persona: str) -> str:
    """The words by which a user claims another job or age than their persona's; empty if there are none.

    >>> contradiction("I'm a pilot, you know.", "en", "a bus driver"), contradiction("I'm a bit late.", "en", "x")
    ("I'm a pilot", '')
    >>> contradiction("I'm 40.", "en", "a nurse, 63 years old")
    "I'm 40"
    """
    text = text.replace("’", "'")
    for found in _I_AM[language].finditer(text) if language in _I_AM else ():
        job = next((job for job in _jobs(language) if re.match(rf"{re.escape(job)}(?![a-z])", found[1].casefold())), "")
        if job and job not in persona.casefold():
            return found[0][: found.start(1) - found.start() + len(job)]
    ages = {a or b for a, b in _PERSONA_AGE.findall(persona)}
    for found in _AGE[language].finditer(text) if language in _AGE and ages else ():
        if found[1] not in ages:
            return found[0]
    return ""


@cache
def _jobs(language: str) -> tuple[str, ...]:
    """Jobs that a user may claim, longest first."""
    tables = yaml.safe_load((resources.directory("data") / "scenarios.yaml").read_text("utf-8"))
    found = {re.sub(r"^an? ", "", str(job).casefold()) for job in tables["jobs"].get(language, ())}
    return tuple(sorted(found, key=lambda job: (-len(job), job)))
