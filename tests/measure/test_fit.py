"""From known distributions to a corpus, from the corpus to a profile, from the profile to a build."""

import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from datagen.errors import RecipeError, SourceError
from datagen.measure.compared_timing import ComparedTiming
from datagen.measure.corpora import read
from datagen.measure.fit import BARGE_IN_MS, Fit, write
from datagen.measure.timing_report import measure
from datagen.recipe.distributions import LogNormal, Normal
from datagen.recipe.timing_config import TimingConfig
from tests.run.builds import made

FTO = Normal(kind="normal", mean=200, sd=250, low=-450, high=1500)
HESITATION = LogNormal(kind="lognormal", median=1000, sigma=0.3, low=700, high=3000)
REACTION = Normal(kind="normal", mean=800, sd=150, low=BARGE_IN_MS, high=1500)
N_TURNS = 2000
BARGE_IN, HESITANT, BACKCHANNEL = 0.1, 0.3, 0.4


def corpus(folder: Path, n_turns: int = N_TURNS) -> Path:
    """A recording of turns of 6 s in which all that a fit tells apart happens, as CSV without text."""
    rng = np.random.default_rng(5)
    rows, end = [], 0.0
    for k in range(n_turns):
        barges_in = k > 0 and rng.random() < BARGE_IN
        offset = -REACTION.draw(rng) if barges_in else FTO.draw(rng)
        start = max(end + offset, 0)
        end = start + 6000
        speech = [(start, end)]
        if rng.random() < HESITANT:
            pause = HESITATION.draw(rng)
            end += pause
            speech = [(start, start + 3000), (start + 3000 + pause, end)]
        rows += [("even" if k % 2 == 0 else "odd", *span) for span in speech]
        if rng.random() < BACKCHANNEL:
            rows.append(("odd" if k % 2 == 0 else "even", start + 2000, start + 2400))
    path = folder / "corpus.csv"
    lines = (f"call,{who},{start / 1000:.4f},{end / 1000:.4f}" for who, start, end in rows)
    path.write_text("\n".join(["recording,speaker,start,end", *lines]))
    return path


@pytest.fixture(scope="module")
def fitted(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("fit")
    path = corpus(folder)
    found = Fit()
    for recording in read([str(path)], pytest.fail):
        found.add(recording)
    write(found, [str(path)], folder / "profile.yaml")
    return folder / "profile.yaml"


@pytest.fixture(scope="module")
def profile(fitted) -> TimingConfig:
    return TimingConfig.model_validate({"profile": str(fitted)})


@pytest.mark.parametrize("share", [0.05, 0.25, 0.5, 0.75, 0.95])
def test_offsets_come_back(profile, share):
    assert profile.assistant_fto == profile.user_fto
    assert profile.user_fto.quantile(share) == pytest.approx(FTO.quantile(share), abs=30)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_pauses_and_reactions_come_back(profile, share):
    assert profile.hesitation.pause.quantile(share) == pytest.approx(HESITATION.quantile(share), abs=60)
    assert profile.barge_in.reaction.quantile(share) == pytest.approx(REACTION.quantile(share), abs=60)


def test_rates_come_back(profile):
    assert profile.barge_in.probability == pytest.approx(BARGE_IN, abs=0.02)
    assert profile.hesitation.probability == pytest.approx(HESITANT, abs=0.03)
    n_phrases = int(6 * 3.3 / profile.backchannel.phrase_words)
    assert profile.backchannel.user_probability == pytest.approx(BACKCHANNEL / n_phrases, abs=0.02)
    assert profile.backchannel.assistant_probability == 0  # a target: people's listening is no rule for it


def test_the_header_says_what_it_was_fitted_to(fitted):
    header = [line for line in fitted.read_text().splitlines() if line.startswith("#")]
    assert "to corpus.csv:" in header[0]
    assert re.match(rf"# 1 recordings, \d\.\d\d hours, {N_TURNS - 1} floor transfers,", header[1])
    assert str(fitted.parent) not in fitted.read_text()
    assert set(yaml.safe_load(fitted.read_text())) <= set(TimingConfig.model_fields)


def test_a_fitted_profile_is_compared_with_as_it_was_measured(fitted):
    found = ComparedTiming.named(str(fitted)).durations
    assert set(found) == {"fto", "gap", "pause", "overlap"}
    assert found["pause"].median() == pytest.approx(HESITATION.quantile(0.5), abs=60)
    assert found["overlap"].share_below(0) == 0


def test_another_profile_is_compared_with_as_it_asks():
    found = ComparedTiming.named("omniflatten").durations
    asked = TimingConfig()
    assert "pause" not in found
    assert found["overlap"].n == 0  # barge-ins are left out: how many there are depends on the dialogues
    assert found["gap"].median() == pytest.approx(asked.user_fto.quantile(0.5), abs=2)
    assert ComparedTiming.named("natural").durations["overlap"].n > 0


def test_a_recipe_builds_with_a_fitted_profile(fitted, tmp_path):
    out, manifest = made(tmp_path, f"timing={{profile: {fitted}}}", n=40)
    from datagen.shards.store import LocalStore

    found = measure(LocalStore(out), manifest)
    placed = found.placement.placed["assistant_fto"]
    assert placed.n > 20
    low, high = FTO.low, FTO.high
    assert all(low - 1 <= ms <= high + 1 for ms in placed.counts)
    assert manifest.recipe["timing"]["user_fto"]["kind"] == "quantiles"


def test_too_few_transfers_are_an_error(tmp_path):
    path = corpus(tmp_path, n_turns=5)
    found = Fit()
    for recording in read([str(path)], pytest.fail):
        found.add(recording)
    with pytest.raises(SourceError, match=r"only \d floor transfers in two-party recordings; at least 20"):
        found.profile()


def test_a_profile_that_is_not_there_is_named():
    with pytest.raises(RecipeError, match=r"cannot read nobody: .*; shipped profiles: half_duplex"):
        ComparedTiming.named("nobody")
