"""A pretrained language model for the ids of a build: rows for its new ids, and a check of its text tokenizer."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from datagen.errors import FeedError
from datagen.shards.vocab import SPECIALS, Vocabulary

try:
    import torch
except ImportError as error:
    raise FeedError("datagen.feed needs torch: pip install 'duplex-datagen[train]'") from error

Encode = Callable[[str], Sequence[int]]

_PROBES = (
    "Two or three minutes; it's 20°C, and I'd say \"Café naïve\" costs 1,234.50 dollars.",
    "今天下午三点，我们在北京见面，好吗？谢谢！",
    "¿Cuándo sale el autobús? Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich.",
    "def f(x):\n    return x ** 2  # tabs\tand   spaces\r\n\r\nEnd… 🙂👍🏽 Привет мир नमस्ते こんにちは",
)
"""Texts that tokenizers split differently: accents, digits, apostrophes, spaces, several scripts."""


def extend(model: Any, vocabulary: Vocabulary, seed: int = 0) -> None:
    """Give a model rows for the special tokens and speech codes of a vocabulary, in place.

    Rows of text stay. New ones are drawn around the mean of the text rows, with their standard
    deviation in each dimension, so that they differ from one another and none is far out. That
    includes the padding rows of the checkpoint in which the special tokens lie. An output layer
    of its own (untied) gets new rows too, drawn in the same way. A model never shrinks.

    Args:
        model: Any `...ForCausalLM` of transformers.
        vocabulary: Of the build.
        seed: Of the draws.
    """
    n_rows = len(model.get_input_embeddings().weight)
    model.resize_token_embeddings(max(n_rows, vocabulary.size), mean_resizing=False)
    layers = [model.get_input_embeddings(), model.get_output_embeddings()]
    new = [*(vocabulary[name] for name in SPECIALS), *range(vocabulary.speech_offset, vocabulary.size)]
    generator = torch.Generator().manual_seed(seed)
    weights = {layer.weight.data_ptr(): layer.weight for layer in layers if layer is not None}
    with torch.no_grad():
        for weight in weights.values():  # a single one if they are tied
            text = weight[: vocabulary.n_text].float()
            drawn = torch.randn(len(new), weight.shape[1], generator=generator).to(weight.device)
            weight[torch.tensor(new, device=weight.device)] = (text.mean(0) + text.std(0) * drawn).to(weight.dtype)


def tokenizer_faults(theirs: Encode, ours: Encode, own_ids: Collection[int], vocabulary: Vocabulary) -> list[str]:
    """Differences between the text tokenizer of a checkpoint and that of a build; none if it can train on it.

    Args:
        theirs: Encodes a text as the checkpoint does, without marks of beginning and end.
        ours: Encodes a text as the build does.
        own_ids: All ids of the checkpoint's tokenizer, its special tokens included.
        vocabulary: Of the build.

    >>> v = Vocabulary(n_text=300, special_offset=300, speech_offset=400, codebook_size=8)
    >>> letters = lambda text: list(text.encode())
    >>> tokenizer_faults(letters, letters, range(300), v)
    []
    >>> tokenizer_faults(lambda text: letters(text)[::-1], letters, range(302), v)[1]
    'its ids 300 to 301 are special tokens of its own and of the build, which would share their rows'
    """
    found = []
    for text in _PROBES:
        if (read := list(theirs(text))) != (wanted := list(ours(text))):
            found.append(f"it encodes {text[:40]!r} as {read[:6]}..., and the build as {wanted[:6]}...")
            break
    last = vocabulary.special_offset + len(SPECIALS) - 1
    shared = [i for i in own_ids if vocabulary.special_offset <= i <= last or i >= vocabulary.speech_offset]
    if shared:
        places = f"{min(shared)} to {max(shared)}"
        found.append(f"its ids {places} are special tokens of its own and of the build, which would share their rows")
    return found
