"""datagen: text dialogues in, training shards for full-duplex speech models out.

    recipe = datagen.load_recipe("quickstart")      # every value of a build
    datagen.build(recipe, "out")                    # run it: exactly once, resumable
    output = datagen.open("out")                    # look at the result
    stages = datagen.Pipeline(recipe).steps()       # or run the stages by hand

`datagen.feed` reads shards for training with torch. docs/api.md lists what is stable.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datagen.inspect.output import open_output as open
    from datagen.pipeline.pipeline import Pipeline
    from datagen.recipe import load as load_recipe
    from datagen.records import Dialogue, Reject, Turn
    from datagen.run.build import build

__version__ = "0.2.0"

DATA_VERSION = 8
"""Version of the bytes in a shard. Any change that alters them bumps it and stands in CHANGELOG.md."""

__all__ = ["Dialogue", "Pipeline", "Reject", "Turn", "__version__", "build", "load_recipe", "open"]

_HOMES = {
    "Dialogue": "datagen.records:Dialogue",
    "Pipeline": "datagen.pipeline.pipeline:Pipeline",
    "Reject": "datagen.records:Reject",
    "Turn": "datagen.records:Turn",
    "build": "datagen.run.build:build",
    "load_recipe": "datagen.recipe:load",
    "open": "datagen.inspect.output:open_output",
}
"""Each name is imported at its first use, so `import datagen` costs nothing."""


if not TYPE_CHECKING:  # type checkers see the imports above, and report any other name

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module 'datagen' has no attribute {name!r}")
        module, _, attribute = _HOMES[name].partition(":")
        found = globals()[name] = getattr(import_module(module), attribute)
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
