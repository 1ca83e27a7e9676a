"""Calls of tools in the assistant's turns: words before the call, the wait, and a user who speaks during it.

The call itself is no utterance: nobody says it, so no voice is given it. It hangs on the words before
it (`Utterance.call`), and `place` lets nothing of the assistant begin before its result.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from datagen.clock import ceil_div
from datagen.pipeline.script.floor import Piece, Setting, TurnPlan
from datagen.pipeline.script.interrupt import may_drop
from datagen.recipe.timing_config import TokensConfig
from datagen.records import Kind, PlannedCall, Utterance, marked_call

_LATEST_BREAK_IN = 0.8
"""Latest start of the user as a share of the wait."""


@dataclass(frozen=True)
class Writing:
    """The speed of the assistant's text stream."""

    n_tokens: Callable[[str], int]
    """Number of text tokens of a text."""
    n_text: int
    """Text tokens per chunk."""
    chunk_samples: int

    def samples(self, *texts: str) -> int:
        """Time in which the stream writes texts, in whole chunks.

        >>> Writing(len, 10, 100).samples("Let me see.", "Now.")
        200
        """
        return ceil_div(sum(map(self.n_tokens, texts)), self.n_text) * self.chunk_samples


def break_ins(parts: Sequence[TurnPlan], setting: Setting) -> Mapping[int, str]:
    """The indices of turns during whose first wait the user speaks, and `cancel` or `hold`."""
    rule, draws, found = setting.timing.tool_call, setting.draws, dict[int, str]()
    for part in parts:
        k = part.index
        if not part.calls or not draws.happens(rule.break_in_probability, k, "break_in"):
            continue
        earlier, rest = [before.spoken for before in parts[:k]], [after.spoken for after in parts[k + 1 :]]
        cancels = draws.happens(rule.cancel_share, k, "cancel")
        fits = cancels and may_drop(earlier, part.spoken, rest, setting.language)
        found[k] = "cancel" if fits else "hold"
    return found


def calling(
    part: TurnPlan,
    pieces: Sequence[Piece],
    setting: Setting,
    tokens: TokensConfig,
    writing: Writing,
    break_in: str = "",
) -> tuple[list[Utterance], list[Piece]]:
    """The utterances of a turn before its answer, and the pieces of the answer.

    Args:
        part: An assistant's turn with calls.
        pieces: Its pieces without the calls.
        setting: Distributions, voices and random draws.
        tokens: Words of the language.
        writing: Speed of the text stream.
        break_in: `cancel` or `hold`: the user speaks during the first wait; empty: nobody does.

    Returns:
        Words before each call with the calls, and what the user says; pieces of the answer, none if
        the user cancels.
    """
    k, draws, rule = part.index, setting.draws, setting.timing.tool_call
    first = pieces[0].utterance
    plain = replace(first, text="", barge_in=None, event="", part_of=None, correction=None)
    found: list[Utterance] = []
    for n, call in enumerate(part.calls):
        words = call.before or draws.pick(tokens.checks, k, "check", n)
        kind: Kind = "turn" if call.before else "filler"
        begin = first if not n else replace(plain, offset_samples=draws.length(rule.answer, k, "answer", n - 1))
        wait, written = draws.length(rule.wait, k, "tool_wait", n), marked_call(call.call)
        times = wait, writing.samples(written), writing.samples(words, written)
        speaks = break_in if not n else ""
        cancelled = speaks == "cancel"
        plan = PlannedCall(call.call, "" if cancelled else call.result, *times, cancelled)
        said = replace(begin, spoken=words, kind=kind, text=call.before, call=plan)
        found.append(replace(said, part_of=None, correction=None))
        if speaks:
            found += _breaking_in(k, speaks, plan.call_samples + plan.wait_samples, setting, tokens)
        if cancelled:
            return found, []
    offset = draws.length(rule.answer, k, "answer", len(part.calls) - 1)
    answer = replace(first, barge_in=None, event="", offset_samples=offset)
    return found, [replace(pieces[0], utterance=answer), *pieces[1:]]


def _breaking_in(k: int, kind: str, wait_samples: int, setting: Setting, tokens: TokensConfig) -> list[Utterance]:
    """The user's words during the wait, and after a request to wait those that end it."""
    draws, voice = setting.draws, setting.voices["user"]
    start = min(draws.length(setting.timing.tool_call.break_in, k, "break_in_at"), int(_LATEST_BREAK_IN * wait_samples))
    forms, event = (tokens.cancels, "call_cancelled") if kind == "cancel" else (tokens.wait_requests, "call_held")
    words = draws.deal(forms, k // 2, f"{event}_words")
    said = Utterance("user", "", words, voice, start, kind="insert", turn=k, event=event)
    if kind == "cancel":
        return [said]
    wait = draws.length(setting.timing.barge_in.wait, k, "wait")
    release = draws.deal(tokens.resumes, k // 2, "resume_words")
    return [said, Utterance("user", "", release, voice, wait, kind="insert", turn=k, event="waiting")]
