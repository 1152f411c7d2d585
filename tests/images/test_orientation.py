"""The orientation of a plane follows from its content alone."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from beadctl.images import STORED, InMemory, Orientation, in_rows, oriented
from beadctl.images.normalisation import NormalisationLimits

DTYPES = st.sampled_from(["bool", "uint8", "uint16", "int16", "uint64", "float32", "float64"])
PLANES = DTYPES.flatmap(lambda dtype: arrays.arrays(dtype, st.tuples(st.integers(1, 5), st.integers(1, 5))))


def eight(plane):
    """Return a plane in its eight orientations."""
    return [np.rot90(one, turns) for one in (plane, plane.T) for turns in range(4)]


@given(PLANES)
def test_the_eight_orientations_of_a_plane_have_one_canonical_form(plane):
    forms = {
        (form.shape, np.ascontiguousarray(form).tobytes())
        for turned in eight(plane)
        for form in [Orientation.of(turned).turned(turned)]
    }
    assert len(forms) == 1


@given(PLANES, st.booleans(), st.booleans(), st.booleans())
def test_what_is_turned_is_turned_back(plane, rows, columns, transposed):
    orientation = Orientation(rows, columns, transposed)
    np.testing.assert_array_equal(orientation.back(orientation.turned(plane)), plane)


@given(st.tuples(st.integers(1, 300), st.integers(1, 300)), st.booleans(), st.booleans(), st.booleans())
def test_a_turned_plane_in_rows_has_the_same_pixels(shape, rows, columns, transposed):
    plane = np.arange(shape[0] * shape[1], dtype=np.uint32).reshape(shape)
    turned = Orientation(rows, columns, transposed).turned(plane)
    copy = in_rows(turned)
    np.testing.assert_array_equal(copy, turned)
    assert copy.flags.c_contiguous
    assert in_rows(plane) is plane


def test_orientations_are_eight():
    plane = np.arange(6).reshape(2, 3)
    flags = [(a, b, c) for a in (False, True) for b in (False, True) for c in (False, True)]
    assert len({str(Orientation(*flag).turned(plane).tolist()) for flag in flags}) == 8


def test_a_plane_too_large_to_turn_stays_as_it_is_stored(monkeypatch):
    high = InMemory(np.arange(12).reshape(4, 3))
    assert oriented(high)[0] != STORED
    monkeypatch.setattr("beadctl.images.orientation.LIMITS", NormalisationLimits(max_exact=11))
    assert oriented(high) == (STORED, high)
