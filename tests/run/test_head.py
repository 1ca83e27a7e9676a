"""A head that stops answering is reported before Ray ends the driver without a word."""

import socket

from datagen.run.ray import head_watched
from tests.run.builds import until


def test_a_head_that_falls_silent_and_returns_is_reported_once_each():
    lines: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as head:
        address = "127.0.0.1:{}".format(head.getsockname()[1])
        port = head.getsockname()[1]
    with head_watched(address, lines.append, every=0.01):
        until(lambda: lines)
        with socket.create_server(("127.0.0.1", port), reuse_port=False):
            until(lambda: len(lines) == 2)
    assert f"the head of the cluster at {address} does not answer" in lines[0]
    assert "run the same command again to resume" in lines[0]
    assert lines[1] == f"the head of the cluster at {address} answers again"


def test_a_head_that_answers_is_not_mentioned():
    lines: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as head:
        with head_watched("127.0.0.1:{}".format(head.getsockname()[1]), lines.append, every=0.01):
            for _ in range(9):
                head.accept()[0].close()
    assert lines == []
