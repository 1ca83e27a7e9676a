import random
from hashlib import blake2b

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen.sources.duplicates import N_HASHES, signatures
from tests.sources.duplicates.words import likeness, sentence

TEXT = st.text(st.characters() | st.sampled_from("ab\0\ud800"), max_size=40)


@given(st.lists(TEXT, max_size=6))
def test_a_signature_depends_on_its_text_alone(texts):
    together = signatures(texts)
    assert together.shape == (len(texts), N_HASHES)
    for text, signature in zip(texts, together, strict=True):
        assert (signatures([text])[0] == signature).all()


@pytest.mark.parametrize("n_words", [8, 25, 200])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_equal_places_estimate_the_similarity(n_words, share):
    """Without bias, and closely, for short texts too, whose bins are mostly borrowed."""
    chance = random.Random(5)
    kept = 4 * round(n_words * share)
    ones = [sentence(chance, n_words) for _ in range(300)]
    others = [one[:kept] + sentence(chance, n_words - kept // 4) for one in ones]
    true = np.array([likeness(one, other) for one, other in zip(ones, others, strict=True)])
    errors = (signatures(ones) == signatures(others)).mean(axis=1) - true
    assert abs(errors.mean()) < 0.015
    assert errors.std() < 0.06


def test_strangers_have_next_to_nothing_in_common():
    chance = random.Random(6)
    made = signatures([sentence(chance, 60) for _ in range(50)])
    alike = [(made[a] == made[b]).mean() for a in range(50) for b in range(a)]
    assert max(alike) < 0.2


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        ("hi", "3b1941c6545aaa88"),
        ("whatisupman", "87162ecc0254b68f"),
        ("你能帮我订一份披萨吗", "c990ff129986594f"),
        (" ".join(str(n * n) for n in range(400)), "eb17e5a560a2e583"),
    ],
)
def test_the_signature_of_a_text_stays_the_same(text, digest):
    """Signatures decide duplicates and splits; another one would move dialogues between splits."""
    assert blake2b(signatures([text]).astype("<u2").tobytes(), digest_size=8).hexdigest() == digest
