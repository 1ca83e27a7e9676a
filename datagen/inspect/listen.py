"""Hearing a conversation as the model does: decoded speech tokens."""

from pathlib import Path

import numpy as np

from datagen.build import Build
from datagen.errors import DatagenError
from datagen.recipe import Recipe
from datagen.records import Streams
from datagen.run.manifest import Manifest
from datagen.run.store import Store, open_store
from datagen.run.tables import from_parquet
from datagen.schema import streams_of


def find(store: Store, manifest: Manifest, dialogue_id: str) -> Streams:
    """The conversation of a dialogue.

    Raises:
        DatagenError: If the output holds none of that id.
    """
    for file in manifest.files("conversations"):
        ids = from_parquet(store.read(file.key), file.key, ["dialogue_id"]).column("dialogue_id").to_pylist()
        if dialogue_id in ids:
            table = from_parquet(store.read(file.key), file.key)
            return streams_of(table.slice(ids.index(dialogue_id), 1))[0]
    raise DatagenError(f"{store.url} holds no conversation of dialogue {dialogue_id!r}")


def decode(out: str, dialogue_id: str, to: str) -> str:
    """Write the decoded tokens of both channels as a stereo file; tells what was written."""
    import soundfile

    store = open_store(out)
    manifest = Manifest.load(store)
    streams = find(store, manifest, dialogue_id)
    tokenizer = Build(Recipe.model_validate(manifest.values["recipe"])).speech_tokenizer
    made_with, here = manifest.values["engines"]["speech_tokenizer"]["version"], tokenizer.info.version
    if made_with != here:
        raise DatagenError(f"the codes of {out} are those of tokenizer version {made_with}; {here} is installed")
    channels = [tokenizer.decode(codes) for codes in (streams.user_codes, streams.assistant_codes)]
    audio = np.clip(np.stack(channels, axis=1), -1, 1)
    try:
        soundfile.write(to, audio, tokenizer.sample_rate_hz)
    except (soundfile.LibsndfileError, TypeError, ValueError, OSError) as error:
        raise DatagenError(f"cannot write {Path(to).name}: {error}") from error
    return (
        f"{to}: {len(audio) / tokenizer.sample_rate_hz:.1f} s, left the user, right the assistant, decoded from tokens"
    )
