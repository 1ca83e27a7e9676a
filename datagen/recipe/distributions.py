"""The base class of recipe sections, and distributions, each drawn with one uniform number.

With one number per draw, a distribution can be replaced without shifting any other draw. The unit
is that of the recipe key: milliseconds for times.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema

_Number = Annotated[float, Field(ge=-1e7, le=1e7)]
"""A number of a distribution, whatever its unit; `Within` narrows it for a key."""
Weight = Annotated[float, Field(gt=0, le=1e6)]
"""Weight of one choice among several."""


class ConfigPart(BaseModel):
    """A part of a recipe: frozen, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)


class _Distribution(ConfigPart):
    def edges(self) -> tuple[float, float]:
        """The smallest and the largest value that can be drawn.

        >>> Quantiles(kind="quantiles", values=(-200, 100, 900)).edges()
        (-200.0, 900.0)
        """
        raise NotImplementedError

    def at(self, u: float) -> float:
        """The value for a number `u` in [0, 1); uniformly distributed `u` give the distribution."""
        raise NotImplementedError

    def draw(self, rng: np.random.Generator) -> float:
        """One draw, using exactly one uniform number of `rng`."""
        return self.at(rng.random())

    def spread(self, n: int = 4096) -> NDArray[np.float64]:
        """Midpoints of `n` equally likely parts, float64 [n], ascending; a reference for draws.

        >>> Uniform(kind="uniform", low=0, high=4).spread(2).tolist()
        [1.0, 3.0]
        """
        return np.sort([self.at((k + 0.5) / n) for k in range(n)])

    def quantile(self, share: float) -> float:
        """The value below which a share, in [0, 1], of the distribution lies.

        >>> round(Uniform(kind="uniform", low=0, high=200).quantile(0.5))
        100
        """
        return float(np.quantile(self.spread(), share))


class Constant(_Distribution):
    """Always the same value.

    >>> Constant(value=200).at(0.7)
    200.0
    """

    kind: Literal["constant"] = "constant"
    value: _Number

    def edges(self) -> tuple[float, float]:
        """The value, twice."""
        return self.value, self.value

    def at(self, u: float) -> float:  # noqa: ARG002
        """The value, for any `u`."""
        return float(self.value)


class _Ranged(_Distribution):
    low: _Number
    high: _Number

    def edges(self) -> tuple[float, float]:
        """`low` and `high`."""
        return self.low, self.high

    @model_validator(mode="after")
    def _ordered(self) -> "_Ranged":
        if not self.low <= self.high:
            raise ValueError(f"low {self.low} is above high {self.high}")
        return self


class Uniform(_Ranged):
    """All values from low to high are equally likely.

    >>> Uniform(kind="uniform", low=15, high=30).at(0.5)
    22.5
    """

    kind: Literal["uniform"]

    def at(self, u: float) -> float:
        """The quantile `u`."""
        return self.low + (self.high - self.low) * u


def uniform(low: float, high: float) -> Uniform:
    """A uniform distribution from low to high."""
    return Uniform(kind="uniform", low=low, high=high)


class Normal(_Ranged):
    """Normal with mean and standard deviation, truncated to [low, high].

    >>> Normal(kind="normal", mean=200, sd=100, low=-1000, high=1400).at(0.5)
    200.0
    """

    kind: Literal["normal"]
    mean: _Number
    sd: float = Field(gt=0, le=1e7)

    def at(self, u: float) -> float:
        """The quantile `u` of the truncated distribution."""
        from scipy.special import ndtr, ndtri

        low, high = ndtr((self.low - self.mean) / self.sd), ndtr((self.high - self.mean) / self.sd)
        value = self.mean + self.sd * float(ndtri(low + (high - low) * u))
        return min(max(value, self.low), self.high)


class LogNormal(_Ranged):
    """Log-normal with median and sigma of the logarithm, truncated to [low, high], low > 0.

    >>> round(LogNormal(kind="lognormal", median=700, sigma=0.5, low=200, high=2450).at(0.5))
    700
    """

    kind: Literal["lognormal"]
    median: float = Field(gt=0, le=1e7)
    sigma: float = Field(gt=0, le=10)
    low: float = Field(gt=0, le=1e7)

    def at(self, u: float) -> float:
        """The quantile `u` of the truncated distribution."""
        from scipy.special import ndtr, ndtri

        middle = np.log(self.median)
        low, high = (ndtr((np.log(edge) - middle) / self.sigma) for edge in (self.low, self.high))
        value = float(np.exp(middle + self.sigma * ndtri(low + (high - low) * u)))
        return min(max(value, self.low), self.high)


class Quantiles(_Distribution):
    """A measured distribution: values at equally spaced shares from 0 to 1, linear in between.

    >>> Quantiles(kind="quantiles", values=(-200, 100, 900)).at(0.75)
    500.0
    """

    kind: Literal["quantiles"]
    values: tuple[_Number, ...] = Field(min_length=2, max_length=100_001)

    @model_validator(mode="after")
    def _ordered(self) -> "Quantiles":
        if list(self.values) != sorted(self.values):
            raise ValueError("the values of quantiles must not decrease")
        return self

    def edges(self) -> tuple[float, float]:
        """The first and the last value."""
        return self.values[0], self.values[-1]

    def at(self, u: float) -> float:
        """The quantile `u`."""
        steps = len(self.values) - 1
        below = min(int(u * steps), steps - 1)
        low, high = self.values[below], self.values[below + 1]
        return low + (high - low) * (u * steps - below)


def _number_is_constant(value: Any) -> Any:
    return Constant(value=value) if isinstance(value, int | float) and not isinstance(value, bool) else value


_Kinds = Annotated[Constant | Uniform | Normal | LogNormal | Quantiles, Field(discriminator="kind")]
Simple = Annotated[
    Constant | Uniform | Normal | LogNormal | Quantiles,
    Field(discriminator="kind"),
    BeforeValidator(_number_is_constant, json_schema_input_type=_Number | _Kinds),
]
"""Any distribution except a mixture."""


class MixturePart(ConfigPart):
    """One part of a mixture."""

    weight: Weight
    value: Simple


class Mixture(_Distribution):
    """Several distributions, each drawn in proportion to its weight.

    >>> two = Mixture(kind="mixture", parts=(MixturePart(weight=1, value=0), MixturePart(weight=3, value=100)))
    >>> two.at(0.2), two.at(0.3), float(two.spread().mean())
    (0.0, 100.0, 75.0)
    """

    kind: Literal["mixture"]
    parts: tuple[MixturePart, ...] = Field(min_length=1, max_length=1000)

    def edges(self) -> tuple[float, float]:
        """The smallest and the largest value of all parts."""
        lows, highs = zip(*(part.value.edges() for part in self.parts), strict=True)
        return min(lows), max(highs)

    @cached_property
    def _shares(self) -> list[float]:
        weights = np.cumsum([part.weight for part in self.parts])
        return [0.0, *(weights / weights[-1]).tolist()]

    def at(self, u: float) -> float:
        """The value of the part in whose share `u` lies."""
        edges = self._shares
        index = next(k for k in range(len(self.parts)) if u < edges[k + 1] or k + 1 == len(self.parts))
        inside = (u - edges[index]) / (edges[index + 1] - edges[index])
        return self.parts[index].value.at(min(inside, 1 - 2**-53))


Distribution = Annotated[
    Constant | Uniform | Normal | LogNormal | Quantiles | Mixture,
    Field(discriminator="kind"),
    BeforeValidator(_number_is_constant),
]
"""Any distribution; a plain number stands for a constant."""


@dataclass(frozen=True)
class Within:
    """The range, inclusive, and the unit of all values that a distribution of a recipe key may draw."""

    low: float
    high: float
    unit: str = ""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Check the range after the distribution itself."""
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """A plain number in the range, or a distribution, to whose values people apply it."""
        edges = {"minimum": self.low, "maximum": self.high}
        return {"anyOf": [{"type": "number", **edges}, {**handler(schema), **edges}]}

    def _checked(self, value: _Distribution) -> _Distribution:
        low, high = value.edges()
        if low < self.low or high > self.high:
            raise ValueError(
                f"values from {low:g} to {high:g} leave the range from {self.low:g} to {self.high:g} of this key"
            )
        return value


Offset = Annotated[Distribution, Within(-60_000, 120_000, "ms")]
"""From the end of one thing to the start of another, in milliseconds; negative: they overlap."""
Duration = Annotated[Distribution, Within(0, 120_000, "ms")]
"""In milliseconds."""
Share = Annotated[Distribution, Within(0, 1, "share")]
"""A place or a degree, from 0 to 1."""
Decibels = Annotated[Distribution, Within(-100, 100, "dB")]
"""A level relative to another."""
PerMinute = Annotated[Distribution, Within(0, 120, "per minute")]
"""A rate of events."""
Hertz = Annotated[Distribution, Within(20, 24_000, "Hz")]
"""A frequency of a filter."""
