"""The shipped recipe, with tiny models at its placeholders."""

import pytest

from datagen.pipeline.pipeline import Pipeline
from datagen.recipe import load

pytestmark = pytest.mark.filterwarnings("ignore")  # of code that is not ours


def test_the_recipe_builds_its_voice_engine(models, code, bank):
    folder = bank["eve"].path.parent
    rows = "".join(f"{name},{name}.wav,{item.transcript}\n" for name, item in bank.items())
    (folder / "recipe.csv").write_text("name,path,transcript\n" + rows)
    options = load("cosyvoice2").engines.tts.options
    paths = {"model_dir": str(models[2]), "code_dir": str(code), "bank": str(folder / "recipe.csv"), "fp16": False}
    assert {*paths} < {*options}
    changed = [f"engines.tts.options.{key}={value}" for key, value in paths.items()]
    tone = ("engines.speech_tokenizer={name: tone}", "engines.text_tokenizer={name: bytes}", "voices.assistant=finn")
    build = Pipeline(load("cosyvoice2", (*changed, *tone, "splits.share_voices=true")))
    build.check()
    assert build.tts.info.name == "cosyvoice"
    assert build.user_voices == ("eve",)
    assert [set(steps) for _, steps in build.pools()][1:3] == [{"speak"}, {"place", "mix"}]
