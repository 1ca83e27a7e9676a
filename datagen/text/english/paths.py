"""Paths of files and folders, such as `/usr/local/bin` and `src/main.py`."""

import re

from datagen.text.english.names import FILES, web
from datagen.text.reading import rule

_NAME = r"[\w.-]{0,60}\w"


def _path(match: re.Match[str]) -> str:
    """Its names with the words of what is between them."""
    drive, _, rest = match[0].rpartition(":")
    return (f"{drive} colon " if drive else "") + web(rest)


PATHS = (
    rule("path", rf"[A-Za-z]:(?:\\{{1,2}}{_NAME}){{1,16}}", _path, "g", sign=":"),
    rule("path", rf"(?<![\w.)/])(?:~|\.{{1,2}})(?:/{_NAME}){{1,16}}/?", _path, ".", sign="~."),
    rule("path", rf"(?<![\w.)/~<] )(?<![\w.)/~<])/{_NAME}(?:/{_NAME}){{1,16}}/?", _path, ".", sign="/"),
    rule("path", rf"(?<= )/(?:{_NAME}/){{1,16}}(?:{_NAME})?", _path, ".", sign="/"),
    rule(
        "path", rf"[\w-]{{1,40}}(?:/[\w.-]{{1,60}}){{0,8}}/[\w.-]{{1,60}}\.(?:{FILES})(?!\w)", _path, "g0", sign="/-_0a"
    ),
)
