"""Upload of a finished build to the Hugging Face Hub as a data set.

    push("out/mine", "hf:ann/talks")

The card comes first, so the Hub refuses bad metadata before anything large is sent, and the
manifest comes last of all: its existence means that the upload is complete, as on a disk. Files are
committed in batches. Whatever a cut upload has committed is not sent again.
"""

import hashlib
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from datagen.errors import StoreError
from datagen.faults import explained
from datagen.redaction import redacted
from datagen.shards.bucket import is_url
from datagen.shards.card import CARD, FIGURES, CardFigures, licence_of
from datagen.shards.manifest import MANIFEST, Manifest
from datagen.shards.plan import PLAN
from datagen.shards.store import Store, open_store
from datagen.terminal import counted

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.hf_api import RepoFile

_NAME = re.compile(r"hf:([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)")
_FIRST = (CARD, FIGURES, "recipe.yaml", PLAN)
_FOLDERS = ("index", "input", "units")
"""Folders beside the tables that `datagen check` reads."""
_MAX_FILES, _MAX_BYTES, _MAX_BYTES_HELD = 100, 5 << 30, 1 << 29
"""Size of a commit; files of an object store are held in memory until it is made."""
_HUBS_OWN = (".gitattributes",)
_REFUSED = {
    401: "the token is not valid: run `hf auth login`, or set HF_TOKEN",
    403: "the token may not write there: use one with write access to this data set",
    404: "there is no such user or data set, or the token may not see it",
    429: "too many requests: wait, and run the same command again to resume",
}


@dataclass(frozen=True)
class _Entry:
    """A file of a build; without a hash if only its size is known."""

    key: str
    n_bytes: int
    sha256: str = ""


def push(out: str, to: str, public: bool = False, say: Callable[[str], None] = lambda _: None) -> str:
    """Upload a finished build, and return a summary.

    Args:
        out: Output of a finished build.
        to: `hf:USER/NAME`.
        public: True to make a new data set public; one that exists keeps its setting.
        say: Gets a line per commit.

    Raises:
        StoreError: If the build is unfinished or a file is missing or has another size, the data
            set holds another build, there is no token, or the Hub refuses.
    """
    name, store = _name(to), open_store(out)
    entries = _checked(store, public)
    api = _api()
    with _faults_of_the_hub(to):
        api.create_repo(name, repo_type="dataset", private=not public, exist_ok=True)
        batches = list(_batches(_left(api, name, store, entries, to), is_url(store.url)))
        for number, batch in enumerate(batches, 1):
            _commit(api, name, store, batch)
            n_bytes = sum(entry.n_bytes for entry in batch)
            say(f"{number} of {len(batches)}: {len(batch)} files, {n_bytes / 1e6:,.1f} MB")
    n_sent = sum(map(len, batches))
    return f"{api.endpoint}/datasets/{name}: {n_sent} files sent, {len(entries) - n_sent} were there"


def preview(out: str, to: str, public: bool = False) -> str:
    """Check a build as `push` does, and return what it would send. Changes nothing on the Hub.

    Without a token nothing is compared with the Hub.

    Args:
        out: Output of a finished build.
        to: `hf:USER/NAME`.
        public: As for `push`.

    Raises:
        StoreError: As `push`, but for a missing token.
    """
    from huggingface_hub import get_token
    from huggingface_hub.errors import RepositoryNotFoundError

    name, store = _name(to), open_store(out)
    left = entries = _checked(store, public)
    state = "there is no token, so nothing was compared with the Hub"
    if get_token():
        try:
            with _faults_of_the_hub(to, RepositoryNotFoundError):
                left = _left(_api(), name, store, entries, to)
            state = f"{counted(len(entries) - len(left), 'file')} of this build are there"
        except RepositoryNotFoundError:
            state = f"the data set does not exist yet, and would be {'public' if public else 'private'}"
    n_bytes, n_commits = sum(entry.n_bytes for entry in left), len(list(_batches(left, is_url(store.url))))
    return (
        f"{to}: would send {counted(len(left), 'file')}, {n_bytes / 1e6:,.1f} MB, in {counted(n_commits, 'commit')}; "
        f"{state}. Nothing was sent"
    )


def _checked(store: Store, public: bool) -> list[_Entry]:
    """The files of a finished build, in the order in which they are sent.

    Raises:
        StoreError: If it is unfinished or damaged, or has no licence and shall be public.
    """
    manifest = Manifest.load(store)
    entries = _entries(store, manifest)
    if public and licence_of(manifest, CardFigures.load(store)) == "unknown":
        out = store.url
        raise StoreError(f"{out}: nobody stated its licence; run `datagen card {out} --licence ID` before --public")
    return entries


def _name(to: str) -> str:
    match = _NAME.fullmatch(to)
    if not match:
        raise StoreError(f"{to!r} is no data set of the Hub; give hf:USER/NAME, such as hf:ann/talks")
    return match[1]


def _entries(store: Store, manifest: Manifest) -> list[_Entry]:
    """Files of a build in the order in which they are sent.

    Kept takes and reports are not sent: no reader of the data needs them.

    Raises:
        StoreError: If a file is missing or has another size; lists the first faults.
    """
    sizes = dict(store.sizes(""))
    wanted = [_Entry(file.key, file.n_bytes, file.sha256) for file in manifest.files()]
    wanted += [_Entry(part.key, part.n_bytes, part.sha256) for part in manifest.index]
    faults = [
        f"{each.key}: {'it is missing' if each.key not in sizes else f'{sizes[each.key]} bytes, not {each.n_bytes}'}"
        for each in wanted
        if sizes.get(each.key) != each.n_bytes
    ]
    if faults:
        more = f", and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise StoreError(f"{store.url} is damaged: {'; '.join(faults[:3])}{more}. See `datagen check`")
    named = {each.key for each in wanted}
    first = [_Entry(key, sizes[key]) for key in _FIRST if key in sizes]
    others = [_Entry(key, sizes[key]) for key in sorted(sizes) if key.split("/")[0] in _FOLDERS and key not in named]
    return [*first, *wanted, *others, _Entry(MANIFEST, sizes[MANIFEST])]


def _api() -> "HfApi":
    """The Hub's client.

    Raises:
        StoreError: If there is no token.
    """
    from huggingface_hub import HfApi, get_token
    from huggingface_hub.utils.tqdm import disable_progress_bars

    if not get_token():
        raise StoreError("there is no token of the Hugging Face Hub: run `hf auth login`, or set HF_TOKEN")
    if not sys.stderr.isatty():
        disable_progress_bars()
    return HfApi(library_name="datagen")


def _left(api: "HfApi", name: str, store: Store, entries: Sequence[_Entry], to: str) -> list[_Entry]:
    """Files that the data set does not have yet, and the card if it has changed.

    Raises:
        StoreError: If it has files of another build.
    """
    from huggingface_hub.hf_api import RepoFile

    tree = api.list_repo_tree(name, repo_type="dataset", recursive=True)
    there = {file.path: file for file in tree if isinstance(file, RepoFile) and file.path not in _HUBS_OWN}
    same = {entry.key for entry in entries if entry.key in there and _is_same(store, entry, there[entry.key])}
    if foreign := there.keys() - same - {CARD, FIGURES}:
        raise StoreError(f"{to} has files that are not of this build, such as {min(foreign)}; push to another name")
    return [entry for entry in entries if entry.key not in same]


def _is_same(store: Store, entry: _Entry, file: "RepoFile") -> bool:
    """True if a file of the data set has the bytes of the build's; read only if its hash is unknown."""
    if file.size != entry.n_bytes:
        return False
    if file.lfs:
        return file.lfs.sha256 == (entry.sha256 or hashlib.sha256(store.read(entry.key)).hexdigest())
    data = store.read(entry.key)
    blob = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False)  # as git names it
    return file.blob_id == blob.hexdigest()


def _batches(entries: Sequence[_Entry], held: bool) -> Iterator[list[_Entry]]:
    """Files in order, a commit each; the card's first, the manifest alone at the end."""
    most, batch = _MAX_BYTES_HELD if held else _MAX_BYTES, list[_Entry]()
    for entry in entries:
        is_full = len(batch) >= _MAX_FILES or sum(each.n_bytes for each in batch) + entry.n_bytes > most
        is_new_kind = batch and (batch[-1].key in _FIRST) != (entry.key in _FIRST)
        if batch and (is_full or is_new_kind or entry.key == MANIFEST):
            yield batch
            batch = []
        batch.append(entry)
    if batch:
        yield batch


def _commit(api: "HfApi", name: str, store: Store, batch: Sequence[_Entry]) -> None:
    """Commit files; the Hub's client skips what has not changed."""
    operations = [_operation(store, entry.key) for entry in batch]
    message = "Complete the build" if batch[-1].key == MANIFEST else f"Add {batch[0].key} to {batch[-1].key}"
    api.create_commit(name, operations, commit_message=message, repo_type="dataset")


def _operation(store: Store, key: str) -> "CommitOperationAdd":
    from huggingface_hub import CommitOperationAdd

    source = store.read(key) if is_url(store.url) else str(Path(store.url) / key)
    return CommitOperationAdd(path_in_repo=key, path_or_fileobj=source)


@contextmanager
def _faults_of_the_hub(to: str, *handled: type[Exception]) -> Iterator[None]:
    """Turn what the Hub's client raises into one message with a fix, but for what the caller handles."""
    from huggingface_hub.errors import HfHubHTTPError

    own: tuple[type[Exception], ...] = (StoreError, *handled)
    try:
        yield
    except own:
        raise
    except Exception as error:
        cause = error.__cause__ if isinstance(error, RuntimeError) and error.__cause__ else error  # of a file's upload
        if isinstance(cause, HfHubHTTPError):
            raise StoreError(f"{to}: {_refusal(cause)}") from error
        known = explained(cause)
        if known is None:
            raise
        raise StoreError(f"{to}: {known}; run the same command again to resume") from error


def _refusal(error: "HfHubHTTPError") -> str:
    status = error.response.status_code if error.response is not None else 0
    reason = redacted(str(error).strip().splitlines()[-1]) if str(error).strip() else "no reason given"
    return f"the Hub refused ({status}: {reason}); {_REFUSED.get(status, 'run the same command again to resume')}"
