"""The request fields that a server understands, learned from what it refuses."""

import json
import re
from dataclasses import dataclass, replace
from typing import Any, Literal

from datagen.authoring.prompts import Message, as_json

Form = Literal["json_schema", "json_object", "text"]
_LOWER: dict[Form, Form] = {"json_schema": "json_object", "json_object": "text"}
_ABOUT_FORM = ("response_format", "json_schema", "json_object", "schema", "structured", "guided")
_OF_THE_RECORD = ("context_length_exceeded", "content_filter", "content_policy_violation", "string_above_max_length")
_MOST_READ = 4000
"""Characters of a server's message."""
_ECHO = 16
"""That many characters of a question in a server's message are no accident: the server repeats the question."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """The form of requests to a server."""

    form: Form = "json_schema"
    """Of the response format."""
    limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """Name of the field for the longest answer."""
    sampling: bool = True
    """True if temperature and top_p may be given; reasoning models take none."""
    seed: bool = True
    usage: bool = True
    """True if a stream may be asked to end with the tokens used."""

    def without(self, message: str, *, proven: bool) -> "Dialect | None":
        """A simpler form after a request was refused with this message; None if the form is not the reason.

        Args:
            message: The server's: a `complaint`.
            proven: True if a request in this form was answered before: then only a message about the form lowers it.

        >>> Dialect().without("'response_format' of type json_schema is not supported", proven=True).form
        'json_object'
        >>> Dialect().without("Use 'max_completion_tokens' instead.", proven=True).limit
        'max_completion_tokens'
        >>> Dialect().without("This model's maximum context length is 8192 tokens", proven=True)
        """
        text = message.lower()
        if self.limit == "max_tokens" and ("max_completion_tokens" in text or text.startswith("'max_tokens'")):
            return replace(self, limit="max_completion_tokens")
        if self.usage and "stream_options" in text:
            return replace(self, usage=False)
        if self.sampling and ("temperature" in text or "top_p" in text):
            return replace(self, sampling=False)
        if self.seed and "'seed'" in text.replace('"', "'"):
            return replace(self, seed=False)
        if self.form in _LOWER and (not proven or any(word in text for word in _ABOUT_FORM)):
            return replace(self, form=_LOWER[self.form])
        return None

    def body(self, messages: tuple[Message, ...], name: str, schema: dict[str, Any], max_tokens: int) -> dict[str, Any]:
        """The part of a request that depends on the dialect."""
        body: dict[str, Any] = {self.limit: max_tokens}
        if self.form == "json_schema":
            asked = {"name": name, "strict": True, "schema": schema}
            body["response_format"] = {"type": "json_schema", "json_schema": asked}
        else:
            system, *others = messages
            text = "Answer with one JSON object and nothing else. Its JSON schema:"
            added = f"{system.content}\n\n{text}\n{json.dumps(schema, ensure_ascii=False)}"
            messages = (replace(system, content=added), *others)
            if self.form == "json_object":
                body["response_format"] = {"type": "json_object"}
        return {**body, "messages": as_json(messages)}


def may_be_dialect(error: Exception) -> bool:
    """True if a server may have refused a request because of its form, and not because of its content."""
    status = getattr(error, "status_code", 0)
    if status == 404:  # a gateway has no model that takes the form
        return "response_format" in str(error)
    return status in (400, 415, 422) and getattr(error, "code", None) not in _OF_THE_RECORD


def complaint(error: Any, messages: tuple[Message, ...]) -> str:
    """A server's message about a request, without the parts of the question that it repeats.

    Args:
        error: Of its reply, of any shape. If it names a parameter, its message is ignored.
        messages: The question.

    >>> complaint({"message": "Bad temperature", "param": "seed", "code": "unknown"}, ())
    "'seed' unknown"
    >>> asked = (Message("user", "What temperature has the sea?"),)
    >>> complaint({"message": 'Cannot read "What temperature has the sea?"'}, asked)
    'cannot read ""'
    """
    if not isinstance(error, dict):
        return _unquoted(str(error or ""), messages)
    code, param = str(error.get("code") or ""), str(error.get("param") or "")
    if param not in ("", "None", "null"):
        return f"'{param}' {code}".strip()
    return _unquoted(str(error.get("message") or error.get("detail") or error), messages)


def _unquoted(message: str, messages: tuple[Message, ...]) -> str:
    """A message without all runs of characters that are in the question too."""
    said, asked = _even(message[:_MOST_READ]), _even("\n".join(each.content for each in messages))
    kept, k = [], 0
    while k < len(said):
        end = k + _ECHO
        if end > len(said) or said[k:end] not in asked:
            kept.append(said[k])
            k += 1
            continue
        while end < len(said) and said[k : end + 1] in asked:
            end += 1
        k = end
    return "".join(kept).strip()


def _even(text: str) -> str:
    """A text in lower case, without escapes and line breaks."""
    text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), text)
    return " ".join(re.sub(r"\\+[nrt]", " ", text).replace("\\", "").lower().split())
