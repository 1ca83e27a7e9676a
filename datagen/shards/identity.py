"""The identity of a build: all values that decide its content, typed, and how two of them differ."""

from dataclasses import asdict, dataclass, field, is_dataclass
from typing import Any, Literal

from datagen.records import EngineInfo, InputFile, Voice
from datagen.shards.vocab import Vocabulary

KeptApart = Literal["speakers", "voices", "nothing"]
"""voices: the users of a language are all shades of one speaker, so no split has a speaker of its own."""

_UNTOLD = {"recipe_sha256", "lineage"}
"""Values of which the recipe's own values, or name and version of an engine, say more."""
_OF_FILES = ("data_version", "recipe_sha256", "engines", "vocabulary", "clock", "silence")


@dataclass(frozen=True)
class Clock:
    """Rates of all conversations of a build."""

    sample_rate_hz: int
    frame_rate_hz: int | float
    """Frames per second and channel; a frame has a speech token per codebook."""
    hop_samples: int
    """Samples per frame."""


@dataclass(frozen=True)
class Silence:
    """The ids that stand for silence: a special token, or the codes of the speech tokenizer."""

    assistant: Literal["special", "codes"]
    user: Literal["codes"]
    silence_code: int
    """The commonest code of digital silence; of several codebooks, that of the first."""
    silence_codes: tuple[int, ...] | None = None
    """That of each codebook, in order; None if there is one."""

    @classmethod
    def of(cls, assistant: Literal["special", "codes"], codes: tuple[int, ...]) -> "Silence":
        """Silence of the assistant, and the code of silence of each codebook.

        >>> Silence.of("special", (7,)).codes, Silence.of("codes", (7, 1)).codes
        ((7,), (7, 1))
        """
        return cls(assistant, "codes", codes[0], codes if len(codes) > 1 else None)

    @property
    def codes(self) -> tuple[int, ...]:
        """The code of silence of each codebook."""
        return self.silence_codes or (self.silence_code,)


@dataclass(frozen=True, kw_only=True)
class Setup:
    """The engines of a build, and the values that follow from them."""

    engines: dict[str, EngineInfo]
    """Engines by kind; several of one kind are numbered: `noise.0`."""
    voices: dict[str, Voice] = field(default_factory=dict)
    """Each voice that may occur, by name; empty in builds made before voices were recorded."""
    vocabulary: Vocabulary
    clock: Clock
    silence: Silence
    kept_apart: KeptApart | None = None
    """Parts of user voices that no two splits share. Absent before data version 7: speakers, unless shared."""


@dataclass(frozen=True)
class MergedBuild:
    """A build that is part of a merged one."""

    name: str
    """Of its recipe."""
    digest: str
    n_records: int
    recipe_sha256: str
    recipe: dict[str, Any]


@dataclass(frozen=True)
class EncodedFrom:
    """A build whose kept audio was encoded again."""

    digest: str
    recipe_sha256: str
    speech_tokenizer: EngineInfo
    """The tokenizer of its codes."""


@dataclass(frozen=True, kw_only=True)
class Identity(Setup):
    """All values that decide the content of a build."""

    datagen: str
    """Version of the package."""
    data_version: int
    recipe: dict[str, Any]
    """The recipe as stored; `datagen.recipe.stored` validates it."""
    recipe_sha256: str
    inputs: tuple[InputFile, ...]
    conversations: str | None = None
    """Digest of the build whose conversations were flattened again; None for any other build."""
    merged: tuple[MergedBuild, ...] | None = None
    """The builds that were merged, in order; None for any other build."""
    encoded: EncodedFrom | None = None
    """The build whose audio was encoded by another tokenizer; None for any other build."""

    @property
    def row_codebooks(self) -> int:
        """Codes per frame in rows: all codebooks, or the first ones."""
        return self.recipe.get("flatten", {}).get("codebooks") or self.vocabulary.n_codebooks

    def header(self) -> dict[str, Any]:
        """The part of the identity that every data file contains, as JSON values."""
        values = json_values(self)
        return {**{name: values[name] for name in _OF_FILES}, "flatten": self.recipe["flatten"]}


def json_values(value: Any) -> Any:
    """A dataclass as nested dicts and lists, without fields that are None; anything else unchanged.

    >>> json_values(Clock(24_000, 25, 960))["hop_samples"]
    960
    """
    if not is_dataclass(value) or isinstance(value, type):
        return value
    return asdict(value, dict_factory=_fields)


def _fields(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: list(each) if isinstance(each, tuple) else each for name, each in fields if each is not None}


def differences(old: Any, new: Any, path: str = "") -> list[str]:
    """The values in which two identities differ, one line each.

    Lists of named things, such as inputs, are compared by name; names and versions come first. An absent value counts
    as None, as in JSON.

    >>> differences({"recipe": {"seed": 7}}, {"recipe": {"seed": 8}})
    ['recipe.seed is 7 there and 8 now']
    >>> differences({"inputs": [{"name": "a.jsonl"}]}, {"inputs": []})
    ['inputs.a.jsonl was set when this build began but is not now']
    >>> differences({"recipe": {"input": {}}}, {"recipe": {"input": {"mapping": {"turns": ["talk"]}}}})
    ['input.mapping is set now but was not when this build began']
    """
    old, new = json_values(old), json_values(new)
    if old == new:
        return []
    if isinstance(old, (list, tuple)) and isinstance(new, (list, tuple)):
        if list(old) == list(new):  # of an engine of one's own that gives a list
            return []
        return differences(_by_name(old), _by_name(new), path) or [f"{path} is in another order now"]
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted({*old, *new} - _UNTOLD, key=lambda key: (key != "name", key != "version", key))
        below = [differences(old.get(key), new.get(key), f"{path}.{key}" if path else key) for key in keys]
        return [difference for each in below for difference in each]
    if isinstance(old, dict) or isinstance(new, dict):
        key = path.removeprefix("recipe.")
        was = f"{key} was set when this build began but is not now"
        return [was if isinstance(old, dict) else f"{key} is set now but was not when this build began"]
    return [f"{path} is {old!r} there and {new!r} now"]


def _by_name(values: list[Any] | tuple[Any, ...]) -> dict[str, Any]:
    """A list as a dict by name, so that an added or removed item does not change all later ones."""
    found: dict[str, Any] = {}
    for position, value in enumerate(values):
        name = str(value["name"]) if isinstance(value, dict) and "name" in value else str(position)
        found[f"{name}~{position}" if name in found else name] = value
    return found
