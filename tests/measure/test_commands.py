"""The group `datagen timing`."""

import json
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.measure.test_fit import corpus
from tests.run.builds import made
from tests.test_cli import Cli


@pytest.fixture
def datagen(capsys, monkeypatch) -> Cli:
    monkeypatch.setenv("COLUMNS", "1000")
    return Cli(capsys, monkeypatch)


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    out, _ = made(tmp_path_factory.mktemp("build"), "timing={profile: natural}", "mix.keep_audio=true", n=12)
    return out


def test_fit_writes_a_profile_and_names_what_it_left_out(datagen, tmp_path):
    path = corpus(tmp_path, n_turns=60)
    path.write_text(path.read_text() + "\nalone,ann,0,1\n")
    status, out, err = datagen.run("timing", "fit", path, "--out", tmp_path / "p.yaml")
    assert (status, err) == (0, "recording 'alone' has 1 speakers (ann), not two: left out\n")
    assert "from 1 recordings" in out
    assert "timing.profile=" in out
    assert (tmp_path / "p.yaml").read_text().startswith("# A timing profile")


def test_fit_of_a_broken_file_is_one_message(datagen, tmp_path):
    (tmp_path / "a.rttm").write_text("SPEAKER r 1 x 1 <NA> <NA> s <NA> <NA>")
    assert "a.rttm, line 1: start is 'x'" in datagen.fails("timing", "fit", tmp_path / "a.rttm", "--out", "p.yaml")


def test_report_shows_human_ranges_beside_figures_and_names_the_profile(datagen, built):
    said = datagen.ok("timing", "report", built)
    assert "FTO median" in said
    assert "Stivers et al. 2009*" in said
    assert "placed against requested" in said
    assert "energy" in said
    assert "W1 to profile natural: fto" in said
    assert "people" not in said


def test_recordings_are_compared_with_as_human(datagen, built, tmp_path):
    fitted = tmp_path / "calls.yaml"
    datagen.ok("timing", "fit", corpus(tmp_path, n_turns=60), "--out", fitted)
    assert "W1 to human recordings calls: fto" in datagen.ok("timing", "report", built, "--reference", fitted)
    report = json.loads(datagen.ok("timing", "report", built, "--json", "--reference", fitted))
    assert report["reference"]["human"]
    assert report["reference"]["w1_ms"]["gap"] > 0


def test_report_as_json_holds_the_documented_keys(datagen, built):
    report = json.loads(datagen.ok("timing", "report", built, "--json", "--reference", "omniflatten", "--voice", "2"))
    page = (Path(__file__).parent.parent.parent / "docs" / "timing.md").read_text("utf-8")
    assert all(f"`{key}`" in page for key in report)
    assert (report["reference"]["name"], report["reference"]["human"]) == ("omniflatten", False)
    assert report["voice"][0]["n_conversations"] == 2
    assert report["voice"][0]["detector"] == "energy"


def test_without_stored_audio_nothing_is_heard(datagen, tmp_path):
    out, _ = made(tmp_path, n=2)
    assert json.loads(datagen.ok("timing", "report", out, "--json"))["voice"] == []


def test_charts_are_svg_files_with_their_own_colours_and_key(datagen, built, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    folder = tmp_path / "charts"
    datagen.ok("timing", "report", built, "--voice", "0", "--plots", folder, "--reference", "natural")
    human = {f"{name}-and-human-ranges" for name in ("offsets", "gaps", "overlaps")}
    names = {"floor-transfers", "offsets", "gaps", "pauses", "overlaps", *human}
    assert {path.name for path in folder.iterdir()} == {f"{name}.svg" for name in names}
    for name in names:
        root = ElementTree.parse(folder / f"{name}.svg").getroot()
        drawn = {element.get("class") for element in root.iter() if element.get("class")}
        style = root.find("{http://www.w3.org/2000/svg}style").text
        assert all(f".{kind}" in style for kind in drawn - {"axis", "tick"})
        texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
        assert texts[0].lower().replace(" ", "-") == name
        assert ("profile natural" in texts) == (name not in human)
        assert ("human, published ranges" in texts) == (name in human)
    assert "curve-reference" in (folder / "gaps.svg").read_text()
    assert "to the assistant" in (folder / "floor-transfers.svg").read_text()


def test_charts_that_cannot_be_written_are_one_message(datagen, built, tmp_path):
    (tmp_path / "file").touch()
    assert "cannot write" in datagen.fails("timing", "report", built, "--voice", "0", "--plots", tmp_path / "file")


def test_whether_charts_can_be_written_is_known_before_anything_is_measured(datagen, built, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr("datagen.measure.timing_report.measure", lambda *_: pytest.fail("measured"))
    assert "cannot write" in datagen.fails("timing", "report", built, "--voice", "0", "--plots", tmp_path / "file")


def test_oracle_prints_scores_and_json(datagen, tmp_path):
    out, _ = made(tmp_path, n=4)
    assert "assistant turn taking" in datagen.ok("timing", "oracle", out)
    scores = json.loads(datagen.ok("timing", "oracle", out, "--json"))
    assert set(scores["three_stream"]["assistant_turn_taking"]["acc_at"]) == {"1", "5", "10", "25"}


def test_an_unfinished_build_is_named(datagen, tmp_path):
    assert "there is no build" in datagen.fails("timing", "report", tmp_path / "nowhere")
