"""Rich display in notebooks: templates with every value escaped, shown inline and without scripts."""

from functools import cache
from typing import Any

import jinja2

from datagen.inspect.rows import inert


@cache
def _environment() -> jinja2.Environment:
    loader = jinja2.PackageLoader("datagen", "data/html")
    found = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    found.filters["inert"] = inert
    return found


def render(template: str, **values: Any) -> str:
    """A template of `data/html`, filled; every value is escaped."""
    return _environment().get_template(f"{template}.html.j2").render(**values)
