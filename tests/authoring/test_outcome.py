"""What a run has written as a whole: near-duplicates fail a run of some size."""

import hashlib

import pytest

from datagen.authoring.authored import Written
from datagen.authoring.authoring_config import WriteRecipe
from datagen.authoring.authoring_units import commit_authored, plan_authoring
from datagen.authoring.outcome import agreement_of, near_duplicates
from datagen.errors import LimitError
from datagen.records import Turn
from datagen.shards.store import LocalStore


def said(k: int) -> str:
    """A text that shares nothing with that of another number."""
    return hashlib.sha256(str(k).encode()).hexdigest()


def written(tmp_path, n: int, n_different: int):
    recipe = WriteRecipe.model_validate(
        {
            "name": "g",
            "input": {"scenarios": {"count": n}},
            "tasks": ["dialogue"],
            "unit_records": n,
            "llm": {"model": "m"},
        }
    )
    store = LocalStore(tmp_path)
    plan = plan_authoring(recipe, store)
    talks = [
        Written(
            f"d{k}", "en",
            (Turn("user", said(k % n_different)),),
            scores={"safety": 9}, scores_again={"safety": 9 - k % 2} if k < 10 else {},
        )
        for k in range(n)
    ]  # fmt: skip
    commit_authored(store, 0, talks, plan.seal)
    return store, plan


def test_dialogues_that_repeat_others_fail_a_run(tmp_path):
    store, plan = written(tmp_path, 60, 30)
    assert near_duplicates(store, plan, 1.0) == 0.5
    with pytest.raises(LimitError, match=r"30 of 60 dialogues nearly repeat another.*'d30' repeats 'd0'"):
        near_duplicates(store, plan, 0.2)


def test_a_few_dialogues_say_little(tmp_path):
    store, plan = written(tmp_path, 20, 2)
    assert near_duplicates(store, plan, 0.2) == 0.9


def test_agreement_is_of_dialogues_that_were_judged_twice(tmp_path):
    found = agreement_of(*written(tmp_path, 20, 20))
    assert (found.n_dialogues, found.within_one, found.exact) == (10, 1.0, 0.5)
