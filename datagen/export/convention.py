"""The conventions of an export: all choices about sound, roles and text that a format leaves open.

A consumer states what it needs by a preset (`presets`); options change single values.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Annotated, Literal, get_args, get_type_hints

from datagen.errors import DatagenError
from datagen.records import CHANNEL, Role, unit
from datagen.suggest import did_you_mean

How = Literal["tag", "merge", "drop"]
Codec = Literal["flac", "wav", "opus", "codes"]

HOW: dict[How, str] = {
    "tag": "an utterance of its own, with its kind",
    "merge": "part of the same speaker's next utterance, or the one before if there is none",
    "drop": "not listed; the sound stays",
}
"""Choices for utterances that hold no floor."""
CHOSEN_KINDS = ("backchannel", "attempt", "aside")
"""Kinds of utterances with a choice."""
_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "agent": "assistant"}


@dataclass(frozen=True, kw_only=True)
class Convention:
    """The conventions of an export."""

    decoded: bool = False
    """True if the sound is decoded from the tokens."""
    codec: Codec = "flac"
    """Format of sound files; `codes`: speech codes of the build instead, as numpy files."""
    user_rate_hz: Annotated[int, unit("Hz; 0: as built")] = 0
    assistant_rate_hz: Annotated[int, unit("Hz; 0: as built")] = 0
    user_name: str = "user"
    """The user's name in lists of speakers."""
    assistant_name: str = "agent"
    kinds: dict[str, How] = field(default_factory=lambda: dict.fromkeys(CHOSEN_KINDS, "tag"))
    """The choice for utterances that hold no floor, by their kind; see HOW."""
    marks_ms: Annotated[int, unit("ms per frame; 0: no marks")] = 0
    """Frame length of inline time marks of the user's words."""
    task: str = "three_stream"
    """Task of the rows, for formats of tokens."""
    shard_hours: Annotated[float, unit("hours of conversation; 0: as the format suggests")] = 0.0
    """Approximate length of what lies in a shard of all splits."""

    swap: bool = False
    """True if the speakers exchange roles."""
    speed: Annotated[float, unit("times as fast")] = 1.0
    """Speed of the sound, and so of all times; pitch changes with it."""
    noise_db: Annotated[float, unit("dB of the user's speech against the noise")] | None = None
    """Level of generated noise that is added to the user's channel; None: no noise."""

    @property
    def augments(self) -> bool:
        """True if conversations are not exported as they were built."""
        return self.swap or self.speed != 1 or self.noise_db is not None

    def rate_hz(self, role: Role, built_hz: int) -> int:
        """The sample rate of a role's sound.

        >>> Convention(user_rate_hz=16_000).rate_hz("user", 24_000), Convention().rate_hz("user", 24_000)
        (16000, 24000)
        """
        return (self.user_rate_hz if role == "user" else self.assistant_rate_hz) or built_hz

    def name(self, role: Role) -> str:
        """A role's name in lists of speakers."""
        return self.user_name if role == "user" else self.assistant_name

    def one_rate_hz(self, built_hz: int) -> int:
        """The sample rate of a stereo file.

        Raises:
            DatagenError: If the roles have different rates.
        """
        rates = {self.rate_hz(role, built_hz) for role in CHANNEL}
        if len(rates) > 1:
            raise DatagenError(
                f"both channels of this format are in one file, so --rate user={self.rate_hz('user', built_hz)} and "
                f"agent={self.rate_hz('assistant', built_hz)} must be equal"
            )
        return rates.pop()


def rates(settings: list[str]) -> dict[str, int]:
    """Values of a convention from `ROLE=HZ`.

    Raises:
        DatagenError: If one has another form.

    >>> rates(["user=16000", "agent=22050"])
    {'user_rate_hz': 16000, 'assistant_rate_hz': 22050}
    """
    found: dict[str, int] = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        if name.strip().lower() not in _ROLES or not value.strip().isdecimal() or not 1000 <= int(value) <= 192_000:
            raise DatagenError(f"--rate {setting!r}: write user=HZ or agent=HZ, with 1000 to 192000 Hz")
        found[f"{_ROLES[name.strip().lower()]}_rate_hz"] = int(value)
    return found


def roles(names: str) -> dict[str, str]:
    """Values of a convention from the names of the user and the assistant, separated by a comma.

    Raises:
        DatagenError: If there are not two different names.

    >>> roles("User,Assistant")
    {'user_name': 'User', 'assistant_name': 'Assistant'}
    """
    found = [name.strip() for name in names.split(",")]
    if len(found) != 2 or not all(found) or found[0] == found[1]:
        raise DatagenError(f"--roles {names!r}: write the names of the user and the assistant, such as User,Assistant")
    return {"user_name": found[0], "assistant_name": found[1]}


def kinds(settings: list[str]) -> dict[str, How]:
    """The choices for utterances that hold no floor, from `KIND=HOW`.

    Raises:
        DatagenError: If one has another form.

    >>> kinds(["backchannel=drop"])
    {'backchannel': 'drop'}
    """
    found: dict[str, How] = {}
    for setting in settings:
        kind, _, how = (part.strip() for part in setting.partition("="))
        if kind not in CHOSEN_KINDS or how not in HOW:
            raise DatagenError(f"--kind {setting!r}: write {'|'.join(CHOSEN_KINDS)}={'|'.join(HOW)}")
        found[kind] = how
    return found


def convention_of(values: Mapping[str, object]) -> Convention:
    """A convention from values by name; `kinds` change only those that are named.

    Raises:
        DatagenError: If there is no such value.
    """
    names = [each.name for each in fields(Convention)]
    for name in values:
        if name not in names:
            raise DatagenError(
                f"a convention has no {name!r}{did_you_mean(name, names) or ';'} it has {', '.join(names)}"
            )
    codec, chosen = values.get("codec", "flac"), values.get("kinds", {})
    if codec not in get_args(get_type_hints(Convention)["codec"]):
        raise DatagenError(f"--codec {codec!r}: write flac, wav, opus or codes")
    plain = {name: value for name, value in values.items() if name != "kinds"}
    return Convention(**plain, kinds={**Convention().kinds, **chosen})  # type: ignore[arg-type,dict-item]
