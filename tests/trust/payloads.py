"""Hostile values, and the fields of documents that they replace."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

from datagen.shards import seal
from tests.trust.watch import MARK, SECRET

Path_ = tuple[str | int, ...]

_COMMAND = {"args": ["sh", "-c", f"touch {MARK}"]}
ENGINES: tuple[Any, ...] = (
    {"name": "subprocess:Popen", "options": _COMMAND},
    {"name": f"{MARK}_engine:Engine", "options": {}},
    {"name": "os:system", "options": {"command": f"touch {MARK}"}},
    {"name": "builtins:eval", "options": {"source": f"open('{MARK}', 'w')"}},
    {"name": "datagen.engines.load:import_module", "options": {"name": f"{MARK}_engine"}},
    {"name": "kmeans:os", "options": {"model": SECRET}},
    {"name": "kmeans", "options": {"model": SECRET}},
    {"name": "hf", "options": {"path": SECRET}},
    {"name": "s3", "options": {"path": f"../{MARK}"}},
    {"name": "directory", "options": {"path": "/etc"}},
    {"name": "speech_server", "options": {"base_url": "http://127.0.0.1:9/v1", "model": MARK}},
    {"name": "cosyvoice", "options": {"path": f"/tmp/{MARK}"}},
    {"name": "by_language", "options": {"en": {"name": "subprocess:Popen", "options": _COMMAND}}},
    {"name": "datagen.engines.hibari:Hibari", "options": {}},
    {"name": "datagen.engines.load.subprocess:Popen", "options": _COMMAND},
    {"name": "bytes", "options": [f"{MARK}_engine:Engine"]},
    {"name": [f"{MARK}_engine:Engine"], "options": None},
)
"""An engine in the place of any value: only those that ship and take no place may ever load."""

NAMES: tuple[Any, ...] = (
    *(str(engine["name"]) for engine in ENGINES[:6]),
    f"__import__('{MARK}_engine')",
    f"{MARK}_engine",
)
"""Names of code as plain text."""

PLACES: tuple[Any, ...] = (
    SECRET,
    f"/{MARK}/x.yaml",
    "/etc/passwd.yaml",
    f"../../{MARK}",
    f"../../../../../../../../..{SECRET}",
    f"conversations/../../{MARK}.parquet",
    f"..\\..\\{MARK}",
    f"C:\\{MARK}",
    f"\\\\127.0.0.1\\{MARK}",
    f"file://{SECRET}",
    f"http://127.0.0.1:9/{MARK}",
    f"s3://{MARK}/x",
    f"hf:{MARK}/x",
    f"package:../../{MARK}.jsonl",
    "~/.ssh/id_rsa",
    [SECRET],
    [f"s3://{MARK}/x", f"hf:{MARK}/x"],
)
"""Places outside the build."""

HTML: tuple[str, ...] = (
    f"<script>{MARK}()</script>",
    f"</script><script>{MARK}()</script><!--",
    f'"><img src=x onerror={MARK}()>',
    f"'><svg/onload={MARK}()>",
    f"javascript:{MARK}()",
    f"</title></style></textarea><iframe src=//{MARK}>",
)
TERMINAL: tuple[str, ...] = (
    f"\x1b]0;{MARK}\x07",
    f"\x1b]8;;http://{MARK}/\x1b\\click\x1b]8;;\x1b\\",
    f"\x1b[2J\x1b[H{MARK}\x1b[31m",
    f"\x9b2J\x9d0;{MARK}\x9c",
    f"\u202e{MARK}\u2066\u200f\u2028",
    f"{MARK}\r\x08\x7f\x00end",
    f"[bold]{MARK}[/red][link=http://{MARK}]x[/link]",
)
TEMPLATES: tuple[str, ...] = (
    "{{7*7}}" + MARK,
    "{% for x in ().__class__.__base__.__subclasses__() %}{{x}}{% endfor %}" + MARK,
    "{0.__class__.__init__.__globals__}{" + MARK + "}",
    f"%s%n%(x)s{MARK}$(touch {MARK})`touch {MARK}`;touch {MARK}",
    f"![x](http://{MARK}/x.png) [y](http://{MARK})\n---\n# {MARK} | a | b",
    f'=HYPERLINK("http://{MARK}")',
)
YAML: tuple[str, ...] = (
    f"!!python/object/apply:os.system ['touch {MARK}']",
    f"!!python/name:{MARK}_engine.Engine",
    f"!!python/object/new:subprocess.Popen [[touch, {MARK}]]",
)
ODD: tuple[Any, ...] = (10**30, -1, 2**63, 1e308, "\0", "\ud800" + MARK, "", None, True, [], {}, [[]], "x" * 10_000)
"""Values of other types and sizes, without a payload."""

TEXTS = (*HTML, *TERMINAL, *TEMPLATES, *YAML)
ALL: tuple[Any, ...] = (*ENGINES, *NAMES, *PLACES, *TEXTS, *ODD)


def reseal(values: dict[str, Any]) -> bytes:
    """A changed manifest, plan or marker with the seal that belongs to it: an attacker can compute it too."""
    return seal.document(values, ascii=True)


def leaves(document: Any, path: Path_ = ()) -> Iterator[Path_]:
    """The path of every value in nested dicts and lists that is none, and of every empty one."""
    below = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    empty = True
    for key, value in below:
        empty = False
        yield from leaves(value, (*path, key))
    if empty:
        yield path


def branches(document: Any, path: Path_ = ()) -> Iterator[Path_]:
    """The path of every dict and list, the document apart: an engine may be put in its place."""
    below = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in below:
        if isinstance(value, dict | list):
            yield (*path, key)
            yield from branches(value, (*path, key))


_FREE = {"tokens": 3, "sentences": 2, "voices": 1, "tables": 2, "rejects": 1, "processors": 1}
"""Objects whose keys are data, with the levels of such keys below."""


def shape(path: Path_) -> Path_:
    """A path without the keys that are data: fields of one shape are read by the same code.

    >>> shape(("recipe", "timing", "tokens", "en", "fillers", "um")), shape(("inputs", 3, "name"))
    (('recipe', 'timing', 'tokens', '*', '*', '*'), ('inputs', '*', 'name'))
    """
    found: list[str | int] = []
    n_free = 0
    for key in path:
        found.append("*" if isinstance(key, int) or n_free > 0 else key)
        n_free = max(n_free - 1, 0) if n_free else _FREE.get(str(key), 0)
    return tuple(found)


def fields(document: Any) -> list[Path_]:
    """One path of every shape."""
    found: dict[Path_, Path_] = {}
    for path in (*leaves(document), *branches(document)):
        found.setdefault(shape(path), path)
    return [*found.values()]


def replaced(document: Any, path: Path_, value: Any) -> Any:
    """A copy of a document with another value at a path."""
    if not path:
        return value
    changed = copy.deepcopy(document)
    at = changed
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return changed


def renamed(document: Any, path: Path_, name: str) -> Any:
    """A copy of a document whose key at the end of a path is another; unchanged if it is a place in a list."""
    changed = copy.deepcopy(document)
    at = changed
    for key in path[:-1]:
        at = at[key]
    if path and isinstance(at, dict):
        at[name] = at.pop(path[-1])
    return changed


Change = Callable[[Any], Any]
