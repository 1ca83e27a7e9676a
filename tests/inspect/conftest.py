"""A small build with its sound kept, and one whose every stored text is hostile."""

import shutil
from pathlib import Path

import pytest

import datagen.inspect
from datagen.inspect import Output
from tests.run.builds import Forger, made, talk, talks
from tests.shared import shared

HOSTILE_ID = "../../x<script>alert(1)</script>\"'&[bold]{0}%s{{ 7 * 7 }}]]></svg>"
"""As hostile as the input lets an id be: markup of pages, terminals and templates, and a path."""
HOSTILE = HOSTILE_ID + "\x1b[2J\u202e\x07\r\n\x00"
"""As a text: codes that steer terminals and turn the direction of writing too."""


@pytest.fixture(scope="session")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five units; three of the ten dialogues are rejected. One has a hostile id."""
    hostile = talk("Tell me about one apple please.", "Sure, it is red.", "Stop it.", "Yes.", id=HOSTILE_ID)
    tasks = "flatten.tasks=[asr, four_stream, three_stream, two_stream]"
    changes = ("mix.keep_audio=true", "timing.barge_in.probability=1", tasks)
    records = [*talks(9), hostile]
    return shared(tmp_path_factory, "inspect", lambda folder: made(folder, *changes, records=records)) / "out"


@pytest.fixture(scope="session")
def hostile_out(out: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with every text of its conversations hostile."""
    target = tmp_path_factory.mktemp("hostile") / "out"
    shutil.copytree(out, target)
    forger = Forger(target)
    for key in forger.keys("conversations"):
        forger.edit(key, lambda rows: [_poison(row) for row in rows])
    forger.seal()
    return target


def _poison(row: dict) -> None:
    row["language"] = HOSTILE
    row["mixing"]["noise"] = HOSTILE
    for utterance in row["utterances"]:
        for name in ("voice", "text", "spoken", "said", "unsaid"):
            utterance[name] = HOSTILE
        for word in utterance["words"]:
            word["text"] = HOSTILE


@pytest.fixture
def output(out: Path) -> Output:
    return datagen.inspect.open(str(out))


@pytest.fixture
def silent_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build that kept no sound."""
    return made(tmp_path_factory.mktemp("silent"), n=2)[0]
