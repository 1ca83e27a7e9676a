"""All predictors on one build."""

from collections.abc import Callable

from datagen.audit.canned import CannedTokens
from datagen.audit.early_answers import EarlyAnswers
from datagen.audit.finding import Finding, Predictor
from datagen.audit.half_texts import HalfTexts
from datagen.audit.hesitation_takes import HesitationsAsEndings
from datagen.audit.interruption import InterruptionFromText
from datagen.audit.must_stop import MustStop
from datagen.audit.noise_repeats import SharedNoise
from datagen.audit.periodicity import VoiceFromPeriodicity
from datagen.audit.reading import talks, texts
from datagen.audit.split_twins import TwinsAcrossSplits
from datagen.audit.traces import EventsWithoutTrace
from datagen.audit.unheard import UnheardReferences
from datagen.audit.waveforms import EqualWaveforms
from datagen.errors import DatagenError
from datagen.shards.manifest import Manifest

N_CONVERSATIONS = 5000
"""Conversations read with all their columns, at most about; of more, a keyed choice."""

PREDICTORS: tuple[Callable[[], Predictor], ...] = (
    InterruptionFromText,
    VoiceFromPeriodicity,
    EqualWaveforms,
    SharedNoise,
    UnheardReferences,
    EarlyAnswers,
    CannedTokens,
    EventsWithoutTrace,
    HesitationsAsEndings,
    HalfTexts,
    MustStop,
)
"""All but the one that reads every dialogue's text."""


def audit(manifest: Manifest, n_conversations: int = N_CONVERSATIONS) -> list[Finding]:
    """Try all predictors on a finished build. Reads only.

    Args:
        manifest: Of the build.
        n_conversations: About how many conversations to read; a larger build is sampled by a keyed choice.

    Raises:
        DatagenError: If the output holds no conversations, as one that was flattened anew.
    """
    if not manifest.tables.get("conversations"):
        raise DatagenError(
            f"{manifest.store.url} holds no conversations to audit; audit the build it was flattened from"
        )
    predictors = [make() for make in PREDICTORS]
    for talk in talks(manifest, n_conversations):
        for predictor in predictors:
            predictor.add(talk)
    twins = TwinsAcrossSplits(manifest.n_conversations)
    for text in texts(manifest):
        twins.add(text)
    return [*(predictor.finding() for predictor in predictors), twins.finding()]
