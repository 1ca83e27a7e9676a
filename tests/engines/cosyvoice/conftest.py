"""CosyVoice's real code, if it is installed, tiny models of it, and a small bank."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from datagen.engines import load
from datagen.engines.base import Voice
from datagen.engines.voices.recordings import ReferenceRecording
from tests.engines.tiny_cosyvoice import lent_code, tiny_cosyvoice


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What runs CosyVoice's own code is slow, and needs packages that only `make test-all` installs."""
    for item in items:
        if "code" in getattr(item, "fixturenames", ()) and item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="package")
def code(tmp_path_factory) -> Iterator[Path]:
    """A checkout that can be imported."""
    with lent_code(tmp_path_factory.mktemp("code") / "CosyVoice") as found:
        import torch

        n_threads = torch.get_num_threads()
        yield found
        torch.set_num_threads(n_threads)


@pytest.fixture(scope="package")
def models(code, tmp_path_factory) -> dict[int, Path]:
    """Model directories by version; by their names version 1 is an Instruct model."""
    root = tmp_path_factory.mktemp("models")
    return {version: tiny_cosyvoice(root / f"v{version}-Instruct", version, code) for version in (1, 2)}


@pytest.fixture(scope="package")
def bank(tmp_path_factory) -> dict[str, ReferenceRecording]:
    """Two voices that hum."""
    root, found = tmp_path_factory.mktemp("bank"), {}
    for k, name in enumerate(("eve", "finn")):
        at = np.arange(72_000) / 24_000
        hum = 0.2 * np.sin(2 * np.pi * (140 + 70 * k) * at) * (at % 0.75 < 0.5)
        soundfile.write(root / f"{name}.wav", hum, 24_000)
        voice = Voice(name, f"speaker of {name}", ("en",), "CC0-1.0", source_sha256=str(k) * 64)
        found[name] = ReferenceRecording(voice, root / f"{name}.wav", f"I am {name} and this is how I talk.")
    return found


@pytest.fixture(scope="package")
def engine(code, models, bank):
    """Loaded engines, by version, mode and further options."""
    built = {}

    def build(version, mode, **options):
        key = (version, mode, *sorted(options.items()))
        if key not in built:
            own = mode == "sft" or (version, mode) == (1, "instruct")
            given = {"bank": {} if own else bank, "instruct": "Speak fast." if mode == "instruct" else ""}
            given |= {"model_dir": str(models[version]), "code_dir": str(code), "mode": mode, **options}
            built[key] = load.tts("cosyvoice", given)
        return built[key]

    return build
