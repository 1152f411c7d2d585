"""Values with a standard deviation, as users write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beadctl.counting.measured import Measured
from beadctl.errors import SettingsError


@given(st.floats(1e-6, 1e9), st.floats(0, 0.99), st.sampled_from(["±", "+-", "+/-", " ± "]))
def test_what_is_written_is_read(value, share, sign):
    sd = share * value
    assert Measured.parse(f"{value!r}{sign}{sd!r}") == Measured(value, sd)
    assert Measured.parse(f" {value!r} ") == Measured(value)
    assert Measured(value, sd).relative_sd == sd / value


@pytest.mark.parametrize(
    "text",
    ["", "0", "-5", "ten", "10 um", "10+-", "+-2", "10+-2+-2", "1e", "nan", "10%", "1e400", "1e-320", "inf"],
)
def test_what_is_no_value_is_refused(text):
    with pytest.raises(SettingsError, match=r"write 100 or 100\+-2"):
        Measured.parse(text)


@pytest.mark.parametrize("text", ["10+-10", "10+-200", "1+-1e400"])
def test_a_standard_deviation_as_large_as_the_value_is_refused(text):
    with pytest.raises(SettingsError, match="standard deviation is not below the value"):
        Measured.parse(text)
