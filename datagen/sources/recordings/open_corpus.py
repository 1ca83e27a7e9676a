"""The corpus that a recipe names, of two people or of single speakers."""

from datagen.recipe.recordings_config import RecordingsConfig
from datagen.sources.recordings.catalogue import Catalogue
from datagen.sources.recordings.layout_of import resolved
from datagen.sources.recordings.librispeech import LibriSpeech
from datagen.sources.recordings.single_speakers import SpeechCorpus
from datagen.sources.recordings.wenetspeech import WenetSpeech

_SINGLE: dict[str, type[SpeechCorpus]] = {"librispeech": LibriSpeech, "wenetspeech": WenetSpeech}


def open_corpus(config: RecordingsConfig) -> Catalogue | SpeechCorpus:
    """Open a corpus.

    Raises:
        SourceError: If something cannot be read or understood at all.
    """
    config = resolved(config)
    return _SINGLE[config.layout](config) if config.layout in _SINGLE else Catalogue(config)
