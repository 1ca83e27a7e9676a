"""Slices of a take hold all of it, in order; words keep their lengths; nothing clicks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen.engines.fakes import ToneVoice
from datagen.engines.tts.word_times import spread
from datagen.pipeline.speak.slices import quietest, sliced
from datagen.records import LineTake, PartOf, Word
from datagen.text.phrases import places, units
from tests.conftest import RATE

N_FADE = 8 * RATE // 1000
TEXTS = st.lists(
    st.sampled_from(["well,", "I", "cannot", "say.", "我今天", "去，公园", "app", "..."]), min_size=1, max_size=8
).map(" ".join)


def hummed(text: str, gap: int = 0, silent: tuple[str, ...] = ()) -> LineTake:
    """Words of 100 ms a letter, one after the other at a steady hum, silent ones of no length."""
    words, at = [], 0
    for name in text.split():
        end = at + (0 if name in silent else len(name) * RATE // 10)
        words.append(Word(name, at, end))
        at = end + gap
    audio = 0.5 * np.sin(np.arange(at) * 0.05).astype(np.float32)
    return LineTake(audio.astype(np.float32), tuple(words), 1, 77)


def parts_of(text: str, picked: list[int]) -> list[PartOf]:
    """Parts cut before units, as a script does it: from a unit's start to the end of the one before the next part."""
    spots = units(text)
    starts = [0, *sorted({k % len(spots) for k in picked} - {0})]
    ends = [*(spots[k - 1].end for k in starts[1:]), len(text)]
    return [PartOf(text, spots[k].start, end) for k, end in zip(starts, ends, strict=True)]


@given(TEXTS, st.lists(st.integers(0, 30), max_size=4), st.integers(0, 3000), st.sampled_from(["model", "estimated"]))
def test_slices_partition_the_take(text, picked, gap, word_times):
    take, parts = hummed(text, gap, silent=("...",)), parts_of(text, picked)
    pieces = sliced(take, parts, RATE, word_times)
    assert sum(len(piece.audio) for piece in pieces) == len(take.audio)
    joined = np.concatenate([piece.audio for piece in pieces])
    near = np.zeros(len(take.audio), bool)
    at = 0
    for piece in pieces[:-1]:
        at += len(piece.audio)
        near[max(at - N_FADE, 0) : at + N_FADE] = True
    assert np.array_equal(joined[~near], take.audio[~near])
    assert [piece.trimmed_samples for piece in pieces] == [77, *[0] * (len(pieces) - 1)]
    for part, piece in zip(parts, pieces, strict=True):
        spoken = text[part.first : part.last]
        places(piece.words, spoken)  # its words spell it
        times = [0, *(t for w in piece.words for t in (w.start_samples, w.end_samples)), len(piece.audio)]
        assert times == sorted(times)


@given(TEXTS, st.lists(st.integers(0, 30), max_size=4), st.integers(0, 3000))
def test_words_keep_the_lengths_that_the_model_gave_them(text, picked, gap):
    take, parts = hummed(text, gap), parts_of(text, picked)
    heard: dict[int, int] = {}
    for part, piece in zip(parts, sliced(take, parts, RATE, "model"), strict=True):
        for word, (first, _) in zip(piece.words, places(piece.words, text[part.first : part.last]), strict=True):
            at = next(k for k, (a, b) in enumerate(places(take.words, text)) if a <= part.first + first < b)
            heard[at] = heard.get(at, 0) + word.end_samples - word.start_samples
    assert heard == {k: w.end_samples - w.start_samples for k, w in enumerate(take.words)}


def test_a_cut_lies_in_the_middle_of_the_silence_or_at_the_end_of_the_word_before():
    for gap, wanted in ((0, 4800), (1000, 5300)):
        first, second = sliced(hummed("ab cd", gap), parts_of("ab cd", [1]), RATE, "model")
        assert len(first.audio) == wanted
        assert [(w.text, w.start_samples, w.end_samples) for w in first.words] == [("ab", 0, 4800)]
        assert [(w.text, w.start_samples) for w in second.words] == [("cd", gap - gap // 2)]


def test_an_estimated_cut_moves_to_the_quietest_place_near_it():
    take = hummed("ab cd")
    take.audio[5600:6100] = 0
    first, second = sliced(take, parts_of("ab cd", [1]), RATE, "estimated")
    assert 5600 <= len(first.audio) <= 6100
    assert second.words[0].start_samples == 0
    far = hummed("ab cd")
    far.audio[9000:9500] = 0  # beyond the reach
    assert len(sliced(far, parts_of("ab cd", [1]), RATE, "estimated")[0].audio) < 4800 + 120 * RATE // 1000


def test_an_estimated_cut_goes_beyond_the_middle_of_no_word():
    take = hummed("a b")
    take.audio[:1000] = take.audio[-1000:] = 0
    (first, _) = sliced(take, parts_of("a b", [1]), RATE, "estimated")
    assert 1200 <= len(first.audio) <= 3600


@pytest.mark.parametrize("text", ["I want to go there now", "我想去公园看一看"])
def test_nothing_clicks_at_a_cut(text):
    speech = ToneVoice().speak(text, "tone-1", 3)
    take = LineTake(speech.audio, speech.words, 0, 0)
    own = np.abs(np.diff(take.audio)).max()
    pieces = sliced(take, parts_of(text, [2, 4]), RATE, "model")
    assert len(pieces) == 3
    for k, piece in enumerate(pieces):
        edges = np.concatenate([np.zeros(1, np.float32), piece.audio, np.zeros(1, np.float32)])
        inner = edges[1 if k == 0 else 0 : -1 if k == 2 else None]
        assert np.abs(np.diff(inner)).max() <= own
    hum = hummed("ab cd")
    for piece in sliced(hum, parts_of("ab cd", [1]), RATE, "model"):
        assert min(np.abs(piece.audio[:1]).max(), np.abs(piece.audio[-1:]).max()) < 1e-3


def test_chinese_is_cut_within_its_only_word_and_estimated_characters_keep_together():
    audio = hummed("我想去公园").audio
    words = spread("我想去公园", audio, RATE)
    pieces = sliced(LineTake(audio, words, 0, 0), parts_of("我想去公园", [3]), RATE, "estimated")
    assert ["".join(w.text for w in piece.words) for piece in pieces] == ["我想去", "公园"]
    whole = sliced(hummed("我想去公园"), parts_of("我想去公园", [3]), RATE, "model")
    assert [[w.text for w in piece.words] for piece in whole] == [["我想去"], ["公园"]]
    assert [len(piece.audio) for piece in whole] == [7200, 4800]


def test_the_quietest_window_is_found_and_never_beyond_the_bounds():
    audio = np.ones(100, np.float32)
    audio[40:50] = 0
    assert quietest(audio, 0, 100, 10) == 45
    assert 50 <= quietest(audio, 50, 100, 10) <= 100
    assert quietest(audio, 7, 12, 10) == 9
