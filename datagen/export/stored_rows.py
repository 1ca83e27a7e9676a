"""The rows of a task that a build stores, by conversation."""

from datagen.errors import DatagenError
from datagen.inspect import Output, StoredConversation
from datagen.records import Row
from datagen.shards.schema import rows_of
from datagen.shards.tables import from_parquet
from datagen.shards.unit import data_key, unit_of


class StoredRows:
    """The rows of a task. It keeps the files of the unit that was read last."""

    def __init__(self, output: Output, task: str) -> None:
        """Nothing is read yet.

        Raises:
            DatagenError: If the build has no rows of the task.
        """
        if task not in output.tasks:
            has = ", ".join(output.tasks)
            raise DatagenError(f"{output.url} has no rows of task {task!r}; --task is one of {has}")
        self._output, self._task = output, task
        self._files: dict[str, dict[str, list[Row]]] = {}

    def of(self, talk: StoredConversation) -> list[Row]:
        """The rows of a conversation, in order."""
        key = data_key(self._task, talk.unit, talk.split)
        if key not in self._files:
            same_unit = {k: rows for k, rows in self._files.items() if unit_of(k) == talk.unit}
            self._files = {key: self._read(key, talk.split), **same_unit}
        return self._files[key].get(talk.dialogue_id, [])

    def _read(self, key: str, split: str) -> dict[str, list[Row]]:
        """The rows of a file by dialogue; none if there is no such file."""
        store, found = self._output.store, dict[str, list[Row]]()
        if store.exists(key):
            for row in rows_of(from_parquet(store.read(key), f"{store.url}/{key}"), self._task, split):
                found.setdefault(row.dialogue_id, []).append(row)
        return found
