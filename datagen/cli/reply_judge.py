"""A language model that rates the replies of systems, for `datagen evaluate`."""

from collections.abc import Callable, Mapping, Sequence

from datagen.authoring.authoring_config import Llm
from datagen.authoring.judge import DialogueText, judge_all, krippendorff_alpha, need_scores
from datagen.authoring.reply_cache import Memory, ReplyShelf
from datagen.evaluate.ratings import Rated, Rating
from datagen.evaluate.replies import Exchange
from datagen.records import Turn


class ReplyJudge:
    """A `datagen.evaluate.ratings.Judge` by the rubric of the prompt `score`."""

    def __init__(self, llm: Llm, n_repeats: int, prompts: str, answers: ReplyShelf | None) -> None:
        """A judge; nothing is sent yet.

        Args:
            llm: The model and its server.
            n_repeats: Ratings per reply.
            prompts: Folder with your own prompt; empty for the shipped one.
            answers: Store that keeps the answers; None: they are lost.
        """
        self._llm, self._prompts, self._answers = llm, prompts, answers or Memory()
        self.name, self.n_repeats = llm.model, n_repeats

    def rate(
        self,
        found: Sequence[Exchange],
        replies: Mapping[str, Sequence[str]],
        tell: Callable[[int], object],
        must_rate: bool = False,
    ) -> dict[str, Rated]:
        """Rate the replies of all rows at once, with one client; those without words are rated 1 without it."""
        places = [(row, k) for row, texts in replies.items() for k, text in enumerate(texts) if text]
        asked = [_dialogue(found[k], replies[row][k]) for row, k in places]
        judged = judge_all(asked, self._llm, self.n_repeats, self._prompts, self._answers, tell)
        if must_rate:
            need_scores(judged)
        rated = {row: [Rating(each.dialogue_id, (1,)) for each in found] for row in replies}
        for (row, k), each in zip(places, judged, strict=True):
            rated[row][k] = Rating(each.id, each.scores, each.failures)
        return {row: Rated(tuple(all_), krippendorff_alpha([r.scores for r in all_])) for row, all_ in rated.items()}


def _dialogue(exchange: Exchange, reply: str) -> DialogueText:
    turns = (Turn("user", exchange.user), Turn("assistant", reply))
    return DialogueText(exchange.dialogue_id, exchange.language, turns)
