"""The corpus that a recipe names, of two people or of single speakers."""

from collections.abc import Iterator

from datagen.recipe.recordings_config import RecordingsConfig
from datagen.records import Dialogue, Reject
from datagen.sources.recordings.catalogue import Catalogue
from datagen.sources.recordings.layout_of import resolved
from datagen.sources.recordings.librispeech import LibriSpeech
from datagen.sources.recordings.single_speakers import SpeechCorpus
from datagen.sources.recordings.talks import conversations
from datagen.sources.recordings.wenetspeech import WenetSpeech

_SINGLE: dict[str, type[SpeechCorpus]] = {"librispeech": LibriSpeech, "wenetspeech": WenetSpeech}


def open_corpus(config: RecordingsConfig) -> Catalogue | SpeechCorpus:
    """Open a corpus.

    Raises:
        SourceError: If something cannot be read or understood at all.
    """
    config = resolved(config)
    return _SINGLE[config.layout](config) if config.layout in _SINGLE else Catalogue(config)


def records_of(corpus: Catalogue | SpeechCorpus, sample_rate_hz: int) -> Iterator[Dialogue | Reject]:
    """The conversations of a corpus, and rejects, in order."""
    if isinstance(corpus, SpeechCorpus):
        return corpus.conversations(sample_rate_hz)
    return conversations(corpus, sample_rate_hz)
