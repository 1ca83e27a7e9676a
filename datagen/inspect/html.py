"""Rich display in notebooks: templates with every value escaped, shown inline and without scripts."""

from functools import cache
from typing import Any

import jinja2

from datagen.inspect.rows import inert


@cache
def _environment() -> jinja2.Environment:
    loader = jinja2.PackageLoader("datagen", "data/html")
    return jinja2.Environment(loader=loader, autoescape=True, finalize=_inert, trim_blocks=True, lstrip_blocks=True)


def _inert(value: Any) -> Any:
    """A value for a page, its text with control characters spelled out."""
    return inert(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def render(template: str, **values: Any) -> str:
    """A rendered template of `data/html`; every value is escaped."""
    return _environment().get_template(f"{template}.html.j2").render(**values)
