"""Dialogue → Script: spoken text, voices, and what will happen."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from datagen import seeds
from datagen.pipeline.script.beside import beside, merged
from datagen.pipeline.script.casting import Pools
from datagen.pipeline.script.correct import corrected
from datagen.pipeline.script.draws import ScriptDraws
from datagen.pipeline.script.floor import Setting, TurnPlan, drawn_pauses, pieces_of
from datagen.pipeline.script.interrupt import barge_in_of, drawn_interruption, inserted
from datagen.pipeline.script.marked import faults, marked
from datagen.recipe import Recipe, SplitsConfig
from datagen.records import Dialogue, Mark, Reject, Role, Script, Utterance, reject
from datagen.text import to_spoken


def split_of(group: str, splits: SplitsConfig) -> str:
    """Deal a group of near-duplicates into a split, by a hash of the id that names it and of nothing else.

    A dialogue without near-duplicates is a group of its own, named by its id: a larger input moves it only if it brings
    a near-duplicate.

    >>> split_of("d1", Splits(validation=0, test=0))
    'train'
    """
    u = seeds.fraction("split", group)
    if u < splits.validation:
        return "validation"
    return "test" if u < splits.validation + splits.test else "train"


def follows_marks(dialogue: Dialogue, share: float) -> bool:
    """Whether a dialogue's marks say what happens in it, dealt by a hash of its id alone; the rules do if not.

    >>> talk = Dialogue("d1", (), marks=(Mark("hesitation", 0, 1, "user"),))
    >>> follows_marks(talk, 1), follows_marks(talk, 0), follows_marks(Dialogue("d1", ()), 1)
    (True, False, False)
    """
    return dialogue.has_marks and seeds.fraction("marks", dialogue.id) < share


class WriteScript:
    """Decide all that is to be heard; every decision is drawn under its own key."""

    def __init__(self, recipe: Recipe, pools: Pools) -> None:
        """Take the recipe, and the voices of users to draw from."""
        self._recipe, self._pools = recipe, pools

    def __call__(self, batch: Sequence[Dialogue]) -> list[Script | Reject]:
        """Write a script for each dialogue."""
        return [self._script(dialogue) for dialogue in batch]

    def _script(self, dialogue: Dialogue) -> Script | Reject:
        split = split_of(dialogue.group or dialogue.id, self._recipe.splits)
        language = dialogue.language or "en"
        user, assistant = self._user_voice(dialogue, language, split), self._recipe.voices.assistant_of(language)
        voices: dict[Role, str] = {"user": user, "assistant": assistant}
        parts: list[TurnPlan] = []
        for index, turn in enumerate(dialogue.turns):
            spoken = to_spoken(turn.text, dialogue.language)
            if not spoken:
                return reject(dialogue, "script", "unspeakable", f"turn {index} ({turn.role}) has nothing to say aloud")
            parts.append(TurnPlan(index, turn.role, turn.text, spoken))
        if not follows_marks(dialogue, self._recipe.script.marked_share):
            return Script(dialogue, split, tuple(self._by_rule(parts, self._setting(dialogue, voices))))
        marks = [replace(mark, text=to_spoken(mark.text, dialogue.language)) for mark in dialogue.marks]
        for fault in _mark_faults(dialogue.marks, marks, parts):
            return reject(dialogue, "script", "bad_mark", fault)
        return Script(dialogue, split, tuple(marked(parts, marks, self._setting(dialogue, voices))), "marks")

    def _user_voice(self, dialogue: Dialogue, language: str, split: str) -> str:
        """By the dialogue's id alone, or by its place: every voice once, in drawn order, before any comes again."""
        pool = self._pools[language][split]
        if self._recipe.voices.deal == "hash":
            return pool[int(seeds.rng(self._recipe.seed, dialogue.id, "voice").integers(len(pool)))]
        turn, place = divmod(dialogue.record, len(pool))
        return pool[int(seeds.rng(self._recipe.seed, "deal", split, turn).permutation(len(pool))[place])]

    def _setting(self, dialogue: Dialogue, voices: dict[Role, str]) -> Setting:
        timing, tokens = self._recipe.timing, self._recipe.timing.tokens.get(dialogue.language or "en")
        draws = ScriptDraws(self._recipe.seed, dialogue.id, self._recipe.sample_rate_hz)
        return Setting(dialogue.language or "en", timing, tokens, voices, draws)

    def _by_rule(self, parts: Sequence[TurnPlan], setting: Setting) -> Iterator[Utterance]:
        interrupted = {
            part.index: found
            for part in parts
            if part.role == "assistant" and (found := drawn_interruption(parts, part.index, setting))
        }
        for part in parts:
            part = _with_correction(part, [before.spoken for before in parts[: part.index]], setting)
            before = interrupted.get(part.index - 1)
            cuts_in = before is not None and before.family == "next_turn"
            barge_in = barge_in_of(part.index - 1, before, setting) if before and cuts_in else None
            stopped = before is not None and before.family == "stop_request"
            pieces = pieces_of(part, setting, barge_in, drawn_pauses(part, setting), stopped)
            yield from merged(pieces, beside(part, setting))
            now = interrupted.get(part.index)
            if now and now.family != "next_turn" and setting.tokens:
                yield from inserted(part, now, setting, setting.tokens)


def _with_correction(part: TurnPlan, earlier: Sequence[str], setting: Setting) -> TurnPlan:
    """A user's turn with a value said wrong first, if that is drawn and it has one."""
    rule, draws = setting.timing.correction, setting.draws
    if part.role != "user" or not setting.tokens or not draws.happens(rule.probability, part.index, "correction"):
        return part
    found = corrected(part.spoken, earlier, setting.language, setting.tokens.corrections, draws, part.index)
    return replace(part, spoken=found.spoken, correction=found.span) if found else part


def _mark_faults(marks: Sequence[Mark], spoken: Sequence[Mark], parts: Sequence[TurnPlan]) -> Iterator[str]:
    """What is wrong with marks now that is known what is said aloud."""
    yield from faults(marks, [part.spoken for part in parts])
    for k, (written, said) in enumerate(zip(marks, spoken, strict=True)):
        if written.text and not said.text:
            yield f"marks[{k}].text has nothing to say aloud: {written.text!r}; give words"
