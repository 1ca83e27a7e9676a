"""Where commands print tables."""

import sys

from rich.console import Console

_PIPED_WIDTH = 160


def console(piped_width: int = _PIPED_WIDTH) -> Console:
    """Standard output: as wide as the terminal, or of one width wherever it is piped to."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else piped_width)
