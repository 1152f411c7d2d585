"""Words of a run that cannot be told: one error says so."""

import pytest

from beadctl.errors import OutputError
from beadctl.results.telling import Teller


@pytest.mark.parametrize("may_wait", [True, False])
def test_the_first_error_is_the_one_that_is_raised(may_wait):
    def fail(reason):
        raise OutputError(reason)

    teller, told = Teller(may_wait=may_wait), []
    for number in range(3):
        teller.later(lambda number=number: told.append(number) if number == 0 else fail(f"error {number}"))

    def all_told():
        try:
            teller.tell()
        finally:
            teller.end()

    with pytest.raises(OutputError, match="error 1"):
        all_told()
    assert told == [0]
