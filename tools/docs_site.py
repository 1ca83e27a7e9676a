"""Lay out the site of the documentation: the pages of the repository, and a page per module.

    python -m tools.docs_site DIR     # then: mkdocs build --config-file DIR/mkdocs.yml

The site has the layout of the repository, so links between pages hold. A link to a module of the
package leads to the page of its docstrings, and files that a page links are copied. A link to
anything else, such as a folder of tests, becomes plain text.
"""

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = (
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "benchmarks/README.md", "prompts/README.md"),
    *("docs/*.md", "docs/decisions/*.md"),
)
_GUIDES = {
    "Start": ["README.md", "docs/building.md", "docs/sources.md", "docs/api.md"],
    "Data": ["docs/format.md", "docs/timing.md", "docs/interruptions.md", "docs/acoustics.md", "docs/audit.md"],
    "Look, train, publish": [
        "docs/report.md",
        "docs/inspect.md",
        "docs/exports.md",
        "docs/training.md",
        "docs/evaluation.md",
        "docs/publishing.md",
    ],
    "Engines": ["docs/engines.md", "docs/voices.md", "docs/writing.md", "prompts/README.md"],
    "Scale": ["docs/cluster.md", "docs/stores.md", "docs/scale.md", "docs/figures.md", "benchmarks/README.md"],
    "Project": ["docs/architecture.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"],
}
"""Pages by heading of the navigation; pages that are not named come under `Decisions and more`."""
_CODE = re.compile(r"^(`{3,}).*?^\1|`[^`\n]*`", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?P<mark>!?)\[(?P<text>(?:[^\[\]]|\[[^\]]*\])*)\]\((?P<target>[^)#\s]*)(?P<anchor>#[^)]*)?\)")


def main(folder: Path) -> None:
    """Write the site's source and its configuration into a new folder."""
    source = folder / "pages"
    shutil.rmtree(folder, ignore_errors=True)
    pages = [path for pattern in PAGES for path in sorted(ROOT.glob(pattern))]
    for page in pages:
        write(source / page.relative_to(ROOT), linked(page.read_text("utf-8"), page.parent, source))
    modules = list(module_pages(source))
    write(folder / "mkdocs.yml", configuration([page.relative_to(ROOT).as_posix() for page in pages], modules))


def write(path: Path, text: str) -> None:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def linked(text: str, folder: Path, source: Path) -> str:
    """A page with links that hold on the site.

    Args:
        text: Its Markdown.
        folder: Its folder in the repository.
        source: Folder of the site's pages; files that it links are copied there.
    """
    code = {found.start(): found.end() for found in _CODE.finditer(text)}

    def replaced(found: re.Match[str]) -> str:
        if any(begin <= found.start() < end for begin, end in code.items()):
            return found[0]
        target = found["target"]
        if not target or "://" in target or target.startswith("mailto:"):
            return found[0]
        new = _target(folder / target, target, source)
        return f"{found['mark']}[{found['text']}]({new}{found['anchor'] or ''})" if new else found["text"]

    return _LINK.sub(replaced, text)


def _target(path: Path, target: str, source: Path) -> str:
    """The target of a link on the site; empty if it has none there."""
    name = path.resolve().relative_to(ROOT).as_posix()
    if name.startswith("datagen/") and path.suffix == ".py":
        return target.removesuffix(".py") + ".md"
    if name.startswith("datagen/") and (path / "__init__.py").exists():
        return target.rstrip("/") + "/index.md"
    if not path.is_file():
        return ""
    if path.suffix != ".md":
        place = source / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
    return target


def module_pages(source: Path) -> Iterator[str]:
    """Write a page per module; yields their paths below the site's pages."""
    for path in sorted((ROOT / "datagen").rglob("*.py")):
        name = path.relative_to(ROOT).with_suffix("")
        is_package = name.name == "__init__"
        dotted = ".".join((name.parent if is_package else name).parts)
        page = f"{name.parent.as_posix()}/index.md" if is_package else f"{name.as_posix()}.md"
        write(source / page, f"# {dotted}\n\n::: {dotted}\n")
        yield page


def configuration(pages: list[str], modules: list[str]) -> str:
    """The configuration with the navigation."""
    named = {page for group in _GUIDES.values() for page in group}
    groups = {**_GUIDES, "Decisions and more": [page for page in pages if page not in named]}
    lines = [f"INHERIT: {(ROOT / 'mkdocs.yml').as_posix()}", "docs_dir: pages", "site_dir: site", "nav:"]
    for heading, group in groups.items():
        lines += [f"  - {heading}:", *(f"    - {page}" for page in group)]
    lines += ["  - Modules:", *(f"    - {_name(page)}: {page}" for page in modules)]
    return "\n".join(lines) + "\n"


def _name(page: str) -> str:
    """The dotted name of a module's page.

    >>> _name("datagen/audit/index.md"), _name("datagen/clock.md")
    ('datagen.audit', 'datagen.clock')
    """
    return page.removesuffix("/index.md").removesuffix(".md").replace("/", ".")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
