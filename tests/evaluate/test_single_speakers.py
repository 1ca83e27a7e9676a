"""Word errors on builds from corpora in the layouts of LibriSpeech and WenetSpeech, of their official test parts."""

import pytest

import datagen
from datagen.evaluate.measures import Measures
from datagen.evaluate.recognition import SOUND, TOKENS
from datagen.evaluate.utterances import utterances
from datagen.run.build import build
from tests.evaluate.test_recorded import Knowing
from tests.recordings.single_corpora import HEARD, librispeech, single_recipe, wenetspeech


@pytest.mark.parametrize(
    ("layout", "language", "column", "n_units", "ids"),
    [
        ("librispeech", "en", "WER en", 10, ["61-70968-0000", "61-70968-0001"]),
        ("wenetspeech", "zh", "CER zh", 4, ["TEST_NET_Y01_S00000"]),
    ],
)
@pytest.mark.parametrize("task", ["asr", "tts"])
def test_the_official_test_part_is_scored(tmp_path, layout, language, column, n_units, ids, task):
    """The recognizer leaves out a character of each utterance: a word, or a character."""
    write = {"librispeech": librispeech, "wenetspeech": lambda folder: wenetspeech(folder, HEARD)}[layout]
    recipe = single_recipe(write(tmp_path / "corpus"), "mix.keep_audio=true", language=language)
    build(recipe, str(tmp_path / "out"))
    made = datagen.open(str(tmp_path / "out"))
    held = list(utterances(made.manifest, task))
    assert [u.dialogue_id for u in held] == ids
    texts = {len(u.sound): made.text_tokenizer.decode(u.text_ids.tolist()) for u in held}
    assert len(texts) == len(ids)
    (table,) = getattr(Measures(made, asr_engine=lambda: Knowing(texts)), task)()
    for row in (SOUND, TOKENS):
        cell = table.cell(row, column)
        assert (cell.n, round(cell.value * cell.n)) == (n_units, len(ids))
