import random
import tracemalloc

import pytest

from datagen.sources.duplicates import NearDuplicates, signatures
from tests.sources.duplicates.words import WORDS, sentence


def seen(near, *texts):
    """What each text repeats; its id is its place."""
    return [near.seen(str(k), signature) for k, signature in enumerate(signatures(texts))]


def changed(chance, text, n_words=1):
    words = [text[k : k + 4] for k in range(0, len(text), 4)]
    for place in chance.sample(range(len(words)), n_words):
        words[place] = chance.choice(WORDS)
    return "".join(words)


def test_near_duplicates_are_found_and_strangers_are_not():
    chance = random.Random(1)
    near = NearDuplicates(threshold=0.7)
    texts = [sentence(chance) for _ in range(200)]
    assert seen(near, *texts) == [None] * 200
    assert seen(near, *(changed(chance, text) for text in texts)) == [str(k) for k in range(200)]


def test_half_changed_is_not_near():
    chance = random.Random(2)
    near = NearDuplicates(threshold=0.7)
    for _ in range(100):
        text = sentence(chance)
        assert seen(near, text, text[:80] + sentence(chance, 20)) == [None, None]


def test_a_low_threshold_finds_what_a_high_one_does_not():
    chance = random.Random(3)
    text = sentence(chance)
    similar = text[:120] + sentence(chance, 10)
    assert [seen(NearDuplicates(threshold), text, similar)[1] for threshold in (0.35, 0.95)] == ["0", None]


@pytest.mark.parametrize("threshold", [0.15, 0.29, 0.3, 0.45, 0.59, 0.6, 0.8])
def test_pairs_at_the_threshold_are_found_whatever_it_is(threshold):
    """Fewer values per band the lower the threshold; the same number for all would lose most pairs at low ones."""
    chance = random.Random(7)
    n_found = n_alike = 0
    for n_kept in (n for n in range(8, 40) for _ in range(12)):
        text = sentence(chance)
        one, other = signatures([text, text[: 4 * n_kept] + sentence(chance, 40 - n_kept)])
        if threshold <= (one == other).mean() < threshold + 0.08:
            near = NearDuplicates(threshold, 64)
            near.seen("0", one)
            n_alike += 1
            n_found += near.seen("1", other) == "0"
    assert n_alike > 15
    assert n_found >= 0.9 * n_alike


def test_memory_is_bounded_and_forgets_the_oldest():
    chance = random.Random(4)
    near = NearDuplicates(capacity=16)
    texts = [sentence(chance) for _ in range(40)]
    seen(near, *texts)
    assert len(near._ids) == 16
    assert seen(near, texts[-1]) == ["39"]
    assert seen(near, texts[0]) == [None]


@pytest.mark.parametrize("threshold", [0.15, 0.8])
def test_memory_is_by_default_what_the_page_on_scale_says(threshold):
    """A fixed 90 to 140 MB, ids (some tens of bytes each) included: docs/scale.md."""
    tracemalloc.start()
    try:
        near = NearDuplicates(threshold)
        reserved = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert near.seen("0", signatures(["some text"])[0]) is None
    assert 80e6 < reserved < 140e6


@pytest.mark.parametrize(("threshold", "capacity"), [(0, 10), (1.1, 10), (0.8, 0)])
def test_impossible_settings_fail(threshold, capacity):
    with pytest.raises(ValueError, match="threshold"):
        NearDuplicates(threshold, capacity)
