"""Speech between words of a transcript begins and ends with its sound."""

import numpy as np
import pytest

from datagen.pipeline.recorded.derive import Lexicon, derive
from datagen.pipeline.recorded.edges import sounding
from datagen.pipeline.recorded.piece import Piece, join
from datagen.pipeline.recorded.speech import FindSpeech, Listeners
from datagen.pipeline.recorded.transcript import SpokenWords
from datagen.recipe import DeriveConfig
from datagen.records import Transcribed, Word

RATE = 8000
MS = RATE // 1000


def sound(*loud: tuple[int, int], noise: float = 1e-4, ms: int = 3000) -> np.ndarray:
    """A hum at the stated milliseconds, noise everywhere."""
    audio = np.random.default_rng(0).normal(0, noise, ms * MS).astype(np.float32)
    for first, last in loud:
        audio[first * MS : last * MS] += 0.2 * np.sin(np.arange((last - first) * MS)).astype(np.float32)
    return audio


def piece(first: int, last: int, by_words: bool = True) -> Piece:
    word = Word("well", first * MS, last * MS)
    return Piece("user", first * MS, last * MS, (word,), "well", is_by_words=by_words)


def edges(pieces: list[Piece], audio: np.ndarray) -> list[tuple[int, int]]:
    return [(p.start // MS, p.end // MS) for p in sounding(pieces, audio, RATE)]


@pytest.mark.parametrize(
    ("loud", "wanted"),
    [((950, 1540), (950, 1540)), ((1000, 1500), (1000, 1500)), ((500, 2000), (900, 1600)), ((0, 3000), (1000, 1500))],
)
def test_an_edge_moves_with_its_sound_and_not_far(loud, wanted):
    assert edges([piece(1000, 1500)], sound(loud)) == [wanted]


def test_words_stay_and_edges_that_annotators_set_too():
    (moved,) = sounding([piece(1000, 1500)], sound((950, 1540)), RATE)
    assert moved.words == piece(1000, 1500).words
    assert edges([piece(1000, 1500, by_words=False)], sound((950, 1540))) == [(1000, 1500)]
    assert join(piece(0, 5), piece(6, 9)).is_by_words
    assert not join(piece(0, 5, by_words=False), piece(6, 9)).is_by_words


def test_noise_is_no_speech():
    assert edges([piece(1000, 1500)], sound((1000, 1500), noise=0.05)) == [(1000, 1500)]


def test_an_edge_stays_clear_of_other_pieces_and_of_the_ends_of_the_sound():
    assert edges([piece(1000, 1500), piece(1530, 1800)], sound((900, 1900))) == [(900, 1530), (1530, 1900)]
    assert edges([piece(30, 900)], sound((0, 920))) == [(0, 920)]
    assert edges([piece(2080, 2950)], sound((2060, 3000))) == [(2060, 3000)]
    assert sounding([piece(0, 3000)], sound((0, 3000)), RATE) == [piece(0, 3000)]


def test_an_overlap_of_the_sound_of_two_words_is_no_gap():
    """As in a CTM: the words are 60 ms apart, the sound around them overlaps by 40 ms."""
    audio = np.stack([sound((400, 1050)), sound((1010, 2000))])
    told = [
        Transcribed("user", 420 * MS, 1000 * MS, "one.", (Word("one.", 420 * MS, 1000 * MS),)),
        Transcribed("assistant", 1060 * MS, 1990 * MS, "two.", (Word("two.", 1060 * MS, 1990 * MS),)),
    ]
    find = FindSpeech(DeriveConfig(), Listeners(aligner=None), RATE)  # type: ignore[arg-type]
    pieces, _ = find.pieces(audio, told, SpokenWords("en"), "en")
    (event,) = derive(pieces, DeriveConfig(), Lexicon(), RATE).events
    assert (event.kind, event.end_samples - event.start_samples) == ("overlapping_end", 40 * MS)


def test_a_segment_that_is_wider_than_its_words_keeps_its_edges():
    audio = np.stack([sound((300, 1200)), sound()])
    told = [Transcribed("user", 400 * MS, 1100 * MS, "one", (Word("one", 500 * MS, 1000 * MS),))]
    find = FindSpeech(DeriveConfig(), Listeners(aligner=None), RATE)  # type: ignore[arg-type]
    pieces, _ = find.pieces(audio, told, SpokenWords("en"), "en")
    assert [(p.start, p.end) for p in pieces["user"]] == [(400 * MS, 1100 * MS)]
