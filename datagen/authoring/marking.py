"""The tasks on places in a dialogue: script (interruptions and listener signals), follow_up."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from pydantic import BaseModel
from typing_extensions import override

from datagen.authoring.answers import BargeInAnswer, BesideAnswer, FollowUpAnswer, ScriptAnswer, UnfitAnswerError
from datagen.authoring.authored import OTHER, Written
from datagen.authoring.copies import shared_runs
from datagen.authoring.prompts import shown
from datagen.authoring.script_checks import check_language, check_sayable, refuses
from datagen.authoring.tasks import Task, refuse_marks
from datagen.records import Mark, MarkKind, Role, Turn
from datagen.sources.fields import quote as quoted
from datagen.text import to_spoken
from datagen.text.phrases import count_words, units
from datagen.text.references import words_of

_MOST_UNITS_OF_A_BACKCHANNEL = 5
_MOST_UNITS_OF_A_FILLER = 4
_REACTIONS = frozenset(("hah", "haha", "gee", "gosh", "god", "man", "boy", "dear", "true", "wait", "second", "moment"))
_MOST_WORDS_OF_A_FOLLOW_UP = 60
_MOST_REPEATED = 0.5
"""Largest share of a turn's runs of words that repeats an earlier turn."""
_MARKS = ",.?!;:，。？！；：…、'\"「」()（）-"
_FOLDED = str.maketrans(
    {**dict.fromkeys("‘’ʼ＇´`", "'"), **dict.fromkeys("“”„＂", '"'), **dict.fromkeys("‐‑‒–—―−－", "-")}
)
"""A model writes other quotes and dashes than the text it quotes."""


class ScriptTask(Task):
    """Barge-ins, hesitations and backchannels, with their places."""

    name = "script"
    schema = "ScriptAnswer"

    @override
    def prepared(self, written: Written) -> Written:
        refuse_marks(written)
        check_sayable(written.turns, written.language)
        turns = tuple(replace(turn, text=to_spoken(turn.text, written.language)) for turn in written.turns)
        return replace(written, turns=turns)

    @override
    def variables(self, written: Written, place: int) -> dict[str, object]:
        most = {f"max_{name}": value for name, value in self._recipe.marks.model_dump().items()}
        return {"turns": shown(written.turns), **most}

    @override
    def applied(self, written: Written, place: int, answer: ScriptAnswer) -> Written:
        for name, most in self._recipe.marks.model_dump().items():
            if (n := len(getattr(answer, name))) > most:
                raise UnfitAnswerError("bad_size", f"{n} {name}; at most {most} were asked for")
        barge_ins = _barge_ins(written, answer.barge_ins)
        beside = [
            *_beside(written, answer.hesitations, "hesitation", barge_ins),
            *_beside(written, answer.backchannels, "backchannel", barge_ins),
        ]
        found = _inserted(written, answer.barge_ins, [*barge_ins.values(), *beside])
        check_heard(found)
        return found

    @override
    def example(self, written: Written, place: int) -> BaseModel:
        barge_in = BargeInAnswer(
            turn=1, why="x " * 15, after="a b c", occurrence=None, says="x " * 12, goes_on="x " * 20
        )
        beside = BesideAnswer(turn=1, why="x " * 10, after="a b c", occurrence=None, text="mm-hm")
        return ScriptAnswer(
            barge_ins=[barge_in] * self._recipe.marks.barge_ins,
            hesitations=[beside] * self._recipe.marks.hesitations,
            backchannels=[beside] * self._recipe.marks.backchannels,
        )


class FollowUp(Task):
    """The interrupted speaker's next turn, authored again in view of the words left unsaid.

    Used only if the script added that turn; earlier turns stay unchanged.
    """

    name = "follow_up"
    schema = "FollowUpAnswer"

    @override
    def questions(self, written: Written) -> Sequence[int]:
        cut = (mark.turn for mark in written.marks if mark.kind == "barge_in")
        return [turn for turn in cut if turn + 2 in written.added]

    @override
    def variables(self, written: Written, place: int) -> dict[str, object]:
        said, unsaid = written.split(place)
        before = [Turn(turn.role, written.split(k)[0]) for k, turn in enumerate(written.turns[:place])]
        before += [Turn(written.turns[place].role, said), written.turns[place + 1]]
        return {
            "turns": shown(before),
            "unsaid": unsaid,
            "role": written.turns[place].role,
            "next": shown(written.turns)[place + 3 : place + 4],
        }

    @override
    def applied(self, written: Written, place: int, answer: FollowUpAnswer) -> Written:
        turn = _said(written, written.turns[place].role, answer.text)
        said, unsaid = written.split(place)
        if shared_runs(turn.text, [said]) > _MOST_REPEATED or shared_runs(turn.text, [unsaid]) > _MOST_REPEATED:
            raise UnfitAnswerError("repeats", "it repeats what was said before, or word for word what was left unsaid")
        if count_words(turn.text) > _MOST_WORDS_OF_A_FOLLOW_UP:
            raise UnfitAnswerError("bad_size", f"{count_words(turn.text):.0f} words; one to three short sentences fit")
        after = written.turns[place + 3 : place + 4]
        if any(spoken_units(turn.text) == spoken_units(other.text) for other in (*written.turns[: place + 2], *after)):
            raise UnfitAnswerError("repeats", "it is word for word another turn of the conversation")
        return replace(written, turns=(*written.turns[: place + 2], turn, *written.turns[place + 3 :]))

    @override
    def example(self, written: Written, place: int) -> BaseModel:
        return FollowUpAnswer(text="x " * 30)


def check_heard(written: Written) -> None:
    """Check that after a cut nobody uses words of its unheard rest, as `datagen audit` measures it.

    Args:
        written: A dialogue with the turns of its barge-ins.

    Raises:
        UnfitAnswerError: `unheard_words` or `repeats`, with the turn.
    """
    for mark in written.marks:
        if mark.kind != "barge_in":
            continue
        said, unsaid = written.split(mark.turn)
        before = [written.split(k)[0] for k in range(mark.turn)]
        known = words_of([*before, said], written.language)
        rest = words_of([unsaid], written.language) - known
        new = words_of([written.turns[mark.turn + 1].text], written.language) - known
        if found := sorted(new & rest):
            raise UnfitAnswerError(
                "unheard_words",
                f"the interruption of turn {mark.turn} says {found[0]!r}, which only its rest has: {unsaid[:80]!r}",
            )
        heard = known | new
        for k, turn in enumerate(written.turns[mark.turn + 2 :], mark.turn + 2):
            words = words_of([turn.text], written.language)
            if turn.role == mark.role and (late := sorted(words & (rest - heard))):
                raise UnfitAnswerError(
                    "unheard_words", f"turn {k} says {late[0]!r}, which only the unheard rest of turn {mark.turn} has"
                )
            heard |= words
        if mark.turn + 2 in written.added:
            follows = written.turns[mark.turn + 2].text
            if shared_runs(follows, [said]) > _MOST_REPEATED:
                raise UnfitAnswerError("repeats", f"after the interruption of turn {mark.turn} its speaker repeats it")


def _barge_ins(written: Written, found: Sequence[BargeInAnswer]) -> dict[int, Mark]:
    """The barge-ins by the turn they cut."""
    marks: dict[int, Mark] = {}
    for barge_in in sorted(found, key=lambda barge_in: barge_in.turn):
        turn = barge_in.turn
        word = _word(written, turn, barge_in.after, barge_in.occurrence, first=1)
        if (barge_in.says is None) != (barge_in.goes_on is None):
            raise UnfitAnswerError("bad_barge_in", f"turn {turn}: says and goes_on must both be texts or both null")
        if barge_in.says is None and turn + 1 >= len(written.turns):
            raise UnfitAnswerError("bad_barge_in", f"turn {turn} is the last: no next turn can interrupt it")
        if turn in marks or (turn - 1 in marks and not _adds(found, turn - 1)):
            raise UnfitAnswerError("bad_barge_in", f"turn {turn} is interrupted twice, or is an interruption itself")
        marks[turn] = Mark("barge_in", turn, word, OTHER[written.turns[turn].role], "", barge_in.why)
    return marks


def _adds(found: Sequence[BargeInAnswer], turn: int) -> bool:
    """True if the barge-in into a turn brings turns of its own."""
    return any(barge_in.turn == turn and barge_in.says is not None for barge_in in found)


def _beside(
    written: Written, found: Sequence[BesideAnswer], kind: MarkKind, barge_ins: dict[int, Mark]
) -> Iterator[Mark]:
    """Hesitations of the speaker, or backchannels of the listener, in what is said."""
    taken: set[tuple[int, int]] = set()
    hesitates = kind == "hesitation"
    for item in found:
        word = _word(written, item.turn, item.after, item.occurrence, first=0 if hesitates else 1)
        said = to_spoken(item.text, written.language)
        n_units, most = len(units(said)), _MOST_UNITS_OF_A_FILLER if hesitates else _MOST_UNITS_OF_A_BACKCHANNEL
        if n_units > most or not (said or hesitates):
            raise UnfitAnswerError("bad_mark", f"{kind} in turn {item.turn}: {n_units} words are said, 1 to {most} fit")
        if new := _content_of(said, written, item.turn, echo=not hesitates):
            raise UnfitAnswerError("bad_mark", f"{kind} in turn {item.turn}: {new!r} is more than a short reaction")
        if item.text and not said:
            raise UnfitAnswerError("bad_mark", f"{kind} in turn {item.turn}: its text cannot be said")
        cut = barge_ins.get(item.turn)
        if cut and word >= cut.word:
            raise UnfitAnswerError("bad_mark", f"{kind} in turn {item.turn} comes after the interruption there")
        if (item.turn, word) in taken:
            raise UnfitAnswerError("bad_mark", f"two of {kind} at one place of turn {item.turn}")
        taken.add((item.turn, word))
        role = written.turns[item.turn].role
        yield Mark(kind, item.turn, word, role if hesitates else OTHER[role], said, item.why)


def _word(written: Written, turn: int, after: str, occurrence: int | None, first: int) -> int:
    """The place of a quote in a turn; from `first` on, and before the turn's last unit is said."""
    if turn >= len(written.turns):
        raise UnfitAnswerError("bad_place", f"there is no turn {turn}; the last is {len(written.turns) - 1}")
    text = written.turns[turn].text
    try:
        word = word_after(text, after, occurrence)
    except UnfitAnswerError as error:
        raise UnfitAnswerError(error.reason, f"turn {turn}: {error.detail}") from None
    if not first <= word < len(units(text)):
        raise UnfitAnswerError("bad_place", f"turn {turn}: the place must lie inside the turn, not at its edge")
    return word


def _content_of(said: str, written: Written, turn: int, *, echo: bool) -> str:
    """The first content word of a short reaction; a listener may echo words of the turn."""
    turns = written.turns[turn : turn + 1] if echo else ()
    known = words_of((each.text for each in turns), written.language)
    found = sorted(words_of([said], written.language) - known - _REACTIONS)
    return found[0] if found and len(units(said)) > 2 else ""


def _inserted(written: Written, found: Sequence[BargeInAnswer], marks: Sequence[Mark]) -> Written:
    """The dialogue with the turns that barge-ins add, and with the marks renumbered."""
    added = {barge_in.turn: (barge_in.says, barge_in.goes_on) for barge_in in found}
    turns: list[Turn] = []
    new: list[int] = []
    number: dict[int, int] = {}
    for k, turn in enumerate(written.turns):
        number[k] = len(turns)
        turns.append(turn)
        says, goes_on = added.get(k, (None, None))
        if says is not None and goes_on is not None:
            new += [len(turns), len(turns) + 1]
            turns += [_said(written, OTHER[turn.role], says), _said(written, turn.role, goes_on)]
    moved = [replace(mark, turn=number[mark.turn]) for mark in marks]
    in_order = sorted(moved, key=lambda mark: (mark.turn, mark.word, mark.kind))
    return replace(written, turns=tuple(turns), marks=tuple(in_order), added=tuple(new))


def _said(written: Written, role: Role, text: str) -> Turn:
    """A turn that the model adds, in spoken form."""
    turn = Turn(role, to_spoken(text, written.language))
    if not turn.text:
        raise UnfitAnswerError("not_sayable", "nothing of an added turn can be said")
    check_language([turn], written.language)
    if refuses(text):
        raise UnfitAnswerError("refused", "an added turn is a refusal")
    return turn


def spoken_units(text: str) -> list[str]:
    """The units of a text without case and punctuation, which a quote need not repeat.

    >>> spoken_units("Well, it's on."), spoken_units("好，来吧")
    (['well', "it's", 'on'], ['好', '来', '吧'])
    >>> spoken_units("It’s — on")
    ["it's", '', 'on']
    """
    return [text[unit.start : unit.end].translate(_FOLDED).strip(_MARKS).casefold() for unit in units(text)]


def word_after(text: str, after: str, occurrence: int | None) -> int:
    """Number of units of a text up to the end of a quote from it.

    Args:
        text: The turn, in spoken form.
        after: Its last words before the place; whole words, or Chinese characters. Empty: its
            beginning.
        occurrence: Which one, from 1, if the quote is there several times; None: it must be there
            once.

    Returns:
        0 to the number of units.

    Raises:
        UnfitAnswerError: `bad_place`, if the quote is not there, or there several times.

    >>> word_after("Turn left, then turn right.", "turn right", None), word_after("Go left, left.", "left", 2)
    (5, 3)
    >>> word_after("先往左转，再往右转。", "左转", None), word_after("I'm here.", "", None)
    (4, 0)
    """
    wanted = [unit for unit in spoken_units(after) if unit]
    if not wanted:
        return 0
    numbered = [(unit, k + 1) for k, unit in enumerate(spoken_units(text)) if unit]  # a dash alone is not said
    said, ends_at = [unit for unit, _ in numbered], [end for _, end in numbered]
    n = len(wanted)
    ends = [ends_at[k + n - 1] for k in range(len(said) - n + 1) if said[k : k + n] == wanted]
    if not ends:
        raise UnfitAnswerError("bad_place", f"{quoted(after)} is not in the turn as whole words")
    if occurrence is None:
        if len(ends) > 1:
            raise UnfitAnswerError(
                "bad_place", f"{quoted(after)} is in the turn {len(ends)} times: quote more, or say which"
            )
        return ends[0]
    if not 1 <= occurrence <= len(ends):
        raise UnfitAnswerError(
            "bad_place", f"{quoted(after)} is in the turn {len(ends)} times, there is no occurrence {occurrence}"
        )
    return ends[occurrence - 1]
