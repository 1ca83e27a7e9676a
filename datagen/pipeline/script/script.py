"""Dialogue → Script: normalized text, voices and events, calls of tools and voice prompts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from datagen import seeds
from datagen.pipeline.draws import Draws
from datagen.pipeline.script.beside import backchannel, beside, merged
from datagen.pipeline.script.calls import Writing, break_ins, calling
from datagen.pipeline.script.casting import Background, Pools
from datagen.pipeline.script.correct import corrected
from datagen.pipeline.script.floor import Pause, Piece, Setting, TurnPlan, drawn_pauses, pieces_of
from datagen.pipeline.script.interrupt import barge_in_of, drawn_interruption, inserted, yielded_to
from datagen.pipeline.splits import split_of
from datagen.pipeline.step import PipelineStage
from datagen.recipe import Recipe
from datagen.records import BargeIn, Dialogue, Mark, Reject, Role, Script, Utterance, reject
from datagen.text import Read, spoken
from datagen.text.phrases import Unit, units


def follows_marks(dialogue: Dialogue, share: float) -> bool:
    """True if a dialogue follows its marks instead of the rules, by a hash of its id alone.

    >>> talk = Dialogue("d1", (), marks=(Mark("hesitation", 0, 1, "user"),))
    >>> follows_marks(talk, 1), follows_marks(talk, 0), follows_marks(Dialogue("d1", ()), 1)
    (True, False, False)
    """
    return dialogue.has_marks and seeds.fraction("marks", dialogue.id) < share


class WriteScript(PipelineStage[Dialogue, Script]):
    """Decide all words, voices and events; every decision is drawn under its own key."""

    def __init__(
        self,
        recipe: Recipe,
        pools: Pools,
        speakers: Mapping[str, str] | None = None,
        read: Read = spoken,
        assistants: Mapping[str, Sequence[str]] | None = None,
        writing: Writing | None = None,
    ) -> None:
        """Set the recipe and the voices.

        Args:
            recipe: The recipe.
            pools: Voices of users.
            speakers: Speakers of voices (see `Background`).
            read: The normalizers.
            assistants: Voices of the assistant by language; by default those of the recipe.
            writing: Speed of the text stream, if tool calls are kept.
        """
        self._recipe, self._pools, self._read, self._writing = recipe, pools, read, writing
        self._assistants = assistants or {}
        self._background = Background(recipe.mix, pools, recipe.seed, speakers or {}, recipe.voices.prompts)

    def run(self, dialogue: Dialogue) -> Script | Reject:
        """Write the script of a dialogue."""
        split = dialogue.split or split_of(dialogue.group or dialogue.id, self._recipe.splits)
        parts: list[TurnPlan] = []
        for index, turn in enumerate(dialogue.turns):
            said = self._read(turn.text, dialogue.language).text
            if not said:
                return reject(dialogue, "script", "unspeakable", f"turn {index} ({turn.role}) has nothing to say aloud")
            calls = tuple(replace(c, before=self._read(c.before, dialogue.language).text) for c in turn.calls)
            parts.append(TurnPlan(index, turn.role, turn.text, said, calls=calls, style=turn.style))
        setting = self._setting(dialogue, split)
        if any(part.calls for part in parts) and not (setting.tokens and setting.tokens.checks and self._writing):
            return reject(dialogue, "script", "tool_call", f"timing.tokens.{setting.language}.checks has no words")
        if not follows_marks(dialogue, self._recipe.script.marked_share):
            return self._background.added(Script(dialogue, split, tuple(self._by_rule(parts, setting))))
        marks = [replace(mark, text=self._read(mark.text, dialogue.language).text) for mark in dialogue.marks]
        for fault in _mark_faults(dialogue.marks, marks, parts):
            return reject(dialogue, "script", "bad_mark", fault)
        utterances = tuple(marked(parts, marks, setting, self._writing))
        return self._background.added(Script(dialogue, split, utterances, "marks"))

    def _assistant_voice(self, dialogue: Dialogue, language: str) -> str:
        """The assistant's voice: one of several by the dialogue's id alone."""
        pool = self._assistants.get(language) or self._recipe.voices.assistants_of(language)
        if len(pool) < 2:
            return "".join(pool)
        return pool[int(seeds.rng(self._recipe.seed, dialogue.id, "assistant_voice").integers(len(pool)))]

    def _user_voice(self, dialogue: Dialogue, language: str, split: str) -> str:
        """The user voice: by the dialogue's id alone, or by its place, so that all voices alternate."""
        pool = self._pools[language][split]
        if self._recipe.voices.deal == "hash":
            return pool[int(seeds.rng(self._recipe.seed, dialogue.id, "voice").integers(len(pool)))]
        turn, place = divmod(dialogue.record, len(pool))
        return pool[int(seeds.rng(self._recipe.seed, "deal", split, turn).permutation(len(pool))[place])]

    def _setting(self, dialogue: Dialogue, split: str) -> Setting:
        recipe, language = self._recipe, dialogue.language or "en"
        voices: dict[Role, str] = {
            "user": self._user_voice(dialogue, language, split),
            "assistant": self._assistant_voice(dialogue, language),
        }
        draws = Draws.of_script(recipe.seed, dialogue.id, recipe.sample_rate_hz)
        return Setting(language, recipe.timing, recipe.timing.tokens.get(language), voices, draws)

    def _by_rule(self, parts: Sequence[TurnPlan], setting: Setting) -> Iterator[Utterance]:
        waits = break_ins(parts, setting)
        cancelled = {k for k, kind in waits.items() if kind == "cancel"}
        interrupted = {
            part.index: found
            for part in parts
            if part.role == "assistant" and part.index not in cancelled
            if (found := drawn_interruption(parts, part.index, setting))
        }
        for part in parts:
            part = _with_correction(part, [before.spoken for before in parts[: part.index]], setting)
            before = interrupted.get(part.index - 1)
            cuts_in = before is not None and before.family == "next_turn"
            barge_in = barge_in_of(part.index - 1, before, setting) if before and cuts_in else None
            stopped = part.index - 1 in cancelled or (before is not None and before.family == "stop_request")
            pieces = pieces_of(part, setting, barge_in, drawn_pauses(part, setting), stopped)
            lead, pieces = with_calls(part, pieces, setting, self._writing, waits.get(part.index, ""))
            yield from lead
            yield from merged(pieces, beside(part, setting) if pieces else ())
            now = interrupted.get(part.index)
            if now and now.family != "next_turn" and setting.tokens:
                yield from inserted(part, now, setting, setting.tokens)


def with_calls(
    part: TurnPlan, pieces: list[Piece], setting: Setting, writing: Writing | None, break_in: str = ""
) -> tuple[list[Utterance], list[Piece]]:
    """The utterances before a turn's answer if it calls tools, and the answer's pieces; see `calling`."""
    if not part.calls or setting.tokens is None or writing is None:
        return [], pieces
    return calling(part, pieces, setting, setting.tokens, writing, break_in)


def _with_correction(part: TurnPlan, earlier: Sequence[str], setting: Setting) -> TurnPlan:
    """A user turn with a correction, if one is drawn and the turn has a suitable value."""
    rule, draws = setting.timing.correction, setting.draws
    if part.role != "user" or not setting.tokens or not draws.happens(rule.probability, part.index, "correction"):
        return part
    found = corrected(part.spoken, earlier, setting.language, setting.tokens.corrections, draws, part.index)
    return replace(part, spoken=found.spoken, correction=found.span) if found else part


# -- by marks -----------------------------------------------------------------------------------------


def _mark_faults(marks: Sequence[Mark], spoken: Sequence[Mark], parts: Sequence[TurnPlan]) -> Iterator[str]:
    """Faults of marks that depend on the spoken text."""
    yield from _mark_places(marks, [part.spoken for part in parts])
    for k, (written, said) in enumerate(zip(marks, spoken, strict=True)):
        if written.text and not said.text:
            yield f"marks[{k}].text has nothing to say aloud: {written.text!r}; give words"


def _mark_places(marks: Sequence[Mark], spoken: Sequence[str]) -> Iterator[str]:
    """Faults of marks whose place is not in the spoken text of their turn.

    Args:
        marks: Marks from the input, checked except for their places.
        spoken: Spoken text of each turn.

    >>> list(_mark_places([Mark("barge_in", 0, 3, "assistant")], ["Say it."]))
    ['marks[0].word is 3, but turn 0 says 2 units, and one must come after the mark: 1 at most']
    """
    counts = {turn: len(units(spoken[turn])) for turn in {mark.turn for mark in marks}}
    for k, mark in enumerate(marks):
        n_units = counts[mark.turn]
        if mark.word >= n_units:
            fix = f"{n_units - 1} at most" if n_units > 1 or mark.kind == "hesitation" else "leave the mark out"
            says = f"turn {mark.turn} says {n_units} unit{'' if n_units == 1 else 's'}"
            yield f"marks[{k}].word is {mark.word}, but {says}, and one must come after the mark: {fix}"


def marked(
    parts: Sequence[TurnPlan], marks: Sequence[Mark], setting: Setting, writing: Writing | None = None
) -> Iterator[Utterance]:
    """All utterances of a dialogue by its marks.

    There are no barge-ins, hesitations, false starts, asides or backchannels by rule.

    Args:
        parts: All turns.
        marks: Marks at places of the text, with normalized texts.
        setting: Distributions, words, voices and random draws.
        writing: Speed of the text stream, if a turn calls tools.
    """
    in_order = sorted(marks, key=lambda mark: (mark.turn, mark.word, mark.kind))
    of_turn = [list[Mark]() for _ in parts]
    for mark in in_order:
        of_turn[mark.turn].append(mark)
    for part, here in zip(parts, of_turn, strict=True):
        pauses = [_pause(mark, setting) for mark in here if mark.kind == "hesitation"]
        barge_in = _barge_in(parts[part.index - 1], of_turn[part.index - 1], setting) if part.index else None
        pieces = pieces_of(part, setting, barge_in, pauses)
        lead, pieces = with_calls(part, pieces, setting, writing)
        yield from lead
        spots = units(part.spoken) if here else []
        tokens = [_backchannel(part, spots, mark, setting) for mark in here if mark.kind == "backchannel"]
        yield from merged(pieces, tokens)


def _barge_in(before: TurnPlan, marks: Sequence[Mark], setting: Setting) -> BargeIn | None:
    """The barge-in of the next turn into a turn, if it is marked."""
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


def _backchannel(part: TurnPlan, spots: Sequence[Unit], mark: Mark, setting: Setting) -> Utterance:
    delay = setting.draws.samples(setting.timing.backchannel.delay, mark.turn, "marked_backchannel", mark.word)
    return backchannel(part, setting, spots[mark.word - 1].end, mark.text, delay)
