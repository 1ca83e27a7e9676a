"""A signal ends a run, even if a library swallows its exception; it never decides a record."""

import signal
import subprocess
import sys
import threading

import pytest

from datagen import interrupt
from datagen.interrupt import EndedError, raise_if_ended, remembered
from datagen.pipeline.step import apply
from datagen.records import Dialogue, Turn

TALK = Dialogue("d", (Turn("user", "Hi."), Turn("assistant", "Hello.")), "x.jsonl", "en", 0)


def swallows(item):
    """As a C library does that calls Python back: the exception is lost, and the call fails in another way."""
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        raise AssertionError from None
    return item


def hides(item):
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        return item


@pytest.mark.parametrize("stage", [swallows, hides])
def test_an_interrupt_that_a_library_swallows_decides_no_record(stage):
    with remembered(), pytest.raises(EndedError, match="SIGINT"):
        apply("speak", stage, TALK)


def test_an_interrupt_is_forgotten_with_the_run():
    with remembered(), pytest.raises(EndedError):
        signal.raise_signal(signal.SIGINT)
    raise_if_ended()
    assert apply("speak", lambda item: item, TALK) == TALK
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("swallowed", [False, True])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_command_ends_with_the_status_of_the_signal(number, swallowed):
    code = f"""
import os, sys
from datagen import cli
from datagen.shards import manifest

def load(store):
    try:
        os.kill(os.getpid(), {int(number)})
    except KeyboardInterrupt:
        if {swallowed}:
            raise AssertionError from None
        raise

manifest.Manifest.load = load
sys.argv = ["datagen", "check", "out"]
cli.main()
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr.strip().split(".")[0]) == (128 + number, "Stopped")


def test_a_handler_of_the_callers_stays():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with remembered():
            assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_have_no_signals():
    failed: list[BaseException] = []

    def run():
        try:
            with remembered():
                pass
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert failed == []
    assert interrupt._ended == 0
