"""Distributions of times as a recipe writes them, each drawn by inverse transform from one uniform number.

One number per draw keeps chance keyed: a distribution can be replaced without shifting any other draw.
"""

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


class _Distribution(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    def at(self, u: float) -> float:
        """The quantile `u` in [0, 1), in the unit of the parameters."""
        raise NotImplementedError

    def draw(self, rng: np.random.Generator) -> float:
        """One draw, using exactly one uniform number of `rng`."""
        return self.at(rng.random())


class Constant(_Distribution):
    """Always the same value.

    >>> Constant(value=200).at(0.7)
    200.0
    """

    kind: Literal["constant"] = "constant"
    value: float

    def at(self, u: float) -> float:  # noqa: ARG002
        """The value, whatever `u`."""
        return float(self.value)


class _Ranged(_Distribution):
    low: float
    high: float

    @model_validator(mode="after")
    def _ordered(self) -> "_Ranged":
        if not self.low <= self.high:
            raise ValueError(f"low {self.low} is above high {self.high}")
        return self


class Uniform(_Ranged):
    """Every value from low to high is as likely.

    >>> Uniform(kind="uniform", low=15, high=30).at(0.5)
    22.5
    """

    kind: Literal["uniform"]

    def at(self, u: float) -> float:
        """The quantile `u`."""
        return self.low + (self.high - self.low) * u


class Normal(_Ranged):
    """Normal with mean and standard deviation, truncated to [low, high].

    >>> Normal(kind="normal", mean=200, sd=100, low=-1000, high=1400).at(0.5)
    200.0
    """

    kind: Literal["normal"]
    mean: float
    sd: float = Field(gt=0)

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
    median: float = Field(gt=0)
    sigma: float = Field(gt=0)
    low: float = Field(gt=0)

    def at(self, u: float) -> float:
        """The quantile `u` of the truncated distribution."""
        from scipy.special import ndtr, ndtri

        middle = np.log(self.median)
        low, high = (ndtr((np.log(edge) - middle) / self.sigma) for edge in (self.low, self.high))
        value = float(np.exp(middle + self.sigma * ndtri(low + (high - low) * u)))
        return min(max(value, self.low), self.high)


def _number_is_constant(value: Any) -> Any:
    return Constant(value=value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Distribution = Annotated[
    Constant | Uniform | Normal | LogNormal, Field(discriminator="kind"), BeforeValidator(_number_is_constant)
]
"""A distribution, or a plain number for a constant."""
