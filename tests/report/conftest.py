"""Reports of a build that times like people and keeps its sound, of one whose every text is hostile, and a browser."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import datagen.inspect
from datagen.inspect import Output
from datagen.report.report import write_report
from tests.report.browser import Browser, chromium
from tests.run.builds import Forger, made, talk
from tests.shared import shared

LIVELY = (
    "timing.profile=natural",
    "mix.keep_audio=true",
    'input.paths=["package:quickstart.jsonl"]',
    "input.limit=12",
    "flatten.tasks=[asr, tts, four_stream, three_stream, two_stream]",
    "select.max_turns=8",
)
HOSTILE_ID = (
    "../../x</script><script>window.hit=1</script><!--\"'&[bold]{0}%s{{ 7 * 7 }}]]></svg><img src=x onerror=hit=1>"
)
"""As hostile as the input lets an id be."""
HOSTILE = HOSTILE_ID + "\u202e\u2028\x1b[2J\x07"


@pytest.fixture(scope="session")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Conversations with all that happens among people, and rejects."""
    return shared(tmp_path_factory, "report", lambda folder: made(folder, *LIVELY)) / "out"


@pytest.fixture(scope="session")
def output(out: Path) -> Output:
    return datagen.inspect.open(str(out))


@pytest.fixture(scope="session")
def page(out: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its report, three conversations to hear."""
    name = "report.html"
    return shared(tmp_path_factory, "page", lambda folder: write_report(str(out), str(folder / name), 3).file) / name


@pytest.fixture(scope="session")
def hostile_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a build whose every text is hostile, ids, sources, rejects, recipe and engines included."""
    folder = tmp_path_factory.mktemp("hostile")
    spoken = talk("Tell me about one apple please.", "Sure, it is red.", "Stop it.", "Yes.", id=HOSTILE_ID)
    code = talk("Show me.", "```x = 1```", id=HOSTILE_ID + "2")
    out = made(folder, "mix.keep_audio=true", "flatten.tasks=[asr, three_stream]", records=[spoken, code])[0]
    target = folder / "poisoned"
    shutil.copytree(out, target)
    forger = Forger(target)
    for key in forger.keys("conversations"):
        forger.edit(key, lambda rows: [_poison(row) for row in rows])
    for key in forger.keys("rejects"):
        forger.edit(key, lambda rows: [row.update(source=HOSTILE, detail=HOSTILE, traceback=HOSTILE) for row in rows])
    for key in forger.keys("three_stream"):
        forger.edit(key, lambda rows: [row.update(event_kinds=[HOSTILE for _ in row["event_kinds"]]) for row in rows])
    values = forger.values
    values["recipe"] |= {"description": HOSTILE}
    values["recipe"]["input"]["paths"] = [HOSTILE]
    values["reproducible"]["processors"] = {HOSTILE: 1}
    values["inputs"] = [{**each, "name": HOSTILE, "revision": HOSTILE} for each in values["inputs"]]
    values["engines"] |= {HOSTILE: {"name": HOSTILE, "version": HOSTILE, "licence": HOSTILE, "bit_exact": "all"}}
    forger.seal()
    return write_report(str(target), str(folder / "hostile.html")).file


def _poison(row: dict) -> None:
    row["language"] = row["source"] = HOSTILE
    row["judged"] = {"spokenness": 7, "coherence": 8, "safety": None}
    names = ("task", "prompt", "prompt_sha256", "model", "answer_sha256")
    row["written_by"] = [{**dict.fromkeys(names, HOSTILE), "version": 1, "attempt": 0}]
    row["mixing"]["noise"], row["mixing"]["snr_db"], row["mixing"]["line"] = HOSTILE, 20.0, HOSTILE
    for utterance in row["utterances"]:
        for name in ("voice", "text", "spoken", "said", "unsaid"):
            utterance[name] = HOSTILE
        for word in utterance["words"]:
            word["text"] = HOSTILE
    for event in row["events"][1:]:
        event["kind"] = HOSTILE


def talks_of(page: Path) -> list[dict]:
    """What the player of a page is given."""
    text = page.read_text("utf-8")
    return [
        json.loads(found) for found in re.findall(r'<script type="application/json" class="talk">(.*?)</script>', text)
    ]


@pytest.fixture(scope="session")
def browse() -> Iterator[Callable[..., Browser]]:
    """Opens a page in a new Chromium; skips where there is none."""
    opened: list[Browser] = []

    def start(page: Path, width: int = 1280, dark: bool = False) -> Browser:
        opened.append(chromium(width, dark))
        opened[-1].open(page)
        return opened[-1]

    yield start
    for browser in opened:
        browser.quit()
