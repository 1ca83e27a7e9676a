"""The stage: the rows of all tasks of the recipe."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from datagen.errors import RecipeError
from datagen.pipeline.flatten import alignment, chat, four_stream, full_duplex, interleaved, parallel
from datagen.pipeline.flatten.row_format import RowFormat
from datagen.recipe import FlattenConfig
from datagen.records import Reject, Row, Streams
from datagen.shards.chunks import ChunkedConversation
from datagen.shards.vocab import Vocabulary

_TASKS: Mapping[str, Callable[[RowFormat, ChunkedConversation, str], Iterator[Row]]] = {
    "asr": alignment.rows,
    "tts": alignment.rows,
    "four_stream": four_stream.rows,
    "interleaved": interleaved.rows,
    "chat": chat.rows,
    "three_stream": full_duplex.rows,
    "two_stream": full_duplex.rows,
    "parallel": parallel.rows,
}
OF_UTTERANCES = ("asr", "tts")
"""Tasks whose rows are utterances."""


class Flatten:
    """Make the rows of all tasks of the recipe."""

    def __init__(
        self, recipe: FlattenConfig, vocabulary: Vocabulary, hop_samples: int, silence_codes: Sequence[int]
    ) -> None:
        """Set the formats, the ids, the samples per frame, and the code of silence of each codebook.

        Raises:
            RecipeError: If rows are to have more codebooks than there are, or chunks that do not fit into them.
        """
        n_codebooks = recipe.codebooks or vocabulary.n_codebooks
        if n_codebooks > vocabulary.n_codebooks:
            raise RecipeError(f"flatten.codebooks is {n_codebooks}; the speech tokenizer has {vocabulary.n_codebooks}")
        self._format = RowFormat(recipe, vocabulary, tuple(silence_codes[:n_codebooks]))
        self._hop = hop_samples
        width = self._format.layout("three_stream").width
        if width > recipe.max_tokens:
            raise RecipeError(
                f"flatten.max_tokens is {recipe.max_tokens}; one chunk of three streams has {width} tokens"
            )

    def __call__(self, streams: Streams | Reject) -> list[Row]:
        """All rows of a conversation, by task in the recipe's order; none for a reject.

        Where no assistant was recorded there are rows of utterances only: a dialogue would teach it to be silent.
        """
        if isinstance(streams, Reject):
            return []
        f = self._format
        talk = ChunkedConversation.of(streams, f.vocabulary, self._hop, f.recipe.assistant_silence, f.silence_codes)
        is_single = streams.recorded is not None and not streams.recorded.has_assistant
        tasks = [task for task in f.recipe.tasks if not is_single or task in OF_UTTERANCES]
        return [row for task in tasks for row in _TASKS[task](f, talk, task)]
