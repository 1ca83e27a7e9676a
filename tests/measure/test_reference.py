"""What a report compares with: profiles are called profiles, and only recordings are human."""

from types import SimpleNamespace
from typing import cast

import pytest

from datagen import DATA_VERSION
from datagen.measure.battery import Durations
from datagen.measure.compared_timing import HUMAN, ComparedTiming, marks
from datagen.shards.manifest import Manifest
from tests.conftest import make_recipe
from tests.measure.test_fit import corpus


def test_a_shipped_profile_is_a_profile_however_natural():
    found = ComparedTiming.named("natural")
    assert (found.title, found.is_human) == ("profile natural", False)
    assert found.durations["fto"].n > 0


def test_a_file_is_human_only_if_it_was_fitted_to_recordings(tmp_path):
    from datagen.measure.corpora import read
    from datagen.measure.fit import Fit, write

    fit = Fit()
    for recording in read([str(corpus(tmp_path, n_turns=60))], pytest.fail):
        fit.add(recording)
    fitted, own = tmp_path / "calls.yaml", tmp_path / "own.yaml"
    write(fit, ["corpus.csv"], fitted)
    own.write_text("user_fto: 100\n")
    assert ComparedTiming.named(str(fitted)).title == "human recordings calls"
    assert ComparedTiming.named(str(own)).title == "profile own"


def test_the_reference_of_a_build_is_what_its_recipe_asks_for():
    values = make_recipe("timing={profile: natural, user_fto: 100, assistant_fto: 100}").dump()
    found = ComparedTiming.of_build(cast(Manifest, SimpleNamespace(recipe=values, data_version=DATA_VERSION)))
    assert found.title == "profile natural"
    assert found.durations["gap"] == Durations({100: found.durations["gap"].n})


def test_every_mark_lies_on_figures_with_a_human_range():
    for name in ("fto", "gap", "overlap"):
        found = list(marks(name))
        assert found
        assert all(mark.range in HUMAN.values() for mark in found)
        assert all(0 <= mark.from_share <= mark.to_share <= 1 and mark.from_ms <= mark.to_ms for mark in found)
    assert not list(marks("pause"))


def test_human_ranges_of_floor_transfers_are_not_asked_of_the_assistant():
    assert HUMAN["user_fto_median_ms"] == HUMAN["fto_median_ms"]
    assert not any(name.startswith("assistant") for name in HUMAN)
