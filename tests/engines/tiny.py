"""Real models of every kind with random weights, small enough for tests, in the files their makers use."""

import warnings
from pathlib import Path

import numpy as np

S3_MODELS = (
    "speech_tokenizer_v1",
    "speech_tokenizer_v1_25hz",
    "speech_tokenizer_v2_25hz",
    "speech_tokenizer_v3_25hz",
)


def s3_net(model: str, full: bool = False):
    """s3tokenizer's own class with random weights: one narrow layer, or the size of the published one."""
    import torch

    from datagen.engines.s3_nets import import_s3tokenizer

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

    old = "v3" not in model
    conv = {"v1": 1519, "v2": 2216}.get("v1" if model == S3_MODELS[0] else model.split("_")[2], 0)
    for k, name in enumerate(["conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias"]):
        array = weights.pop(f"encoder.{name}")
        given = f"encoders.{name}" if model == S3_MODELS[1] else f"onnx::Conv_{conv + k}"
        if old:
            node("Conv", f"/{name}", (given, array))
        elif name.endswith("weight"):
            layer = name.split(".")[0]
            node("Conv", f"/{layer}/Conv", (name, array), (f"{layer}.bias", weights[f"encoder.{layer}.bias"]))
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
