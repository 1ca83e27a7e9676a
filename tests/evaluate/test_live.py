"""A live conversation in pieces is the one that is made at once."""

import numpy as np
import pytest

from datagen.engines.fakes import ToneCodebooks, ToneTokenizer
from datagen.engines.speech_tokens.kmeans import KMeansTokenizer
from datagen.engines.tts.hibari import Hibari
from datagen.evaluate.detokenizer import Detokenizer
from datagen.evaluate.live import Ear, Live, Mouth, Talker, playout_delay
from datagen.evaluate.player import Player
from datagen.evaluate.scored_rows import Layout
from datagen.shards.layout import ChunkLayout
from datagen.shards.vocab import SPECIALS, Vocabulary

N_TEXT = 5
SIZES = (16, 8)
SAME = {"tone": 0, "kmeans": 0.03}
"""Most difference of pieces from the whole, relative to the root mean square: hibari's head rounds piece by piece."""


@pytest.fixture(scope="module")
def kmeans() -> KMeansTokenizer:
    return KMeansTokenizer()


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    """Three seconds of a voice."""
    audio = Hibari().speak("How long does green tea steep, and in which pot?", "heart", 1).audio
    return np.rint(audio[: 3 * 24_000] * 32767).astype(np.int16)


def vocabulary_of(*sizes: int) -> Vocabulary:
    return Vocabulary.of(N_TEXT, N_TEXT, N_TEXT + len(SPECIALS), sizes)


def pieces(samples: np.ndarray, seed: int) -> list[np.ndarray]:
    cuts = np.sort(np.random.default_rng(seed).integers(0, len(samples), 40))
    return np.split(samples, cuts)


class Guesser:
    """A model whose scores depend on all that it has read since it restarted."""

    def __init__(self) -> None:
        self.read: list[int] = []
        self.most = 0

    def restart(self) -> None:
        self.read = []

    def hear(self, ids, choices, n_last):
        self.read += np.asarray(ids).tolist()
        self.most = max(self.most, len(self.read))
        chance = np.random.default_rng(hash(tuple(self.read)) % (1 << 32))
        return np.log(chance.random((n_last, len(choices)))).astype(np.float32)


def layout_of(n_text: int, vocabulary: Vocabulary) -> Layout:
    silence = (vocabulary["<|speech_silence|>"],) * vocabulary.n_codebooks
    return Layout(ChunkLayout(4, n_text, vocabulary.n_codebooks), silence, 40.0)


@pytest.mark.parametrize("seed", [1, 2])
def test_codes_of_pieces_are_those_of_the_whole_sound(kmeans, speech, seed):
    ear = Ear(kmeans)
    parts = [ear.push(piece) for piece in pieces(speech, seed)]
    codes = np.concatenate([*parts, ear.end()])
    whole = speech[: len(speech) // 960 * 960]
    assert len(codes) == -(-len(speech) // 960)
    assert np.array_equal(codes[: len(whole) // 960 - 1], kmeans.encode(whole)[:-1])
    assert len(np.unique(codes)) > 20


def test_an_ear_waits_for_what_follows_a_frame_and_holds_a_bounded_past(kmeans, speech):
    ear = Ear(kmeans)
    assert len(ear.push(speech[:960])) == 0
    assert len(ear.push(speech[960:1920])) == 1
    for _ in range(9):
        ear.push(speech)
    assert len(ear._held) < 7 * 24_000
    assert len(Ear(kmeans).end(10)) == 0
    codebooks = Ear(ToneCodebooks())
    first = codebooks.push(np.zeros(2 * 1920, np.int16))
    assert np.concatenate([first, codebooks.end(5)]).shape == (5, 4)


@pytest.mark.parametrize("engine", ["kmeans", "tone"])
def test_sound_of_pieces_is_that_of_all_tokens_at_once(kmeans, speech, engine):
    tokenizer = kmeans if engine == "kmeans" else ToneTokenizer()
    vocabulary = vocabulary_of(tokenizer.codebook_size)
    ids = vocabulary.speech(tokenizer.encode(speech[: len(speech) // 960 * 960])[:, None]).astype(np.int64)
    ids[[*range(7), 30, 31, *range(50, 63)]] = vocabulary["<|speech_silence|>"]
    at_once = Detokenizer(tokenizer, vocabulary, 1).sound(ids[:, 0], "heart")
    mouth = Mouth(tokenizer, vocabulary, "heart")
    parts = [mouth.push(part) for part in np.split(ids, [3, 3, 20, 31, 45, 61])]
    rest = mouth.push(ids[:0], last=True)
    sound = np.concatenate([*parts, rest])
    assert len(sound) == len(at_once) == len(ids) * 960
    assert np.sqrt(np.mean((sound - at_once) ** 2)) <= SAME[engine] * np.sqrt(np.mean(at_once**2))
    assert np.abs(sound).max() > 0.05
    assert not sound[: 7 * 960].any() and not sound[50 * 960 : 63 * 960].any()
    if engine == "kmeans":
        assert len(parts[2]) > 3 * 960  # it speaks while codes still come


@pytest.mark.parametrize(("n_text", "sizes"), [(2, SIZES[:1]), (0, SIZES)])
def test_a_talker_says_what_a_model_says_that_has_the_whole_row(n_text, sizes):
    vocabulary = vocabulary_of(*sizes)
    layout = layout_of(n_text, vocabulary)
    chance = np.random.default_rng(7)
    rows = np.full((6, layout.width), 0, np.int32)
    users = [vocabulary.speech(chance.integers(0, sizes, (4, len(sizes))).astype(np.uint16)) for _ in rows]
    for row, user in zip(rows, users, strict=True):
        row[layout.chunk.user] = user.reshape(-1)
    at_once = Player(Guesser(), layout, vocabulary).free(rows.reshape(-1), 0, 6, np.random.default_rng(3))
    talker = Talker(Guesser(), layout, vocabulary, np.random.default_rng(3))
    answers = [talker.answer(user.astype(np.int64)) for user in users]
    assert np.array_equal(np.concatenate([speech for _, speech in answers]), at_once.speech)
    assert np.array_equal(np.stack([text for text, _ in answers]), at_once.text)
    assert len(np.unique(at_once.speech)) > 3


def test_a_long_talk_keeps_to_its_context():
    vocabulary = vocabulary_of(16)
    layout, model = layout_of(2, vocabulary), Guesser()
    talker = Talker(model, layout, vocabulary, np.random.default_rng(3), n_context=4 * layout.width)
    user = vocabulary.speech(np.arange(4, dtype=np.uint16)[:, None]).astype(np.int64)
    for _ in range(9):
        talker.answer(user)
        assert model.read == np.concatenate(talker._chunks)[:-1].tolist()  # the last is read with the next chunk
    assert model.most <= 4 * layout.width


def test_every_chunk_is_answered_and_the_last_one_padded(kmeans, speech):
    vocabulary = vocabulary_of(kmeans.codebook_size)
    layout = layout_of(2, vocabulary)
    talker = Talker(Guesser(), layout, vocabulary, np.random.default_rng(3))
    live = Live(Ear(kmeans), talker, Mouth(kmeans, vocabulary), vocabulary, layout)
    said = list(live.answers(pieces(speech, 1)))
    n_chunks = -(-len(speech) // (4 * 960))
    assert len(said) == n_chunks + 1 and len(said[-1].speech) == 0
    assert sum(len(each.sound) for each in said) == n_chunks * 4 * 960
    users = np.concatenate([each.user for each in said])[:, 0]
    padded = np.zeros(n_chunks * 4 * 960, np.int16)
    padded[: len(speech)] = speech
    assert np.array_equal(vocabulary.codes(users.astype(np.int32)), kmeans.encode(padded))


def test_the_delay_is_the_shortest_without_a_gap():
    ready, n_chunk = [0, 700, 2300, 3000, 5000], 1000
    delay = playout_delay(ready, n_chunk)

    def runs_dry(delay: int) -> bool:
        ends = [(k + 2) * n_chunk for k in range(len(ready))]  # of the chunk after each answer
        return any(end - delay > n for end, n in zip(ends, ready, strict=True))

    assert not runs_dry(delay) and runs_dry(delay - 1)
