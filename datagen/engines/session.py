"""ONNX networks on one thread of the CPU: sums in one order, whatever the machine's cores."""

from typing import Any


def one_thread(model: bytes) -> Any:
    """An onnxruntime session of a serialized model, which says nothing but errors."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
