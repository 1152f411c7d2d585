"""The requested device, or an error before any work; where there is such a device, its answer."""

import os
import subprocess
import sys
import types

import numpy as np
import onnxruntime
import pytest
from helpers.model import write_model

from beadctl.devices import DEVICE_KINDS, NUMBERED
from beadctl.errors import BeadctlError, DeviceError, MissingExtraError, ModelError
from beadctl.images import InMemory
from beadctl.model import device_trial, openvino_session, runtime
from beadctl.model.device_trial import try_devices
from beadctl.model.runtime import PROVIDERS, listed_devices
from beadctl.model.session import Model
from beadctl.simulate import render

PLANE = InMemory(render(np.random.default_rng(8), (101, 143)).image)
# Largest difference of any device in single precision to the CPU, and in half precision.
ROUNDING, HALF = 1e-4, 2e-2


def message(caught):
    text = str(caught.value)
    assert "\n" not in text
    return text


def missing_devices():
    present = {name.partition(":")[0] for name in listed_devices()}
    return [name for name in DEVICE_KINDS if name not in ("auto", *present)]


@pytest.mark.parametrize("device", [*missing_devices(), "cuda:7"])
def test_a_missing_device_is_refused(model_path, device):
    with pytest.raises(
        (DeviceError, MissingExtraError), match=rf"--device {device}: .*--device cpu"
    ) as caught:
        Model(model_path, device)
    message(caught)


@pytest.mark.parametrize("kind", PROVIDERS)
def test_a_device_that_fails_to_start_is_refused_and_auto_uses_the_cpu(model_path, monkeypatch, kind):
    """onnxruntime lists a provider that cannot start, and would use the CPU without an error."""
    provider, asked = PROVIDERS[kind], []
    listed = [provider.name, "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: listed)
    real = onnxruntime.InferenceSession

    def on_the_cpu(path, options, providers):
        asked.append(providers)
        return real(path, options, providers=["CPUExecutionProvider"])

    monkeypatch.setattr(onnxruntime, "InferenceSession", on_the_cpu)
    assert listed_devices()[:2] == ["cpu", kind]
    number = ":1" if kind in NUMBERED else ""
    with pytest.raises(DeviceError, match=f"could not start {provider.title}") as caught:
        Model(model_path, kind + number)
    message(caught)
    ((name, options),) = asked[0]
    assert name == provider.name
    assert options.get("device_id") == ("1" if kind in NUMBERED else None)
    assert Model(model_path, "auto").device == "cpu"


WRITTEN = {
    "\x1b[1;31m2026-11-26 [E:onnxruntime:Default, provider_bridge_ort.cc:2458] 1 : FAIL : Failed to load "
    "library libonnxruntime_providers_cuda.so with error: libcublasLt.so.13: cannot open shared object file: "
    "No such file or directory\n\x1b[m\n\x1b[0;93m[W:onnxruntime:Default] Failed to create\x1b[m\n": (
        "libcublasLt.so.13: cannot open shared object file"
    ),
    '[E:onnxruntime:Default] 1 : FAIL : Error loading "C:\\p\\cuda.dll" which depends on "cublasLt64_12.dll" '
    'which is missing. (Error 126: "The specified module could not be found.")\r\n': (
        '"cublasLt64_12.dll" which is missing'
    ),
    "\xff?\n": "driver or libraries missing?",
}


@pytest.mark.parametrize(("written", "reason"), WRITTEN.items())
def test_what_onnxruntime_writes_of_a_device_is_the_reason(model_path, monkeypatch, capfd, written, reason):
    """It writes lines of its log from C++, and goes on with the CPU."""
    listed = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: listed)
    real = onnxruntime.InferenceSession

    def on_the_cpu(path, options, providers):
        if providers != ["CPUExecutionProvider"]:
            os.write(2, written.encode("latin-1"))
        return real(path, options, providers=["CPUExecutionProvider"])

    monkeypatch.setattr(onnxruntime, "InferenceSession", on_the_cpu)
    with pytest.raises(DeviceError) as caught:
        Model(model_path, "cuda")
    assert f"onnxruntime could not start CUDA ({reason}); see beadctl info" in message(caught)
    assert Model(model_path, "auto").device == "cpu"
    assert capfd.readouterr() == ("", "")
    os.write(2, b"later")
    assert capfd.readouterr().err == "later"


def test_what_onnxruntime_prints_of_a_device_is_the_reason(model_path, monkeypatch, capfd):
    """Its Python part prints the exception of a driver, and goes on with the CPU."""
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    real = onnxruntime.InferenceSession

    def on_the_cpu(path, options, providers):
        print("*** EP Error ***")
        print(f"EP Error [ONNXRuntimeError] : 1 : FAIL : CUDA failure 100: no device when using {providers}")
        return real(path, options, providers=["CPUExecutionProvider"])

    monkeypatch.setattr(onnxruntime, "InferenceSession", on_the_cpu)
    with pytest.raises(DeviceError, match=r"could not start CUDA \(CUDA failure 100: no device\); see"):
        Model(model_path, "cuda")
    assert capfd.readouterr() == ("", "")


def test_a_device_that_fails_with_an_exception_is_refused(model_path, monkeypatch):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["DmlExecutionProvider"])

    def broken(path, options, providers):
        raise RuntimeError("no adapter\nat line 1")

    monkeypatch.setattr(onnxruntime, "InferenceSession", broken)
    with pytest.raises(DeviceError, match="--device directml: no adapter; use --device cpu") as caught:
        Model(model_path, "directml")
    message(caught)


@pytest.mark.skipif(
    "AzureExecutionProvider" not in onnxruntime.get_available_providers(),
    reason="needs a provider without nodes",
)
def test_a_device_that_starts_and_runs_nothing_is_refused(model_path, monkeypatch):
    """This provider runs web services alone, so a session has it and all nodes are on the CPU."""
    idle = runtime.Provider("AzureExecutionProvider", "CoreML", "")
    monkeypatch.setitem(runtime.PROVIDERS, "coreml", idle)
    with pytest.raises(DeviceError, match="--device coreml: CoreML leaves 2 of the convolutions") as caught:
        Model(model_path, "coreml")
    message(caught)


def test_openvino_that_is_not_installed_is_refused(model_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtraError, match=r"pip install \"beadctl\[openvino\]\"") as caught:
        Model(model_path, "openvino")
    message(caught)
    assert openvino_session.device_names() == []


def test_a_network_that_openvino_cannot_compile_is_refused(model_path, monkeypatch):
    class Core:
        available_devices = ("CPU", "GPU")

        def compile_model(self, path, name, settings):
            raise RuntimeError("no kernel\n  for this")

    monkeypatch.setitem(sys.modules, "openvino", types.SimpleNamespace(Core=Core))
    with pytest.raises(DeviceError, match="--device openvino:GPU: no kernel for this; use --device cpu"):
        Model(model_path, "openvino:GPU")
    with pytest.raises(DeviceError, match="no such device here; it has openvino:CPU, openvino:GPU"):
        Model(model_path, "openvino:NPU")


def test_a_broken_file_is_named_on_any_device(tmp_path):
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"no model")
    for device in listed_devices():
        with pytest.raises(BeadctlError, match=r"broken\.onnx|--device"):
            Model(path, device)
    with pytest.raises(ModelError, match=r"broken\.onnx: not a model"):
        Model(path, "cpu")


def on_each_device():
    """Devices of any machine, each skipped where it is not."""
    kinds = [name for name in DEVICE_KINDS if name not in ("auto", "cpu")]
    return [
        pytest.param(
            kind,
            HALF if kind == "coreml" else ROUNDING,
            marks=[
                *[pytest.mark.gpu] * (kind in ("cuda", "tensorrt")),
                pytest.mark.skipif(kind in missing_devices(), reason=f"no {kind} here"),
            ],
        )
        for kind in kinds
    ]


def opened(path, device):
    """The model on a device; a build of onnxruntime has a provider also where its driver is missing."""
    try:
        return Model(path, device, 1)
    except DeviceError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize(("device", "tolerance"), on_each_device())
def test_a_device_gives_the_maps_of_the_cpu(tmp_path, device, tolerance):
    path = write_model(tmp_path / "blobs.onnx")
    model, cpu = opened(path, device), Model(path, "cpu", 1)
    assert model.device.startswith(device)
    assert model.facts == cpu.facts
    rng = np.random.default_rng(3)
    for shape in ((1, 1, 64, 64), (2, 1, 32, 104), (1, 1, 64, 64)):
        tile = rng.standard_normal(shape).astype(np.float32)
        for found, wanted in zip(model.run(tile), cpu.run(tile), strict=True):
            np.testing.assert_allclose(found, wanted, atol=tolerance)
    for found, wanted in zip(model.maps(PLANE, tile_size=40).planes, cpu.maps(PLANE).planes, strict=True):
        assert np.abs(found.astype(int) - wanted).max() <= 1 + 255 * tolerance


@pytest.mark.parametrize(("device", "tolerance"), on_each_device())
def test_the_answer_of_a_run_is_not_overwritten_by_the_next(model_path, device, tolerance):
    model = opened(model_path, device)
    first = model.run(np.ones((1, 1, 32, 32), np.float32))
    before = [one.copy() for one in first]
    model.run(np.zeros((1, 1, 32, 32), np.float32))
    for one, kept in zip(first, before, strict=True):
        np.testing.assert_array_equal(one, kept)


def test_devices_are_compared_with_the_cpu(model_path):
    trials = list(try_devices(model_path, 64))
    assert [trial.device for trial in trials] == listed_devices()
    assert (trials[0].device, trials[0].largest_difference, trials[0].failure) == ("cpu", 0.0, "")
    for trial in trials:
        assert trial.failure or (trial.ms_per_mpx > 0 and trial.largest_difference <= HALF)


def test_a_device_that_fails_has_a_row_with_the_reason(model_path, monkeypatch):
    monkeypatch.setattr(device_trial, "listed_devices", lambda: ["cpu", "cuda:99"])
    trials = {trial.device: trial for trial in try_devices(model_path, 32)}
    assert trials["cuda:99"].ms_per_mpx is None
    assert "--device cuda:99: " in trials["cuda:99"].failure


def test_the_runtime_tells_nobody_of_the_use_of_a_model(model_path, tmp_path):
    """What onnxruntime collects to be sent lies in the user's folder for caches."""
    code = f"from pathlib import Path; from beadctl import Model; Model(Path({str(model_path)!r}), 'cpu', 1)"
    # It is quiet in services that build software, too.
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("CI", "GITHUB", "ORT_"))}
    homes = dict.fromkeys(("HOME", "USERPROFILE", "LOCALAPPDATA", "XDG_CACHE_HOME"), str(tmp_path))
    subprocess.run([sys.executable, "-c", code], env=kept | homes, check=True)
    assert not list(tmp_path.rglob("*onnxruntime*"))
