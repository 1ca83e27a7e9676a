"""Conversations of a build in the formats of other packages: sound files and their texts.

    export(output, "out/moshi", "moshi")

Sound is written file by file, whole or not at all, existing files are kept, and the lists that name
them come last. So an interrupted export continues when run again, and ends with the same files.
"""

from collections.abc import Callable
from typing import Protocol

from datagen.errors import DatagenError
from datagen.export.exporters import HuggingFace, Lhotse, Moshi
from datagen.export.target import ExportClip, Target
from datagen.faults import cannot
from datagen.inspect import Output
from datagen.inspect.conversation import NO_AUDIO
from datagen.records import SPLITS
from datagen.suggest import did_you_mean


class Exporter(Protocol):
    """A format."""

    def add(self, clip: ExportClip) -> None:
        """Write a conversation."""
        ...

    def finish(self) -> str:
        """Complete the export, and return how to read it."""
        ...


EXPORTERS: dict[str, Callable[[Target], Exporter]] = {"lhotse": Lhotse, "moshi": Moshi, "datasets": HuggingFace}
"""By name of the format."""


def export(
    output: Output, to: str, format: str, decoded: bool = False, tell: Callable[[int], None] = lambda _: None
) -> str:
    """Export all conversations of a build, and return a summary.

    Args:
        output: The build.
        to: A new directory, or that of the same export, which then continues.
        format: Name of the format.
        decoded: True for sound decoded from tokens instead of the kept one. Where the build kept none, it is
            always decoded.
        tell: Called with 1 after each conversation.

    Raises:
        DatagenError: If there is no such format, the tokens cannot be decoded here, or `to` holds something else.
    """
    if format not in EXPORTERS:
        meant = did_you_mean(format, EXPORTERS) or ";"
        raise DatagenError(f"there is no export format {format!r}{meant} formats: {', '.join(EXPORTERS)}")
    from_tokens = decoded or not output.manifest.has_audio
    conversations = output.conversations()
    identity = {"format": format, "decoded": from_tokens, "digest": output.manifest.digest}
    n_conversations = dict.fromkeys(SPLITS, 0)
    try:
        with Target(to, identity) as target:
            exporter = EXPORTERS[format](target)
            for talk in conversations:
                exporter.add(ExportClip.of(talk, from_tokens))
                n_conversations[talk.split] += 1
                tell(1)
            how = exporter.finish()
    except OSError as error:
        raise DatagenError(cannot("write", to, error)) from error
    notice = f", with sound decoded from tokens{NO_AUDIO}" if from_tokens and not decoded else ""
    counts = ", ".join(f"{split} {n:,}" for split, n in n_conversations.items())
    return f"{to}: {sum(n_conversations.values()):,} conversations ({counts}) for {format}{notice}\n{how}"
