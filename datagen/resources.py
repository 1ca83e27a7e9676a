"""Places of shipped files: next to the code in a wheel, at the top of a checkout."""

from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).parent


def directory(name: str) -> Path:
    """The folder `pipelines`, `prompts`, `schemas` or `data`.

    Raises:
        FileNotFoundError: If the installation is incomplete.
    """
    for folder in (_PACKAGE / name, _PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"the folder {name} is missing from this installation of datagen")


def recipes() -> list[str]:
    """Names of the recipes shipped with the package, sorted."""
    return sorted(file.stem for file in directory("pipelines").glob("*.yaml"))


def values_of(file: Path) -> Any:
    """The values of a shipped YAML file.

    The parser in C, where there is one, is ten times as fast. Deep nesting crashes it, so it reads no file of a user.
    """
    import yaml

    return yaml.load(file.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  (both safe)
