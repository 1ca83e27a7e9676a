"""Rich display in notebooks: templates with every value escaped, shown inline and without scripts."""

import json
from functools import cache
from typing import TYPE_CHECKING, Any
from unicodedata import category

if TYPE_CHECKING:
    import jinja2


@cache
def _environment() -> "jinja2.Environment":
    import jinja2

    loader = jinja2.PackageLoader("datagen", "data/html")
    return jinja2.Environment(loader=loader, autoescape=True, finalize=_inert, trim_blocks=True, lstrip_blocks=True)


def _inert(value: Any) -> Any:
    """A value for a page, its text with control characters spelled out."""
    return inert(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def render(template: str, **values: Any) -> str:
    """A rendered template of `data/html`; every value is escaped."""
    return _environment().get_template(f"{template}.html.j2").render(**values)


def inert(text: str) -> str:
    r"""Text with control characters spelled out, so that data cannot steer a terminal.

    Those that only turn the direction of writing, or break a line, are spelled out too.

    >>> print(inert("a\x1b[2J\u202eb"))
    a\u001b[2J\u202eb
    """
    if text.isprintable() and "\\" not in text:
        return text
    spelled = json.dumps(text, ensure_ascii=False)[1:-1].replace('\\"', '"')
    return "".join(c if c.isprintable() or category(c) == "Zs" else f"\\u{ord(c):04x}" for c in spelled)
