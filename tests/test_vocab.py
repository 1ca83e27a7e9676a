"""Ids of text, special tokens and speech never meet, and stay where they were given out."""

import json

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen.pipeline.pipeline import Pipeline
from datagen.shards.identity import json_values
from datagen.shards.vocab import SPECIALS, Vocabulary
from tests.conftest import make_recipe

sizes = st.integers(1, 500)


@st.composite
def vocabularies(draw) -> Vocabulary:
    n_text = draw(sizes)
    special_offset = n_text + draw(st.integers(0, 9))
    speech_offset = special_offset + len(SPECIALS) + draw(st.integers(0, 9))
    return Vocabulary.of(n_text, special_offset, speech_offset, draw(st.lists(sizes, min_size=1, max_size=5)))


@given(vocabularies())
def test_every_id_is_of_one_kind_and_all_are_counted(v):
    kinds = [v.kind(token) for token in range(-1, v.size + 1)]
    assert (kinds[0], kinds[-1]) == ("unused", "unused")
    counts = {kind: kinds.count(kind) for kind in ("text", "special", "speech")}
    assert counts == {"text": v.n_text, "special": len(SPECIALS), "speech": v.codebook_size}
    assert [v.kind(v[name]) for name in SPECIALS] == ["special"] * len(SPECIALS)
    assert len({v[name] for name in SPECIALS}) == len(SPECIALS)


def ids_of(v: Vocabulary, codebook: int, codes: np.ndarray) -> np.ndarray:
    """Ids of codes of one codebook."""
    frames = np.zeros((len(codes), v.n_codebooks), np.uint16)
    frames[:, codebook] = codes
    ids = v.speech(frames)
    assert (ids.dtype, ids.shape) == (np.int32, frames.shape)
    assert np.array_equal(v.speech(frames[:, : codebook + 1]), ids[:, : codebook + 1])
    return ids[:, codebook]


@given(vocabularies())
def test_codes_come_back_from_ids_and_nothing_else_does(v):
    every = [np.arange(size, dtype=np.uint16) for size in v.sizes]
    assert [id_ for k, codes in enumerate(every) for id_ in ids_of(v, k, codes)] == [*range(v.speech_offset, v.size)]
    for k, codes in enumerate(every):
        assert np.array_equal(v.codes(ids_of(v, k, codes)), codes)
    others = np.array([token for token in range(v.size + 5) if v.kind(token) != "speech"], np.int32)
    assert set(v.codes(others).tolist()) == {-1}


def test_the_largest_code_of_16_bits_does_not_wrap():
    v = Vocabulary(151_646, 151_665, 151_936, 1 << 16)
    assert v.speech(np.array([[65_535]], np.uint16)).tolist() == [[151_936 + 65_535]]


@given(vocabularies())
def test_a_manifest_gives_the_vocabulary_back(v):
    stored = json.loads(json.dumps(json_values(v)))
    assert msgspec.convert(stored, Vocabulary) == v
    assert stored["specials"] == {name: v[name] for name in SPECIALS}
    assert stored.get("codebook_sizes") == ([*v.sizes] if v.n_codebooks > 1 else None)
    assert stored["codebook_size"] == v.size - v.speech_offset


@pytest.mark.parametrize(
    "ranges",
    [(0, 0, 8, 1), (10, 9, 20, 1), (10, 10, 17, 1), (10, 30, 20, 1)],
    ids=["no text", "special in text", "speech in special", "speech before special"],
)
def test_ranges_that_meet_are_refused(ranges):
    with pytest.raises(ValueError, match="overlap"):
        Vocabulary(*ranges)


@pytest.mark.parametrize("wrong", [(4,), (3, 2), (5, -1), ()])
def test_codebooks_that_are_not_as_large_as_stated_are_refused(wrong):
    with pytest.raises(ValueError, match="must be the sum of the sizes"):
        Vocabulary(10, 10, 20, 4, wrong)


def test_the_special_tokens_are_those_of_the_format_document():
    """Their order is the data's: a token inserted or moved changes every id behind it."""
    names = "asr tts sos eos sot eot text_silence speech_silence"
    assert [f"<|{name}|>" for name in names.split()] == list(SPECIALS)


def test_ids_lie_in_the_padding_of_qwen2_and_behind_other_tokenizers():
    """With the ids of docs/format.md; Qwen2 has 151,646 ids and 151,936 rows of its embedding."""
    work = Pipeline(make_recipe("engines.text_tokenizer.name=qwen2"))
    assert work.vocabulary == Vocabulary(151_646, 151_665, 151_936, 512)
    assert work.vocabulary["<|speech_silence|>"] < 151_936
    assert Pipeline(make_recipe()).vocabulary == Vocabulary(256, 256, 264, 512)
