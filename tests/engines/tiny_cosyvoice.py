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

    from datagen.engines.cosyvoice_code import YAML, import_code

    import_code(code)
    root.mkdir(parents=True)
    yaml = _LLM[version] + _FLOW[version] + _REST
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
    configs = load_hyperpyyaml(yaml, overrides=qwen)
    torch.manual_seed(5)
    for name in ("llm", "flow", "hift"):
        weights = configs[name].state_dict()
        if name == "llm":  # an end likely enough to come
            weights["llm_decoder.bias"][configs["llm"].speech_token_size] += {1: 0.3, 2: 0.8}[version]
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


_CONFORMER = """
        attention_heads: 2
        linear_units: 16
        num_blocks: 1
        dropout_rate: 0.1
        positional_dropout_rate: 0.1
        attention_dropout_rate: 0
        normalize_before: True
        input_layer: linear
        pos_enc_layer_type: rel_pos_espnet
        selfattention_layer_type: rel_selfattn
        use_cnn_module: False
        macaron_style: False
        input_size: 16
        output_size: 16"""
_WIDE = _CONFORMER.replace("put_size: 16", "put_size: 512")  # as wide as the real one: the code allows no other
_LLM = {
    1: f"""
llm: !new:cosyvoice.llm.llm.TransformerLM
    text_encoder_input_size: 16
    llm_input_size: 16
    llm_output_size: 16
    text_token_size: 60515
    speech_token_size: 64
    spk_embed_dim: 192
    text_encoder: !new:cosyvoice.transformer.encoder.ConformerEncoder{_CONFORMER}
        static_chunk_size: 1
    llm: !new:cosyvoice.transformer.encoder.TransformerEncoder
        input_size: 16
        output_size: 16
        attention_heads: 2
        linear_units: 16
        num_blocks: 1
        dropout_rate: 0.1
        positional_dropout_rate: 0.1
        attention_dropout_rate: 0
        input_layer: linear_legacy
        pos_enc_layer_type: rel_pos_espnet
        selfattention_layer_type: rel_selfattn
        static_chunk_size: 1
    sampling: !name:cosyvoice.utils.common.ras_sampling
        top_p: 0.8
        top_k: 25
        win_size: 10
        tau_r: 0.1
get_tokenizer: !name:cosyvoice.tokenizer.tokenizer.get_tokenizer
    multilingual: True
    num_languages: 100
    language: en
    task: transcribe
""",
    2: """
qwen_pretrain_path: ''
llm: !new:cosyvoice.llm.llm.Qwen2LM
    llm_input_size: 32
    llm_output_size: 32
    speech_token_size: 64
    mix_ratio: [5, 15]
    llm: !new:cosyvoice.llm.llm.Qwen2Encoder
        pretrain_path: !ref <qwen_pretrain_path>
    sampling: !name:cosyvoice.utils.common.ras_sampling
        top_p: 0.8
        top_k: 25
        win_size: 10
        tau_r: 0.1
get_tokenizer: !name:cosyvoice.tokenizer.tokenizer.get_qwen_tokenizer
    token_path: !ref <qwen_pretrain_path>
    skip_special_tokens: True
""",
}
_CFM = """
        in_channels: 240
        n_spks: 1
        spk_emb_dim: 80
        cfm_params: !new:omegaconf.DictConfig
            content: {sigma_min: 1e-06, solver: euler, t_scheduler: cosine, training_cfg_rate: 0.2,
                      inference_cfg_rate: 0.7, reg_loss_type: l1}"""
_ESTIMATOR = """
            in_channels: 320
            out_channels: 80
            channels: [16]
            dropout: 0.0
            attention_head_dim: 8
            n_blocks: 1
            num_mid_blocks: 1
            num_heads: 1
            act_fn: gelu"""
_FLOW = {
    1: f"""
flow: !new:cosyvoice.flow.flow.MaskedDiffWithXvec
    input_size: 16
    output_size: 80
    vocab_size: 64
    input_frame_rate: 50
    encoder: !new:cosyvoice.transformer.encoder.ConformerEncoder{_CONFORMER}
    length_regulator: !new:cosyvoice.flow.length_regulator.InterpolateRegulator
        channels: 80
        sampling_ratios: [1]
    decoder: !new:cosyvoice.flow.flow_matching.ConditionalCFM{_CFM}
        estimator: !new:cosyvoice.flow.decoder.ConditionalDecoder{_ESTIMATOR}
""",
    2: f"""
flow: !new:cosyvoice.flow.flow.CausalMaskedDiffWithXvec
    input_size: 512
    output_size: 80
    vocab_size: 64
    input_frame_rate: 25
    token_mel_ratio: 2
    pre_lookahead_len: 3
    encoder: !new:cosyvoice.transformer.upsample_encoder.UpsampleConformerEncoder{_WIDE}
        static_chunk_size: 25
    decoder: !new:cosyvoice.flow.flow_matching.CausalConditionalCFM{_CFM}
        estimator: !new:cosyvoice.flow.decoder.CausalConditionalDecoder{_ESTIMATOR}
            static_chunk_size: 50
            num_decoding_left_chunks: 1
""",
}
_REST = """
sample_rate: $rate
allowed_special: all
hift: !new:cosyvoice.hifigan.generator.HiFTGenerator
    in_channels: 80
    base_channels: 16
    nb_harmonics: 2
    sampling_rate: $rate
    upsample_rates: $ups
    upsample_kernel_sizes: $kernels
    istft_params: {n_fft: 16, hop_len: 4}
    resblock_kernel_sizes: [3]
    resblock_dilation_sizes: [[1]]
    source_resblock_kernel_sizes: $n
    source_resblock_dilation_sizes: $dil
    f0_predictor: !new:cosyvoice.hifigan.f0_predictor.ConvRNNF0Predictor
        num_class: 1
        in_channels: 80
        cond_channels: 8
feat_extractor: !name:matcha.utils.audio.mel_spectrogram
    n_fft: $fft
    num_mels: 80
    sampling_rate: $rate
    hop_size: $hop
    win_size: $fft
    fmin: 0
    fmax: 8000
    center: False
"""
