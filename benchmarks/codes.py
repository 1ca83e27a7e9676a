"""Measures what the codes of a speech tokenizer hold: words, phones, pitch, speaker, noise; and its speed.

    python benchmarks/codes.py
    python benchmarks/codes.py --engine s3 --options '{"path": "speech_tokenizer_v2.onnx", "runtime": "onnx", ...}'

Sentences are those of the shipped dialogues, which the embedded tokenizer and its decoder were not trained on, spoken
by the embedded voice; so the phone and the pitch of every frame are known, and all voices speak the same frames. Each
line states on how many words, phones, frames or utterances it rests. The recognizer reads sentences of one voice in
rows of up to 27 s, because a window costs the same however full it is. Decoded words need the extra `asr`, scores of
sound the extra `mos`, rooms the extra `rooms`.
"""

import argparse
import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from code_probes import (
    Coded,
    equal_share,
    f0_error,
    halves,
    perplexity,
    phone_errors,
    sex_accuracy,
    table,
    table_accuracy,
)
from common import show
from hearing import Clip, Recognizer, errors
from numpy.typing import NDArray

from datagen import resources, seeds
from datagen.engines import load
from datagen.engines.audio import resample
from datagen.engines.base import Audio, SpeechTokenizer
from datagen.engines.listeners.dnsmos import Dnsmos
from datagen.engines.tts import hibari_net as net
from datagen.engines.tts.hibari import _LEAD_SAMPLES, _PAUSES, VOICES, Hibari, _phrases
from datagen.errors import EngineMissingError
from datagen.records import Spoken
from datagen.text import to_spoken
from tools.train_decoder_channel import RATE_HZ, UserChannel
from tools.train_kmeans import active_rms, to_int16

SPEECH_DBFS = -23.0
CHANNELS = {
    "clean": None,
    "noise of 15-30 dB": UserChannel((15, 30)),
    "hard (10-30 dB, 35% rooms, 10% telephone)": UserChannel((10, 30), room_share=0.35, line_share=0.10),
}
_NOISE_15_DB = UserChannel((15, 15))
_TIMED_SECONDS = 30
_PAGE_SECONDS, _PAUSE_SECONDS = 27, 0.5
_RATED_PAGES = 12


@dataclass(frozen=True)
class Utterance:
    """A sentence in a voice, and what is known of it."""

    text: str
    voice: str
    audio: Audio
    """float32 [n_samples] at 24 kHz, at `SPEECH_DBFS`."""
    ends: NDArray[np.int64]
    """Ends of phones, in samples."""
    phones: NDArray[np.int64]
    """Index of each phone; 0 for a pause."""
    f0: NDArray[np.float32]
    """Hertz per 300 samples."""


def sentences(n: int) -> list[str]:
    """Sentences of 4 words or more of the shipped English dialogues, as they are spoken."""
    lines = (resources.directory("data") / "quickstart.jsonl").read_text("utf-8").splitlines()
    turns = [to_spoken(turn["text"], "en") for line in lines for turn in json.loads(line)["turns"]]
    parts = [part.strip() for turn in turns for part in re.split(r"(?<=[.?!])\s+", turn)]
    found = [part for part in dict.fromkeys(parts) if 4 <= len(part.split()) <= 18]
    return [found[k] for k in np.random.default_rng(0).permutation(len(found))[:n]]


def speak(hibari: Hibari, text: str, voice: str) -> Utterance:
    """Speak a sentence at hibari's own pace, so that frames are the same in all voices."""
    (phrase, *_) = _phrases(hibari.phonemes(text.split()))
    vocabulary = hibari._vocabulary
    ids = [0, *(vocabulary[phone] for _, phone in phrase), 0]
    frames = hibari._network.run(ids, VOICES[voice], 1 / VOICES[voice].pace)
    audio = net.synthesize(frames.head, frames.f0, seeds.rng(0, text, voice))
    audio *= np.float32(10 ** (SPEECH_DBFS / 20) / active_rms(audio))
    phones = [0, *(0 if phone in _PAUSES else vocabulary[phone] for _, phone in phrase), 0]
    return Utterance(text, voice, audio, frames.ends, np.array(phones), frames.f0)


class Encoder:
    """A tokenizer on utterances in a channel."""

    def __init__(self, tokenizer: SpeechTokenizer) -> None:
        """Keep the tokenizer."""
        self.tokenizer = tokenizer
        self.hop = tokenizer.sample_rate_hz // tokenizer.frame_rate_hz
        try:
            tokenizer.decode(np.zeros(0, np.uint16))
            self.decodes = True
        except EngineMissingError as error:
            print(f"cannot decode: {error}")
            self.decodes = False

    def samples(self, utterance: Utterance, channel: UserChannel | None) -> NDArray[np.int16]:
        """int16 at the tokenizer's rate, whole frames."""
        audio = utterance.audio
        if channel:
            rng = seeds.rng(1, utterance.text, utterance.voice, str(channel))
            audio = channel.heard(audio, 10 ** (SPEECH_DBFS / 20), rng)
        audio = resample(audio, RATE_HZ, self.tokenizer.sample_rate_hz)
        return to_int16(np.pad(audio, (0, -len(audio) % self.hop)))

    def coded(self, utterance: Utterance, channel: UserChannel | None) -> Coded:
        """Codes with the truth about each frame."""
        codes = self.tokenizer.encode(self.samples(utterance, channel)).astype(np.int64)
        middle = ((np.arange(len(codes)) + 0.5) * RATE_HZ / self.tokenizer.frame_rate_hz).astype(np.int64)
        phone = np.searchsorted(utterance.ends, middle + _LEAD_SAMPLES, side="right")
        phone = np.minimum(phone, len(utterance.phones) - 1)
        f0 = utterance.f0[np.minimum(middle // net.HOP_SAMPLES, len(utterance.f0) - 1)]
        log_f0 = np.where(f0 > net.VOICED_HZ, np.log(np.maximum(f0, 1)), np.nan)
        return Coded(codes, utterance.phones[phone], log_f0, utterance.voice.startswith("heart-m"))

    def decoded(self, utterance: Utterance, channel: UserChannel | None) -> Audio:
        """Audio of the codes, in the utterance's own voice."""
        codes = self.tokenizer.encode(self.samples(utterance, channel))
        return self.tokenizer.decode_as(codes, utterance.voice)


def probe(encoder: Encoder, of_heart: Sequence[Utterance], of_users: Sequence[Utterance]) -> None:
    """Show what tables and linear probes find."""
    n_codes = encoder.tokenizer.codebook_size
    clean = [encoder.coded(u, None) for u in of_heart]
    users = [encoder.coded(u, CHANNELS["noise of 15-30 dB"]) for u in of_users]
    n_phones = 1 + max(int(one.phones.max()) for one in (*clean, *users))
    for name, coded in (("heart, clean", clean), ("users, noise of 15-30 dB", users)):
        train, test = halves(coded)
        shares = table(train, n_codes, n_phones)
        value, n = table_accuracy(shares, test)
        show(f"phone of a frame by a table of codes, {name}, {n} frames", value)
        value, n = phone_errors(shares, train, test)
        show(f"phone errors of a probe of 7 codes, {name}, {n} phones", 100 * value, "%")
        value, n = f0_error(train, test, n_codes)
        show(f"F0 error, median, {name}, {n} frames", value, "semitones")
    value, n = sex_accuracy(*halves(users), n_codes)
    show(f"sex of the speaker from one utterance, {n} utterances", 100 * value, "%")
    noisy = [encoder.coded(u, _NOISE_15_DB) for u in of_heart]
    value, n = equal_share([(a.codes, b.codes, a.phones) for a, b in zip(clean, noisy, strict=True)])
    show(f"equal codes, clean and noise of 15 dB, heart, {n} frames", value)
    value, n = perplexity(np.concatenate([one.codes for one in (*clean, *users)]), n_codes)
    show(f"perplexity of codes; {n} of {n_codes} are used", value)


def across_voices(encoder: Encoder, hibari: Hibari, texts: Sequence[str]) -> None:
    """Show how many codes each voice shares with `heart`."""
    first = [encoder.coded(speak(hibari, text, "heart"), None) for text in texts]
    for voice in list(VOICES)[1:]:
        other = [encoder.coded(speak(hibari, text, voice), None) for text in texts]
        value, n = equal_share([(a.codes, b.codes, a.phones) for a, b in zip(first, other, strict=True)])
        show(f"equal codes, heart and {voice} on the same frames, {n} frames", value)


@dataclass(frozen=True)
class Page:
    """Sentences of one voice in a row, as long as the recognizer's window."""

    voice: str
    text: str
    audio: Audio


def pages(utterances: Sequence[Utterance], audios: Sequence[Audio], rate: int) -> list[Page]:
    """Join sentences of a voice with pauses, to at most `_PAGE_SECONDS`."""
    pause = np.zeros(int(_PAUSE_SECONDS * rate), np.float32)
    found: list[Page] = []
    for u, audio in sorted(zip(utterances, audios, strict=True), key=lambda pair: pair[0].voice):
        last = found[-1] if found else None
        if last and last.voice == u.voice and len(last.audio) + len(audio) <= _PAGE_SECONDS * rate:
            found[-1] = Page(u.voice, f"{last.text} {u.text}", np.concatenate([last.audio, audio, pause]))
        else:
            found.append(Page(u.voice, u.text, np.concatenate([audio, pause])))
    return found


def words(
    heard_as: str,
    audio: Callable[[Utterance], Audio],
    utterances: Sequence[Utterance],
    recognizer: Recognizer,
    rate: int,
) -> None:
    """Show word errors in all and by voice, and the score of the sound."""
    heard = []
    for page in pages(utterances, [audio(u) for u in utterances], rate):
        clip = Clip("", Spoken("user", voice=page.voice, said=page.text), page.audio, 0)
        heard.append(recognizer.hear(clip, rate))
    found = errors(heard)
    show(f"WER {heard_as}, {len(utterances)} sentences, {found.n_words} words", 100 * found.rate, "%")
    voices = sorted({u.voice for u in utterances})
    for voice in voices if len(voices) > 1 else ():
        found = errors(h for h in heard if h.clip.utterance.voice == voice)
        show(f"  {voice}, {found.n_words} words", 100 * found.rate, "%")
    try:
        judge = Dnsmos()
    except EngineMissingError:
        return
    some = heard[:: -(-len(heard) // _RATED_PAGES)]
    scores = [judge.score(resample(h.clip.audio[: 10 * rate], rate, judge.sample_rate_hz)) for h in some]
    show(f"DNSMOS {heard_as}, mean of {len(scores)} pieces of 10 s", float(np.mean(scores)))


def speed(encoder: Encoder, utterances: Sequence[Utterance]) -> None:
    """Show times realtime by CPU time of this process."""
    rate = encoder.tokenizer.sample_rate_hz
    audio = np.concatenate([encoder.samples(u, None) for u in utterances])[: _TIMED_SECONDS * rate]
    seconds = len(audio) / rate
    codes = encoder.tokenizer.encode(audio)
    runs: dict[str, Callable[[], object]] = {"encode": lambda: encoder.tokenizer.encode(audio)}
    if encoder.decodes:
        runs["decode"] = lambda: encoder.tokenizer.decode(codes)
    for name, run in runs.items():
        run()
        times = []
        for _ in range(3):
            begin = time.process_time()
            run()
            times.append(time.process_time() - begin)
        show(f"{name}, {seconds:.0f} s of speech, best of 3", seconds / min(times), "x realtime")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", default="kmeans", help="a speech tokenizer, by name or module:Class")
    parser.add_argument("--options", type=json.loads, default={}, help="its options, as JSON")
    parser.add_argument("--sentences", type=int, default=224, help="sentences to speak in `heart` and in the others")
    parser.add_argument("--probed", type=int, default=480, help="sentences of the probes, half of them to fit on")
    parser.add_argument("--only", nargs="*", choices=("probes", "voices", "words", "speed"), help="parts to run")
    parser.add_argument("--voices", nargs="*", default=list(VOICES)[1:], help="voices of the users")
    parser.add_argument("--channels", nargs="*", choices=tuple(CHANNELS), default=tuple(CHANNELS))
    parser.add_argument("--audio", action="store_true", help="also recognize the audio before tokens")
    options = parser.parse_args()
    parts = options.only or ("probes", "voices", "words", "speed")
    encoder = Encoder(load.speech_tokenizer(options.engine, options.options))
    hibari, texts = Hibari(), sentences(options.sentences)
    others = options.voices

    def spoken(of: Sequence[str]) -> tuple[list[Utterance], list[Utterance]]:
        """By the assistant's voice, and by the users' in turn; both halves of the probes have each of them."""
        users = [speak(hibari, text, others[k // 2 % len(others)]) for k, text in enumerate(of)]
        return [speak(hibari, text, "heart") for text in of], users

    if "speed" in parts:
        speed(encoder, spoken(texts[:20])[0])
    if "probes" in parts:
        probe(encoder, *spoken(sentences(options.probed)))
    if "voices" in parts:
        across_voices(encoder, hibari, texts[:40])
    if "words" in parts and encoder.decodes:
        recognizer, rate = Recognizer(n_threads=1), encoder.tokenizer.sample_rate_hz
        of_heart, of_users = spoken(texts)
        if options.audio:
            words("of the audio, heart", lambda u: u.audio, of_heart, recognizer, RATE_HZ)
        for name in options.channels:
            channel = CHANNELS[name]
            who, utterances = ("heart", of_heart) if channel is None else ("users", of_users)
            words(f"decoded, {who}, {name}", lambda u, c=channel: encoder.decoded(u, c), utterances, recognizer, rate)


if __name__ == "__main__":
    main()
