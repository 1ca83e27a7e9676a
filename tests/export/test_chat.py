"""Chat messages, and the clips of their turns."""

import itertools
import json

import datasets
import numpy as np
import pytest
import soundfile

from datagen.errors import DatagenError
from datagen.records import SPLITS
from tests.export.conftest import send
from tests.run.builds import made


def lines_of(folder):
    return [json.loads(line) for line in (folder / "data.jsonl").read_text("utf-8").splitlines()]


def test_turns_alternate_and_each_clip_is_what_the_speaker_says_then(out, output, tmp_path):
    send(out, tmp_path / "to", preset="ms-swift", user_rate_hz=0, assistant_rate_hz=0, kinds={"aside": "drop"})
    for split in SPLITS:
        folder = tmp_path / "to" / split
        lines = lines_of(folder)
        assert sorted(line["id"] for line in lines) == sorted(t.dialogue_id for t in output.conversations(split))
        for line in lines:
            talk = output.conversation(line["id"])
            roles = [message["role"] for message in line["messages"]]
            assert all(a != b for a, b in itertools.pairwise(roles))
            assert roles.count("user") == len(line["audios"]) > 0
            assert [m["content"] for m in line["messages"] if m["role"] == "user"] == ["<audio>"] * roles.count("user")
            for turn in line["turns"]:
                samples, _ = soundfile.read(folder / turn["audio"], dtype="int16")
                first, last = round(turn["start"] * 24_000), round(turn["end"] * 24_000)
                channel = ["user", "assistant"].index(turn["role"])
                assert np.array_equal(samples, talk.audio.samples[first:last, channel])
            assert [t["text"] for t in line["turns"] if t["role"] == "assistant"] == [
                m["content"] for m in line["messages"] if m["role"] == "assistant"
            ]


def test_datasets_reads_the_lines(out, tmp_path):
    send(out, tmp_path / "to", "chat")
    rows = datasets.load_dataset("json", data_files=str(tmp_path / "to" / "train" / "data.jsonl"), split="train")
    assert set(rows.column_names) == {"messages", "audios", "id", "language", "turns"}


def test_a_system_prompt_is_the_first_message_and_is_not_spoken(tmp_path):
    system = "You are a ship's cook."
    turns = [("system", system), ("user", "What is for dinner?"), ("assistant", "There is soup, and bread.")]
    record = {"id": "cook", "turns": [{"role": role, "text": text} for role, text in turns]}
    folder, _ = made(tmp_path, "mix.keep_audio=true", records=[record])
    send(folder, tmp_path / "to", "chat")
    (line,) = [line for split in SPLITS for line in lines_of(tmp_path / "to" / split)]
    assert line["messages"][0] == {"role": "system", "content": system}
    assert [turn["role"] for turn in line["turns"]] == ["user", "assistant"]


def test_speech_without_the_floor_cannot_be_a_turn(out, tmp_path):
    with pytest.raises(DatagenError, match="a chat has only turns: use --kind backchannel=drop or"):
        send(out, tmp_path / "to", "chat", kinds={"backchannel": "tag"})
