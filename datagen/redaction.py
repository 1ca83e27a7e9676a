"""Takes credentials out of text that people or files will keep: messages, logs, recipes."""

import re

HIDDEN = "***"

_SECRETS = (
    re.compile(r"(?<=://)[^\s/@:\"']*:(?!\d{1,5}/)[^\s\"']*(?=@)"),
    re.compile(r"(?<=://)(?<!\babfs://)(?<!\babfss://)(?<!\badl://)(?<!\bazure://)(?<!\baz://)[^\s/@:\"']+(?=@)"),
    re.compile(
        r"(?<=[?&;#])(?P<name>[\w.-]*(?:token|key|sig|secret|passw|pwd|credential|auth)[\w.-]*=)[^\s&;#\"']+", re.I
    ),
    re.compile(
        r"\b(?:sk-[\w-]{20,}|hf_[A-Za-z0-9]{30,}|gh[pousr]_\w{30,}|github_pat_\w{30,}|AKIA[A-Z0-9]{16}|"
        r"AIza[\w-]{35}|xox[abprs]-[\w-]{20,}|eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,})"
    ),
)
"""User and password of a URL, which may contain a slash; a user alone, except the container of an Azure
URL; values of its query; known keys."""


def redacted(text: str) -> str:
    """The same text with `***` in place of passwords, tokens and keys.

    >>> redacted("cannot read https://me:pass@host/x?token=1&page=2")
    'cannot read https://***@host/x?token=***&page=2'
    >>> redacted("abfss://talks@account.dfs.core.windows.net/out")
    'abfss://talks@account.dfs.core.windows.net/out'
    """
    for secret in _SECRETS:
        text = secret.sub(_hide, text)
    return text


def _hide(found: re.Match[str]) -> str:
    return f"{found['name']}{HIDDEN}" if "name" in found.re.groupindex else HIDDEN


def places_of_secrets(values: object, place: str = "") -> list[str]:
    """Dotted keys of all strings in nested values that hold a credential.

    >>> places_of_secrets({"mix": {"noise": [{"path": "https://me:pass@host/x"}]}, "name": "a"})
    ['mix.noise.0.path']
    """
    if isinstance(values, str):
        return [place] if redacted(values) != values else []
    if isinstance(values, dict):
        below = [(str(key), value) for key, value in values.items()]
        keys = [redacted(f"{place}.{key}".strip(".")) for key, _ in below if redacted(key) != key]
    elif isinstance(values, (list, tuple)):
        below, keys = [(str(k), value) for k, value in enumerate(values)], []
    else:
        return []
    return keys + [each for key, value in below for each in places_of_secrets(value, f"{place}.{key}".strip("."))]
