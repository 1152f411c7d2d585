"""The examples of the statistics print what they say."""

import doctest
import pkgutil
from importlib import import_module

import pytest

from beadctl import counting

MODULES = [one.name for one in pkgutil.iter_modules(counting.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_docstrings(name):
    assert doctest.testmod(import_module(f"beadctl.counting.{name}")).failed == 0
