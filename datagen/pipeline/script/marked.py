"""What happens inside turns as the dialogue's marks say. What happens between turns is drawn, as by rule."""

from collections.abc import Iterator, Sequence

from datagen.pipeline.script.beside import backchannel, by_place, merged
from datagen.pipeline.script.floor import Pause, Setting, TurnPlan, pieces_of
from datagen.pipeline.script.interrupt import yielded_to
from datagen.records import BargeIn, Mark, Utterance
from datagen.text.phrases import units


def faults(marks: Sequence[Mark], spoken: Sequence[str]) -> Iterator[str]:
    """Marks that are at no place of the spoken text of their turn.

    Args:
        marks: As they came, checked but for their places.
        spoken: What each turn says.

    >>> list(faults([Mark("barge_in", 0, 3, "assistant")], ["Say it."]))
    ['marks[0].word is 3, but turn 0 says 2 units, and one must come after the mark: 1 at most']
    """
    for k, mark in enumerate(marks):
        n_units = len(units(spoken[mark.turn]))
        if mark.word >= n_units:
            mend = f"{n_units - 1} at most" if n_units > 1 or mark.kind == "hesitation" else "leave the mark out"
            says = f"turn {mark.turn} says {n_units} unit{'' if n_units == 1 else 's'}"
            yield f"marks[{k}].word is {mark.word}, but {says}, and one must come after the mark: {mend}"


def marked(parts: Sequence[TurnPlan], marks: Sequence[Mark], setting: Setting) -> Iterator[Utterance]:
    """All utterances of a dialogue by its marks.

    Nothing else happens inside its turns: no barge-ins, hesitations, false starts, asides or backchannels by rule.

    Args:
        parts: All turns.
        marks: Without `faults`; texts in spoken form.
        setting: Distributions, words, voices and chance.
    """
    in_order = sorted(marks, key=lambda mark: (mark.turn, mark.word, mark.kind))
    of_turn = [[mark for mark in in_order if mark.turn == part.index] for part in parts]
    for part, here in zip(parts, of_turn, strict=True):
        pauses = [_pause(mark, setting) for mark in here if mark.kind == "hesitation"]
        barge_in = _barge_in(parts[part.index - 1], of_turn[part.index - 1], setting) if part.index else None
        pieces = pieces_of(part, setting, barge_in, pauses)
        yield from merged(
            pieces, by_place([_backchannel(part, mark, setting) for mark in here if mark.kind == "backchannel"])
        )


def _barge_in(before: TurnPlan, marks: Sequence[Mark], setting: Setting) -> BargeIn | None:
    """How the next turn interrupts a turn, if the marks of that turn say so."""
    place = next((mark.word for mark in marks if mark.kind == "barge_in"), 0)
    if not place:
        return None
    spots = units(before.spoken)
    last_pause = max((mark.word for mark in marks if mark.kind == "hesitation"), default=0)
    begin = spots[last_pause].start if last_pause else 0  # of the piece that is cut
    family = "next_turn" if before.role == "assistant" else ""
    return yielded_to(before.index, spots[place - 1].end - begin, setting, family)


def _pause(mark: Mark, setting: Setting) -> Pause:
    rule, draws = setting.timing.hesitation, setting.draws
    key = mark.turn, "marked_hesitation", mark.word
    delay = draws.length(rule.filler_delay, *key, "delay") if mark.text else 0
    return Pause(mark.word, draws.length(rule.pause, *key, "pause"), mark.text, delay)


def _backchannel(part: TurnPlan, mark: Mark, setting: Setting) -> Utterance:
    delay = setting.draws.samples(setting.timing.backchannel.delay, mark.turn, "marked_backchannel", mark.word)
    return backchannel(part, setting, units(part.spoken)[mark.word - 1].end, mark.text, delay)
