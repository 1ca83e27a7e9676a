"""The distributions that a report sets beside a build's: those of a timing profile, or of human recordings."""

from dataclasses import dataclass
from pathlib import Path

from datagen.measure.durations import Durations
from datagen.measure.fit import asked, measured_in, reference
from datagen.recipe import stored
from datagen.shards.manifest import Manifest


@dataclass(frozen=True)
class ComparedTiming:
    """Distributions with what they are of."""

    name: str
    """Of the profile or its file."""
    is_human: bool
    """True if they were measured in recordings of people, false if a profile asks for them."""
    durations: dict[str, Durations]
    """By fto, gap, pause, overlap; without those of which nothing is known."""

    @property
    def title(self) -> str:
        """What a reader is told that they are.

        >>> Reference("natural", False, {}).title, Reference("calls/fisher.yaml", True, {}).title
        ('profile natural', 'human recordings fisher')
        """
        return f"{'human recordings' if self.is_human else 'profile'} {Path(self.name).stem}"

    @classmethod
    def named(cls, profile: str) -> "ComparedTiming":
        """Those of a profile: as measured if it was fitted to recordings, else as it asks for them.

        Args:
            profile: Name of a shipped profile, or path of a YAML file.

        Raises:
            RecipeError: If there is no such profile, or it is no profile.
        """
        durations = reference(profile)
        is_file = Path(profile).suffix in (".yaml", ".yml")
        return cls(profile, is_file and bool(measured_in(Path(profile))), durations)

    @classmethod
    def of_build(cls, manifest: Manifest) -> "ComparedTiming":
        """Those that the recipe of a finished build asks for."""
        timing = stored(manifest.recipe).timing
        return cls(timing.profile, False, asked(timing))
