"""Authored dialogues with the times of `natural` pass `datagen audit`. Their author is a fake: a grammar."""

import pytest

pytest.importorskip("openai", reason="needs the extra llm")

from datagen.audit import audit
from datagen.authoring.author import write
from datagen.authoring.authoring_config import WriteRecipe
from datagen.run.build import build
from tests.authoring.conftest import llm
from tests.authoring.fake_author import author
from tests.authoring.server import serving
from tests.run.builds import make_recipe

N = 60


@pytest.fixture(scope="module")
def authored(tmp_path_factory) -> str:
    """A folder of authored dialogues."""
    folder = tmp_path_factory.mktemp("authored")
    with pytest.MonkeyPatch.context() as patch, serving(author) as server:
        patch.setenv("TEST_LLM_KEY", "sk-test-7d1f0c55aa0943e2")
        patch.setenv("NO_PROXY", "127.0.0.1")
        recipe = WriteRecipe.model_validate({
            "name": "natural", "input": {"scenarios": {"count": N}}, "tasks": ("dialogue", "script", "judge"),
            "llm": llm(server), "marks": {"barge_ins": 1, "hesitations": 1, "backchannels": 2},
            "gates": {"spokenness": 6, "coherence": 6, "safety": 8},
        })  # fmt: skip
        summary = write(recipe, str(folder / "written"))
    assert set(summary.rejects) <= {"write/unheard_words"}, "a grammar does not know what is heard"
    assert summary.n_kept > 0.9 * N
    assert summary.near_duplicates < 0.1
    return str(folder / "written" / "dialogues")


def test_authored_dialogues_pass_the_audit(authored, tmp_path):
    recipe = make_recipe(
        f"input.paths=[{authored}]", "timing={profile: natural}", "script.marked_share=1", "run.unit_dialogues=16",
        "splits={validation: 0.2, test: 0.2}", "flatten.tasks=[three_stream, two_stream, four_stream]",
    )  # fmt: skip
    manifest = build(recipe, str(tmp_path / "out"))
    assert manifest.n_conversations > 0.85 * N
    found = {finding.name: finding for finding in audit(manifest)}
    assert {name: finding for name, finding in found.items() if finding.verdict == "fail"} == {}
    judged = {name for name, finding in found.items() if finding.verdict == "pass"}
    assert {"unheard_references", "interruption_from_text"} <= judged, "these say something about a script"
