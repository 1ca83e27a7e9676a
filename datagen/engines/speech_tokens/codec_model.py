"""Codecs of transformers: their files, loaded without running any code of theirs, and how torch runs them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from datagen.engines.gpu import NO_GPU, outage_of
from datagen.engines.model_files import sha256_of_all
from datagen.errors import EngineError, EngineMissingError
from datagen.installed import pip_install

CONFIG, WEIGHTS = "config.json", "model.safetensors"
_PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json")


@dataclass(frozen=True)
class Family:
    """A kind of codec in transformers."""

    engine: str
    """Name of its engine."""
    model_type: str
    """As `config.json` states it."""
    class_name: str
    """Class in transformers."""


@dataclass(frozen=True)
class LoadedCodec:
    """A model, ready to run on its device."""

    net: Any
    version: str
    """Of transformers and of the files."""


def load_codec(family: Family, model: str, revision: str, device: str) -> LoadedCodec:
    """Load a codec from a folder, or from the hub by name. Only `config.json` and `model.safetensors` are read.

    Args:
        family: The kind of codec.
        model: A folder, read without a network; or a name on the hub.
        revision: Of the hub: a branch, a tag or a commit.
        device: As torch names it.

    Raises:
        EngineMissingError: If a package, a file or the device is not there.
        EngineError: If the files are of another model, or weights are missing.
    """
    transformers = _transformers(family)
    folder = _folder(family, model, revision)
    _refuse_another(family, folder)
    try:
        with _quiet(transformers):
            net, info = getattr(transformers, family.class_name).from_pretrained(
                folder,
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
                dtype="float32",
            )
    except Exception as error:  # whatever a file that is none of its kind brings about
        raise EngineError(
            f"speech tokenizer {family.engine}: {folder} does not hold a {family.class_name}: {error}"
        ) from error
    if absent := sorted(info["missing_keys"]):
        raise EngineError(
            f"speech tokenizer {family.engine}: {folder / WEIGHTS} lacks {len(absent)} weights, such as {absent[0]}"
        )
    net = _placed(family, net.eval().requires_grad_(False), device)
    sha256 = sha256_of_all([folder / CONFIG, folder / WEIGHTS], folder)
    return LoadedCodec(net, f"{version('transformers')}+{sha256[:12]}")


def _transformers(family: Family) -> Any:
    try:
        import torch  # noqa: F401
        import transformers
    except ImportError as error:
        raise EngineMissingError(f"speech tokenizer {family.engine} needs: {pip_install('codec')}") from error
    return transformers


def _folder(family: Family, model: str, revision: str) -> Path:
    """The folder with both files of a model, downloaded if it is named and not there yet."""
    place = f"speech tokenizer {family.engine}: "
    if Path(model).is_dir():
        lacking = [name for name in (CONFIG, WEIGHTS) if not (Path(model) / name).is_file()]
        if WEIGHTS in lacking and any((Path(model) / name).exists() for name in _PICKLES):
            raise EngineMissingError(
                f"{place}{model} holds weights as a pickle, which can hold code; save them with transformers as "
                f"{WEIGHTS}"
            )
        if lacking:
            raise EngineMissingError(
                f"{place}{model} has no {' and no '.join(lacking)}; set model to a folder with both"
            )
        return Path(model)
    if model.startswith((".", "/", "~")) or model.count("/") != 1:
        raise EngineMissingError(
            f"{place}there is no folder {model!r}; set model to a folder with {CONFIG} and {WEIGHTS}, or to OWNER/NAME "
            "of the hub"
        )
    try:
        from huggingface_hub import hf_hub_download

        config, _ = (hf_hub_download(model, name, revision=revision) for name in (CONFIG, WEIGHTS))
    except Exception as error:  # the hub and the network each have exceptions of their own
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise EngineMissingError(
            f"{place}there is no folder {model!r}, and the hub gave no such model: {said}. Set model to a folder with "
            f"{CONFIG} and {WEIGHTS}"
        ) from error
    return Path(config).parent


def _refuse_another(family: Family, folder: Path) -> None:
    """Raise an EngineError unless `config.json` states the kind of codec."""
    try:
        found = json.loads((folder / CONFIG).read_text("utf-8")).get("model_type")
    except (ValueError, AttributeError) as error:
        raise EngineError(
            f"speech tokenizer {family.engine}: {folder / CONFIG} is not a JSON object: {error}"
        ) from error
    if found != family.model_type:
        raise EngineError(
            f"speech tokenizer {family.engine}: {folder / CONFIG} has model_type {found!r}, not {family.model_type!r}"
        )


def _placed(family: Family, net: Any, device: str) -> Any:
    """The model on its device."""
    import torch

    try:
        return net.to(torch.device(device))
    except (RuntimeError, AssertionError) as error:
        fault = EngineMissingError(f"speech tokenizer {family.engine}: no device {device!r}: {error}. {NO_GPU}")
        raise outage_of(error) or fault from error


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Without bars of progress, which belong to whoever runs the build."""
    logging = transformers.utils.logging
    shown, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()


@contextmanager
def alone(device: str) -> Iterator[None]:
    """Without gradients; on a CPU on one thread: sums are then made in one order, whatever runs beside it."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1 if device == "cpu" else before)
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.set_num_threads(before)
