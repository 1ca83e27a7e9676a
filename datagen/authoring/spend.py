"""Cost of answers in tokens and money, and the budget that limits it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache

from datagen.authoring.authoring_config import Budget, Prices
from datagen.authoring.prompts import Message
from datagen.engines.text_tokens.qwen2 import Qwen2Tokenizer
from datagen.errors import BudgetError

_TOKENS_A_MESSAGE = 5
"""Marks around a message, as chat templates have them."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one or many answers."""

    input: int = 0
    output: int = 0
    estimated: bool = False
    """True if a part was counted here because the server did not state it."""

    def __add__(self, other: "Usage") -> "Usage":
        """Both together."""
        return Usage(self.input + other.input, self.output + other.output, self.estimated or other.estimated)

    def __sub__(self, other: "Usage") -> "Usage":
        """The rest without the other."""
        return Usage(self.input - other.input, self.output - other.output, self.estimated)

    def times(self, n: int) -> "Usage":
        """A multiple of it."""
        return Usage(self.input * n, self.output * n, self.estimated)

    @property
    def tokens(self) -> int:
        """Input and output together."""
        return self.input + self.output

    def money(self, prices: Prices) -> float:
        """Cost in the currency of the prices; 0 if they are unknown.

        >>> Usage(1_000_000, 500_000).money(Prices(input_per_million=2, output_per_million=8))
        6.0
        """
        return (self.input * (prices.input_per_million or 0) + self.output * (prices.output_per_million or 0)) / 1e6


NOTHING = Usage()


def count_tokens(text: str) -> int:
    """Tokens of a text by the vocabulary of Qwen2: an estimate for any other model.

    >>> count_tokens("How salty should the water be?")
    7
    """
    return len(_tokenizer().encode(text))


def count_messages(messages: Sequence[Message]) -> int:
    """Tokens of a prompt, estimated."""
    return sum(count_tokens(message.content) + _TOKENS_A_MESSAGE for message in messages)


@cache
def _tokenizer() -> Qwen2Tokenizer:
    return Qwen2Tokenizer()


class Meter:
    """The tokens spent, the most that open requests may cost, and the room for one more."""

    def __init__(self, budget: Budget, prices: Prices, spent: Usage = NOTHING) -> None:
        """Start.

        Args:
            budget: Of all runs together.
            prices: Of tokens.
            spent: What earlier runs spent.
        """
        self._budget, self._prices = budget, prices
        self.spent = spent
        self._under_way = Usage()
        self._changed = asyncio.Condition()
        self.stopped = False

    @property
    def limited(self) -> bool:
        """True if there is a budget."""
        return self._budget.tokens is not None or self._budget.money is not None

    @asynccontextmanager
    async def request(self, most: Usage) -> AsyncIterator["Bill"]:
        """Room for one request, which costs at most so much; waits for those under way if they may leave too little.

        Raises:
            BudgetError: If what was spent leaves too little. From then on for every request.
        """
        async with self._changed:
            while not self.stopped and not self._fits(self.spent + self._under_way + most):
                if not self._fits(self.spent + most):
                    self.stopped = True
                    break
                await self._changed.wait()
            if self.stopped:
                self._changed.notify_all()
                raise BudgetError(self._advice(most))
            self._under_way += most
        bill = Bill()
        try:
            yield bill
        finally:
            self._under_way -= most
            self.spent += bill.usage
            async with self._changed:
                self._changed.notify_all()

    def _fits(self, usage: Usage) -> bool:
        tokens, money = self._budget.tokens, self._budget.money
        return (tokens is None or usage.tokens <= tokens) and (money is None or usage.money(self._prices) <= money)

    def _advice(self, most: Usage) -> str:
        spent = f"{self.spent.tokens:,} tokens"
        if self._prices.known:
            spent += f" for {self.spent.money(self._prices):.4f}"
        return (
            f"the budget is used up: {spent} spent, and the next request may take {most.tokens:,} tokens. "
            "All answers are kept: raise llm.budget and run the same command again to continue"
        )


class Bill:
    """Cost of one request, once it is known."""

    def __init__(self) -> None:
        self.usage = Usage()
