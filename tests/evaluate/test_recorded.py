"""Measures of a build from recordings in Chinese, with a recognizer that knows each sound."""

import numpy as np
import pytest

import datagen
from datagen.engines.base import ASR, EngineInfo
from datagen.evaluate.measures import Measures
from datagen.evaluate.recognition import SOUND, TOKENS
from datagen.evaluate.sound import LABELS, TRUTH
from datagen.evaluate.utterances import utterances
from datagen.run.build import build
from tests.recordings.corpus import TALK, recipe_of, write_calls

CHINESE = tuple(
    (channel, start, end, text)
    for (channel, start, end, _), text in zip(
        TALK,
        ("现在听得见我吗？", "听得见你的声音很清楚", "嗯", "而且时间不早了。", "那我明天再打过来。", "好的没有问题。"),
        strict=True,
    )
)
"""The same times in another language."""
ALL_TASKS = "flatten.tasks=[asr, tts, four_stream, three_stream, two_stream]"


class Knowing(ASR):
    """A fake recognizer that hears the words of the utterance whose sound is as long, without its last character."""

    info, sample_rate_hz, languages = EngineInfo("knowing", "1", "none", "all"), 24_000, ("en", "zh")

    def __init__(self, texts: dict[int, str]) -> None:
        self.texts, self.asked = texts, set()

    def transcribe(self, audio, language):
        self.asked.add(language)
        return self.texts.get(len(audio), "")[:-1]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recorded")
    calls = {f"call{k}": (CHINESE, 11.0, (f"a{k}", f"b{k}")) for k in range(3)}
    write_calls(folder / "corpus", calls)
    splits = "splits={validation: 0, test: 0, keep_together: null, min_dialogues: 0}"
    recipe = recipe_of(folder / "corpus", "mix.keep_audio=true", ALL_TASKS, splits, language="zh")
    build(recipe, str(folder / "out"))
    return datagen.open(str(folder / "out"))


@pytest.fixture(scope="module")
def engine(recorded):
    texts = {
        len(u.sound): recorded.text_tokenizer.decode(u.text_ids.tolist())
        for task in ("asr", "tts")
        for u in utterances(recorded.manifest, task, "train")
    }
    return Knowing(texts)


@pytest.mark.parametrize("task", ["asr", "tts"])
def test_errors_of_chinese_are_those_of_characters(recorded, engine, task):
    (table,) = getattr(Measures(recorded, split="train", asr_engine=lambda: engine), task)()
    (column,) = table.columns
    assert (column.name, column.of) == ("CER zh", "characters")
    held = list(utterances(recorded.manifest, task, "train"))
    n_characters = sum(sum(map(str.isalpha, engine.texts[len(u.sound)])) for u in held)
    for row in (SOUND, TOKENS):
        cell = table.cell(row, "CER zh")
        assert cell.n == n_characters > 3 * len(held) > 9
        assert 0 < cell.value <= len(held) / n_characters
    assert engine.asked == {"zh"}


def test_turns_are_scored_from_tokens_and_from_sound(recorded):
    measures = Measures(recorded, split="train")
    turns = {table.name: table for table in measures.turns()}
    sound = {table.name: table for table in measures.sound()}
    n = turns["turns_assistant"].cell(LABELS, "in@25").n
    assert n > 5
    assert turns["turns_assistant"].cell(LABELS, "in@25").value == 1
    assert sound["sound_assistant"].cell(TRUTH, "in@25").n == n
    assert sound["sound_assistant"].cell("silent", "in@25").value == 0
    assert np.isfinite(sound["turns_agreement"].cell(LABELS, "median size").value)


def test_first_replies_are_found(recorded, engine):
    measures = Measures(recorded, split="train", asr_engine=lambda: engine)
    found = measures.exchanges()
    assert {(each.language, each.user) for each in found} == {("zh", "现在听得见我吗？")}
    assert {each.reply for each in found} == {"听得见你的声音很清楚 而且时间不早了。"}
