"""The request fields that a server understands, learned from what it refuses."""

import json
import re
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal

from datagen.authoring.prompts import Message, as_json

Form = Literal["json_schema", "json_object_schema", "json_object", "tools", "text"]
FORMS: tuple[Form, ...] = ("json_schema", "json_object_schema", "json_object", "tools", "text")
"""From the strictest to the one that every server takes."""
_LOWER: dict[Form, Form] = dict(pairwise(FORMS))
_ABOUT_FORM = ("response_format", "json_schema", "json_object", "schema", "structured", "guided", "tool", "function")
_NEVER_DIALECT = (401, 402, 403, 405, 408, 409, 413, 425, 429)
_CONTEXT = re.compile(
    r"(?:context (?:length|window|size)|maximum (?:model )?length|n_ctx)\D{0,40}?(\d{3,9})", re.IGNORECASE
)
_PROMPT = re.compile(
    r"request \((\d{1,9}) tokens\)|(\d{1,9}) (?:tokens )?(?:in|from|of) (?:the|your) (?:messages|prompt|input)",
    re.IGNORECASE,
)
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
    effort: bool = True
    """True if the effort of reasoning may be given."""

    def without(self, message: str, *, proven: bool) -> "Dialect | None":
        """A simpler form after a request was refused with this message; None if the form is not the reason.

        Args:
            message: The server's: a `complaint`.
            proven: True if a request in this form was answered before: then only a message about the form lowers it.

        >>> Dialect().without("'response_format' of type json_schema is not supported", proven=True).form
        'json_object_schema'
        >>> Dialect().without("Use 'max_completion_tokens' instead.", proven=True).limit
        'max_completion_tokens'
        >>> Dialect().without("This model's maximum context length is 8192 tokens", proven=True)
        """
        text = message.lower()
        if self.effort and "reasoning_effort" in text:
            return replace(self, effort=False)
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
        """The part of a request that depends on the dialect.

        What all questions of a task share comes first in the messages, so that a server can keep it.
        """
        body: dict[str, Any] = {self.limit: max_tokens}
        if self.form == "json_schema":
            asked = {"name": name, "strict": True, "schema": schema}
            body["response_format"] = {"type": "json_schema", "json_schema": asked}
        elif self.form == "json_object_schema":
            body["response_format"] = {"type": "json_object", "schema": schema}
        elif self.form == "tools":
            body["tools"] = [{"type": "function", "function": {"name": name, "parameters": schema}}]
            body["tool_choice"] = {"type": "function", "function": {"name": name}}
        else:
            system, *others = messages
            text = "Answer with one JSON object and nothing else. Its JSON schema:"
            shown = json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
            messages = (replace(system, content=f"{system.content}\n\n{text}\n{shown}"), *others)
            if self.form == "json_object":
                body["response_format"] = {"type": "json_object"}
        return {**body, "messages": as_json(messages)}


def may_be_dialect(error: Exception, messages: tuple[Message, ...] = (), *, trial: bool = False) -> bool:
    """True if a server may have refused a request because of its form, and not because of its content.

    Args:
        error: Of the client.
        messages: The question, whose words in the server's message mean nothing.
        trial: True while the dialect is being found: then any refusal may be one, whatever its status.
    """
    status = getattr(error, "status_code", 0)
    if getattr(error, "code", None) in _OF_THE_RECORD or status in _NEVER_DIALECT or context_of(error):
        return False
    if status == 404:  # a gateway has no model that takes the form
        return "response_format" in str(error) or "tool" in str(error)
    if status >= 500:  # llama-cpp-python answers 500 to a form that it does not know
        said = complaint(getattr(error, "body", None), messages)
        return status not in (502, 503, 504) and (trial or any(word in said for word in _ABOUT_FORM[:3]))
    return status in (400, 415, 422, 501)


@dataclass(frozen=True, slots=True)
class ContextLimit:
    """A server's words about its context length, in tokens; 0: not stated."""

    limit: int = 0
    prompt: int = 0


def context_of(error: Exception) -> ContextLimit | None:
    """The context length that a server states when it refuses a long request; None if that is not the reason.

    >>> class Refused(Exception):
    ...     status_code, code = 400, "context_length_exceeded"
    >>> context_of(Refused("maximum context length is 4096 tokens. You requested 6074 tokens (6014 in the messages)"))
    ContextLimit(limit=4096, prompt=6014)
    >>> context_of(Refused("request (6030 tokens) exceeds the available context size (4096 tokens), try increasing it"))
    ContextLimit(limit=4096, prompt=6030)
    >>> context_of(Refused("No."))
    ContextLimit(limit=0, prompt=0)
    """
    if getattr(error, "status_code", 0) not in (400, 413, 422, 500):
        return None
    text = str(error)[:_MOST_READ]
    limit, prompt = _CONTEXT.search(text), _PROMPT.search(text)
    if getattr(error, "code", None) not in ("context_length_exceeded", "string_above_max_length") and not limit:
        return None
    return ContextLimit(int(limit[1]) if limit else 0, int(prompt[1] or prompt[2]) if prompt else 0)


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
