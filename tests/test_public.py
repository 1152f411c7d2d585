"""The public names of the package, loaded on first use."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import beadctl


def test_every_public_name_resolves_and_is_known_to_type_checkers():
    for name in beadctl.__all__:
        assert getattr(beadctl, name) is not None
    tree = ast.parse(Path(beadctl.__file__).read_text(encoding="utf-8"))
    (checked,) = [node for node in tree.body if isinstance(node, ast.If)]
    typed = {alias.name for node in checked.body for alias in node.names}
    assert typed == set(beadctl.__all__)


def test_public_names_are_listed():
    assert set(beadctl.__all__) <= set(dir(beadctl))


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="no attribute 'segmentplane'"):
        _ = beadctl.segmentplane
    with pytest.raises(ImportError):
        from beadctl import nothing  # noqa: F401


def test_importing_the_package_loads_nothing_heavy():
    code = "import beadctl, sys; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {
        "numpy",
        "scipy",
        "torch",
        "onnx",
        "onnxruntime",
        "pydantic",
        "rich",
    }


def test_naming_the_functions_loads_no_torch():
    code = "from beadctl import *; import sys; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"torch", "onnx", "onnxruntime", "matplotlib", "typer"}
