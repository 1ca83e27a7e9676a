"""Talk to a trained model: it answers a sound file, or a microphone, chunk by chunk.

    python examples/talk.py OUT --model runs/tiny/three_stream --task three_stream --user question.wav --to answer
    python examples/talk.py OUT --model runs/tiny/two_stream --to answer                  # a microphone, until Ctrl-C

OUT is the build on which the model was trained. The user's sound is encoded as it comes, the model draws its text
and speech of each chunk, and the decoder makes sound of them while they come. It writes

    answer.wav    left the user, right the assistant, as late as a listener hears it
    answer.html   a player with both channels, the tokens of each chunk and the assistant's text; needs no network

A microphone needs `pip install sounddevice` and PortAudio; then the answer is played too. Use headphones.
"""

import argparse
import queue
from collections.abc import Iterator
from pathlib import Path

try:
    import numpy as np

    import datagen
    from datagen.engines.audio import read_audio
    from datagen.errors import DatagenError
    from datagen.evaluate.live import Live, Said
    from datagen.evaluate.models import load
    from datagen.report.live import Talk, write_talk
    from datagen.seeds import rng
except ImportError as error:
    raise SystemExit(
        f"{error}. The example needs datagen with the extra train: pip install 'duplex-datagen[train]'"
    ) from error

PIECE_MS = 40
NO_MICROPHONE = "a microphone needs `pip install sounddevice` and PortAudio; or name a sound file with --user FILE"


def file_pieces(file: str, rate_hz: int, after_s: float) -> Iterator[np.ndarray]:
    """A sound file as it would come from a microphone, and silence after it: int16 pieces of `PIECE_MS`."""
    floats = read_audio(Path(file), rate_hz)
    samples = np.rint(np.clip(floats, -1, 1) * 32767).astype(np.int16)
    samples = np.concatenate([samples, np.zeros(round(after_s * rate_hz), np.int16)])
    step = rate_hz * PIECE_MS // 1000
    yield from (samples[at : at + step] for at in range(0, len(samples), step))


def microphone(rate_hz: int) -> Iterator[np.ndarray]:
    """Sound of the microphone until Ctrl-C: int16 pieces of `PIECE_MS`.

    Raises:
        SystemExit: If no library for it is installed.
    """
    try:
        import sounddevice
    except (ImportError, OSError) as error:  # OSError: it does not find PortAudio
        raise SystemExit(f"{error}: {NO_MICROPHONE}") from error
    heard: queue.SimpleQueue[np.ndarray] = queue.SimpleQueue()
    with sounddevice.InputStream(
        rate_hz, rate_hz * PIECE_MS // 1000, channels=1, dtype="int16",
        callback=lambda samples, *_: heard.put(samples[:, 0].copy()),
    ):  # fmt: skip
        print("listening; Ctrl-C ends", flush=True)
        try:
            while True:
                yield heard.get()
        except KeyboardInterrupt:
            return


class Loudspeaker:
    """Plays the answer of a microphone conversation; silent where sounddevice is not installed."""

    def __init__(self, rate_hz: int) -> None:
        """Open the default output."""
        import sounddevice

        self._stream = sounddevice.OutputStream(rate_hz, channels=1, dtype="float32")
        self._stream.start()

    def play(self, said: Said) -> None:
        """Play what has become certain."""
        if len(said.sound):
            self._stream.write(said.sound[:, None])


def converse(options: argparse.Namespace) -> Talk:
    """The whole conversation, with its sound."""
    output = datagen.open(options.out, trust=options.trust)
    if options.task not in output.tasks:
        raise SystemExit(f"{options.out} has no rows of {options.task}; it has {', '.join(output.tasks)}: use --task")
    tokenizer = output.speech_tokenizer
    tokenizer.decode(output.vocabulary.for_decoder(np.zeros(0, np.uint16)))  # says at once if it has no decoder
    model = load(options.model, output.vocabulary.size)
    voice = options.voice or str(output.manifest.recipe["voices"]["assistant"])
    live = Live.of(output.manifest, options.task, tokenizer, model, rng(options.seed, "talk"), voice)
    rate_hz, heard, said = tokenizer.sample_rate_hz, list[np.ndarray](), list[Said]()
    speaker = None if options.user else Loudspeaker(rate_hz) if _has_sounddevice() else None
    source = file_pieces(options.user, rate_hz, options.after) if options.user else microphone(rate_hz)
    for each in live.answers(_kept(source, heard)):
        said.append(each)
        if speaker:
            speaker.play(each)
    return Talk(output, options.task, Path(options.user).name if options.user else "microphone", voice, heard, said)


def _has_sounddevice() -> bool:
    try:
        import sounddevice  # noqa: F401
    except (ImportError, OSError):
        return False
    return True


def _kept(pieces: Iterator[np.ndarray], heard: list[np.ndarray]) -> Iterator[np.ndarray]:
    for piece in pieces:
        heard.append(piece)
        yield piece


def parsed(line: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("out", help="finished build on which the model was trained")
    add("--model", required=True, help="directory of a checkpoint, such as runs/tiny/two_stream")
    add("--task", default="two_stream", choices=("three_stream", "two_stream"), help="the model's last stage")
    add("--user", metavar="FILE", help="sound of the user (default: the microphone)")
    add("--to", default="answer", metavar="NAME", help="writes NAME.wav and NAME.html")
    add("--after", type=float, default=4, metavar="S", help="seconds of silence after the file, for the answer")
    add("--voice", help="of the assistant (default: the build's)")
    add("--seed", type=int, default=0, help="of the drawn tokens")
    add("--trust", action="store_true", help="load engines that the build names by a path (SECURITY.md)")
    return parser.parse_args(line)


def main(line: list[str] | None = None) -> None:
    """Talk, and write the sound and the page."""
    options = parsed(line)
    talk = converse(options)
    for file in (f"{options.to}.wav", f"{options.to}.html"):
        Path(file).parent.mkdir(parents=True, exist_ok=True)
    talk.heard_sound.write(f"{options.to}.wav")
    write_talk(talk, Path(f"{options.to}.html"))
    print(f"{options.to}.wav, {options.to}.html: {talk.summary}")


if __name__ == "__main__":
    try:
        main()
    except DatagenError as error:
        raise SystemExit(str(error)) from error
