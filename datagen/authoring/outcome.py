"""Properties of a whole run: near-duplicates, and the agreement of two wordings of the judge."""

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

from datagen.authoring.authoring_units import WriteIdentity
from datagen.authoring.judge import JudgeAgreement, JudgedDialogue, agreement
from datagen.errors import LimitError
from datagen.shards.markers import markers
from datagen.shards.plan import Plan
from datagen.shards.store import Store
from datagen.sources.duplicates.near import NearDuplicates
from datagen.sources.duplicates.signatures import signatures

_BATCH = 1024
_LIKENESS = 0.7
_FEWEST = 50
"""Of fewer dialogues the share says little, so the run is not failed."""


def kept_records(store: Store, plan: Plan[WriteIdentity]) -> Iterator[dict[str, Any]]:
    """All kept dialogues of a finished run, in order."""
    for marker in markers(store, range(plan.n_units), plan.seal):
        for file in marker.files:
            if file.table == "dialogues":
                yield from (json.loads(line) for line in store.read(file.key).splitlines())


def near_duplicates(store: Store, plan: Plan[WriteIdentity], most: float) -> float:
    """Share of kept dialogues that share 70 % of their text with an earlier one.

    Args:
        store: The output.
        plan: Its plan.
        most: Largest share, `limits.max_near_duplicates`.

    Raises:
        LimitError: If it is larger; names two dialogues.
    """
    near, n, n_near, example = NearDuplicates(_LIKENESS), 0, 0, ""
    records = kept_records(store, plan)
    while batch := list(islice(records, _BATCH)):
        texts = ["\n".join(turn["text"] for turn in record["turns"]) for record in batch]
        for record, signature in zip(batch, signatures(texts), strict=True):
            n += 1
            if earlier := near.seen(record["id"], signature):
                n_near += 1
                example = example or f"{record['id']!r} repeats {earlier!r}"
    share = n_near / n if n else 0.0
    if share > most and n >= _FEWEST:
        raise LimitError(
            f"{store.url}: {n_near} of {n} dialogues nearly repeat another, more than limits.max_near_duplicates "
            f"({most:g}) allows. For example {example}. To fix it: use more topics, input.scenarios or a higher "
            f"llm.temperature; to keep them, add --set limits.max_near_duplicates=1"
        )
    return share


def agreement_of(store: Store, plan: Plan[WriteIdentity]) -> JudgeAgreement | None:
    """Agreement of the two wordings of the judge's prompt, on all kept dialogues that both have judged."""
    pairs = [
        JudgedDialogue(f"{record['id']}/{name}", (score, record["scores_again"][name]), ())
        for record in kept_records(store, plan)
        for name, score in record["scores"].items()
        if name in record.get("scores_again", {})
    ]
    return agreement(pairs) if pairs else None
