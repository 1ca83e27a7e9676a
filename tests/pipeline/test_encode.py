"""Tokens = samples / hop on both channels; text ids are those of what was said; what was cut off is encoded too."""

import io
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.engines.base import EngineInfo, SpeechTokenizer
from datagen.engines.fakes import ByteTokenizer, ToneCodebooks, ToneTokenizer
from datagen.pipeline.encode import Encode
from datagen.pipeline.levels import FULL_SCALE, amplitude, fade_out
from datagen.pipeline.place import Place, cut
from datagen.recipe import TimingConfig
from datagen.records import CHANNEL, BargeIn, Conversation, Event, Mixing, Streams, Timeline, Utterance
from tests.conftest import RATE, take, takes_of


def conversation() -> Conversation:
    turns = [
        ("user", take(9000, 9000), 960, None),
        ("assistant", take(9000, 9000, 9000), 0, None),
        ("user", take(5000), 0, BargeIn(2, 2000, 4600)),
    ]
    timeline = Place(TimingConfig(), RATE, 9600, 0)(takes_of(turns))
    audio = np.random.default_rng(0).integers(-3000, 3000, (2, timeline.n_samples)).astype(np.int16)
    audio[1, : timeline.placed[1].start_samples] = 0
    return Conversation(timeline, audio, Mixing("white", 20.0, 1.0, 2.0))


def of(timeline: Timeline, *utterances: Utterance) -> Timeline:
    """The same timeline of other utterances."""
    placed = tuple(
        replace(p, take=replace(p.take, utterance=u)) for p, u in zip(timeline.placed, utterances, strict=True)
    )
    return replace(timeline, placed=placed)


def test_both_channels_are_encoded_in_order():
    c = conversation()
    streams = Encode(ToneTokenizer(), ByteTokenizer(), RATE)(c)
    assert len(streams.user_codes) * 960 == len(streams.assistant_codes) * 960 == streams.n_samples
    assert np.array_equal(streams.user_codes, ToneTokenizer().encode(c.audio[0]))
    assert set(streams.assistant_codes[:10].tolist()) == {0}
    assert streams.user_codes.min() > 0


def test_text_ids_are_those_of_what_was_said():
    streams = Encode(ToneTokenizer(), ByteTokenizer(), RATE)(conversation())
    cut = streams.utterances[1]
    assert (cut.said, cut.unsaid) == ("w0 w1", "w2")
    assert bytes(cut.text_ids.astype(np.uint8)).decode() == "w0 w1"
    assert cut.words[-1].end_samples <= cut.end_samples
    assert (streams.split, streams.language, streams.mixing.snr_db) == ("train", "en", 20.0)


def test_ids_of_a_turn_in_pieces_join_to_its_text():
    c = conversation()
    takes = c.timeline.takes
    pieces = tuple(replace(u, role="user", turn=0) for u in takes.script.utterances)
    beside = replace(pieces[1], kind="backchannel")
    for middle, wanted in ((pieces[1], ["w0 w1", " w0 w1", " w0"]), (beside, ["w0 w1", "w0 w1", " w0"])):
        timeline = of(c.timeline, pieces[0], middle, pieces[2])
        streams = Encode(ToneTokenizer(), ByteTokenizer(), RATE)(replace(c, timeline=timeline))
        assert [bytes(u.text_ids.astype(np.uint8)).decode() for u in streams.utterances] == wanted
        assert [u.kind for u in streams.utterances] == ["turn", middle.kind, "turn"]


def test_audio_is_kept_if_asked_for():
    c = conversation()
    streams = Encode(ToneTokenizer(), ByteTokenizer(), RATE, keep_audio=True)(c)
    audio, rate = soundfile.read(io.BytesIO(streams.audio_flac), dtype="int16")
    assert rate == RATE
    assert np.array_equal(audio.T, c.audio)
    streams = Encode(ToneTokenizer(), ByteTokenizer(), RATE)(c)
    assert streams.audio_flac is None


def test_codes_of_several_codebooks_are_stored_frame_by_frame():
    c = conversation()
    c = replace(c, audio=np.concatenate([c.audio, np.zeros((2, -c.audio.shape[1] % 1920), np.int16)], axis=1))
    streams = Encode(ToneCodebooks(), ByteTokenizer(), RATE)(c)
    assert np.array_equal(streams.user_codes, ToneCodebooks().encode(c.audio[0]).reshape(-1))
    assert len(streams.assistant_codes) * 1920 == 4 * c.audio.shape[1]
    assert streams.assistant_codes[:4].tolist() == [0, 8, 4, 2]


RATES = {12.5: 1920, 25: 960, 50: 480, 75: 320, 100: 240}
TALK = conversation()


@given(st.integers(1, 400), st.sampled_from([*RATES]), st.integers(1, 9))
@settings(max_examples=40, deadline=None)
def test_every_frame_has_a_code_of_each_codebook(n_frames, rate_hz, n_codebooks):
    class Counting(SpeechTokenizer):
        """A fake whose codes count."""

        info, sample_rate_hz, frame_rate_hz = EngineInfo("counting", "1", "none", "all"), RATE, rate_hz
        codebook_sizes, silence_codes = (1 << 16,) * n_codebooks, (0,) * n_codebooks

        def encode(self, audio):
            codes = np.arange(len(audio) // RATES[rate_hz] * n_codebooks, dtype=np.uint16)
            return codes if n_codebooks == 1 else codes.reshape(-1, n_codebooks)

    audio = np.zeros((2, n_frames * RATES[rate_hz]), np.int16)
    streams = Encode(Counting(), ByteTokenizer(), RATE)(replace(TALK, audio=audio))
    assert streams.user_codes.tolist() == streams.assistant_codes.tolist() == [*range(n_frames * n_codebooks)]


def test_every_id_has_the_start_of_its_word_up_to_the_last_that_begins():
    streams = Encode(ToneTokenizer(), ByteTokenizer(), RATE)(conversation())
    user, assistant, _ = streams.utterances
    words = user.words[0].start_samples, user.words[1].start_samples
    starts = user.start_samples + user.id_starts_samples
    assert bytes(user.text_ids.astype(np.uint8)) == b"w0 w1"
    assert starts.tolist() == [words[0]] * 2 + [words[1]] * 3  # the space belongs to the word after it
    assert (assistant.said, assistant.unsaid) == ("w0 w1", "w2")
    w0, w1, w2 = (word.start_samples for word in conversation().timeline.placed[1].take.words)
    assert assistant.end_samples - assistant.start_samples < w2
    assert assistant.id_starts_samples.tolist() == [w0] * 2 + [w1] * 3


def test_a_word_that_begins_and_counts_as_unsaid_has_a_start_too():
    c = conversation()
    placed = c.timeline.placed[1]
    words = tuple(
        replace(
            w, start_samples=placed.start_samples + w.start_samples, end_samples=placed.start_samples + w.end_samples
        )
        for w in placed.take.words
    )
    end = placed.start_samples + len(placed.take.audio)
    whole = replace(placed, end_samples=end, words=words, said=placed.utterance.spoken, unsaid="", n_cut_samples=0)
    stopped = cut(whole, words[2].start_samples + 1)
    timeline = replace(c.timeline, placed=(c.timeline.placed[0], stopped, c.timeline.placed[2]))
    u = Encode(ToneTokenizer(), ByteTokenizer(), RATE)(replace(c, timeline=timeline)).utterances[1]
    assert (u.said, u.unsaid) == ("w0 w1", "w2")
    assert u.id_starts_samples.tolist()[-3:] == [words[2].start_samples - placed.start_samples] * 3  # ` w2`
    assert (len(u.id_starts_samples), len(u.spoken_ids)) == (8, 8)


class Triples(ByteTokenizer):
    """A fake text tokenizer that takes three bytes at a time, across words."""

    vocabulary_size = special_offset = n_embeddings = 1 << 24

    def encode(self, text):
        data = text.encode()
        return [int.from_bytes(data[k : k + 3], "little") for k in range(0, len(data), 3)]


def test_an_id_across_two_words_is_of_the_first_that_needs_it():
    user = Encode(ToneTokenizer(), Triples(), RATE)(conversation()).utterances[0]
    assert len(user.text_ids) == 2  # `w0 `, `w1`
    assert (user.start_samples + user.id_starts_samples).tolist() == [word.start_samples for word in user.words]


class HalfRate(ToneTokenizer):
    """A fake tokenizer at 12 kHz."""

    sample_rate_hz, _HOP = 12_000, 480


class Lossy(ToneTokenizer):
    """A fake tokenizer that loses a token."""

    info = EngineInfo("lossy", "1", "none", "all")

    def encode(self, audio):
        return super().encode(audio)[:-1]


def test_a_tokenizer_of_another_rate_gets_resampled_audio():
    streams = Encode(HalfRate(), ByteTokenizer(), RATE)(conversation())
    assert len(streams.user_codes) * 960 == streams.n_samples


def test_a_tokenizer_that_loses_tokens_is_caught():
    with pytest.raises(ValueError, match=r"codes for .* frames"):
        Encode(Lossy(), ByteTokenizer(), RATE)(conversation())


FADE_MS = 30
FADE = 720
"""The same in samples."""


def ramp(n_samples: int, step: float = 1e-5) -> np.ndarray:
    """Sound that grows all the time, so that every frame of it has another loudness, and its code tells which."""
    return (np.sin(np.arange(n_samples) * 0.3) * np.arange(n_samples) * step).astype(np.float32)


def interrupted(start: int = 1500, gain_db: float = -6.0, role: str = "assistant", kind: str = "turn") -> Conversation:
    """An utterance of three words that is cut in its second, between frames, mixed as the mix stage does it."""
    long = take(30_000, 30_000, 30_000)
    long = replace(long, audio=ramp(len(long.audio)))
    takes = takes_of([(role, long, start, None), ("user" if role == "assistant" else "assistant", take(9000), 0, None)])
    timeline = Place(TimingConfig(), RATE, 9600, 0)(takes)
    utterances = replace(takes.script.utterances[0], kind=kind), takes.script.utterances[1]
    timeline = of(timeline, *utterances)
    stopped = cut(timeline.placed[0], start + 50_000)
    audio = np.zeros((2, timeline.n_samples), np.int16)
    heard = fade_out(long.audio[:50_000], FADE) * np.float32(amplitude(gain_db) * FULL_SCALE)
    audio[CHANNEL[role], start : start + 50_000] = np.rint(heard)
    gains = (gain_db, 0.0) if role == "user" else (0.0, gain_db)
    return Conversation(replace(timeline, placed=(stopped, timeline.placed[1])), audio, Mixing("", None, *gains))


def whole_take(c: Conversation) -> np.ndarray:
    """Codes of its first utterance as if nobody had interrupted, from its first frame on."""
    placed, heard = c.timeline.placed[0], c.timeline.placed[0].take.audio
    gain_db = c.mixing.user_gain_db if c.timeline.placed[0].utterance.role == "user" else c.mixing.assistant_gain_db
    audio = np.zeros(-(-(placed.start_samples + len(heard)) // 960) * 960, np.int16)
    audio[placed.start_samples :][: len(heard)] = np.rint(heard * np.float32(amplitude(gain_db) * FULL_SCALE))
    return ToneTokenizer().encode(audio)[placed.start_samples // 960 :]


def encode(c: Conversation, speech: ToneTokenizer | None = None) -> Streams:
    return Encode(speech or ToneTokenizer(), ByteTokenizer(), RATE, fade_ms=FADE_MS)(c)


@pytest.mark.parametrize("role", ["assistant", "user"])
@pytest.mark.parametrize("start", [0, 960, 1500, 1919])
def test_a_take_that_was_cut_is_its_channel_and_then_its_rest(role, start):
    c = interrupted(start, role=role)
    streams = encode(c)
    u, channel = streams.utterances[0], streams.user_codes if role == "user" else streams.assistant_codes
    assert u.rest_start_frames == (u.end_samples - FADE) // 960
    codes = np.concatenate([channel[u.start_samples // 960 : u.rest_start_frames], u.rest_codes])
    assert np.array_equal(codes, whole_take(c))
    assert len(np.unique(codes)) > 60  # or it would show little
    assert u.rest_codes.dtype == np.uint16


def test_a_rest_is_heard_with_a_second_before_it():
    """A tokenizer that hears what came before a frame gives the codes that it gives to the take itself."""

    class Remembers(ToneTokenizer):
        heard: ClassVar[list[int]] = []

        def encode(self, audio):
            self.heard.append(len(audio))
            return super().encode(audio)

    c = interrupted()
    u = encode(c, Remembers()).utterances[0]
    assert Remembers.heard[2:] == [(25 + len(u.rest_codes)) * 960]


def test_a_take_that_is_all_fade_out_has_its_rest_from_its_start():
    c = interrupted()
    for n_heard in (0, 100):
        placed = cut(c.timeline.placed[0], c.timeline.placed[0].start_samples + n_heard)
        nothing = replace(c, timeline=replace(c.timeline, placed=(placed, c.timeline.placed[1])))
        u = encode(nothing).utterances[0]
        assert u.rest_start_frames == u.start_samples // 960
        assert np.array_equal(u.rest_codes, whole_take(c))


def test_a_rest_louder_than_full_scale_is_clipped_and_not_wrapped():
    loud = encode(interrupted(gain_db=60.0)).utterances[0]
    assert loud.rest_codes[:-1].min() > 4 * 98  # above -2 dB of full scale, where wrapped sound would be at -5 dB


@pytest.mark.parametrize("kind", ["attempt", "backchannel", "aside"])
def test_only_what_holds_the_floor_has_a_rest(kind):
    u = encode(interrupted(kind=kind)).utterances[0]
    assert (len(u.rest_codes), u.rest_start_frames) == (0, None)
    assert len(u.spoken_ids)


def test_what_is_heard_to_its_end_has_no_rest_and_no_other_ids():
    u = encode(conversation()).utterances[0]
    assert (len(u.rest_codes), u.rest_start_frames, len(u.spoken_ids)) == (0, None, 0)
    assert (u.rest_codes.dtype, u.spoken_ids.dtype) == (np.uint16, np.int32)


def test_the_channels_do_not_depend_on_rests():
    c = interrupted()
    kept = replace(c.timeline.placed[0], n_cut_samples=0)
    plain = encode(replace(c, timeline=replace(c.timeline, placed=(kept, c.timeline.placed[1]))))
    assert np.array_equal(encode(c).assistant_codes, plain.assistant_codes)


def test_ids_of_whole_pieces_join_to_the_turn_although_one_was_cut():
    c = conversation()
    takes = c.timeline.takes
    pieces = tuple(replace(u, role="assistant", turn=0) for u in takes.script.utterances)
    timeline = of(c.timeline, *pieces)
    placed = timeline.placed
    silent = replace(placed[0], said="", unsaid=pieces[0].spoken, n_cut_samples=9)
    streams = encode(replace(c, timeline=replace(timeline, placed=(silent, *placed[1:]))))
    texts = [text_of(u.spoken_ids) if len(u.spoken_ids) else text_of(u.text_ids) for u in streams.utterances]
    assert "".join(texts) == " ".join(u.spoken for u in pieces)
    assert text_of(streams.utterances[0].text_ids) == ""
    assert not text_of(streams.utterances[1].text_ids).startswith(" ")  # nothing is said before it


def text_of(ids: np.ndarray) -> str:
    return bytes(ids.astype(np.uint8)).decode()


def test_events_of_all_kinds_are_stored_in_order_of_time():
    c = conversation()
    burst, voice = Event("noise_burst", "user", 3, 5), Event("other_talker", "user", 10**6, 10**6 + 1)
    (first, *_) = c.timeline.events
    tied = Event("other_talker", first.role, first.start_samples, first.end_samples)
    streams = encode(replace(c, events=(burst, tied, voice)))
    times = [(e.start_samples, e.end_samples) for e in streams.events]
    assert times == sorted(times)
    assert len(times) == len(c.timeline.events) + 3
    assert streams.events.index(burst) == 0
    assert streams.events.index(first) + 1 == streams.events.index(tied)  # of equal times those of the floor first
