"""Tokens = samples / hop on both channels; text ids are those of what was said."""

import io
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from datagen.engines.base import EngineInfo
from datagen.engines.tone import ByteTokenizer, ToneTokenizer
from datagen.recipe import Timing
from datagen.records import BargeIn, Conversation, Mixing
from datagen.stages.encode import Encode
from datagen.stages.place import Place
from tests.conftest import RATE, take, takes_of


def conversation() -> Conversation:
    turns = [
        ("user", take(9000, 9000), 960, None),
        ("assistant", take(9000, 9000, 9000), 0, None),
        ("user", take(5000), 0, BargeIn(2, 2000, 4600)),
    ]
    timeline = Place(Timing(), RATE, 9600, 0)([takes_of(turns)])[0]
    audio = np.random.default_rng(0).integers(-3000, 3000, (2, timeline.n_samples)).astype(np.int16)
    audio[1, : timeline.placed[1].start_samples] = 0
    return Conversation(timeline, audio, Mixing("white", 20.0, 1.0, 2.0))


def test_both_channels_are_encoded_in_order():
    c = conversation()
    (streams,) = Encode(ToneTokenizer(), ByteTokenizer(), RATE)([c])
    assert len(streams.user_codes) * 960 == len(streams.assistant_codes) * 960 == streams.n_samples
    assert np.array_equal(streams.user_codes, ToneTokenizer().encode(c.audio[0]))
    assert set(streams.assistant_codes[:10].tolist()) == {0}
    assert streams.user_codes.min() > 0


def test_text_ids_are_those_of_what_was_said():
    (streams,) = Encode(ToneTokenizer(), ByteTokenizer(), RATE)([conversation()])
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
        script = replace(takes.script, utterances=(pieces[0], middle, pieces[2]))
        timeline = replace(c.timeline, takes=replace(takes, script=script))
        (streams,) = Encode(ToneTokenizer(), ByteTokenizer(), RATE)([replace(c, timeline=timeline)])
        assert [bytes(u.text_ids.astype(np.uint8)).decode() for u in streams.utterances] == wanted
        assert [u.kind for u in streams.utterances] == ["turn", middle.kind, "turn"]


def test_audio_is_kept_if_asked_for():
    c = conversation()
    (streams,) = Encode(ToneTokenizer(), ByteTokenizer(), RATE, keep_audio=True)([c])
    audio, rate = soundfile.read(io.BytesIO(streams.audio_flac), dtype="int16")
    assert rate == RATE
    assert np.array_equal(audio.T, c.audio)
    (streams,) = Encode(ToneTokenizer(), ByteTokenizer(), RATE)([c])
    assert streams.audio_flac is None


class HalfRate(ToneTokenizer):
    """A fake tokenizer at 12 kHz."""

    sample_rate_hz, _HOP = 12_000, 480


class Lossy(ToneTokenizer):
    """A fake tokenizer that loses a token."""

    info = EngineInfo("lossy", "1", "none", "all")

    def encode(self, audio):
        return super().encode(audio)[:-1]


def test_a_tokenizer_of_another_rate_gets_resampled_audio():
    (streams,) = Encode(HalfRate(), ByteTokenizer(), RATE)([conversation()])
    assert len(streams.user_codes) * 960 == streams.n_samples


def test_a_tokenizer_that_loses_tokens_is_caught():
    with pytest.raises(ValueError, match=r"codes for .* frames"):
        Encode(Lossy(), ByteTokenizer(), RATE)([conversation()])
