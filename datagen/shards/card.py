"""The dataset card of a build: front matter for the Hub and `datasets`, then prose for people.

The card follows from the manifest alone. `datagen card` adds figures that take a look at every
conversation; they are stored in `card.json`, so that the card can be made again from both.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import jinja2
import msgspec
import yaml
from markupsafe import Markup

from datagen.errors import StoreError
from datagen.records import EVENTS, SPLITS
from datagen.shards import seal
from datagen.shards.manifest import Manifest
from datagen.shards.schema import ROWS
from datagen.shards.store import Store
from datagen.terminal import printable

CARD, FIGURES = "README.md", "card.json"

COLUMNS = {
    "row_id": "names the row",
    "dialogue_id": "the dialogue that it was made from",
    "language": "of the dialogue",
    "input_ids": "the training sequence",
    "loss_mask": "true for tokens to learn",
    "n_tokens": "length of the row",
    "start_frames": "frame of the conversation at which the row begins",
    "n_frames": "length in frames",
    "n_text_tokens": "text tokens in it",
    "n_late_text_tokens": "text tokens after the chunk in which their speech ended",
    "n_dropped_text_tokens": "text tokens pending when the assistant was interrupted",
    "n_pad_tokens": "tokens that pad",
    "user_turn_ends": "positions at which the assistant must answer",
    "barge_ins": "positions at which the assistant must stop",
    "event_kinds": "kind of each event that begins in the row",
    "event_roles": "who causes it",
    "event_starts": "its position",
    "event_ends": "position of its end",
    "given_starts": "positions of tokens that the model is given and never learns, such as prompts",
    "given_lengths": "their numbers",
}
"""Columns of rows in a few words; docs/format.md has the whole story."""

_TASK_CATEGORIES = {"asr": "automatic-speech-recognition", "tts": "text-to-speech"}
_SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"))
_LICENCE = re.compile(r"[a-z0-9][a-z0-9.+-]{1,63}")


@dataclass(frozen=True, kw_only=True)
class CardFigure:
    """One measured figure of a build, with the range of human conversations if there is one."""

    name: str
    value: str
    human: str = ""


@dataclass(frozen=True, kw_only=True)
class CardFinding:
    """The result of one predictor of the audit."""

    name: str
    verdict: str
    score: str
    limit: str
    meaning: str


@dataclass(frozen=True, kw_only=True)
class CardFigures:
    """The additions of `datagen card` to a card: choices of the publisher, and measurements."""

    digest: str
    """Digest of the build that was measured."""
    licence: str = ""
    """Licence of the data, as the Hub writes it; empty: that of the recipe's input."""
    title: str = ""
    """Pretty name; empty: the recipe's name."""
    events: dict[str, int] = field(default_factory=dict)
    """Count by kind of event."""
    timing: tuple[CardFigure, ...] = ()
    audit: tuple[CardFinding, ...] = ()

    def to_json(self) -> bytes:
        """The content of card.json."""
        return seal.document(asdict(self))

    @classmethod
    def load(cls, store: Store) -> "CardFigures | None":
        """Read card.json of an output; None if there is none.

        Raises:
            StoreError: If it is damaged.
        """
        if not store.exists(FIGURES):
            return None
        data, name = store.read(FIGURES), f"{store.url}/{FIGURES}"
        seal.refuse_broken(data, name, required=True)
        try:
            values = {key: value for key, value in json.loads(data).items() if key != "seal"}
            return msgspec.convert(values, cls)
        except (ValueError, RecursionError) as error:
            raise StoreError(f"{name} is damaged ({error}); delete it, and run `datagen card` again") from error


def card(manifest: Manifest, figures: CardFigures | None = None) -> str:
    """The dataset card of a build, in Markdown.

    Args:
        manifest: Its manifest.
        figures: Additions of `datagen card`, if it was run.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("datagen", "data"),
        autoescape=False,  # noqa: S701  (Markdown)
        finalize=_in_markdown,
        keep_trailing_newline=True,
        trim_blocks=True,
    )
    front = yaml.safe_dump(_front(manifest, figures), sort_keys=False, allow_unicode=True)
    return environment.get_template("card.md.j2").render(
        front=Markup(front),  # noqa: S704  (YAML that is written here)
        m=manifest,
        figures=figures,
        title=_title(manifest, figures),
        licence=licence_of(manifest, figures),
        tasks=manifest.tasks,
        default=_default(manifest),
        columns=[(name, str(ROWS.field(name).type), meaning) for name, meaning in COLUMNS.items()],
        events=EVENTS,
        speakers=_speakers(manifest),
        sources=[file.name for file in manifest.inputs],
    )


def licence_of(manifest: Manifest, figures: CardFigures | None = None) -> str:
    """Licence of the data as the Hub writes it; `unknown` if nobody stated one.

    That of the dialogues is the recipe's `input.licence`; shipped dialogues are Apache-2.0.
    """
    stated = (figures.licence if figures else "") or str(manifest.recipe["input"].get("licence") or "")
    if stated:
        return stated
    paths = manifest.recipe["input"]["paths"]
    return "apache-2.0" if paths and all(str(path).startswith("package:") for path in paths) else "unknown"


def refuse_licence(licence: str) -> None:
    """Refuse a licence that the Hub could not show.

    Raises:
        StoreError: If it is no identifier in lower case.

    >>> refuse_licence("cc-by-4.0")
    """
    if licence and not _LICENCE.fullmatch(licence):
        raise StoreError(f"--licence {printable(licence)!r}: give an identifier of the Hub, such as cc-by-4.0 or other")


def _title(manifest: Manifest, figures: CardFigures | None) -> str:
    return (figures.title if figures else "") or str(manifest.recipe["name"])


def _front(manifest: Manifest, figures: CardFigures | None) -> dict[str, Any]:
    """Metadata as the Hub reads it."""
    default = _default(manifest)
    n_rows = sum(sums.n_rows for sums in manifest.tables[default].values()) if default else 0
    categories = (_TASK_CATEGORIES.get(task, "audio-to-audio") for task in manifest.tasks)
    return {
        "pretty_name": printable(_title(manifest, figures)),
        "license": licence_of(manifest, figures),
        "language": list(manifest.recipe["select"]["languages"]),
        "size_categories": [size_category(n_rows)],
        "task_categories": sorted(set(categories)),
        "tags": ["speech", "full-duplex", "dialogue", "synthetic", "datagen"],
        "configs": [
            _config(name, name == default, splits) for name, splits in manifest.tables.items() if name != "rejects"
        ],
    }


def size_category(n_rows: int) -> str:
    """The Hub's category of a number of rows.

    >>> size_category(999), size_category(1000), size_category(20_000_000)
    ('n<1K', '1K<n<10K', '10M<n<100M')
    """
    return next((name for limit, name in _SIZES if n_rows < limit), "10M<n<100M" if n_rows < 10**8 else "100M<n<1B")


def _default(manifest: Manifest) -> str:
    """The table that `datasets.load_dataset` reads unless another is named; empty if there is none."""
    tables = [name for name in manifest.tables if name != "rejects"]
    return "three_stream" if "three_stream" in tables else tables[-1] if tables else ""


def _config(name: str, is_default: bool, splits: Mapping[str, Any]) -> dict[str, Any]:
    files = [
        {
            "split": "full" if split == "all" else split,  # `datasets` keeps the name `all` to itself
            "path": f"{name}/{'' if split == 'all' else split + '-'}*.parquet",
        }
        for split in sorted(splits, key=lambda s: SPLITS.index(s) if s in SPLITS else 0)
    ]
    return {"config_name": name, "data_files": files, **({"default": True} if is_default else {})}


def _speakers(manifest: Manifest) -> dict[str, Any]:
    """Numbers of voices and speakers of users, and the licences and sources of all voices."""
    assistant = manifest.recipe["voices"]["assistant"]
    choices = assistant.values() if isinstance(assistant, dict) else [assistant]
    assistants = {voice for choice in choices for voice in ([choice] if isinstance(choice, str) else choice)}
    users = [voice for name, voice in manifest.voices.items() if name not in assistants]
    every = manifest.voices.values()
    return {
        "n_voices": len(users),
        "n_speakers": len({voice.speaker for voice in users}),
        "of_assistant": sorted({manifest.voices[name].speaker for name in assistants if name in manifest.voices}),
        "licences": sorted({voice.licence for voice in every}),
        "notes": sorted({voice.note for voice in every if voice.note}),
    }


_MARKDOWN = re.compile(r"[<>\[\]|`&\\]")


def _in_markdown(value: Any) -> Any:
    """A value for a card: text that can be no HTML, link, picture or cell, and breaks no line.

    >>> _in_markdown("![x](http://y) <b>|"), _in_markdown("CC-BY-4.0"), _in_markdown(3)
    ('!&#91;x&#93;(http://y) &#60;b&#62;&#124;', 'CC-BY-4.0', 3)
    """
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return _MARKDOWN.sub(lambda match: f"&#{ord(match[0])};", printable(value))
