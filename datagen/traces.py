"""The place of a fault in a user's own code, such as an engine or a normalizer, found in a traceback."""

import re
import sysconfig
import traceback
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parent
_FRAME = re.compile(r'^ *File "(?P<file>[^"\n]+)", line (?P<line>\d+)(?:,? in (?P<name>\S+))?', re.MULTILINE)
_INSTALLED = ("site-packages", "dist-packages")
_LIBRARY = re.compile(r"/lib(?:64)?/python3\.\d+/")


def own_place(trace: str | BaseException) -> str:
    r"""The last place of a traceback that is outside datagen, installed packages and Python; empty if there is none.

    Args:
        trace: A traceback as text, or an exception.

    >>> own_place('File "/home/me/beeper.py", line 55, in speak\n  File "/usr/lib/python3.12/re.py", line 3, in sub')
    'beeper.py:55, in speak'
    >>> own_place('File "/x/site-packages/numpy/core.py", line 2, in log'), own_place("killed by signal 9")
    ('', '')
    """
    text = "".join(traceback.format_exception(trace)) if isinstance(trace, BaseException) else trace
    own = [frame for frame in _FRAME.finditer(text) if _is_own(frame["file"])]
    if not own:
        return ""
    file, line, name = own[-1].group("file", "line", "name")
    inside = f", in {name}" if name and name != "<module>" else ""
    return f"{_parts(file)[-1]}:{line}{inside}"


def _parts(file: str) -> list[str]:
    return file.replace("\\", "/").split("/")


def _is_own(file: str) -> bool:
    """True for a file of neither datagen nor Python nor an installed package, on this machine or another."""
    parts = _parts(file)
    if file.startswith("<") or any(name in parts for name in _INSTALLED) or _LIBRARY.search(file):
        return False
    if file.startswith(sysconfig.get_path("stdlib")):
        return False
    return not any("/".join(parts[k + 1 :]) in _own_files() for k, part in enumerate(parts) if part == "datagen")


@cache
def _own_files() -> frozenset[str]:
    """Files of this package, below it."""
    return frozenset(path.relative_to(_PACKAGE).as_posix() for path in _PACKAGE.rglob("*.py"))
