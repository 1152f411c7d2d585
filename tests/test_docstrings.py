"""The examples in docstrings print what they say."""

import doctest
from pathlib import Path

import pytest

import beadctl

PACKAGE = Path(beadctl.__file__).parent
PATHS = [path for path in sorted(PACKAGE.rglob("*.py")) if ">>> " in path.read_text(encoding="utf-8")]
MODULES = [".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in PATHS]


@pytest.mark.parametrize("name", [name.removesuffix(".__init__") for name in MODULES])
def test_examples(name):
    result = doctest.testmod(pytest.importorskip(name, exc_type=ModuleNotFoundError))
    assert result.attempted
    assert not result.failed
