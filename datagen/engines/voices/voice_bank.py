"""A voice bank: the best recording of each speaker, checked."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from operator import attrgetter
from pathlib import Path

import numpy as np

from datagen import seeds
from datagen.engines.audio import decode
from datagen.engines.base import Voice
from datagen.engines.voices import recordings
from datagen.engines.voices.recordings import Recording, ReferenceRecording
from datagen.engines.voices.voice_checks import Measures, RecordingLimits, faults, fitness, measure
from datagen.errors import EngineError
from datagen.faults import cannot

_TABLES = (".csv", ".tsv")
_CANDIDATES = 8
"""Recordings of one voice in a directory that are measured, of those of one rank; corpora have hundreds."""
_HEADERS = 64
"""Recordings whose length is read for that, spread evenly over all of the rank."""


@dataclass(frozen=True)
class Verdict:
    """A voice that was found, and whether it can be used."""

    voice: Voice
    path: Path
    transcript: str
    measures: Measures | None = None
    """None if the file cannot be read."""
    faults: tuple[str, ...] = ()
    """Empty for one that can be used."""


@dataclass(frozen=True)
class Bank(Mapping[str, ReferenceRecording]):
    """Voices by name, in a fixed order."""

    references: Mapping[str, ReferenceRecording]
    skipped: tuple[Verdict, ...] = field(default=(), compare=False)
    """Voices that were found and cannot be used."""

    @property
    def digest(self) -> str:
        """Digest of the bank for an engine's version: two nodes with different recordings differ.

        12 hexadecimal digits that depend on the voices in their order, the bytes of their recordings and transcripts.
        """
        told = (f"{name}:{r.voice.source_sha256}:{r.transcript}" for name, r in self.items())
        return f"{seeds.digest(*told):032x}"[:12]

    def __getitem__(self, name: str) -> ReferenceRecording:
        return self.references[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.references)

    def __len__(self) -> int:
        return len(self.references)


def load_bank(
    path: str | Path,
    limits: RecordingLimits | None = None,
    languages: Sequence[str] = ("en",),
    licence: str = "unknown",
) -> Bank:
    """Read a voice bank: a directory of recordings, or a CSV or TSV of them (see `recordings`).

    A directory gives the voices that can be used, in order of their names; the others are `skipped`. A table was
    written by hand, so it must be right in every row; its voices keep the order of its rows.

    Args:
        path: The directory or table.
        limits: What a reference must be like.
        languages: ISO 639-1 codes of speakers of whom nothing says it.
        licence: Of recordings of which nothing says it.

    Raises:
        EngineError: If nothing can be used, or the table is wrong; names every file, its fault and the fix.
    """
    verdicts = survey(path, limits, languages, licence)
    good = {v.voice.name: ReferenceRecording(v.voice, v.path, v.transcript) for v in verdicts if not v.faults}
    bad = tuple(verdict for verdict in verdicts if verdict.faults)
    if bad and (not good or Path(path).suffix.lower() in _TABLES):
        lines = "".join(f"\n  {verdict.voice.source}: {'; '.join(verdict.faults)}" for verdict in bad)
        raise EngineError(f"voice bank {path}: {len(bad)} of {len(verdicts)} voices are unusable:{lines}")
    return Bank(good, bad)


def survey(
    path: str | Path,
    limits: RecordingLimits | None = None,
    languages: Sequence[str] = ("en",),
    licence: str = "unknown",
) -> list[Verdict]:
    """Every voice of a bank with what is measured of its best recording; arguments as of `load_bank`.

    Raises:
        EngineError: If there is no such bank, or a table is malformed; names every fault.
    """
    given, limits = Path(path), limits or RecordingLimits()
    is_table = given.suffix.lower() in _TABLES
    if is_table:
        found, wrong = recordings.read_table(given, tuple(languages), licence)
        if wrong:
            raise EngineError(f"voice bank {path}: {len(wrong)} faults:" + "".join(f"\n  {line}" for line in wrong))
    elif given.is_dir():
        found = sorted(recordings.find(given, tuple(languages), licence), key=attrgetter("voice"))
    else:
        raise EngineError(
            f"voice bank {path}: there is no such directory, and no .csv or .tsv of this name; check the path"
        )
    if not found:
        raise EngineError(
            f"voice bank {path}: it contains no recordings; name another folder or table (docs/voices.md)"
        )
    by_voice: dict[str, list[Recording]] = {}
    for recording in found:
        by_voice.setdefault(recording.voice, []).append(recording)
    choose = _of_rows if is_table else _best
    return _distinct([choose(group, limits) for group in by_voice.values()])


def write_table(path: str | Path, verdicts: Sequence[Verdict]) -> None:
    """Write voices as a table, which `load_bank` reads without looking through all their other recordings.

    Raises:
        EngineError: If it is no .csv or .tsv, or cannot be written.
    """
    if Path(path).suffix.lower() not in _TABLES:
        raise EngineError(f"{path}: the name must end in .csv or .tsv")
    try:
        recordings.write_rows(Path(path), [(verdict.voice, verdict.path, verdict.transcript) for verdict in verdicts])
    except OSError as error:
        raise EngineError(cannot("write", path, error)) from error


def _best(group: Sequence[Recording], limits: RecordingLimits) -> Verdict:
    """The recording that serves a voice best: what is said is known, the length is best, the noise is least.

    Dialects and recordings without a transcript are looked at only where nothing else can be used.
    """
    worst: list[Verdict] = []
    for _, peers in groupby(sorted(group, key=_rank), key=_rank):
        judged = [_judge(recording, limits) for recording in _candidates(list(peers), limits)]
        if good := [verdict for verdict in judged if not verdict.faults]:
            return min(good, key=lambda verdict: _order(verdict, limits))
        worst += judged
    return min(worst, key=lambda verdict: len(verdict.faults))


def _of_rows(group: Sequence[Recording], limits: RecordingLimits) -> Verdict:
    """The row of a table that serves a voice best, with the faults of all its rows."""
    judged = [(_rank(row), _judge(row, limits)) for row in group]
    _, best = min(judged, key=lambda one: (bool(one[1].faults), one[0], _order(one[1], limits)))
    others = (f"{v.voice.source}: {fault}" for _, v in judged if v is not best for fault in v.faults)
    return replace(best, faults=(*best.faults, *others))


def _rank(recording: Recording) -> tuple[bool, bool]:
    return recording.last, not recording.transcript


def _order(verdict: Verdict, limits: RecordingLimits) -> tuple[float, float, str]:
    found = verdict.measures
    return (fitness(found.seconds, limits), -round(found.snr_db, 1), verdict.voice.source) if found else (0, 0, "")


def _candidates(peers: list[Recording], limits: RecordingLimits) -> list[Recording]:
    """The few that are measured: of some spread over all, those whose headers promise the best length."""
    if len(peers) <= _CANDIDATES:
        return peers
    spread = [peers[k * len(peers) // _HEADERS] for k in range(_HEADERS)] if len(peers) > _HEADERS else peers
    return sorted(spread, key=lambda recording: fitness(_seconds(recording.path), limits))[:_CANDIDATES]


def _seconds(file: Path) -> float:
    """Length by the header; of what libsndfile can't read, none."""
    import soundfile

    try:
        return float(soundfile.info(file).duration)
    except soundfile.SoundFileError:
        return 0.0


def _judge(recording: Recording, limits: RecordingLimits) -> Verdict:
    r = recording
    voice = Voice(r.voice, r.speaker, r.languages, r.licence, r.sex, r.source, note=r.note)
    verdict = Verdict(voice, r.path, r.transcript)
    try:
        sha256 = hashlib.sha256(r.path.read_bytes()).hexdigest()
        verdict = replace(verdict, voice=replace(voice, source_sha256=sha256))
        audio, rate_hz = decode(r.path)
    except (OSError, EngineError) as error:
        return replace(verdict, faults=(f"{error}; give another file",))
    if not len(audio):
        return replace(verdict, faults=("it holds no sound; give another file",))
    if not np.isfinite(audio).all():
        return replace(verdict, faults=("it holds numbers that are no sound; give another file",))
    found = measure(audio, rate_hz)
    unknown = limits.transcript and not r.transcript
    wrong = (*faults(found, limits), *(("its transcript is missing; add it",) if unknown else ()))
    return replace(verdict, measures=found, faults=wrong)


def _distinct(verdicts: list[Verdict]) -> list[Verdict]:
    """Add a fault to recordings that are given as several speakers."""
    speakers: dict[str, set[str]] = {}
    for verdict in verdicts:
        speakers.setdefault(verdict.voice.source_sha256, set()).add(verdict.voice.speaker)
    return [
        replace(v, faults=(*v.faults, f"the same recording is given as {', '.join(sorted(several))}; keep one"))
        if len(several := speakers[v.voice.source_sha256]) > 1
        else v
        for v in verdicts
    ]
