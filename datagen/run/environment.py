"""Facts about this machine and installation that decide what can be built: for `datagen doctor`."""

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement

from datagen import __version__
from datagen.engines.catalogue import cards

State = Literal["ok", "missing", "absent"]
_PACKAGE = "duplex-datagen"
_GPU_SECONDS = 20
_FFMPEG = "only for sound files that libsndfile does not know, such as .m4a"
_CREDENTIALS = {
    "OPENAI_API_KEY": "datagen write",
    "DATAGEN_SPEECH_API_KEY": "the engine speech_server",
    "HF_TOKEN": "private data sets of Hugging Face",
    "AWS_ACCESS_KEY_ID": "s3://",
    "AWS_SECRET_ACCESS_KEY": "s3://",
    "GOOGLE_APPLICATION_CREDENTIALS": "gs://",
    "AZURE_STORAGE_ACCOUNT_NAME": "az://",
    "AZURE_STORAGE_ACCOUNT_KEY": "az://",
}
"""Environment variables that may hold a credential, and what reads them."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked for."""

    topic: str
    """A group of findings: python, extra, engine, gpu, ..."""
    name: str
    state: State
    """ok; missing: it is needed and not there; absent: not there, and nothing needs it so far."""
    detail: str = ""
    fix: str = ""
    """The way to get it; empty if there is nothing to do."""


def environment(out: str = ".") -> Iterator[Finding]:
    """Python, packages, extras, engines, GPUs, programs, credentials and free space; opens no connection.

    Args:
        out: A local folder in which a build would be written.
    """
    yield _python()
    yield from packages()
    for kind, name, card in cards():
        state: State = "absent" if card.missing else "ok"
        fix = card.state.removeprefix("ready").removeprefix("; ")
        yield Finding("engine", f"{kind} {name}", state, card.about, fix)
    yield gpu(needed=False)
    yield ray(needed=False)
    has_ffmpeg = shutil.which("ffmpeg")
    yield Finding(
        "program", "ffmpeg", "ok" if has_ffmpeg else "absent", _FFMPEG, "" if has_ffmpeg else "install ffmpeg"
    )
    for variable, reader in _CREDENTIALS.items():
        yield credential(variable, reader, needed=False)
    yield disk(out)


def _python() -> Finding:
    version = platform.python_version()
    fits = (3, 10) <= sys.version_info[:2] < (3, 14)
    detail = f"{version}, datagen {__version__}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return Finding("python", "Python", "ok" if fits else "missing", detail, "" if fits else "use Python 3.10 to 3.13")


def packages() -> Iterator[Finding]:
    """The packages that every build needs, and those of each extra."""
    try:
        known = metadata.metadata(_PACKAGE).get_all("Provides-Extra") or []
        required = [Requirement(line) for line in metadata.requires(_PACKAGE) or ()]
    except metadata.PackageNotFoundError:
        yield Finding("package", _PACKAGE, "absent", "not installed as a package, so its extras are not known")
        return
    lacking = missing_packages(required, "")
    fix = f"pip install '{_PACKAGE}'"
    yield Finding("package", "dependencies", "missing" if lacking else "ok", _lacks(lacking), fix if lacking else "")
    for extra in known:
        lacking = missing_packages(required, extra)
        fix = f"pip install '{_PACKAGE}[{extra}]'" if lacking else ""
        yield Finding("extra", extra, "absent" if lacking else "ok", _lacks(lacking), fix)


def missing_packages(required: Sequence[Requirement], extra: str) -> list[str]:
    """Requirements of an extra, or of no extra, that are not installed or have another version.

    >>> missing_packages([Requirement("no-such-package>=1; extra == 'x'"), Requirement("pyyaml")], "x")
    ['no-such-package>=1']
    >>> missing_packages([Requirement("pyyaml<1")], "")
    ['pyyaml<1']
    """
    wanted = [each for each in required if _belongs(each, extra)]
    return [f"{each.name}{each.specifier}" for each in wanted if not _is_installed(each)]


def _belongs(requirement: Requirement, extra: str) -> bool:
    marker = requirement.marker
    always = marker is None or marker.evaluate({"extra": ""})
    return always if not extra else not always and marker is not None and marker.evaluate({"extra": extra})


def _is_installed(requirement: Requirement) -> bool:
    try:
        return requirement.specifier.contains(metadata.version(requirement.name), prereleases=True)
    except metadata.PackageNotFoundError:
        return False


def _lacks(lacking: list[str]) -> str:
    return f"lacks {', '.join(lacking)}" if lacking else "installed"


def pip_of(text: str) -> str:
    """The pip command in a message; empty if there is none.

    >>> pip_of("it needs torch: pip install 'duplex-datagen[s3]', then")
    "pip install 'duplex-datagen[s3]'"
    >>> pip_of("it needs torch: /home/me/.venv/bin/pip install -e '.[s3]', then"), pip_of("run uv pip install '.[s3]'")
    ("/home/me/.venv/bin/pip install -e '.[s3]'", "uv pip install '.[s3]'")
    """
    found = re.search(r"(?:uv |\S+ -m )?[^\s']*pip install (?:-e )?'[^']+'", text)
    return found[0] if found else ""


def extras_of(command: str) -> list[str]:
    """The extras that a pip command names.

    >>> extras_of("pip install -e '.[s3,zh]'"), extras_of("pip install 'numpy'")
    (['s3', 'zh'], [])
    """
    found = re.search(r"pip install (?:-e )?'[^'\[]*\[([\w,]+)\]", command)
    return found[1].split(",") if found else []


def gpu(needed: bool) -> Finding:
    """The GPUs of NVIDIA that its driver lists."""
    program = shutil.which("nvidia-smi")
    said = _said([program, "--query-gpu=name,memory.total", "--format=csv,noheader"]) if program else []
    if said:
        return Finding("gpu", "NVIDIA", "ok", "; ".join(said))
    return Finding(
        "gpu", "NVIDIA", "missing" if needed else "absent", "no driver lists a GPU", _GPU_FIX if needed else ""
    )


_GPU_FIX = "run on a machine with a GPU and its driver, or change device, fp16 and pools in the recipe"


def _said(command: list[str]) -> list[str]:
    """The lines that a program writes; none if it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_GPU_SECONDS, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]


def ray(needed: bool) -> Finding:
    """Ray, for builds on a cluster."""
    try:
        return Finding("program", "Ray", "ok", metadata.version("ray"))
    except metadata.PackageNotFoundError:
        state: State = "missing" if needed else "absent"
        return Finding("program", "Ray", state, "only for --engine ray", f"pip install '{_PACKAGE}[ray]'")


def credential(variable: str, reader: str, needed: bool) -> Finding:
    """An environment variable that may hold a credential; its value is never shown."""
    if os.environ.get(variable, "").strip():
        return Finding("credential", variable, "ok", f"set, for {reader}")
    state: State = "missing" if needed else "absent"
    fix = f"set the environment variable {variable}" if needed else ""
    return Finding("credential", variable, state, f"not set, for {reader}", fix)


def disk(out: str) -> Finding:
    """Free space where an output would be written."""
    place = next(path for path in (Path(out).absolute(), *Path(out).absolute().parents) if path.exists())
    return Finding("disk", str(place), "ok", f"{shutil.disk_usage(place).free / 1e9:.1f} GB free")
