"""The site of the documentation: links hold, and every module has a page."""

from pathlib import Path

import pytest
import yaml

from tools.docs_site import ROOT, configuration, linked, module_pages


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[m](../datagen/clock.py) and [s](../datagen/pipeline/script)", "[m](../datagen/clock.md) and "
         "[s](../datagen/pipeline/script/index.md)"),
        ("[a `b`](format.md#files)", "[a `b`](format.md#files)"),
        ("[here](#below), [there](https://example.com/x.py)", "[here](#below), [there](https://example.com/x.py)"),
        ("cases: [tests/text](../tests/text)", "cases: tests/text"),
        ("`[x](../datagen/clock.py)`", "`[x](../datagen/clock.py)`"),
        ("![A picture](conversation.png)", "![A picture](conversation.png)"),
    ],
)  # fmt: skip
def test_links_lead_somewhere_on_the_site(text, wanted, tmp_path):
    assert linked(text, ROOT / "docs", tmp_path) == wanted


def test_linked_files_are_copied(tmp_path):
    linked("[r](../pipelines/fake.yaml)", ROOT / "docs", tmp_path)
    assert (tmp_path / "pipelines/fake.yaml").read_bytes() == (ROOT / "pipelines/fake.yaml").read_bytes()


def test_every_module_has_a_page_and_a_place_in_the_navigation(tmp_path):
    pages = list(module_pages(tmp_path))
    assert len(pages) == len(list((ROOT / "datagen").rglob("*.py")))
    assert all((tmp_path / page).exists() for page in pages)
    nav = yaml.safe_load(configuration(["docs/format.md", "docs/x.md"], pages))["nav"]
    listed = [page for group in nav for page in next(iter(group.values()))]
    places = {page if isinstance(page, str) else next(iter(page.values())) for page in listed}
    assert {*pages, "docs/format.md", "docs/x.md"} <= places
    named = {page for page in places if page.endswith(".md") and not page.startswith("datagen/")}
    assert {page for page in named if not Path(ROOT, page).exists()} == {"docs/x.md"}
