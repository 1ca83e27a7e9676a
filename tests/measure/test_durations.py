"""Counted durations say the same as the values one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

from datagen.measure.battery import Durations
from datagen.recipe.distributions import Uniform

values = st.lists(st.integers(-3000, 3000), min_size=1, max_size=60)
shares = st.lists(st.floats(0, 1), min_size=1, max_size=5)


@given(values, shares)
def test_quantiles_are_those_of_the_values(found, wanted):
    ours = Durations.of(found).quantiles(wanted)
    assert ours == pytest.approx(np.quantile(found, wanted).tolist())


@given(values, values)
def test_distance_is_that_of_the_values(one, two):
    a, b = Durations.of(one), Durations.of(two)
    assert a.w1(b) == pytest.approx(wasserstein_distance(one, two))
    assert a.w1(b) == b.w1(a)
    assert a.w1(a) == 0


@given(values, values)
def test_both_together_are_all_values(one, two):
    both = Durations.of(one) + Durations.of(two)
    assert (both.n, both.counts) == (len(one + two), Durations.of(one + two).counts)
    assert both.mean() == pytest.approx(np.mean(one + two))


def test_samples_are_rounded_to_milliseconds():
    found = Durations()
    found.add([24, 35, 37, -24], 24_000)
    assert found.counts == {1: 2, 2: 1, -1: 1}


def test_nothing_has_no_figures():
    nothing = Durations()
    assert [nothing.median(), nothing.mean(), nothing.share_below(0), nothing.mode(50)] == [None] * 4
    assert nothing.w1(Durations.of([1])) is None
    with pytest.raises(ValueError, match="no durations"):
        nothing.quantiles([0.5])


def test_draws_lie_as_far_from_their_distribution_as_chance_says():
    asked = Durations.of(Uniform(kind="uniform", low=0, high=1000).spread())
    rng = np.random.default_rng(0)
    found = [Durations.of(rng.uniform(0, 1000, 200)).w1(asked) for _ in range(100)]
    assert np.mean(found) == pytest.approx(asked.chance_w1(200), rel=0.1)
