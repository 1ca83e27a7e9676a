"""A report as one HTML file with its styles, its script and its sound."""

from base64 import b64encode
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timezone
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jinja2
from markupsafe import Markup

from datagen.evaluate.tables import Document
from datagen.inspect.rows import event_meaning, event_name
from datagen.measure.charts import Chart, span, strip
from datagen.measure.timing_report import number, words
from datagen.records import EVENTS, SPLITS, TRANSFERS
from datagen.report.choice import FIRST
from datagen.shards.manifest import Manifest
from datagen.terminal import counted

_LONGEST_TEXT = 600
"""Most characters shown of a reject's text."""
_N_VOICES = 12
LEAST_TRANSFERS = 30
"""Fewer changes of the floor are not compared with human ranges."""
_SCRIPTS = ("page.js", "sound.js", "timeline.js", "player.js")
"""Run as one, in this order."""
_FIGURES = {
    "fto_median_ms": "Floor-transfer offset, median",
    "fto_mean_ms": "Floor-transfer offset, mean",
    "fto_mode_ms": "Floor-transfer offset, most frequent",
    "fto_below_200_share": "Transfers before 200 ms",
    "fto_below_500_share": "Transfers before 500 ms",
    "user_fto_median_ms": "Offset to the user, median",
    "user_fto_below_200_share": "Transfers to the user before 200 ms",
    "user_fto_below_500_share": "Transfers to the user before 500 ms",
    "user_overlap_of_transfers_share": "Transfers to the user that overlap",
    "gap_median_ms": "Gap, median",
    "overlap_mode_ms": "Overlap, most frequent length",
    "overlap_below_1000_share": "Overlaps shorter than 1 s",
    "overlap_of_signal_share": "Overlap, of all time",
    "overlap_of_speech_share": "Overlap, of all speech time",
    "overlap_of_transfers_share": "Transfers that overlap",
    "backchannels_a_minute": "Backchannels per minute",
}
"""Titles of the figures with a published human range."""


@dataclass(frozen=True)
class Content:
    """The content of a page."""

    manifest: Manifest
    place: str
    """Path or URL of the build."""
    built_at: int | None
    """End of its last unit, in seconds since 1970."""
    survey: dict[str, Any] | None
    """Hours, languages, splits, voices; None if the output has no conversations (`datagen flatten`)."""
    timing: dict[str, Any] | None
    """From `datagen.measure.timing_report.as_json`."""
    timing_charts: list[Chart]
    """Against the profile."""
    human_charts: list[Chart]
    """Against published ranges of human conversation."""
    codes: dict[str, dict[str, Any]]
    tasks: dict[str, dict[str, Any]]
    token_charts: list[Chart]
    length_charts: list[Chart]
    audit: list[tuple[str, ...]]
    """Findings as rows of a table: see `datagen.audit.audit.cells`."""
    rejects: list[dict[str, Any]]
    talks: list[dict[str, Any]]
    """Conversations of the player."""
    mute: str
    """Reason why tokens cannot be decoded here; empty if they can."""
    scores: Document | None = None
    """Tables of `datagen evaluate`."""


def render(content: Content) -> str:
    """The page as HTML."""
    from datagen.recipe import stored

    environment = _environment()
    environment.filters |= {
        "n": lambda value: f"{value:,}",
        "percent": percent,
        "bytes": size,
        "hours": hours,
        "duration": duration,
        "short": shorten,
        "label": lambda kind: event_name(kind, ""),
        "words": words,
        "score": lambda value, of: (
            percent(value) if of.endswith("rate") else f"{value:,.2f}" if value < 10 else f"{value:,.0f}"
        ),
    }
    return environment.get_template("page.html.j2").render(
        c=content,
        folder=content.place.rstrip("/").rpartition("/")[2] or content.place,
        v=content.manifest,
        recipe=stored(content.manifest.recipe).to_yaml(),
        built=content.built_at and datetime.fromtimestamp(content.built_at, timezone.utc),
        **_assets(),
        lines=lines(content),
        scores=[Markup(each.html()) for each in content.scores.tables] if content.scores else [],  # noqa: S704 escaped
        figures=_figures(content.timing) if content.timing else [],
        others=_others(content.timing) if content.timing else [],
        parts=_parts(content.timing) if content.timing else None,
        events={kind: event_meaning(kind) for kind in EVENTS},
        voices=_voices(content.survey) if content.survey else [],
        order=lambda splits: sorted(splits.items(), key=lambda item: (*SPLITS, item[0]).index(item[0])),
        picks=[_pick(talk) for talk in content.talks],
    )


def render_player(talk: dict[str, Any], title: str, note: str) -> str:
    """A page with the player alone, for one conversation.

    Args:
        talk: As `datagen.report.player` makes them.
        title: Heading of the page.
        note: What it shows.
    """
    return _environment().get_template("live.html.j2").render(talk=talk, title=title, note=note, **_assets())


def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("datagen.report", "template"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _assets() -> dict[str, str]:
    """Style and script of every page, and the policy that allows nothing else."""
    template = Path(__file__).parent / "template"
    style = (template / "report.css").read_text("utf-8")
    script = "\n".join((template / name).read_text("utf-8") for name in _SCRIPTS)
    safe = {"style": Markup(style), "script": Markup(script)}  # noqa: S704 our own files
    return {"policy": policy(style, script), **safe}


def lines(c: Content) -> dict[str, str]:
    """One line of summary for the page and for each of its sections."""
    m, n_tokens = c.manifest, sum(task["n_tokens"] for task in c.tasks.values())
    n_of_split = {name: n for name, (n, _) in c.survey["splits"].items()} if c.survey else {}
    used = [f"{role} {use['n_used']:,} of {use['codebook_size']:,} codes" for role, use in c.codes.items()]
    rejected = f"{m.n_rejects:,} of {m.n_records:,} records" if m.n_rejects else "none"
    languages = ", ".join(shorten(name, 12) for name in (c.survey["languages"] if c.survey else ()))
    parts = [
        f"{hours(m.hours)} of conversation{f' ({languages})' if languages else ''} in {m.n_conversations:,} dialogues",
        f"{n_tokens:,} tokens in {len(c.tasks)} tasks",
        f"rejects: {rejected}",
        f"audit: {_verdicts(c)}" if c.audit else "",
    ]
    return {
        "summary": "; ".join(filter(None, parts)) + ".",
        "contents": ", ".join(f"{name} {n_of_split[name]:,}" for name in SPLITS if name in n_of_split),
        "timing": _within(c.timing) if c.timing else "",
        "tokens": ", ".join(used),
        "audit": _verdicts(c),
        "scores": counted(len(c.scores.tables), "table") + f" of {c.scores.split} rows" if c.scores else "",
        "rejects": rejected,
        "origin": f"datagen {m.datagen}, digest {m.digest[:12]}",
    }


def _verdicts(c: Content) -> str:
    """Findings by verdict, the failures by name."""
    failed = [name for name, verdict, *_ in c.audit if verdict == "fail"]
    counts = Counter(verdict for _, verdict, *_ in c.audit)
    few, others = counts["not enough data"], counts["not applicable"]
    parts = [
        f"{', '.join(failed)} failed" if failed else "",
        f"{counts['pass']} pass{'es' * (counts['pass'] == 1)}",
        f"{few} {'has' if few == 1 else 'have'} too little data" if few else "",
        f"{others} {'does' if others == 1 else 'do'} not apply" if others else "",
    ]
    return ", ".join(filter(None, parts))


def _within(timing: dict[str, Any]) -> str:
    """The median offset, and the number of figures in their published human range."""
    median = number("fto_median_ms", timing["figures"]["fto_median_ms"]["value"])
    if (n := timing["durations"]["fto"]["n"]) < LEAST_TRANSFERS:
        return (
            f"median offset {median}; {counted(n, 'transfer')}: fewer than {LEAST_TRANSFERS} are no sample to compare"
        )
    known = [figure["inside"] for figure in timing["figures"].values() if figure["inside"] is not None]
    return f"median offset {median}; {sum(known)} of {len(known)} figures lie in their published human range"


def policy(style: str, script: str) -> str:
    """Content security policy of the page: this script, this style, and nothing to load."""

    def source(text: str) -> str:
        return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"

    return (
        f"default-src 'none'; script-src {source(script)}; style-src {source(style)}; img-src data:; base-uri 'none'; "
        "form-action 'none'; require-trusted-types-for 'script'"
    )


def _figures(timing: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for name, title in _FIGURES.items():
        figure = timing["figures"][name]
        human, value = figure["human"], figure["value"]
        range_ = f"{number(name, human['low'])} to {number(name, human['high'])}"
        found.append(
            {
                "title": title,
                "value": number(name, value),
                "range": range_,
                "inside": figure["inside"] if timing["durations"]["fto"]["n"] >= LEAST_TRANSFERS else None,
                "source": human["source"],
                "svg": value is not None
                and span(f"{number(name, value)}, human {range_}", value, human["low"], human["high"]),
            }
        )
    return found


def _others(timing: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (words(name), number(name, figure["value"]))
        for name, figure in timing["figures"].items()
        if name not in _FIGURES
    ]


def _parts(timing: dict[str, Any]) -> dict[str, Any]:
    named = [(f"part-{name}", name, share) for name, share in timing["parts_share"].items()]
    return {
        "svg": strip("Share of the time by who speaks", [(css, share) for css, _, share in named]),
        "key": [(css, name, percent(share)) for css, name, share in named],
    }


def _voices(survey: dict[str, Any]) -> list[dict[str, Any]]:
    """Number of voices by role, and those with the most speech."""
    found = []
    for role in ("user", "assistant"):
        heard = Counter({voice: n for (whose, voice), n in survey["voices"].items() if whose == role and n})
        top = heard.most_common(_N_VOICES)
        most = top[0][1] if top else 1
        shown = [{"name": name, "hours": n / survey["rate_hz"] / 3600, "share": n / most} for name, n in top]
        found.append({"role": role, "n": len(heard), "shown": shown, "n_more": len(heard) - len(shown)})
    return found


def _pick(talk: dict[str, Any]) -> dict[str, Any]:
    """A conversation in the list, with its events by kind, floor transfers left out."""
    events = [event for event in talk["events"] if event["kind"] not in TRANSFERS]
    events.sort(key=lambda event: (*FIRST, event["kind"]).index(event["kind"]))
    kinds = Counter(event["label"] for event in events)
    facts = {name: talk[name] for name in ("id", "split", "language", "n_ms", "total_ms")}
    is_excerpt = talk["n_ms"] < talk["total_ms"]
    return {**facts, "is_excerpt": is_excerpt, "kinds": list(kinds.items()), "link": link(talk)}


def link(talk: dict[str, Any]) -> str:
    """Fragment of the page's address that opens a conversation of the player at its event.

    >>> link({"id": "tea & milk", "first_ms": 60_000, "opens_ms": 2_340})
    'conversation=tea+%26+milk&t=62.3'
    """
    seconds = (talk["first_ms"] + talk["opens_ms"]) / 1000
    return urlencode({"conversation": talk["id"], "t": f"{seconds:.1f}"}, errors="replace")


def percent(share: float | None) -> str:
    """A share for a table.

    >>> percent(0.1234), percent(0.00002), percent(1), percent(None)
    ('12.3%', '<0.1%', '100%', '–')
    """
    if share is None:
        return "–"
    if share in (0, 1):
        return f"{share:.0%}"
    return f"{share:.1%}" if share >= 0.0005 else "<0.1%"


def size(n_bytes: int) -> str:
    """Bytes in a readable unit.

    >>> size(999), size(48_816_154)
    ('999 B', '48.8 MB')
    """
    value, unit = float(n_bytes), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"


def hours(n: float) -> str:
    """Hours in a readable unit.

    >>> hours(123.4), hours(2.34), hours(0.34), hours(0.004)
    ('123 h', '2.3 h', '20.4 min', '14 s')
    """
    if n >= 1:
        return f"{n:,.0f} h" if n >= 100 else f"{n:.1f} h"
    return f"{n * 60:.1f} min" if n * 60 >= 1 else f"{n * 3600:.0f} s"


def duration(ms: int) -> str:
    """Milliseconds in words that cannot be taken for a time of day.

    >>> duration(24_300), duration(190_000), duration(120_000)
    ('24 s', '3 min 10 s', '2 min')
    """
    minutes, seconds = divmod(round(ms / 1000), 60)
    parts = [f"{minutes} min" if minutes else "", f"{seconds} s" if seconds or not minutes else ""]
    return " ".join(filter(None, parts))


def shorten(text: str, n_most: int = _LONGEST_TEXT) -> str:
    """A text cut to a length, with an ellipsis.

    >>> shorten("abcdef", 4)
    'abc…'
    """
    return text if len(text) <= n_most else text[: n_most - 1] + "…"
