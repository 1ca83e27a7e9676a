"""A signal ends a run, even if a library swallows its exception; it never decides a record."""

import os
import signal
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
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        raise AssertionError from None
    return item


def hides(item):
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        return item


@pytest.mark.parametrize("stage", [swallows, hides])
def test_an_interrupt_that_a_library_swallows_decides_no_record(stage):
    with remembered(), pytest.raises(EndedError, match="SIGINT"):
        apply("speak", stage, TALK)


def test_an_interrupt_is_forgotten_with_the_run():
    with remembered(), pytest.raises(EndedError):
        os.kill(os.getpid(), signal.SIGINT)
    raise_if_ended()
    assert apply("speak", lambda item: item, TALK) == TALK
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


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
