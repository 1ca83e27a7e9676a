"""A build measured from its stored timeline."""

import numpy as np
import pytest

from datagen.measure.battery import Battery
from datagen.measure.timelines import Measured, Placement, ipus, speaker
from datagen.measure.timing_report import as_json, measure
from datagen.recipe import Recipe
from datagen.records import FLOOR, KINDS, Event, Mixing, Spoken, Streams, Word
from datagen.shards.store import LocalStore
from tests.conftest import make_recipe
from tests.run.builds import made

RATE = 1000
NONE = np.zeros(0, np.int32)


def spoken(role, start, end, *, kind="turn", offset=0, cut=0, words=()):
    return Spoken(role, "", "", "", "", "", NONE, start, end, cut, 0, words, kind, 0, offset)


def streams(*utterances, events=(), n_samples=10_000, noise="", audio=None) -> Streams:
    codes = np.zeros(0, np.uint16)
    mixing = Mixing(noise, None, 0.0, 0.0)
    return Streams("d", 0, "", "en", "train", n_samples, codes, codes, utterances, tuple(events), mixing, audio)


def test_words_make_ipus_and_kinds_are_told_apart():
    words = (Word("oh", 110, 300), Word("well", 520, 890))
    talk = streams(
        spoken("user", 100, 900, words=words),
        spoken("user", 1000, 1100, kind="filler"),
        spoken("user", 2000, 2000, kind="turn"),
        spoken("user", 3000, 3300, kind="backchannel"),
        spoken("user", 5000, 5500, kind="attempt"),
        spoken("user", 6000, 6400, kind="aside"),
        spoken("user", 7000, 7200, kind="insert"),
        spoken("assistant", 2500, 7100),
        spoken("assistant", 8000, 9000, kind="resumption"),
    )
    user = speaker(talk, "user")
    assert user.turns.tolist() == [[100, 300], [520, 900], [1000, 1100], [7000, 7200]]
    assert user.backchannels.tolist() == [[3000, 3300]]
    assert user.attempts.tolist() == [[5000, 5500], [6000, 6400]]
    assert speaker(talk, "assistant").turns.tolist() == [[2500, 7100], [8000, 9000]]
    heard = [[100, 300], [520, 1100], [3000, 3300], [5000, 5500], [6000, 6400], [7000, 7200]]
    assert ipus(talk, "user", RATE).tolist() == heard


def test_every_kind_of_utterance_is_counted():
    for kind in KINDS:
        said = speaker(streams(spoken("user", 0, 500, kind=kind)), "user")
        parts = [said.turns, said.backchannels, said.attempts]
        assert sum(map(len, parts)) == 1
        assert (len(said.turns) == 1) == (kind in FLOOR)


def test_offsets_are_compared_with_what_was_drawn():
    talk = streams(
        spoken("user", 0, 1000, offset=500),
        spoken("assistant", 1200, 3000, offset=200),
        spoken("user", 2000, 2100, kind="backchannel", offset=7),
        spoken("user", 2900, 4000, offset=-150),
        spoken("user", 4700, 5000, offset=700),
    )
    placement = Placement()
    placement.add(talk, RATE)
    assert {name: dict(d.counts) for name, d in placement.placed.items()} == {
        "assistant_fto": {200: 1},
        "user_fto": {-100: 1},
        "pause": {700: 1},
    }
    figures = placement.figures(make_recipe("timing.user_fto=-100").timing)
    assert figures["user_fto"]["w1_to_drawn_ms"] == 50
    assert figures["user_fto"]["w1_to_recipe_ms"] == 0
    assert figures["pause"] == {"n": 1, "w1_to_drawn_ms": 0}


def test_utterances_that_an_event_moves_have_no_offset_to_compare():
    def counted(*events) -> int:
        placement = Placement()
        talk = streams(spoken("assistant", 0, 1000), spoken("user", 900, 2000), events=events)
        placement.add(talk, RATE)
        return placement.placed["user_fto"].n

    assert counted() == 1
    assert counted(Event("barge_in", "user", 900, 1000, 1)) == 0
    assert counted(Event("user_silent", "user", 0, 900, 1)) == 0
    assert counted(Event("waiting", "user", 0, 900, 1)) == 0
    assert counted(Event("barge_in", "user", 900, 1000, 1, placed=False)) == 1
    assert counted(Event("hesitation", "user", 900, 1000, 1)) == 1


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> dict:
    out, manifest = made(tmp_path_factory.mktemp("build"), "timing={profile: natural}", n=60)
    store = LocalStore(out)
    found = measure(store, manifest)
    recipe = Recipe.model_validate(manifest.recipe)
    assert recipe.timing.profile == "natural"
    return as_json(found, manifest, [])


def test_a_report_covers_the_whole_build(report):
    assert report["version"] == 2
    assert report["n_conversations"] == 40
    assert sum(report["parts_share"].values()) == pytest.approx(1)
    assert report["figures"]["fto_median_ms"]["human"]["low"] == 0
    inside = {name: figure["inside"] for name, figure in report["figures"].items()}
    assert inside["gaps_a_minute"] is None
    assert isinstance(inside["fto_below_500_share"], bool)
    assert list(report["durations"]["fto"]["quantiles_ms"]) == ["0.05", "0.25", "0.5", "0.75", "0.95"]


def test_gaps_are_placed_as_drawn(tmp_path):
    gaps = "{kind: uniform, low: 0, high: 500}"
    out, manifest = made(tmp_path, f"timing={{profile: omniflatten, assistant_fto: {gaps}}}", n=30)
    figures = as_json(measure(LocalStore(out), manifest), manifest, [])["placement"]["assistant_fto"]
    assert figures["n"] > 20
    assert figures["w1_to_drawn_ms"] == 0
    assert 0 < figures["w1_to_recipe_ms"] < 4 * figures["w1_by_chance_ms"]


def test_events_are_counted_by_kind_role_and_whether_they_fit():
    found = Measured(Battery(RATE))
    events = (Event("barge_in", "user", 0, 5, 1), Event("barge_in", "user", 0, 5, 2, placed=False))
    found.add(streams(spoken("user", 0, 10), events=events))
    assert found.battery.n_barge_ins == 1
    assert found.events == {("barge_in", "user", True): 1, ("barge_in", "user", False): 1}
