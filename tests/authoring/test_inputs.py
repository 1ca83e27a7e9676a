"""What a run authors from is what its identity names, whatever happens to the files in between."""

import json

import pytest

pytest.importorskip("openai", reason="needs the extra llm")

from datagen.authoring import authoring_units
from datagen.authoring.authoring_config import Llm, WriteInput, WriteRecipe
from datagen.errors import SourceError
from datagen.shards.plan import load_plan
from datagen.shards.store import LocalStore
from tests.run.builds import talks


def test_a_record_appended_between_identity_and_reading_leaves_no_plan(tmp_path, monkeypatch):
    path, store = tmp_path / "in.jsonl", LocalStore(tmp_path / "out")
    path.write_text("".join(f"{json.dumps(talk)}\n" for talk in talks(3)))
    recipe = WriteRecipe(
        name="test",
        input=WriteInput(paths=(str(path),)),
        tasks=("spoken",),
        llm=Llm(model="m", base_url="http://127.0.0.1:9", api_key_env="TEST_LLM_KEY"),
    )
    identity = authoring_units.identity

    def then_append(recipe):
        found = identity(recipe)
        with path.open("a") as file:
            file.write(json.dumps(talks(4)[-1]) + "\n")
        return found

    with monkeypatch.context() as patch:
        patch.setattr(authoring_units, "identity", then_append)
        with pytest.raises(SourceError, match=r"in\.jsonl: changed while .*; run the same command again"):
            authoring_units.plan_authoring(recipe, store)
    assert load_plan(store) is None
    assert authoring_units.plan_authoring(recipe, store).n_records == 4
