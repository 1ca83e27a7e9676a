"""One tiny dialogue on the fake engines as readable JSON: `make golden` rewrites `golden.json`.

A line is a cell, or a chunk of a row of chunks, so that a change of the format shows where it is.
"""

import json
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from datagen.shards.manifest import Manifest  # noqa: E402
from tests.run.builds import made, read, talk  # noqa: E402

FILE = Path(__file__).parent / "golden.json"
TALK = talk("Hi, 3 teas.", "Your teas come soon, and then the bill.", "Are the teas hot?", "They are.", id="tea")
OVERRIDES = (
    "timing.barge_in.probability=1",
    "timing.barge_in.families={next_turn: 1, stop_request: 0}",
    "timing.barge_in.at=0.4",
    "timing.barge_in.reaction=150",
    "timing.tail=200",
    "timing.user_fto=300",
    "flatten.tasks=[asr, tts, four_stream, three_stream, two_stream]",
    "engines.tts={name: tone, options: {ms_per_letter: 40}}",
)


def golden(folder: Path) -> str:
    """The build of the dialogue as it stands in the file."""
    out, manifest = made(folder, *OVERRIDES, records=[TALK, talk("What is it?", "```x = 1```", id="code")])
    return (
        json.dumps(_document(out, manifest), indent=1, ensure_ascii=False).replace('"[', "[").replace(']"', "]") + "\n"
    )


def _document(out: Path, manifest: Manifest) -> dict[str, object]:
    flat = manifest.recipe["flatten"]
    n_speech, n_text = flat["speech_chunk_tokens"], flat["text_chunk_tokens"]
    widths = {"three_stream": 2 * n_speech + n_text, "two_stream": 2 * n_speech}
    tables = {name: [_cells(row, widths.get(name)) for row in read(out, name)] for name in manifest.tables}
    named = ("vocabulary", "clock", "silence", "rejects", "digest")
    values = json.loads(manifest.to_json())
    return {**{name: values[name] for name in named}, **tables}


def _cells(row: dict[str, object], width: int | None) -> dict[str, object]:
    """A row with lists of numbers on a line each, those of chunks on a line a chunk."""
    shown: dict[str, object] = {}
    for name, value in row.items():
        if name == "loss_mask":
            value = [int(learned) for learned in value]
        if width and name in ("input_ids", "loss_mask"):
            shown[name] = [str(value[at : at + width]) for at in range(0, len(value), width)]
        elif isinstance(value, list) and all(isinstance(item, int) for item in value):
            shown[name] = str(value)
        elif name == "utterances":
            shown[name] = [_utterance(utterance) for utterance in value]
        else:
            shown[name] = value
    return shown


def _utterance(values: dict[str, object]) -> dict[str, object]:
    words = [f"{w['text']} {w['start_samples']}-{w['end_samples']}" for w in values["words"]]
    lists = {name: str(values[name]) for name in ("text_ids", "spoken_ids", "rest_codes")}
    return {**values, **lists, "words": words}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        FILE.write_text(golden(Path(folder)), "utf-8")
