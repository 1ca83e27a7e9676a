"""A recipe that cannot run is refused before any work, and every recipe key reaches the code."""

import pytest

from datagen.engines.fakes import ToneVoice
from datagen.errors import DatagenError, RecipeError
from datagen.pipeline.pipeline import Pipeline
from datagen.recipe import Recipe
from datagen.shards.identity import Clock, Silence, json_values
from tests.conftest import make_recipe

PAIRS = {"assistant": "tone-0", "users": ["tone-2", "tone-3", "tone-4", "tone-5"]}
"""Of the engine `Paired`: two speakers."""


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("voices.assistant=bella", "voices.assistant: 'bella' is not a voice of tone"),
        ("voices.users=[tone-1, x]", "voices.users: 'x' is not a voice"),
        ("select.languages=[en, fr]", "does not speak 'fr'"),
        (
            "voices.users=[tone-1, tone-2]",
            "voices.users: user voices of 2 speakers of 'en' are too few for separate splits",
        ),
        ("sample_rate_hz=24001", "not a whole number of samples"),
        ("engines.tts={name: nonesuch}", "no tts engine 'nonesuch'"),
        ("mix.noise=[{name: directory, options: {path: /nonesuch}}]", "does not exist"),
    ],
)
def test_a_recipe_that_cannot_run_is_refused(override, says):
    with pytest.raises(RecipeError) as error:
        Pipeline(make_recipe(override)).check()
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("engines.speech_tokenizer={name: s3, options: {path: /nonesuch}}", "no weights file /nonesuch"),
        ("engines.text_tokenizer={name: nonesuch}", "no text_tokenizer engine"),
        ("verify.asr={name: nonesuch}", "no asr engine"),
        ("mix.noise=[{name: nonesuch}]", "no noise engine"),
    ],
)
def test_the_voice_is_loaded_last_for_it_is_the_slowest(override, says):
    with pytest.raises(DatagenError, match=says):
        Pipeline(make_recipe(override, "engines.tts={name: 'tests.run.engines:NoSuchVoice'}")).check()


def test_engines_that_were_released_are_loaded_anew():
    work = Pipeline(make_recipe())
    work.check()
    told, voice = work.describe(), work.tts
    work.release()
    assert work.loaded() == {}
    assert work.describe() == told
    assert work.tts is not voice


def test_steps_are_the_stages_in_flow_order(work):
    assert [step.name for step in work.steps()] == ["select", "script", "speak", "place", "mix", "encode"]


def test_users_are_all_voices_but_the_assistants(work):
    assert work.user_voices == tuple(f"tone-{k}" for k in range(1, 9))


def test_voices_of_the_assistants_speaker_are_no_users_and_speakers_stay_together():
    work = Pipeline(make_recipe("engines.tts={name: 'tests.run.engines:Paired'}"))
    assert work.user_voices == tuple(f"tone-{k}" for k in range(2, 9))
    write = work.steps()[1].make()
    assert write._background.speakers["tone-2"] == work.tts.about("tone-2").speaker
    for pools in (write._pools["en"], write._background.pools["en"]):
        heard = [{work.tts.about(voice).speaker for voice in pool} for pool in pools.values()]
        assert sum(map(len, heard)) == len(set.union(*heard)) == 4
    with pytest.raises(RecipeError, match="user voices of 2 speakers of 'en' are too few for separate splits"):
        Pipeline(work.recipe.model_validate({**work.recipe.dump(), "voices": PAIRS})).check()


def test_describe_tells_what_is_known_of_every_voice_that_may_be_heard():
    work = Pipeline(make_recipe("voices.users=[tone-3, tone-1, tone-2]"))
    found = {name: json_values(voice) for name, voice in work.describe().voices.items()}
    assert list(found) == ["tone-0", "tone-3", "tone-1", "tone-2"]
    assert found["tone-3"] == {
        "name": "tone-3",
        "speaker": "tone-3",
        "languages": ["en", "zh"],
        "licence": "Apache-2.0",
        "sex": "",
        "source": "",
        "source_sha256": "",
        "note": "",
    }


def test_qwen2_ids_leave_room_in_the_padding_of_its_embedding():
    vocabulary = Pipeline(make_recipe("engines.text_tokenizer={name: qwen2}")).vocabulary
    assert (vocabulary.special_offset, vocabulary.speech_offset) == (151_665, 151_936)
    other = Pipeline(make_recipe()).vocabulary
    assert (other.n_text, other.special_offset, other.speech_offset) == (256, 256, 264)


def test_describe_names_every_engine_the_clock_and_the_silence(work):
    found = work.describe()
    assert {kind: engine.name for kind, engine in found.engines.items()} == {
        "tts": "tone",
        "speech_tokenizer": "tone",
        "text_tokenizer": "bytes",
        "noise.0": "generated",
        "normalizer.en": "english",
        "normalizer.zh": "chinese",
    }
    assert found.clock == Clock(sample_rate_hz=24_000, frame_rate_hz=25, hop_samples=960)
    assert found.silence == Silence(assistant="special", user="codes", silence_code=0)
    assert {kind: engine.word_times for kind, engine in found.engines.items() if engine.word_times} == {"tts": "model"}


def test_every_recipe_key_is_read_somewhere():
    from pathlib import Path

    import datagen

    source = "\n".join(
        file.read_text("utf-8") for file in Path(datagen.__file__).parent.rglob("*.py") if "recipe" not in file.parts
    )

    def keys(model) -> list[str]:
        found = []
        for name, field in model.model_fields.items():
            inner = field.annotation
            found += keys(inner) if hasattr(inner, "model_fields") else [name]
        return found

    named = {"name", "description", "profile"}  # for people and manifests
    unread = [key for key in keys(Recipe) if key.removeprefix("max_") not in source and key not in named]
    assert not unread


class Patient(ToneVoice):
    """A voice that would try for long."""

    give_up_seconds = 201


def test_an_engine_that_tries_longer_than_a_dialogue_may_take_is_refused():
    engine = f"engines.tts={{name: '{__name__}:Patient'}}"
    with pytest.raises(
        RecipeError, match=r"give_up_seconds is 201, more than a third of limits\.dialogue_seconds \(600"
    ):
        Pipeline(make_recipe(engine)).check()
    Pipeline(make_recipe(engine, "limits.dialogue_seconds=603")).check()


ONE, TWO = (f"engines.tts={{name: tone, options: {{n_voices: {n}}}}}" for n in (1, 2))


@pytest.mark.parametrize(
    ("override", "says"),
    [
        (ONE, "only the speaker of the assistant speaks 'en' (tone-0)"),
        (ONE, "set voices.users to [tone-0] and splits.share_voices to true"),
        (TWO, "user voices of 1 speaker of 'en' are too few for separate splits, which need 3; add voices"),
        (TWO, "or set splits.share_voices to true, or the shares of splits that you do not need to 0"),
    ],
)
def test_an_engine_of_one_or_two_voices_learns_what_to_set(override, says):
    with pytest.raises(RecipeError) as error:
        Pipeline(make_recipe(override)).check()
    assert says in str(error.value)


@pytest.mark.parametrize(
    "overrides",
    [
        (ONE, "voices.users=[tone-0]", "splits.share_voices=true"),
        (TWO, "splits.share_voices=true"),
        (TWO, "splits.validation=0", "splits.test=0"),
    ],
)
def test_with_that_set_it_can_run(overrides):
    Pipeline(make_recipe(*overrides)).check()


def test_a_language_without_sentences_for_the_background_learns_what_to_add():
    with pytest.raises(RecipeError) as error:
        Pipeline(make_recipe("mix.babble.probability=1", "mix.sentences={zh: [x]}")).check()
    assert "add some to the recipe, as mix: {sentences: {en: ['A sentence.', 'Another one.']}}" in str(error.value)
