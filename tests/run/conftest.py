"""What holds for all tests of running builds."""

from collections.abc import Iterator

import pytest

from tests.run.builds import end_all


@pytest.fixture(autouse=True)
def nothing_runs_on() -> Iterator[None]:
    """End what a test has left running."""
    yield
    end_all()
