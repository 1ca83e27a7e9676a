"""A CosyVoice that fits a test: the real code, and model directories of the real format with tiny random weights.

The code is that of `cosyvoice2-eu` (PyPI, Apache-2.0), a complete copy of CosyVoice 1 and 2, laid out as upstream's
checkout is. What it imports and never uses here is replaced by empty modules: downloads, text normalization, training.
"""

import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from shutil import copytree, ignore_patterns

import numpy as np
import pytest

from tests.engines.tiny_cosyvoice_yaml import FLOW, LLM, REST

_UNUSED = {
    "modelscope.py": "def snapshot_download(*args, **kwargs):\n    raise OSError('no download in a test')\n",
    "tn/__init__.py": "",
    "tn/chinese/__init__.py": "",
    "tn/chinese/normalizer.py": "class Normalizer:\n    def __init__(self, **kwargs): pass\n",
    "tn/english/__init__.py": "",
    "tn/english/normalizer.py": "class Normalizer:\n    pass\n",
    "lightning/__init__.py": "",
    "lightning/pytorch/__init__.py": "",
    "lightning/pytorch/utilities.py": "def rank_zero_only(function):\n    return function\n",
}
_FAKED = {name.removesuffix(".py").split("/")[0] for name in _UNUSED}
NEEDS = ("torch", "transformers", "torchaudio", "whisper", "hyperpyyaml", "omegaconf", "einops", "inflect", "conformer")


def need_code() -> None:
    """Skip a test where the code, or a package it computes with, is not installed."""
    for name in (*NEEDS, "diffusers", "cosyvoice2_eu", "onnx"):
        if find_spec(name) is None:
            pytest.skip(f"{name} is not installed")
    _python_half_of_torchaudio()


def _python_half_of_torchaudio() -> None:
    """PyPI's torchaudio is built for CUDA and does not load beside torch for CPUs; what is used of it is Python."""
    if "torchaudio" not in sys.modules:
        try:
            import torchaudio  # noqa: F401
        except OSError:
            for name in [name for name in sys.modules if name.split(".")[0] == "torchaudio"]:
                del sys.modules[name]
            half = types.ModuleType("torchaudio._extension")
            half.__spec__ = ModuleSpec(half.__name__, None)
            half._IS_TORCHAUDIO_EXT_AVAILABLE = half._IS_RIR_AVAILABLE = half._IS_ALIGN_AVAILABLE = False
            half.fail_if_no_align = lambda function: function
            sys.modules[half.__name__] = half


@contextmanager
def lent_code(root: Path) -> Iterator[Path]:
    """A checkout for a while; at the end nothing of it is left in this process."""
    path, before = list(sys.path), set(sys.modules)
    try:
        need_code()
        yield checkout(root)
    finally:
        sys.path[:] = path
        for name in set(sys.modules) - before:
            if name.split(".")[0] in ("cosyvoice", "matcha", "torchaudio", *_FAKED):
                del sys.modules[name]


def checkout(root: Path) -> Path:
    """The code as a clone of its repository would lie there."""
    packages = Path(find_spec("cosyvoice2_eu").origin).parents[1]
    skipped = ignore_patterns("__pycache__", "bin", "onnx")
    copytree(packages / "cosyvoice", root / "cosyvoice", ignore=skipped)
    copytree(packages / "matcha", root / "third_party" / "Matcha-TTS" / "matcha", ignore=skipped)
    (root / "third_party" / "Matcha-TTS" / "matcha" / "utils" / "__init__.py").write_text("")
    for name, text in _UNUSED.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def tiny_cosyvoice(root: Path, version: int, code: Path, speakers: tuple[str, ...] = ("anna", "ben")) -> Path:
    """A model directory of CosyVoice 1 or 2, with random weights, always the same ones."""
    import torch
    from hyperpyyaml import load_hyperpyyaml

    from datagen.engines.tts.cosyvoice_code import YAML, import_code

    import_code(code)
    root.mkdir(parents=True)
    yaml = LLM[version] + FLOW[version] + REST
    sizes = {
        1: "rate=22050 fft=1024 hop=256 ups=[8,8] kernels=[16,16] n=[3,3] dil=[[1],[1]]",
        2: "rate=24000 fft=1920 hop=480 ups=[8,5,3] kernels=[16,11,7] n=[3,3,3] dil=[[1],[1],[1]]",
    }[version]
    for name, value in (size.split("=") for size in sizes.split()):
        yaml = yaml.replace(f"${name}", value)
    (root / YAML[version]).write_text(yaml)
    if version == 2:
        _tiny_qwen2(root / "CosyVoice-BlankEN")
    qwen = {"qwen_pretrain_path": str(root / "CosyVoice-BlankEN")} if version == 2 else {}
    torch.manual_seed(5)
    configs = load_hyperpyyaml(yaml, overrides=qwen)
    for name in ("llm", "flow", "hift"):
        weights = configs[name].state_dict()
        if name == "llm":  # utterances of some seconds
            weights["llm_decoder.bias"][configs["llm"].speech_token_size] += {1: -1, 2: 0.8}[version]
        if name == "hift":  # a random vocoder whispers
            weights["conv_post.bias"][:9] += 0.7
        torch.save(weights, root / f"{name}.pt")
        (root / f"{name}-original.pt").symlink_to(f"{name}.pt")  # as this copy of the code calls them
    torch.save({name: {"embedding": torch.randn(1, 192)} for name in speakers}, root / "spk2info.pt")
    _tiny_onnx(root, version)
    return root


def _tiny_qwen2(root: Path) -> None:
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(3)
    config = Qwen2Config(
        vocab_size=512, hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=2048,
    )  # fmt: skip
    Qwen2ForCausalLM(config).save_pretrained(root)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE(vocab={letter: k for k, letter in enumerate(letters)}, merges=[]))
    core.pre_tokenizer, core.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    core.add_special_tokens(["<|endoftext|>"])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<|endoftext|>", pad_token="<|endoftext|>")
    tokenizer.save_pretrained(root)


def _tiny_onnx(root: Path, version: int) -> None:
    """`campplus.onnx`: fbank → 192 numbers; `speech_tokenizer_v*.onnx`: log-mel → a code every 2 or 4 frames."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    def save(name, nodes, inputs, outputs, constants):
        values = [numpy_helper.from_array(value, key) for key, value in constants.items()]
        model = helper.make_model(
            helper.make_graph(nodes, name, inputs, outputs, values), opset_imports=[helper.make_opsetid("", 17)]
        )
        model.ir_version = 9
        onnx.save(model, root / f"{name}.onnx")

    info, node = helper.make_tensor_value_info, helper.make_node
    weights = np.random.default_rng(7).normal(0, 1, (80, 192)).astype(np.float32)
    save(
        "campplus",
        [node("Abs", ["input"], ["size"]), node("ReduceMean", ["size"], ["mean"], axes=[1], keepdims=0),
         node("MatMul", ["mean", "weights"], ["output"])],
        [info("input", TensorProto.FLOAT, [1, None, 80])],
        [info("output", TensorProto.FLOAT, [1, 192])],
        {"weights": weights},
    )  # fmt: skip
    stride = {1: 2, 2: 4}[version]
    save(
        f"speech_tokenizer_v{version}",
        [node("ReduceMean", ["feats"], ["mean"], axes=[1], keepdims=1),
         node("AveragePool", ["mean"], ["pooled"], kernel_shape=[stride], strides=[stride]),
         node("Mul", ["pooled", "scale"], ["scaled"]), node("Cast", ["scaled"], ["whole"], to=TensorProto.INT64),
         node("Mod", ["whole", "size"], ["indices"])],
        [info("feats", TensorProto.FLOAT, [1, 128, None]), info("feats_length", TensorProto.INT32, [1])],
        [info("indices", TensorProto.INT64, [1, 1, None])],
        {"scale": np.array(1000, np.float32), "size": np.array(64, np.int64)},
    )  # fmt: skip
