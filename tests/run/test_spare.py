"""Processes that are forked in time: they share what is loaded, and end with whoever made them.

Every test runs a program of its own, because only a process without threads may be forked.
"""

import faulthandler
import hashlib
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from datagen.engines.audio import quantize
from datagen.engines.speech_tokens.kmeans import HOP, KMeansTokenizer
from datagen.engines.text_tokens.qwen2 import Qwen2Tokenizer
from datagen.engines.tts.hibari import Hibari
from tests.run.builds import alive, children, until

LOADED: list[str] = []
"""What a program has loaded before it makes processes."""


class Probe:
    """A worker that says how it runs."""

    def about(self) -> dict[str, Any]:
        """Its parent, session, handling of signals and what it shares."""
        handlers = {name: signal.getsignal(getattr(signal, name)) for name in ("SIGINT", "SIGTERM", "SIGHUP")}
        return {
            "parent": os.getppid(),
            "leads": os.getsid(0) == os.getpid(),
            "loaded": list(LOADED),
            "handlers": {name: int(handler) for name, handler in handlers.items()},
            "input": str(Path("/proc/self/fd/0").readlink()),
            "threads": os.environ["OMP_NUM_THREADS"],
        }

    def watch(self) -> None:
        """Begin and end a watch over a step, whose message goes to standard error."""
        faulthandler.dump_traceback_later(60, exit=True)
        faulthandler.cancel_dump_traceback_later()

    def print(self, line: str) -> None:
        """Say something that only a dead worker's log shows."""
        print(line, flush=True)

    def spoken(self, voice: str) -> str:
        """Hash of codes and ids of a sentence that a voice says."""
        speech = Hibari().speak("A sentence for two processes.", voice, 3)
        codes = KMeansTokenizer().encode(quantize(speech.audio)[0][: len(speech.audio) // HOP * HOP])
        ids = Qwen2Tokenizer().encode("A sentence for two processes.")
        return hashlib.sha256(codes.tobytes() + bytes(str(ids), "ascii")).hexdigest()

    def end(self, status: int) -> None:
        """End like an engine that crashes."""
        os._exit(status)


START = """
import json, os, sys, threading
from datagen.interrupt import raise_on_signals
from datagen.run.spare import spares
from datagen.run.supervise import Child, Died, serve
from tests.run import test_spare
from tests.run.builds import alive, children
raise_on_signals()
test_spare.LOADED.append("words")

def made():
    child = Child(test_spare.Probe)
    child.wait()
    return child
"""


def run(program: str) -> list[str]:
    """The lines that a program prints."""
    code = START + textwrap.dedent(program)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, stdin=subprocess.PIPE)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_forked_worker_shares_what_is_loaded_and_is_else_as_a_new_one():
    lines = run("""
        with spares(1, serve):
            forked, new = made(), made()
        for child in (forked, new):
            about = child.call("about")
            print(json.dumps({**about, "parent": about["parent"] == os.getpid()}))
            child.close()
        """)
    forked, new = map(json.loads, lines)
    assert (forked.pop("loaded"), new.pop("loaded")) == (["words"], [])
    assert forked == new
    assert forked["parent"] and forked["leads"] and forked["threads"] == "1" and forked["input"] == os.devnull
    assert forked["handlers"] == {"SIGINT": signal.SIG_IGN, "SIGTERM": signal.SIG_DFL, "SIGHUP": signal.SIG_DFL}


def test_a_process_with_threads_is_not_forked():
    (line,) = run("""
        held = threading.Event()
        threading.Thread(target=held.wait).start()
        with spares(1, serve):
            child = made()
            print(child.call("about")["loaded"])
            child.close()
        held.set()
        """)
    assert line == "[]"


def test_the_death_of_a_forked_worker_is_told_as_that_of_a_new_one():
    lines = run("""
        for n in (1, 0):
            with spares(n, serve):
                child = made()
                child.call("print", "last words")
                try:
                    child.call("end", 7)
                except Died as death:
                    print(death, death.said.strip())
                child.close()
                child = made()
                child.kill()
                try:
                    child.call("about")
                except Died as death:
                    print(death)
                child.close()
        """)
    assert lines == ["ended with status 7 last words", "killed by signal 9"] * 2


def test_a_parent_whose_streams_are_no_files_has_workers_whose_streams_are():
    said = run("""
        import io
        ours = sys.stdout
        sys.stdout = sys.stderr = io.StringIO()  # as in a notebook
        with spares(1, serve):
            child = made()
            assert child.call("about")["loaded"] == ["words"]  # it was forked
            child.call("watch")
            child.call("print", "a line for the log")
            try:
                child.call("end", 7)
            except Died as death:
                print(death, death.said.strip(), file=ours)
    """)
    assert said == ["ended with status 7 a line for the log"]


def test_who_was_not_needed_is_ended():
    lines = run("""
        with spares(3, serve):
            pids = children(os.getpid())
            child = made()
        print(len(pids), sum(map(alive, pids)))
        child.close()
        print(sum(map(alive, pids)))
        """)
    assert lines == ["3 1", "0"]


def test_what_is_loaded_before_a_fork_starts_no_thread():
    """But those of two libraries when they are imported: of Arrow's allocator, which begins it anew, and of
    onnxruntime, which sessions of one thread do not use."""
    (line,) = run("""
        import datagen, numpy, onnxruntime, pyarrow
        from datagen.run.worker import warm_up
        recipe = datagen.load_recipe("quickstart", ["select.languages=[en,zh,de]"])
        before = len(os.listdir("/proc/self/task"))
        warm_up(recipe)
        loaded = [name in sys.modules for name in ("datagen.text.european", "scipy.fft", "scipy.special")]
        print(len(os.listdir("/proc/self/task")) - before, all(loaded))
        """)
    assert line == "0 True"


def test_what_every_worker_needs_is_loaded_before_the_fork_for_any_engines():
    (line,) = run("""
        import datagen
        from datagen.run.worker import warm_up
        warm_up(datagen.load_recipe("fake"))
        print({"scipy.fft", "scipy.special"} <= sys.modules.keys())
        """)
    assert line == "True"


def test_engines_that_were_loaded_before_the_fork_say_the_same_in_it():
    here, forked, again = run("""
        import datagen
        from datagen.run.worker import warm_up
        warm_up(datagen.load_recipe("quickstart"))
        with spares(2, serve):
            first, second = made(), made()
        print(test_spare.Probe().spoken("heart"))
        print(first.call("spoken", "heart"))
        print(second.call("spoken", "heart-f1"), test_spare.Probe().spoken("heart-f1"))
        first.close()
        second.close()
        """)
    assert here == forked
    shade, same = again.split()
    assert shade == same != here


@pytest.mark.parametrize("n_needed", [0, 1, 3])
def test_all_end_with_their_parent_however_it_ends(n_needed):
    code = START + textwrap.dedent(f"""
        with spares(3, serve):
            kept = [made() for _ in range({n_needed})]
            print("ready", flush=True)
            sys.stdin.read()
        """)
    program = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert program.stdout and program.stdout.readline() == b"ready\n"
    pids = children(program.pid)
    assert len(pids) == 3
    program.kill()
    program.communicate()
    until(lambda: not any(map(alive, pids)))
