"""Fake voices with names of their own, for tests of several engines together."""

from datagen.engines.fakes import ToneVoice


class Low(ToneVoice):
    """Voices `low-0` to `low-8`."""

    def __init__(self, **options) -> None:
        super().__init__(9, **options)
        self.voices = tuple(f"low-{k}" for k in range(9))


class High(ToneVoice):
    """Voices `high-0` to `high-8`, which follow the pace."""

    def __init__(self) -> None:
        super().__init__(9, styles=("pace",))
        self.voices = tuple(f"high-{k}" for k in range(9))
