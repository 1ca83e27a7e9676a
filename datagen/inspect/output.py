"""A finished build, opened: its tables, conversations and rows. The only reader for all that shows or exports.

Files are found by the manifest and read one at a time, and of each only the needed columns.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa

from datagen.errors import DatagenError
from datagen.inspect.as_arrow import SPLIT, batches
from datagen.inspect.as_dataset import dataset
from datagen.inspect.conversation import ConversationFile, StoredConversation
from datagen.inspect.html import inert, render
from datagen.inspect.rows import StoredRow
from datagen.records import SPLITS
from datagen.shards.manifest import Manifest
from datagen.shards.schema import CONVERSATIONS, HEAVY, REJECTS, rows_of, rows_schema
from datagen.shards.store import open_store
from datagen.shards.tables import from_parquet
from datagen.shards.unit import File, unit_of
from datagen.shards.vocab import Vocabulary
from datagen.suggest import did_you_mean

if TYPE_CHECKING:
    import datasets
    import pandas

    from datagen.engines.base import SpeechTokenizer, TextTokenizer
    from datagen.recipe import Recipe

_IDS_SHOWN = 10
_E = TypeVar("_E", "SpeechTokenizer", "TextTokenizer")


def open_output(out: str, trust: bool = False) -> "Output":
    """Open the output of a finished build.

    Args:
        out: Its directory, or its URL (docs/stores.md).
        trust: True if engines that the build names may run their own code or read paths and servers
            that it names. Otherwise only shipped engines load (SECURITY.md).

    Raises:
        StoreError: If there is no finished build, or its manifest is damaged.
    """
    return Output(str(out), trust)


class Output:
    """A finished build. Everything but the manifest is read at its first use.

    Example:
        >>> output = open("out/quickstart")  # doctest: +SKIP
        >>> output.table("three_stream", split="train", columns=["n_tokens"]).describe()  # doctest: +SKIP
    """

    def __init__(self, url: str, trust: bool = False) -> None:
        """Read the manifest.

        Raises:
            StoreError: If there is no finished build, or its manifest is damaged.
        """
        self.store, self._trust = open_store(url), trust
        self.url = self.store.url
        self.manifest = Manifest.load(self.store)

    # -- what it is ---------------------------------------------------------------------------------------------

    @property
    def tasks(self) -> list[str]:
        """Tasks that have rows."""
        return self.manifest.tasks

    @property
    def hours(self) -> float:
        """Hours of conversation."""
        return self.manifest.hours

    @property
    def sample_rate_hz(self) -> int:
        """Samples per second of all times in samples."""
        return self.manifest.clock.sample_rate_hz

    @cached_property
    def recipe(self) -> "Recipe":
        """The recipe that it was built from, with all defaults spelled out."""
        from datagen.recipe import stored

        return stored(self.manifest.recipe)

    @property
    def vocabulary(self) -> Vocabulary:
        """The ranges of token ids."""
        return self.manifest.vocabulary

    @cached_property
    def text_tokenizer(self) -> "TextTokenizer":
        """The text tokenizer that made the ids.

        Raises:
            TrustError: If the build names one that needs trust, and has none.
            DatagenError: If another version of it is installed.
        """
        from datagen.engines.load import text_tokenizer

        return self._same_version("text_tokenizer", text_tokenizer)

    @cached_property
    def speech_tokenizer(self) -> "SpeechTokenizer":
        """The speech tokenizer that made the codes.

        Raises:
            TrustError: If the build names one that needs trust, and has none.
            DatagenError: If another version of it is installed.
        """
        from datagen.engines.load import speech_tokenizer

        return self._same_version("speech_tokenizer", speech_tokenizer)

    def _same_version(self, kind: str, load: "Callable[[str, dict[str, Any]], _E]") -> "_E":
        from datagen.engines.trust import refuse_untrusted

        stored = self.manifest.recipe["engines"][kind]
        if not self._trust:
            refuse_untrusted(kind, stored["name"], stored.get("options"), self.url)
        engine = load(stored["name"], stored.get("options") or {})
        made_with, here = self.manifest.engines[kind].version, engine.info.version
        if made_with != here:
            raise DatagenError(
                f"{self.url} was made with version {made_with} of its {kind.replace('_', ' ')}; "
                f"the installed version {here} may decode its tokens differently: install version {made_with}"
            )
        return engine

    def __repr__(self) -> str:
        m = self.manifest
        return (
            f"Output({self.url!r}: {inert(str(m.recipe['name']))}, {m.n_conversations:,} conversations, "
            f"{self.hours:.2f} hours, {inert(', '.join(self.tasks))})"
        )

    def _repr_html_(self) -> str:
        return render("output", output=self, m=self.manifest)

    # -- tables -------------------------------------------------------------------------------------------------

    def schema(self, table: str) -> pa.Schema:
        """Columns of a table: `conversations`, `rejects`, or a task, whose rows have their `split` too.

        Raises:
            DatagenError: If there is no such table.
        """
        if table in self.tasks:
            return rows_schema(table, self.manifest.row_codebooks).append(SPLIT)
        if table in ("conversations", "rejects"):
            self._need(table)
            return CONVERSATIONS if table == "conversations" else REJECTS
        raise DatagenError(f"{self.url} has no table {table!r}; it has {', '.join(self.manifest.tables)}")

    def batches(self, table: str, split: str = "", columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """A table as Arrow record batches, one file in memory at a time.

        Args:
            table: `conversations`, `rejects`, or a task.
            split: Only this one; by default all.
            columns: Only these; by default all but the heavy `audio_flac`.

        Raises:
            DatagenError: If there is no such table, split or column.
        """
        wanted = self._columns(table, split, columns)
        return batches(self.store, self.manifest, table, split, wanted)

    def arrow(
        self, table: str, split: str = "", columns: Sequence[str] | None = None, limit: int | None = None
    ) -> pa.Table:
        """A table as Arrow, in memory; see `batches`. With `limit`, later files stay unread."""
        wanted = self._columns(table, split, columns)
        schema = pa.schema([self.schema(table).field(name) for name in wanted])
        found, n_rows = [], 0
        for batch in batches(self.store, self.manifest, table, split, wanted):
            found.append(batch)
            n_rows += batch.num_rows
            if limit is not None and n_rows >= limit:
                break
        return pa.Table.from_batches(found, schema if not found else None).slice(0, limit)

    def table(
        self, table: str, split: str = "", columns: Sequence[str] | None = None, limit: int | None = None
    ) -> "pandas.DataFrame":
        """A table as a pandas data frame, in memory; see `arrow`."""
        frame: pandas.DataFrame = self.arrow(table, split, columns, limit).to_pandas()
        return frame

    def dataset(self, task: str, n_files: int | None = None) -> "datasets.DatasetDict | datasets.IterableDatasetDict":
        """A task as Hugging Face `datasets` by split: memory-mapped, or streamed out of an object store.

        Args:
            task: The task.
            n_files: Only the first files of each split, for a quick look; None: all.

        Raises:
            DatagenError: If there are no rows of the task.
        """
        self._need_task(task)
        return dataset(self.url, self.manifest, task, n_files)

    # -- one of many --------------------------------------------------------------------------------------------

    def conversations(self, split: str = "") -> Iterator[StoredConversation]:
        """All conversations in the order of the input, one file in memory at a time; audio at its first use."""
        self._columns("conversations", split, None)
        return (talk for file in self._conversation_files() for talk in file if split in ("", talk.split))

    def conversation(self, dialogue_id: str) -> StoredConversation:
        """The conversation of a dialogue. Other files are read for their ids only.

        Raises:
            DatagenError: If there is none.
        """
        self._need("conversations")
        for file in self._conversation_files():
            if (index := file.find(dialogue_id)) is not None:
                return file[index]
        ids = [id_ for file in islice(self._conversation_files(), _IDS_SHOWN) for id_ in file.ids()][:_IDS_SHOWN]
        raise DatagenError(
            f"{self.url} contains no conversation of dialogue {dialogue_id!r}; it has "
            f"{', '.join(map(repr, ids)) or 'none'}{' and others' if self.manifest.n_conversations > len(ids) else ''} "
            "(the column dialogue_id has all)"
        )

    def first_conversation(self) -> StoredConversation:
        """The first conversation in the order of the input.

        Raises:
            DatagenError: If there is none.
        """
        found = next(self.conversations(), None)
        if found is None:
            raise DatagenError(f"{self.url} contains no conversation")
        return found

    def _conversation_files(self) -> Iterator[ConversationFile]:
        return (ConversationFile(self, file) for file in self.manifest.files("conversations"))

    def row(self, task: str, index: int = 0) -> StoredRow:
        """Row `index` of a task, counted over all its files in the manifest's order.

        Raises:
            DatagenError: If there is no such task or row.
        """
        self._need_task(task)
        left = index
        for file in self.manifest.files(task):
            if 0 <= left < file.n_rows:
                return self._rows(file)[left]
            left -= file.n_rows
        raise DatagenError(f"{task} has {index - left:,} rows, counted from 0; there is no row {index}")

    def rows_of(self, talk: StoredConversation, task: str) -> list[StoredRow]:
        """Rows of a task made from a conversation; see `Conversation.rows`."""
        self._need_task(task)
        for file in self.manifest.files(task, talk.split):
            if unit_of(file.key) == talk.unit:
                return [row for row in self._rows(file) if row.dialogue_id == talk.dialogue_id]
        return []

    def _rows(self, file: File) -> list[StoredRow]:
        table = from_parquet(self.store.open(file.key), file.key)
        return [StoredRow.of(self, row) for row in rows_of(table, file.table, file.split)]

    # -- checks of arguments ------------------------------------------------------------------------------------

    def _need_task(self, task: str) -> None:
        if task not in self.tasks:
            meant = did_you_mean(task, self.tasks)
            raise DatagenError(f"{self.url} has no rows of task {task!r}{meant or ';'} it has {', '.join(self.tasks)}")

    def _need(self, table: str) -> None:
        origin = self.manifest.origin
        if table == "conversations" and origin and table not in self.manifest.tables:
            raise DatagenError(
                f"{self.url} was flattened from {origin.url} and contains only rows; open that build for conversations"
            )

    def _columns(self, table: str, split: str, columns: Sequence[str] | None) -> list[str]:
        """The columns that a call names, once everything it names is known to be there."""
        names = self.schema(table).names
        if split and (split not in SPLITS or table == "rejects"):
            has = f"splits are {', '.join(SPLITS)}" if table != "rejects" else "rejects have none"
            raise DatagenError(f"{table} has no split {split!r}: {has}")
        for name in columns or ():
            if name not in names:
                raise DatagenError(
                    f"{table} has no column {name!r}{did_you_mean(name, names) or ';'} it has {', '.join(names)}"
                )
        return list(columns) if columns is not None else [name for name in names if name not in HEAVY]
