"""Run all predictors on a build, and print or export their findings."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape

from datagen.audit.audited import talks, texts
from datagen.audit.causality import EarlyAnswers, HalfTexts, InterruptionFromText, UnheardReferences
from datagen.audit.finding import Finding, Predictor
from datagen.audit.labels import EventsWithoutTrace, HesitationsAsEndings
from datagen.audit.must_stop import MustStop
from datagen.audit.repetition import CannedTokens, EqualWaveforms, TwinsAcrossSplits
from datagen.audit.silent_codes import SharedNoise, VoiceFromPeriodicity
from datagen.errors import DatagenError
from datagen.shards.manifest import Manifest
from datagen.terminal import table

N_CONVERSATIONS = 5000
"""Approximate maximum number of conversations to read; a larger build is sampled by key."""

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
"""All but `TwinsAcrossSplits`, which reads every dialogue's text."""
_COLUMNS = ("predictor", "verdict", "score", "by chance", "limit", "n", "what it means")


def audit(
    manifest: Manifest, n_conversations: int = N_CONVERSATIONS, tell: Callable[[int], object] = lambda _: None
) -> list[Finding]:
    """Run all predictors on a finished build; of a larger one, on about `n_conversations` of it.

    Args:
        manifest: Of the build.
        n_conversations: Approximate maximum number of conversations to read.
        tell: Called with 1 after each conversation.

    Raises:
        DatagenError: If the output holds no conversations, such as one made by `datagen flatten`.
    """
    if not manifest.tables.get("conversations"):
        raise DatagenError(
            f"{manifest.store.url} contains no conversations to audit; audit the build from which it was flattened"
        )
    predictors = [make() for make in PREDICTORS]
    for talk in talks(manifest, n_conversations):
        for predictor in predictors:
            predictor.add(talk)
        tell(1)
    twins = TwinsAcrossSplits(manifest.n_conversations)
    for text in texts(manifest):
        twins.add(text)
    return [*(predictor.finding() for predictor in predictors), twins.finding()]


def as_json(findings: list[Finding]) -> list[dict[str, Any]]:
    """All fields of all findings."""
    return [asdict(finding) for finding in findings]


def cells(finding: Finding) -> tuple[str, ...]:
    """A finding as a row of a table."""
    values = finding.score, finding.chance, finding.limit
    as_ratio = any(value is not None and value > 1 for value in values)  # a row has one unit
    score, chance, most = (number(value, as_ratio=as_ratio) for value in values)
    limit = "" if finding.limit is None else ("≥ " if finding.at_least else "") + most
    scores = (score, chance, limit)
    return finding.name.replace("_", " "), finding.verdict, *scores, f"{finding.n:,}", finding.meaning


def number(value: float | None, *, as_ratio: bool = False) -> str:
    """A score for a table: a share in percent, or a ratio.

    >>> number(0.123), number(0.0027), number(2.31, as_ratio=True), number(None)
    ('12.3%', '0.27%', '2.31', '–')
    """
    if value is None:
        return "–"
    return f"{value:.2f}" if as_ratio else f"{value:.2%}" if 0 < value < 0.01 else f"{value:.1%}"


def show(findings: list[Finding], printer: Console) -> None:
    """Print a table, then examples and figures of the failed predictors."""
    printer.print(table(_COLUMNS, map(cells, findings)))
    for finding in findings:
        if finding.verdict == "fail":
            printer.print(f"\n[bold]{escape(finding.name.replace('_', ' '))}[/]")
            figures = ", ".join(f"{name.replace('_', ' ')} {figure(value)}" for name, value in finding.figures.items())
            printer.print(escape(figures), style="dim")
            printer.print(table(("dialogue", "example"), ((e.dialogue_id, e.text) for e in finding.examples)))


def title(manifest: Manifest, n_most: int) -> str:
    """The audited build and the part of it that is read."""
    n = manifest.n_conversations
    read = f"{n:,} conversations" if n <= n_most else f"about {n_most:,} of {n:,} conversations, all texts for twins"
    return f"{manifest.store.url}: {read}, {manifest.hours:,.2f} h\n"


def figure(value: float) -> str:
    """A further figure: a share, a time or a count.

    >>> figure(0.25), figure(3.0), figure(1160.4)
    ('0.25', '3', '1,160')
    """
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.2g}"
