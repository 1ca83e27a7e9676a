"""Distributions: one number a draw, draws within what was asked for, and what they are compared with."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from scipy.stats import wasserstein_distance

from datagen.recipe.distributions import Distribution

READ = TypeAdapter(Distribution).validate_python
KINDS = [
    {"kind": "constant", "value": 3},
    {"kind": "uniform", "low": -200, "high": 900},
    {"kind": "normal", "mean": 100, "sd": 400, "low": -500, "high": 900},
    {"kind": "lognormal", "median": 400, "sigma": 0.5, "low": 100, "high": 2000},
    {"kind": "quantiles", "values": [-300, 0, 100, 150, 1000]},
    {
        "kind": "mixture",
        "parts": [
            {"weight": 1, "value": {"kind": "uniform", "low": -900, "high": 0}},
            {"weight": 3, "value": {"kind": "normal", "mean": 200, "sd": 50, "low": 0, "high": 400}},
        ],
    },
]


@pytest.mark.parametrize("values", KINDS, ids=lambda v: v["kind"])
def test_draws_are_distributed_as_the_spread_says(values):
    wanted = READ(values)
    rng = np.random.default_rng(0)
    draws = [wanted.draw(rng) for _ in range(4000)]
    spread = wanted.spread()
    assert (np.diff(spread) >= 0).all()
    assert wasserstein_distance(draws, spread) <= 0.05 * (np.std(spread) + 1e-9)
    assert wanted.quantile(0.5) == pytest.approx(np.median(draws), abs=0.1 * np.std(spread) + 1e-9)


@pytest.mark.parametrize("values", KINDS, ids=lambda v: v["kind"])
def test_a_draw_takes_one_number(values):
    first, second = np.random.default_rng(5), np.random.default_rng(5)
    READ(values).draw(first)
    second.random()
    assert first.random() == second.random()


@given(st.lists(st.floats(-5000, 5000), min_size=2, max_size=20), st.floats(0, 1, exclude_max=True))
def test_measured_quantiles_are_met(values, u):
    values = sorted(values)
    wanted = READ({"kind": "quantiles", "values": values})
    assert values[0] <= wanted.at(u) <= values[-1]
    steps = len(values) - 1
    assert [wanted.at(k / steps) for k in range(steps)] == pytest.approx(values[:-1], abs=1e-6)


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "quantiles", "values": [2, 1]},
        {"kind": "quantiles", "values": [1]},
        {"kind": "mixture", "parts": []},
        {"kind": "mixture", "parts": [{"weight": 0, "value": 1}]},
        {"kind": "mixture", "parts": [{"weight": 1, "value": {"kind": "mixture", "parts": []}}]},
    ],
)
def test_what_makes_no_distribution_is_refused(values):
    with pytest.raises(ValidationError):
        READ(values)
