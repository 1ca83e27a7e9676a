"""What a perfect model would score on a build, and how late its labels are: the shards' own labels, scored.

After each position that a row labels, the row's own assistant stream says where speech or silence begins. A model that
predicts every token right can be no faster.
"""

from typing import Any

from datagen.evaluate.scored_rows import Layout, full_duplex_tasks, rows
from datagen.evaluate.scores import TurnScores
from datagen.shards.manifest import Manifest
from datagen.shards.store import Store


def oracle(store: Store, manifest: Manifest) -> dict[str, Any]:
    """Score the labels of a build by task, a file at a time.

    Raises:
        DatagenError: If the build has no rows of a full-duplex task.
    """
    found = {}
    for task in full_duplex_tasks(manifest):
        scores = TurnScores(Layout.of(manifest, task))
        for row in rows(store, manifest, task):
            scores.add(row)
        found[task] = scores.table()
    return found
