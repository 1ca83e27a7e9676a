"""Systems that speak: references get the scores that theory gives them, and commands are streamed as they are."""

import queue
import shlex
import socket
import sys
import threading

import numpy as np
import pytest

from datagen.engines.fakes import ToneTokenizer
from datagen.engines.listeners.vad import Energy
from datagen.errors import DatagenError
from datagen.evaluate.detokenizer import Detokenizer
from datagen.evaluate.piped import Piped
from datagen.evaluate.scored_rows import Layout
from datagen.evaluate.scores import TurnScores
from datagen.evaluate.sound import LABELS, TRUTH, HeardRow, sound_turn_taking, speaking, truth_of
from datagen.evaluate.systems import Cascade, Echo, Oracle, Silent, answer
from datagen.shards.layout import ChunkLayout
from datagen.shards.vocab import SPECIALS, Vocabulary
from tests.run.builds import alive, until

RATE, FRAME_MS = 24_000, 40
VOCABULARY = Vocabulary(n_text=2, special_offset=2, speech_offset=2 + len(SPECIALS), codebook_size=512)
SILENCE = VOCABULARY["<|speech_silence|>"]
LAYOUT = Layout(ChunkLayout(n_speech=5, n_text=0), silence_ids=(SILENCE,), frame_ms=FRAME_MS)
DECODER = Detokenizer(ToneTokenizer(), VOCABULARY, 1)
LOUD = VOCABULARY.speech_offset + 320
"""A tone at -20 dB."""


def spans(n_frames: int, *parts: tuple[float, float]) -> np.ndarray:
    """True for frames between seconds."""
    found = np.zeros(n_frames, np.bool_)
    for start_s, end_s in parts:
        found[round(1000 * start_s / FRAME_MS) : round(1000 * end_s / FRAME_MS)] = True
    return found


N = 750
"""Frames: 30 s."""
USER = spans(N, (1, 3), (10, 12), (17, 19))
"""Two questions, and one barge-in while the assistant gives its second answer."""
ASSISTANT = spans(N, (3.4, 6), (12.4, 17.6), (19.4, 22))
TURN_ENDS, BARGE_INS = (75, 300, 475), (425,)


def tone(speaks: np.ndarray) -> np.ndarray:
    samples = np.repeat(speaks, RATE * FRAME_MS // 1000)
    return (0.2 * np.sin(np.arange(len(samples)) * 0.1) * samples).astype(np.float32)


def at(frames) -> np.ndarray:
    return LAYOUT.chunk.positions(np.array(frames, np.int64)).astype(np.int32)


@pytest.fixture
def held() -> list[HeardRow]:
    user = np.where(USER, LOUD, VOCABULARY.speech_offset).reshape(-1, 5)
    assistant = np.where(ASSISTANT, LOUD, SILENCE).reshape(-1, 5)
    row = {
        "row_id": "d#two_stream#0", "dialogue_id": "d", "input_ids": np.hstack([user, assistant]).reshape(-1),
        "user_turn_ends": at(TURN_ENDS), "barge_ins": at(BARGE_INS), "event_kinds": [], "event_roles": [],
        "event_starts": at([]), "event_ends": at([]),
    }  # fmt: skip
    return [HeardRow(row, tone(USER), "", RATE)]


def scores(held, **systems) -> dict[str, TurnScores]:
    found = sound_turn_taking(held, LAYOUT, DECODER, Energy(), systems=systems).found
    return {name: TurnScores.merged(LAYOUT, [part for _, part in parts]) for name, parts in found.items()}


def test_a_silent_system_takes_no_turn_and_yields_before_it_is_asked(held):
    found = scores(held, silent=Silent(RATE))["silent"]
    assert (found.user_turn_ends.n, found.user_turn_ends.n_early, found.user_turn_ends.tokens.total()) == (3, 0, 0)
    assert (found.barge_ins.n, found.barge_ins.n_early) == (1, 1)


def test_an_echo_speaks_into_every_turn_and_is_silent_when_it_should_speak(held):
    found = scores(held, echo=Echo(RATE))["echo"]
    assert (found.user_turn_ends.n, found.user_turn_ends.n_early) == (3, 3)
    assert (found.barge_ins.n, found.barge_ins.n_early, found.barge_ins.tokens.total()) == (1, 1, 0)


@pytest.mark.parametrize(("silence_ms", "n_reply"), [(400, 160), (800, 150)])
def test_a_cascade_answers_its_silence_after_the_turn_and_never_yields(held, silence_ms, n_reply):
    cascade = Cascade(RATE, Energy(), tone(np.ones(n_reply, np.bool_)), silence_ms)
    found = scores(held, cascade=cascade)["cascade"]
    times_ms = [n * FRAME_MS for n in found.user_turn_ends.tokens.elements()]
    assert len(times_ms) == 2
    assert all(silence_ms < ms <= silence_ms + 2 * 80 + FRAME_MS for ms in times_ms)  # its pieces are 80 ms long
    assert (found.user_turn_ends.n, found.user_turn_ends.n_early) == (3, 1), "it speaks while the user barges in"
    assert (found.barge_ins.n, found.barge_ins.n_early, found.barge_ins.tokens.total()) == (1, 0, 0)


def test_a_cascade_is_deaf_while_it_replies(held):
    endless = Cascade(RATE, Energy(), tone(np.ones(450, np.bool_)), 400)  # 18 s
    found = scores(held, endless=endless)["endless"]
    assert found.user_turn_ends.tokens.total() == 1
    assert found.user_turn_ends.n_early == 2  # the other turns of the user end while it speaks


def test_an_oracle_scores_as_the_labels_do(held):
    oracle = Oracle(RATE, truth_of(LAYOUT, DECODER))
    found = scores(held, oracle=oracle)
    for name in ("oracle", TRUTH):
        for mine, labels in (
            (found[name].user_turn_ends, found[LABELS].user_turn_ends),
            (found[name].barge_ins, found[LABELS].barge_ins),
        ):
            assert (mine.n, mine.n_early) == (labels.n, labels.n_early) == (labels.n, 0)
            assert sorted(mine.tokens.elements()) == sorted(labels.tokens.elements())
    assert found["oracle"].user_turn_ends.within[25] == 3 and found["oracle"].barge_ins.within[25] == 1


def test_sound_and_tokens_of_the_same_answers_agree(held):
    found = sound_turn_taking(held, LAYOUT, DECODER, Energy())
    assert found.differences_ms == {LABELS: {"d": [0.0] * 4}}
    assert found.agreement().cell(LABELS, "median size").n == 4


def test_a_short_silence_is_a_pause_unless_a_turn_of_the_user_ends_in_it(held):
    row = held[0].row
    paused = spans(N, (13, 15), (15.9, 17))
    heard = speaking(tone(paused), RATE, Energy(), LAYOUT, row)
    assert heard[round(13_000 / 40) : round(17_000 / 40)].all()
    longer = speaking(tone(spans(N, (13, 15), (16.1, 17))), RATE, Energy(), LAYOUT, row)
    assert not longer[round(15_500 / 40)]
    yielded = speaking(tone(spans(N, (17, 18.6), (19.4, 21))), RATE, Energy(), LAYOUT, row)
    assert not yielded[475]


def test_an_answer_as_long_as_its_piece_is_demanded():
    class Short(Silent):
        def step(self, heard):
            return heard[:-1]

    with pytest.raises(DatagenError, match="as many as it receives"):
        answer(Short(RATE), np.zeros(5000, np.float32), {})


def test_samples_that_are_no_numbers_are_refused():
    class Broken(Silent):
        def step(self, heard):
            return heard * np.nan

    with pytest.raises(DatagenError, match="no finite numbers"):
        answer(Broken(RATE), np.zeros(5000, np.float32), {})


# -- commands and servers -----------------------------------------------------------------------------------------

COPY = (
    "import sys\nwhile data := sys.stdin.buffer.read1(4096): sys.stdout.buffer.write(data); sys.stdout.buffer.flush()"
)
HEARD = tone(spans(50, (0.5, 1)))


def command(code: str) -> str:
    return shlex.join([sys.executable, "-c", code])


def test_a_command_in_lockstep_is_heard_sample_by_sample():
    system = Piped(command(COPY), RATE)
    for _ in range(2):  # a process for each conversation
        said = answer(system, HEARD, {})
        assert np.abs(said - HEARD).max() < 1 / 32_000


def test_a_server_is_heard_as_a_command_is():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            client, _ = server.accept()
            with client:
                while data := client.recv(4096):
                    client.sendall(data)

        thread = threading.Thread(target=serve)
        thread.start()
        said = answer(Piped(f"tcp://127.0.0.1:{server.getsockname()[1]}", RATE), HEARD, {})
        thread.join()
    assert np.abs(said - HEARD).max() < 1 / 32_000


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("no-such-program-anywhere", "cannot be started"),
        ("tcp://127.0.0.1", "use tcp://HOST:PORT"),
        ("tcp://127.0.0.1:1", "cannot be started"),
        ("'unclosed", "cannot be started"),
        ("", "cannot be started"),
        (command("import sys; sys.exit('I have no weights')"), r"has ended.*status 1: I have no weights"),
        (command("raise RuntimeError('no memory')"), r"\(status 1: RuntimeError: no memory\)"),
        (command("import os, sys; os.kill(os.getpid(), 9)"), r"has ended.*\(status -9\)"),
        (command("import os; os.write(1, os.read(0, 9600)); os.close(1); os.read(0, 9600)"), "closed its .* output"),
        (command("import os; os.write(1, b'RIFF' + bytes(99)); os.read(0, 99)"), "bare 16-bit samples"),
    ],
)
def test_a_system_that_does_not_run_is_named_with_its_reason(address, reason):
    with pytest.raises(DatagenError, match=reason):
        answer(Piped(address, RATE), HEARD, {})


FEW = "import os\nwhile data := os.read(0, 3840): os.write(1, data[:len(data) // 4 * 2])"
MANY = "import os\nwhile data := os.read(0, 3840): os.write(1, data * 2)"
DEAF = "import os, time\nwhile True: time.sleep(99)"


@pytest.mark.parametrize(
    ("code", "pace", "patience_s", "reason"),
    [
        (FEW, "lockstep", 0.4, "samples and then nothing for 0 s; .* --pace real"),
        (DEAF, "lockstep", 0.4, "wrote 0 of 1,920 samples and then nothing"),
        (MANY, "lockstep", 60, "more than 1 s of sound before its time; .* --rate"),
        ("import os\nwhile True: os.write(1, bytes(65536))", "lockstep", 60, "more than 1 s of sound before its time"),
        (DEAF, "real", 0.4, "has read nothing for 0 s"),
    ],
)
def test_a_system_that_keeps_to_no_pace_is_refused(code, pace, patience_s, reason, monkeypatch):
    """Its threads are gone afterwards."""
    monkeypatch.setattr("datagen.evaluate.piped._PATIENCE_S", patience_s)
    long, n_before = np.tile(HEARD, 20), threading.active_count()
    system = Piped(command(code), RATE, pace, sleep=lambda seconds: None, clock=iter(range(10**6)).__next__)
    with pytest.raises(DatagenError, match=reason):
        answer(system, long, {})
    assert threading.active_count() == n_before


def test_programs_that_a_system_has_started_end_with_it(tmp_path):
    """A shell script waits for its program, which holds the pipes."""
    mark = tmp_path / "pid"
    inner = f"import os\nopen({str(mark)!r}, 'w').write(str(os.getpid()))\n{COPY}"
    script = tmp_path / "serve.sh"
    script.write_text(f"{command(inner)}\necho done\n")
    said = answer(Piped(f"sh {script}", RATE), HEARD, {})
    assert np.abs(said - HEARD).max() < 1 / 32_000
    until(lambda: not alive(int(mark.read_text())))


class FakeLine:
    """A line that answers each piece some pieces later, on a clock that only waiting advances."""

    def __init__(self, delay: int, n_pieces: int = 10**9) -> None:
        self.now_s, self.delay, self.n_pieces = 0.0, delay, n_pieces
        self.heard: list[bytes] = []
        self._arrives: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._wants = threading.Semaphore(0)
        self._written = threading.Semaphore(0)

    def clock(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        self._written.acquire()  # the piece of this step
        due = len(self.heard) - 1 - self.delay
        if 0 <= due < self.n_pieces:
            self._wants.acquire()  # the reader waits
            self._arrives.put(self.heard[due])
            self._wants.acquire()  # it has handed that on, and waits again
            self._wants.release()

    def write(self, data: bytes) -> None:
        self.heard.append(data)
        self._written.release()

    def read(self) -> bytes:
        self._wants.release()
        return self._arrives.get()

    def close(self, wait_s: float = 0.0) -> str:
        self._arrives.put(b"")
        return ""

    def release(self) -> None:
        pass


def live(line: FakeLine) -> Piped:
    return Piped("line", RATE, "real", lambda _: line, line.clock, line.sleep)


@pytest.mark.parametrize("delay", [0, 3])
def test_in_real_time_an_answer_is_played_when_it_arrives(delay):
    line = FakeLine(delay)
    said, n = answer(live(line), HEARD, {}), delay * RATE * 80 // 1000
    assert np.abs(said[n:] - HEARD[: len(HEARD) - n]).max() < 1 / 32_000
    assert not said[:n].any()
    assert line.now_s == pytest.approx(2.0)


def test_in_real_time_what_does_not_arrive_is_silence():
    said = answer(live(FakeLine(0, n_pieces=8)), HEARD, {})
    assert said[: 8 * 1920].any() and not said[8 * 1920 :].any()


def test_in_real_time_a_flood_is_not_held():
    class Flood(FakeLine):
        def read(self):
            return bytes(601 * 2 * RATE)

        def sleep(self, seconds):
            self.now_s += seconds
            until(lambda: system._arrived.qsize() == 2)  # the flood, and its end

    line = Flood(0)
    system = live(line)
    with pytest.raises(DatagenError, match="more than 600 s of sound before its time"):
        answer(system, HEARD, {})
