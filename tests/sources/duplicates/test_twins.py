import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.sources.duplicates import Twins, most_of, signatures
from tests.sources.duplicates.words import likeness, sentence


def clusters(texts, threshold=0.4, turns=None):
    """Places of the members of each cluster."""
    twins = Twins(threshold)
    twins.add(signatures(texts), turns or [[]] * len(texts))
    return [members.tolist() for members in twins.clusters().members]


def versions(chance, text, n, n_words=4):
    """Texts with some other words at one place."""
    places = [4 * chance.randrange(len(text) // 4 - n_words) for _ in range(n)]
    return [text[:at] + sentence(chance, n_words) + text[at + 4 * n_words :] for at in places]


def test_versions_of_a_text_are_together_and_strangers_are_not():
    chance = random.Random(1)
    texts = [version for _ in range(40) for version in versions(chance, sentence(chance), 3)]
    texts += [sentence(chance) for _ in range(500)]
    assert clusters(texts) == [[3 * k, 3 * k + 1, 3 * k + 2] for k in range(40)]


def test_pairs_of_half_their_text_are_together():
    """At the default threshold, which is below a half for the sake of those whose estimate is too low."""
    chance = random.Random(2)
    texts = []
    for _ in range(300):
        one = sentence(chance, 30)
        texts += [one, one[:80] + sentence(chance, 10)]
    alike = [k for k in range(300) if likeness(texts[2 * k], texts[2 * k + 1]) >= 0.5]
    together = {members[0] // 2 for members in clusters(texts)}
    assert len(alike) > 30
    assert len(set(alike) - together) <= 0.03 * len(alike)


def test_twins_of_twins_are_in_one_cluster():
    chance = random.Random(3)
    chain = [sentence(chance, 40)]
    for _ in range(5):
        chain.append(chain[-1][32:] + sentence(chance, 8))
    assert likeness(chain[0], chain[-1]) < 0.1
    assert clusters(chain) == [list(range(6))]


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.integers(2, 40), st.floats(0.2, 0.9))
def test_the_order_of_the_input_does_not_matter_for_who_is_together(seed, n, threshold):
    chance = random.Random(seed)
    texts = [version for _ in range(n) for version in versions(chance, sentence(chance, 12), 4)]
    turns = [[text[:40]] for text in texts]
    order = chance.sample(range(len(texts)), len(texts))
    shuffled = clusters([texts[k] for k in order], threshold, [turns[k] for k in order])
    back = sorted(sorted(order[k] for k in members) for members in shuffled)
    assert back == sorted(clusters(texts, threshold, turns))


def test_it_does_not_matter_how_many_are_added_at_once():
    chance = random.Random(4)
    texts = [*versions(chance, sentence(chance), 5), sentence(chance)]
    twins = Twins(0.4)
    for text in texts:
        twins.add(signatures([text]), [["a question that is long"]])
    assert [members.tolist() for members in twins.clusters().members] == [[0, 1, 2, 3, 4, 5]]
    assert len(twins) == 6


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        (["whatisitlikeinrome"], ["whatisitlikeinrome"], True),
        (["whatisupman"], ["whatisupman"], False),  # too short to be more than a greeting
        (["你能帮我订一份披萨吗"], ["你能帮我订一份披萨吗"], True),
        (["x", "whatisitlikeinrome"], ["y", "whatisitlikeinrome"], False),  # so short it must open both
        (["x", "whatisitlikeinrome"], ["whatisitlikeinrome"], False),
        (["x", "whatisitlikeinrome" * 3], ["y", "z", "whatisitlikeinrome" * 3], True),
        (["x", "whatisitlikeinrome" * 3], ["whatisitlikeinrome" * 3], True),
    ],
)
def test_a_long_turn_of_the_user_makes_twins(one, other, together):
    chance = random.Random(5)
    assert clusters([sentence(chance), sentence(chance)], turns=[one, other]) == ([[0, 1]] if together else [])


@pytest.mark.parametrize(("n_sharing", "n"), [(10, 12), (11, 12), (30, 300), (31, 300)])
def test_a_turn_that_too_many_share_is_a_form_and_makes_no_twins(n_sharing, n):
    chance = random.Random(6)
    texts = [sentence(chance) for _ in range(n)]
    turns = [["hellohowcanihelpyou"] if k < n_sharing else [] for k in range(n)]
    found = clusters(texts, turns=turns)
    assert found == ([list(range(n_sharing))] if n_sharing <= most_of(n) else [])


def test_without_dialogues_there_are_no_clusters():
    assert clusters([]) == []
    assert clusters(["one"]) == []


@pytest.mark.parametrize("threshold", [0.1, 1.1])
def test_an_impossible_threshold_fails(threshold):
    with pytest.raises(ValueError, match="threshold"):
        Twins(threshold)
