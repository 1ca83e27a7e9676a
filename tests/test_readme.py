"""The commands, code and links of README and docs work."""

import re
from pathlib import Path

import pytest

from datagen import resources
from tests.fences import PAGES, ROOT, Block, blocks_of, faults, unknown_words


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_block_is_run_or_checked_or_says_why_not(page):
    assert [fault for block in blocks_of(page) for fault in faults(block)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_commands_within_sentences_exist_with_their_options(page):
    spans = re.findall(r"`(datagen [^`]+)`", page.read_text("utf-8"))
    assert {line: unknown for line in spans if (unknown := unknown_words(line))} == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("```\ndatagen bild natural\n```", "there is no command 'bild'"),
        ("```\ndatagen build natural --inptu x\n```", "No such option: --inptu"),
        ("```\ndatagen build natural --workers many\n```", "valid integer"),
        ("```\ndatagen listen out/mine --dialogue tea\n```", "Missing parameter: to"),
        ("```\nmake dmeo\n```", "no target dmeo"),
        ("```\npip install '.[zhh]'\n```", "no extra zhh"),
        ("```\npython examples/train.py out --epoch 3\n```", "no option --epoch"),
        ("```\npython examples/trian.py out\n```", "there is no examples/trian.py"),
        ("```\nkubectl apply\n```", "cannot be checked"),
        ("```python\nx = 1\n```", "no test runs it"),
        ("```json\n{\n```", "Expecting"),
        ("```perl\n```", "nobody checks 'perl'"),
        ("<!-- not run: -->\n```\nkubectl apply\n```", "neither `not run: REASON` nor"),
        ("<!-- run by tests/test_nothing.py -->\n```python\n```", "there is no tests/test_nothing.py"),
    ],
)
def test_a_wrong_block_is_found(text, says):
    (block,) = blocks_of(Path("page.md"), f"{text}\n")
    assert says in " ".join(faults(block))


def test_a_block_with_a_reason_is_left_alone():
    (block,) = blocks_of(Path("page.md"), "<!-- not run: needs a cluster -->\n```\nkubectl apply\n```\n")
    assert list(faults(block)) == []


def test_a_file_that_runs_blocks_reads_their_page():
    for page in PAGES:
        for runner in {block.runner for block in blocks_of(page)} - {""}:
            assert page.name in (ROOT / runner).read_text("utf-8"), f"{runner} does not read {page.name}"


def of(page: Path, language: str) -> list[Block]:
    return [block for block in blocks_of(page) if block.language == language]


def test_the_readme_begins_with_the_two_commands():
    first = of(ROOT / "README.md", "")[0].body.splitlines()
    assert [line.split("#")[0].strip() for line in first] == ["make demo", "make test"]


def test_links_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
            assert "://" in target or (page.parent / target).exists(), f"{page.name}: {target}"


def test_stages_called_by_hand_as_the_docs_show():
    (code,) = [block.body for block in of(ROOT / "docs" / "api.md", "python") if "pipeline.steps()" in block.body]
    names: dict = {}
    exec(compile(code, "api.md", "exec"), names)
    assert {row.task for row in names["rows"]} == {"asr", "tts", "four_stream", "three_stream", "two_stream"}


def test_every_shipped_recipe_is_named():
    text = (ROOT / "README.md").read_text("utf-8")
    assert all(f"pipelines/{name}.yaml" in text for name in resources.recipes())
