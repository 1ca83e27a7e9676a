"""New rows of a pretrained model, and the check of its tokenizer."""

import pytest
import torch
import transformers

from datagen.engines.text_tokens.qwen2 import Qwen2Tokenizer
from datagen.feed.pretrained import extend, tokenizer_faults
from datagen.shards.vocab import SPECIALS, Vocabulary
from tests.engines.tiny import qwen2_directory

VOCABULARY = Vocabulary(n_text=100, special_offset=110, speech_offset=128, codebook_size=64)
QWEN2 = Vocabulary(n_text=151_646, special_offset=151_665, speech_offset=151_936, codebook_size=4096)


def model(tied: bool, n_rows: int = 128) -> transformers.Qwen2ForCausalLM:
    torch.manual_seed(0)
    config = transformers.Qwen2Config(
        vocab_size=n_rows, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=2, tie_word_embeddings=tied,
    )  # fmt: skip
    found = transformers.Qwen2ForCausalLM(config)
    with torch.no_grad():
        for layer in (found.get_input_embeddings(), found.lm_head):
            layer.weight[:100] += 3  # text lies off the origin
            layer.weight[100:] = 0  # padding
    return found


@pytest.mark.parametrize("tied", [True, False])
def test_text_stays_and_new_rows_lie_among_it(tied):
    changed, before = model(tied), model(tied)
    extend(changed, VOCABULARY)
    assert (changed.lm_head.weight is changed.get_input_embeddings().weight) == tied
    for new, old in (
        (changed.get_input_embeddings(), before.get_input_embeddings()),
        (changed.lm_head, before.lm_head),
    ):
        weight, text = new.weight.detach(), old.weight[:100].detach()
        assert len(weight) == VOCABULARY.size == changed.config.vocab_size
        assert torch.equal(weight[:100], text)
        specials = weight[110 : 110 + len(SPECIALS)]
        assert torch.equal(weight[100:110], old.weight[100:110])
        for rows in (specials, weight[128:]):
            assert torch.allclose(rows.mean(0), text.mean(0), atol=6 * float(text.std()) / len(rows) ** 0.5)
            assert 0.5 < rows.std(0).mean() / text.std(0).mean() < 1.5
    if not tied:
        assert not torch.equal(changed.lm_head.weight[128:], changed.get_input_embeddings().weight[128:])


def test_equal_seeds_make_equal_rows_and_a_large_model_stays_large():
    one, other, third = model(True), model(True, 300), model(True)
    extend(one, VOCABULARY)
    extend(other, VOCABULARY)
    extend(third, VOCABULARY, seed=1)
    assert len(other.get_input_embeddings().weight) == 300
    rows = [each.get_input_embeddings().weight[128 : VOCABULARY.size] for each in (one, third)]
    assert not torch.equal(*rows)
    again = model(True)
    extend(again, VOCABULARY)
    assert torch.equal(again.get_input_embeddings().weight, one.get_input_embeddings().weight)


def test_qwen2_in_the_hands_of_transformers_is_the_embedded_tokenizer(tmp_path):
    theirs = transformers.AutoTokenizer.from_pretrained(qwen2_directory(tmp_path))
    ids = set(theirs.get_vocab().values())
    encode = lambda text: theirs.encode(text, add_special_tokens=False)  # noqa: E731
    assert tokenizer_faults(encode, Qwen2Tokenizer().encode, ids, QWEN2) == []
    upper = lambda text: encode(text.upper())  # noqa: E731
    (fault,) = tokenizer_faults(upper, Qwen2Tokenizer().encode, ids, QWEN2)
    assert fault.startswith('it encodes "Two or three minutes')
    (fault,) = tokenizer_faults(encode, Qwen2Tokenizer().encode, {*ids, 151_665, 151_668}, QWEN2)
    assert fault.startswith("its ids 151665 to 151668 are")
