"""The examination of a recipe: everything that is missing for its build, at once.

A build stops at its faults too (`datagen.run.preflight`). Here each is listed with its fix, and so is what a build
would find only later: each package, path and server that an engine names, though another of its faults comes first.
"""

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from datagen.engines.catalogue import CARDS
from datagen.engines.load import ENGINES, class_of
from datagen.errors import DatagenError, EngineMissingError
from datagen.faults import explained
from datagen.installed import pip_install
from datagen.pipeline.pipeline import Pipeline
from datagen.recipe import Recipe
from datagen.run.environment import Finding, credential, gpu, pip_of, ray
from datagen.run.preflight import estimated, faults_of
from datagen.shards.store import open_store

_CONNECT_SECONDS = 5.0
_PORTS = {"http": 80, "https": 443}
_FIX_PATH = "correct the path in the recipe, or put the file there"


def examine(recipe: Recipe, out: str) -> Iterator[Finding]:
    """Look for all that a build of a recipe needs. Connects to the stores and servers that it names, and no others.

    Args:
        recipe: The recipe.
        out: Output of the build.
    """
    packages = set[str]()
    for key, kind, engine in _engines(recipe):
        for found in _of_engine(key, kind, engine):
            if found.state == "missing":
                packages.add(found.fix)
            yield found
    wants_gpu = any(pool.gpus for pool in recipe.pools.values()) or "cuda" in str(recipe.engines.model_dump())
    if wants_gpu:
        yield gpu(needed=True)
    if recipe.pools:
        yield ray(needed=True)
    yield from _of_build(recipe, out, packages)


def _of_build(recipe: Recipe, out: str, known: set[str]) -> Iterator[Finding]:
    """The faults that preflight finds, without missing packages that are known; the estimate if there is none."""
    build = Pipeline(recipe)
    try:
        store = open_store(out)
        faults = faults_of(build, store)
        if not faults:
            yield Finding("build", recipe.name, "ok", estimated(build, store).line)
    except Exception as error:
        fault = explained(error)
        if fault is None:
            raise
        faults = [fault]
    for fault in faults:
        if isinstance(fault, EngineMissingError) and pip_of(str(fault)) in known:
            continue
        yield fault_found(recipe.name, fault)


def fault_found(name: str, fault: DatagenError) -> Finding:
    """A fault as a finding; its message ends with how to fix it, behind the last semicolon."""
    detail, _, fix = str(fault).rpartition("; ")
    return Finding("build", name, "missing", detail or str(fault), pip_of(str(fault)) or (fix if detail else ""))


def _engines(recipe: Recipe) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Dotted key, kind and values of each engine that a build would load."""
    r, mix = recipe.dump(), recipe.dump()["mix"]
    named = [(f"engines.{kind}", kind, r["engines"][kind]) for kind in ("tts", "speech_tokenizer", "text_tokenizer")]
    named += [(f"verify.{kind}", kind, r["verify"][kind]) for kind in ("asr", "mos") if r["verify"][kind]]
    named += [(f"mix.noise[{k}]", "noise", each) for k, each in enumerate(mix["noise"])]
    if mix["bursts"]["probability"]:
        named += [(f"mix.bursts.sources[{k}]", "noise", each) for k, each in enumerate(mix["bursts"]["sources"])]
    if mix["room"]["probability"]:
        named.append(("mix.room.engine", "rooms", mix["room"]["engine"]))
    named += [(f"script.normalizer.{language}", "normalizer", each) for language, each in _normalizers(r)]
    for key, kind, engine in named:
        yield key, kind, engine
        inner = engine["options"] if engine["name"] == "by_language" else {}
        for language, each in inner.items():
            if isinstance(each, Mapping) and isinstance(each.get("name"), str):
                yield f"{key}.options.{language}", kind, {"options": {}, **each}


def _normalizers(recipe: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Language and values of each normalizer that a recipe names."""
    yield from (recipe["script"].get("normalizer") or {}).items()


def _of_engine(key: str, kind: str, engine: Mapping[str, Any]) -> Iterator[Finding]:
    """Packages of an engine, and the paths and the server that its options name."""
    card = CARDS.get((kind, engine["name"]))
    if card:
        lacks = ", ".join(card.missing)
        fix = pip_install(card.extra) if card.extra else f"install {card.needs or lacks}"
        state = Finding("engine", key, "missing", f"{engine['name']} lacks {lacks}", fix)
        yield state if lacks else Finding("engine", key, "ok", f"{engine['name']}, its packages are installed")
    elif engine["name"] not in ENGINES[kind]:
        with suppress(DatagenError):  # the build reports it
            class_of(kind, engine["name"])
            yield Finding("engine", key, "ok", f"{engine['name']}, your own")
    for name, value in _values(engine.get("options") or {}):
        option = f"{key}.options.{name}"
        if _is_path(value) and not Path(value).exists():
            yield Finding("file", option, "missing", f"{value} does not exist", _FIX_PATH)
        elif name == "base_url" and isinstance(value, str):
            yield server(option, value)
        elif name == "api_key_env" and value:
            yield credential(str(value), option, needed=False)


def _values(options: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted names and values inside options."""
    for name, value in options.items():
        if isinstance(value, Mapping):
            yield from _values(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _is_path(value: Any) -> bool:
    """True for text that can only be a path of this machine.

    >>> _is_path("/models/s3"), _is_path("./voices"), _is_path("kokoro")
    (True, True, False)
    """
    return isinstance(value, str) and value.startswith(("/", f".{os.sep}", f"..{os.sep}"))


def server(key: str, url: str) -> Finding:
    """Try to connect to the server of a URL; nothing is sent.

    Args:
        key: The recipe key that names it.
        url: Its http or https address.
    """
    fix = f"start the server, or correct {key}"
    try:
        parts = urlsplit(url)
        place = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
        with socket.create_connection(place, _CONNECT_SECONDS):
            return Finding("server", key, "ok", f"{parts.hostname} answers")
    except (OSError, ValueError) as error:
        return Finding("server", key, "missing", f"no connection: {error}", fix)
