"""The dataset card: valid for the Hub, true, and the same whenever it is made again."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from huggingface_hub import DatasetCard
from typer.testing import CliRunner

from datagen.cli import app
from datagen.records import EVENTS
from datagen.shards.card import CARD, COLUMNS, FIGURES, CardFigures, card, licence_of
from datagen.shards.manifest import Manifest
from datagen.shards.schema import ROWS
from datagen.shards.store import LocalStore
from tests.run.builds import faults, made


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    return made(tmp_path_factory.mktemp("built"), "run.unit_dialogues=3", "flatten.tasks=[three_stream, tts]", n=9)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return made(tmp_path, "flatten.tasks=[three_stream]", "input.licence=cc-by-4.0", n=6)[0]


def front(text: str) -> dict:
    return yaml.safe_load(text.split("---\n")[1])


def test_the_metadata_are_those_of_the_hub(built):
    out = built[0]
    data = DatasetCard.load(out / CARD).data.to_dict()
    assert data == front((out / CARD).read_text("utf-8"))
    assert (data["license"], data["language"], data["pretty_name"]) == ("unknown", ["en", "zh"], "fake")
    assert data["size_categories"] == ["n<1K"]
    assert data["task_categories"] == ["audio-to-audio", "text-to-speech"]
    assert [each["config_name"] for each in data["configs"] if each.get("default")] == ["three_stream"]
    files = {pattern["path"] for each in data["configs"] for pattern in each["data_files"]}
    assert all(list(out.glob(path)) for path in files)


def test_every_column_and_kind_of_event_is_explained(built):
    text = (built[0] / CARD).read_text("utf-8")
    assert list(COLUMNS) == ROWS.names
    kinds = (str(ROWS.field(name).type).replace("<", "&#60;").replace(">", "&#62;") for name in COLUMNS)
    assert all(f"| {name} | {kind} |" in text for name, kind in zip(COLUMNS, kinds, strict=True))
    assert all(f"| {kind} | " in text for kind in EVENTS)


def test_it_says_that_speech_is_synthetic_who_speaks_and_what_splits_mean(built):
    manifest = built[1]
    text = card(manifest)
    assert "**All speech is synthetic**" in text
    assert "Voices of users: 8, of 8 speakers. Speaker of the assistant: tone-0." in text
    assert "dialogues and speakers of users differ between splits" in text
    shades = {name: replace(voice, speaker="heart") for name, voice in manifest.voices.items()}
    text = card(replace(manifest, kept_apart="voices", voices=shades))
    assert "Voices of users: 8, of 1 speaker. Speaker of the assistant: heart." in text
    assert "shades of one\n  synthetic speaker" in text


def test_the_origin_of_weights_is_in_it(built):
    manifest = built[1]
    tts = replace(manifest.engines["tts"], lineage="distilled from another")
    assert "| distilled from another |" in card(replace(manifest, engines={**manifest.engines, "tts": tts}))


def test_a_licence_is_given_or_that_of_the_input_or_unknown(built):
    manifest = built[1]
    source = manifest.recipe["input"]
    of = {"stated": {**source, "licence": "mit"}, "shipped": {**source, "paths": ["package:quickstart.jsonl"]}}
    stated, shipped = (replace(manifest, recipe={**manifest.recipe, "input": each}) for each in of.values())
    assert [licence_of(each) for each in (manifest, stated, shipped)] == ["unknown", "mit", "apache-2.0"]
    assert licence_of(stated, CardFigures(digest="", licence="cc0-1.0")) == "cc0-1.0"
    assert "Nobody stated the licence of the dialogues" in card(manifest)


def run(out: Path, *more: str) -> str:
    result = CliRunner().invoke(app, ["card", str(out), *more])
    assert result.exit_code == 0, result.output
    return result.output


def test_figures_are_added_and_the_check_makes_the_same_card(out):
    assert "figures of timing" in run(out, "--title", "Tea talks")
    text = (out / CARD).read_text("utf-8")
    assert front(text)["pretty_name"] == "Tea talks"
    assert front(text)["license"] == "cc-by-4.0"
    assert "## Timing" in text
    assert "| gap | " in text
    assert "interruption from text" in text
    assert faults(out) == []
    figures = CardFigures.load(LocalStore(out))
    assert figures is not None
    assert figures.events["gap"] > 0
    run(out)  # the title is kept
    assert (out / CARD).read_text("utf-8") == text


def test_a_card_or_figures_that_do_not_fit_are_faults(out, tmp_path):
    run(out)
    whole = (out / CARD).read_bytes()
    (out / CARD).write_bytes(whole + b"\nand more\n")
    assert faults(out) == ["README.md: it is not what plan and sums give"]
    (out / CARD).write_bytes(whole)
    figures = CardFigures.load(LocalStore(out))
    assert figures is not None
    (out / FIGURES).write_bytes(replace(figures, digest="0" * 32).to_json())
    assert faults(out)[0] == "card.json: it is of another build; delete it, and run `datagen card` again"
    (out / FIGURES).write_bytes(figures.to_json().replace(b"gap", b"gip"))
    assert "card.json is damaged: its seal does not match its content" in faults(out)[0]
    run(out)  # damaged figures are measured anew
    assert faults(out) == []


def test_a_licence_that_is_no_identifier_is_refused(out):
    result = CliRunner().invoke(app, ["card", str(out), "--licence", "CC BY 4.0\n---"])
    assert result.exit_code == 1
    assert "give an identifier of the Hub, such as cc-by-4.0" in result.stderr
