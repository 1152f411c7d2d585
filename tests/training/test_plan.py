"""Plans that no network can follow."""

import pytest
from helpers.training import one_line

from beadctl.errors import TrainingError
from beadctl.training.plan import TrainingPlan


def test_sizes_off_the_stride_are_refused_before_anything_is_read():
    with pytest.raises(TrainingError, match="multiple of 8") as error:
        TrainingPlan(size=500, depth=4)
    one_line(error)
