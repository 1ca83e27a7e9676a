"""The origin of this installation of datagen, so that messages name a command that works here."""

import json
import shlex
import shutil
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

_NAME = "duplex-datagen"


def pip_install(*extras: str) -> str:
    """The command that adds extras to this installation: from the same clone, wheel or index.

    Args:
        extras: Names of extras, such as `zh`.

    >>> pip_install("zh").endswith("[zh]'")
    True
    """
    return f"{_pip()} install {_what(','.join(extras), _origin(), Path.cwd())}"


def _what(extras: str, origin: dict[str, object], here: Path) -> str:
    """The argument of pip.

    Args:
        extras: Comma-separated names.
        origin: The record of PEP 610, `direct_url.json`; empty if the package came from an index.
        here: Working directory.

    >>> _what("zh", {}, Path("/"))
    "'duplex-datagen[zh]'"
    >>> clone = {"url": "file:///home/me/datagen", "dir_info": {"editable": True}}
    >>> _what("zh", clone, Path("/home/me/datagen")), _what("zh,asr", clone, Path("/tmp"))
    ("-e '.[zh]'", "-e '/home/me/datagen[zh,asr]'")
    >>> _what("zh", {"url": "file:///w/duplex_datagen-1-py3-none-any.whl", "archive_info": {}}, Path("/"))
    "'duplex-datagen[zh] @ file:///w/duplex_datagen-1-py3-none-any.whl'"
    >>> _what("zh", {"url": "https://host/datagen.git", "vcs_info": {"vcs": "git"}}, Path("/"))
    "'duplex-datagen[zh] @ git+https://host/datagen.git'"
    """
    url, vcs, folder = str(origin.get("url", "")), origin.get("vcs_info"), origin.get("dir_info")
    if not url:
        return _quoted(f"{_NAME}[{extras}]")
    if isinstance(folder, dict):
        clone = Path(unquote(urlsplit(url).path))
        place = "." if clone == here else str(clone)
        return f"{'-e ' if folder.get('editable') else ''}{_quoted(f'{place}[{extras}]')}"
    kind = f"{vcs['vcs']}+" if isinstance(vcs, dict) else ""
    return _quoted(f"{_NAME}[{extras}] @ {kind}{url}")


def _quoted(text: str) -> str:
    """A text as a shell reads it, in quotes even where it needs none."""
    quoted = shlex.quote(text)
    return quoted if quoted.startswith("'") else f"'{quoted}'"


def _origin() -> dict[str, object]:
    """The record of where the package came from; that of a clone if it is used without being installed."""
    try:
        text = metadata.distribution(_NAME).read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        return {"url": Path(__file__).parents[1].as_uri(), "dir_info": {}}
    found: dict[str, object] = json.loads(text) if text else {}
    return found


def _pip() -> str:
    """The pip of this environment as a user must type it; `uv pip` if it has none."""
    own = Path(sys.executable).with_name("pip")
    found = shutil.which("pip")
    if found and own.exists() and Path(found).samefile(own):
        return "pip"
    if own.exists():
        return shlex.quote(str(own))
    return f"{shlex.quote(sys.executable)} -m pip" if find_spec("pip") else "uv pip"
