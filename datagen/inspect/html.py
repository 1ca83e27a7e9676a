"""Rich display in notebooks: templates with every value escaped, shown inline and without scripts."""

from functools import cache
from typing import TYPE_CHECKING, Any

from datagen.terminal import printable

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
    r"""Text as of `printable`, with backslashes doubled so that it can be read back.

    >>> print(inert("a\x1b[2J\u202eb"))
    a\u001b[2J\u202eb
    """
    return printable(text.replace("\\", "\\\\"))
