"""What counts as a fault of the GPU, and what does not."""

import sys
from types import SimpleNamespace

import pytest

from datagen.engines import gpu
from datagen.errors import OutageError


class Fail(Exception):
    __module__ = "onnxruntime.capi.onnxruntime_pybind11_state"


class OutOfMemoryError(RuntimeError):
    """As torch has it."""


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA error: an illegal memory access was encountered\nCUDA kernel errors might be ..."),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
        RuntimeError("CUDA failed with error out of memory"),
        OutOfMemoryError("Tried to allocate 2.00 GiB"),
        OutOfMemoryError(),
        Fail("[ONNXRuntimeError] : 1 : FAIL : CUDA failure 2: out of memory"),
    ],
)
def test_faults_of_a_gpu_are_outages(error):
    found = gpu.outage_of(error)
    assert (str(error) or "OutOfMemoryError").splitlines()[0] in str(found)
    assert "run the same command again" in str(found)
    assert "\n" not in str(found)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("sampling reaches max_trials"),
        RuntimeError("CUDA error: invalid device ordinal"),
        ValueError("cannot say 'CUDA error'"),
        None,
    ],
)
def test_other_faults_are_none(error):
    assert gpu.outage_of(error) is None


def test_the_cause_of_an_error_counts():
    told = RuntimeError("its language model failed")
    told.__cause__ = RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB")
    assert "20.00 MiB" in str(gpu.outage_of(told))


def test_only_outages_are_changed():
    with pytest.raises(OutageError, match="CUDA error: x"), gpu.outages():
        raise RuntimeError("CUDA error: x")
    with pytest.raises(ValueError, match="y"), gpu.outages():
        raise ValueError("y")


@pytest.mark.parametrize("used", [True, False])
def test_memory_is_given_back_where_a_gpu_was_used(monkeypatch, used):
    calls = []
    cuda = SimpleNamespace(is_initialized=lambda: used, empty_cache=lambda: calls.append(1))
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    gpu.give_back()
    assert calls == [1] * used
    monkeypatch.delitem(sys.modules, "torch")
    gpu.give_back()


def test_the_real_error_of_torch_is_known():
    torch = pytest.importorskip("torch")
    assert gpu.outage_of(torch.cuda.OutOfMemoryError("no more")) is not None
