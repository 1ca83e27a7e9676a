"""Profiles: shipped ones load, a recipe's own keys override them, and a stored recipe needs no profile any more."""

import re

import pytest
import yaml

from datagen.errors import RecipeError
from datagen.recipe import Recipe, load
from datagen.recipe.timing_config import TimingConfig, profile_values, profiles
from datagen.text import to_spoken
from datagen.text.phrases import count_words


@pytest.mark.parametrize("name", profiles())
def test_shipped_profiles_load(name):
    assert TimingConfig(profile=name).profile == name


def test_the_defaults_are_those_of_omniflatten():
    spelled_out = TimingConfig().model_dump()
    assert TimingConfig.model_validate({**spelled_out, **profile_values("omniflatten")}) == TimingConfig()
    assert TimingConfig(profile="omniflatten") == TimingConfig()
    defaults = {name: field.get_default(call_default_factory=True) for name, field in TimingConfig.model_fields.items()}
    assert TimingConfig.model_construct(**defaults) == TimingConfig()


def test_a_recipes_own_keys_override_the_profile_key_by_key():
    recipe = load("natural", ("timing.backchannel.min_words=9", "timing.user_fto={kind: uniform, low: 1, high: 2}"))
    plain = load("natural").timing
    assert recipe.timing.backchannel == plain.backchannel.model_copy(update={"min_words": 9})
    assert recipe.timing.user_fto.at(0.5) == 1.5
    assert recipe.timing.assistant_fto == plain.assistant_fto


def test_a_profile_may_be_a_file_and_is_not_needed_once_spelled_out(tmp_path):
    file = tmp_path / "ours.yaml"
    file.write_text(
        "description: fitted\nuser_fto: {kind: quantiles, values: [0, 100, 400]}\nsilence: {probability: 0.5}"
    )
    recipe = load("fake", (f"timing={{profile: {file}}}",))
    assert recipe.timing.user_fto.at(0.75) == 250
    assert recipe.timing.silence.probability == 0.5
    assert recipe.timing.barge_in == TimingConfig().barge_in
    file.unlink()
    assert Recipe.model_validate(recipe.identity()) == recipe
    assert Recipe.model_validate(yaml.safe_load(recipe.to_yaml())).sha256() == recipe.sha256()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("silense: {}", "timing.silense: unknown key"),
        ("- 1", "must be a mapping of keys to values"),
        ("[", "bad.yaml is not valid YAML"),
        ("backchannel: {user_probability: 2}", "timing.backchannel.user_probability"),
    ],
)
def test_faults_of_a_profile_are_named(tmp_path, text, says):
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    with pytest.raises(RecipeError, match=r".") as error:
        load("fake", (f"timing={{profile: {file}}}",))
    assert says in str(error.value)


def test_an_unknown_profile_names_the_shipped_ones():
    with pytest.raises(RecipeError, match="shipped profiles: half_duplex, hard, natural, omniflatten"):
        load("fake", ("timing={profile: nonesuch}",))


@pytest.mark.parametrize(("language", "right"), [("en", "at three, {} four"), ("zh", "三点，{}四点")])
def test_tokens_are_spoken_as_they_stand(language, right):
    for kind, forms in TimingConfig().tokens[language].model_dump().items():
        for words in forms:
            text = right.format(words) if kind == "corrections" else words
            assert to_spoken(text, language) == text


FEWEST = {"backchannels": 33, "fillers": 15, "prompts": 12, "false_starts": 30, "continuers": 4, "corrections": 12}
"""Three times the forms of data version 3, where it had the set."""


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_set_of_tokens_has_many_forms(language):
    for kind, forms in TimingConfig().tokens[language].model_dump().items():
        fewest = 24 if (kind, language) == ("backchannels", "zh") else FEWEST.get(kind, 12)
        assert len(forms) >= fewest, kind
        assert max(forms.values()) < sum(forms.values()) / 2, kind
        assert min(forms.values()) > 0


@pytest.mark.parametrize("language", ["en", "zh"])
def test_sets_that_ask_for_different_reactions_share_no_form(language):
    tokens = TimingConfig().tokens[language].model_dump()
    must_stop = ("repeat_requests", "wait_requests", "stop_requests", "got_its")
    must_not = ("backchannels", "continuers", "false_starts", "asides")
    said = {kind: {re.sub(r"\W", "", words).lower() for words in tokens[kind]} for kind in (*must_stop, *must_not)}
    for stops in must_stop:
        assert all(count_words(words) >= 1.5 for words in tokens[stops])
        assert not any(said[stops] & said[other] for other in must_not)


def test_half_duplex_asks_for_no_overlap():
    timing = TimingConfig(profile="half_duplex")
    assert min(timing.assistant_fto.at(0), timing.user_fto.at(0)) > 0
    assert not any(
        (
            timing.barge_in.probability,
            timing.false_start.probability,
            timing.aside.probability,
            timing.backchannel.user_probability,
            timing.backchannel.assistant_probability,
        )
    )


def test_barge_ins_need_something_to_say():
    with pytest.raises(RecipeError, match="at least one family"):
        load("fake", ("timing.barge_in.families={next_turn: 0, stop_request: 0}",))
