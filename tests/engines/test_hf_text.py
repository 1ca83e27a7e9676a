"""Text tokenizers of Hugging Face: small ones of every kind, saved and loaded as their libraries do."""

import json
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.engines import load
from datagen.errors import EngineError, EngineMissingError
from datagen.pipeline.pipeline import Pipeline
from tests.conftest import make_recipe
from tests.engines.tiny import TEXT_KINDS, qwen2_directory, text_tokenizer
from tests.run.builds import faults, made, read

pytest.importorskip("transformers")

MARKERS = ("<|endoftext|>", "<|im_end|>", "<s>", "</s>", "<pad>", "[CLS]", "[SEP]", "[MASK]", "<think>")
UNKNOWN = ("<unk>", "[UNK]")


@pytest.fixture(scope="session")
def directory(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text")
    return lru_cache(lambda kind: text_tokenizer(folder, kind))


@pytest.fixture(scope="session")
def tokenizer(directory):
    """Builds each kind once."""
    return lru_cache(lambda kind: load.text_tokenizer("hf", {"path": str(directory(kind))}))


@pytest.fixture(scope="session")
def reference(directory):
    """The same tokenizer in the hands of its own library."""
    from transformers import AutoTokenizer

    return lru_cache(lambda kind: AutoTokenizer.from_pretrained(directory(kind)))


def special_ids(reference) -> set[int]:
    vocab = reference.get_vocab()
    return {vocab[marker] for marker in MARKERS if marker in vocab}


@pytest.mark.parametrize("kind", TEXT_KINDS)
@pytest.mark.parametrize("text", ["hello world", "How are you today?", "  two  spaces ", "", "你好 ☃", "x" * 50])
def test_plain_text_has_the_ids_of_the_library_without_beginning_or_end(tokenizer, reference, kind, text):
    expected = reference(kind).encode(text, add_special_tokens=False, truncation=False)
    assert tokenizer(kind).encode(text) == expected


@pytest.mark.parametrize("kind", TEXT_KINDS)
@given(st.lists(st.sampled_from([*MARKERS, *UNKNOWN, " ", "a", "the quick", "<", "/s>"]) | st.text(max_size=5)))
@settings(max_examples=80, deadline=None)
def test_no_text_yields_a_special_id(tokenizer, reference, kind, parts):
    ids = tokenizer(kind).encode("".join(parts))
    assert not special_ids(reference(kind)) & set(ids)


@pytest.mark.parametrize("kind", TEXT_KINDS)
def test_a_marker_is_spelled_out(tokenizer, reference, kind):
    """Markers whose characters the small vocabularies know come back letter by letter."""
    for marker in [m for m in (*MARKERS, *UNKNOWN) if m in reference(kind).get_vocab()]:
        ids = tokenizer(kind).encode(f"a {marker} a")
        spelled = tokenizer(kind).decode(ids).replace(" ", "")
        assert len(ids) > 4
        if kind != "unigram" or marker.islower():  # the small one has no capitals
            assert spelled in (f"a{marker}a", f"a{marker}a".lower())
    assert special_ids(reference(kind)), "nothing was tested"


def test_a_whole_piece_that_is_special_is_not_found_by_unigram(tokenizer, reference):
    """Splitting special tokens, as the library can, is not enough there."""
    naive = reference("unigram").encode("a </s> b", add_special_tokens=False, split_special_tokens=True)
    assert reference("unigram").convert_tokens_to_ids("</s>") in naive
    ids = tokenizer("unigram").encode("a </s> b")
    assert tokenizer("unigram").decode(ids) == "a </s> b"


@pytest.mark.parametrize("kind", ["byte_bpe", "llama"])
@given(text=st.text(max_size=30))
@settings(max_examples=60, deadline=None)
def test_what_falls_back_on_bytes_reads_everything_back(tokenizer, kind, text):
    assert tokenizer(kind).decode(tokenizer(kind).encode(text)) == text


def test_layout_is_taken_from_the_directory(directory, tokenizer, reference, tmp_path):
    for kind in TEXT_KINDS:
        t = tokenizer(kind)
        assert t.vocabulary_size == t.special_offset == t.n_embeddings == len(reference(kind))
    path = directory("byte_bpe")
    for config, rows in [
        ({"vocab_size": 512}, 512),
        ({"text_config": {"vocab_size": 640}}, 640),
        ({"vocab_size": 9}, 318),
    ]:
        (path / "config.json").write_text(json.dumps({"model_type": "qwen2", **config}), "utf-8")
        assert load.text_tokenizer("hf", {"path": str(path)}).n_embeddings == rows
    assert load.text_tokenizer("hf", {"path": str(path), "n_embeddings": 400}).n_embeddings == 400
    with pytest.raises(EngineError, match=r"n_embeddings is 300, but .* has 318 ids"):
        load.text_tokenizer("hf", {"path": str(path), "n_embeddings": 300})
    (path / "config.json").unlink()


def test_its_version_names_the_vocabulary_and_its_name_no_place(directory, tokenizer, tmp_path):
    import shutil

    moved = tmp_path / "byte_bpe"
    shutil.copytree(directory("byte_bpe"), moved)
    assert load.text_tokenizer("hf", {"path": str(moved)}).info == tokenizer("byte_bpe").info
    spec = json.loads((moved / "tokenizer.json").read_text("utf-8"))
    spec["model"]["merges"].pop()
    (moved / "tokenizer.json").write_text(json.dumps(spec), "utf-8")
    assert load.text_tokenizer("hf", {"path": str(moved)}).info.version != tokenizer("byte_bpe").info.version
    assert len({tokenizer(kind).info.version for kind in TEXT_KINDS}) == len(TEXT_KINDS)


def test_what_is_not_there_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(EngineMissingError, match="no tokenizer '"):
        load.text_tokenizer("hf", {"path": str(tmp_path)})
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(EngineMissingError, match=r"pip install .*\[text\]"):
        load.text_tokenizer("hf", {"path": str(tmp_path)})


def test_code_that_comes_with_a_tokenizer_is_not_run(directory, tmp_path):
    import shutil

    path = tmp_path / "coded"
    shutil.copytree(directory("byte_bpe"), path)
    config = json.loads((path / "tokenizer_config.json").read_text("utf-8"))
    config |= {"tokenizer_class": "Mine", "auto_map": {"AutoTokenizer": ["mine.Mine", "mine.Mine"]}}
    (path / "tokenizer_config.json").write_text(json.dumps(config), "utf-8")
    (path / "mine.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Mine: pass\n", "utf-8")
    with pytest.raises(EngineMissingError, match="trust_remote_code"):
        load.text_tokenizer("hf", {"path": str(path)})
    assert not (tmp_path / "ran").exists()


def test_it_works_without_torch_and_without_a_network(directory):
    code = (
        "import socket, sys\nsys.modules['torch'] = None\n"
        "def refuse(*_, **__): raise AssertionError('asked the network')\n"
        "socket.getaddrinfo = socket.socket.connect = refuse\n"
        "from datagen.engines.text_tokens.hf_text import HfTokenizer\n"
        f"print(len(HfTokenizer({str(directory('byte_bpe'))!r}).encode('hello world')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2"]


@pytest.fixture(scope="module")
def qwen2(tmp_path_factory):
    return qwen2_directory(tmp_path_factory.mktemp("qwen2"))


def test_qwen2_by_directory_has_the_ids_of_the_embedded_one(qwen2):
    theirs, ours = load.text_tokenizer("hf", {"path": str(qwen2)}), load.text_tokenizer("qwen2", {})
    assert (theirs.vocabulary_size, theirs.n_embeddings) == (ours.vocabulary_size, ours.n_embeddings)
    package = Path(load.__file__).parents[1]
    texts = [line for file in sorted(package.rglob("*.py"))[:40] for line in file.read_text("utf-8").splitlines()]
    texts += [line for file in package.rglob("quickstart.jsonl") for line in file.read_text("utf-8").splitlines()]
    texts += [
        "你好，世界！<|im_end|>",
        "<|im_start|>system",
        "e\u0301 café",
        "  a\n\n\t x",
        "12345 6.78",
        "☃️👩‍👩‍👧 한국어",
        "a\ud800b",
    ]
    assert [text for text in texts if theirs.encode(text) != ours.encode(text)] == []


def test_a_build_stores_its_layout_and_passes_a_check(directory, tmp_path):
    path = directory("byte_bpe")
    out, manifest = made(tmp_path, f"engines.text_tokenizer={{name: hf, options: {{path: {path}, n_embeddings: 512}}}}")
    vocabulary = manifest.vocabulary
    assert (vocabulary.n_text, vocabulary.special_offset, vocabulary.speech_offset) == (318, 318, 512)
    assert manifest.engines["text_tokenizer"].name == "hf:byte_bpe"
    assert faults(out) == []
    assert read(out, "conversations")


def test_qwen2_by_directory_gives_the_vocabulary_of_a_build(qwen2):
    build = Pipeline(make_recipe(f"engines.text_tokenizer={{name: hf, options: {{path: {qwen2}}}}}"))
    assert (build.vocabulary.n_text, build.vocabulary.speech_offset) == (151_646, 151_936)
