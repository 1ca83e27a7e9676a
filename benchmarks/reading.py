"""Records read per second of CPU time, by shape; the records are made up."""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from common import show

from datagen.sources import read

WORDS = "The library opens at nine and the reading room is on the second floor, past the stairs. "


def _chat(role: str, text: str, names: tuple[str, str], i: int) -> list[dict[str, str]]:
    return [{role: names[k % 2], text: f"{i}.{k} {WORDS}"} for k in range(4)]


SHAPES: dict[str, Callable[[int], dict[str, object]]] = {
    "turns": lambda i: {"turns": _chat("role", "text", ("user", "assistant"), i)},
    "messages": lambda i: {"messages": _chat("role", "content", ("user", "assistant"), i)},
    "sharegpt": lambda i: {"conversations": _chat("from", "value", ("human", "gpt"), i)},
    "ultrachat": lambda i: {"data": [turn["text"] for turn in _chat("role", "text", ("", ""), i)]},
    "alpaca": lambda i: {"instruction": f"{i} {WORDS}", "input": "", "output": WORDS * 5},
    "prompt_completion": lambda i: {"prompt": f"{i} {WORDS}", "completion": WORDS * 5},
}


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=20_000)
    n_records = parser.parse_args().records
    with tempfile.TemporaryDirectory() as folder:
        for name, record in SHAPES.items():
            path = Path(folder) / f"{name}.jsonl"
            path.write_text("\n".join(json.dumps(record(i)) for i in range(n_records)))
            begin = time.process_time()
            n_read = sum(1 for _ in read(str(path)))
            show(f"records of the shape {name}", n_read / (time.process_time() - begin), "per CPU second")


if __name__ == "__main__":
    main()
