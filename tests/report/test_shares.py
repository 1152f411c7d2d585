"""The bytes of a page among its planes."""

from hypothesis import given
from hypothesis import strategies as st

from beadctl.report.shares import CIRCLE_BYTES, LEAST_BYTES, MOST_BYTES, PAGE_BYTES, Shares
from beadctl.results.ledger import Row


def rows(counts, diameter=20.0):
    return [
        (key, Row("a.tif", key, "", "ok", count, mean_diameter_px=diameter if count else None))
        for key, count in enumerate(counts)
    ]


@given(st.lists(st.integers(0, 10**6), max_size=3000), st.floats(1, 500))
def test_the_shares_of_all_planes_are_no_more_than_the_page(counts, diameter):
    shares = Shares.of(rows(counts, diameter))
    # Planes are left out from the end alone, and never all.
    assert list(shares.planes) == list(range(len(shares.planes)))
    assert bool(shares.planes) == bool(counts)
    beads = sum(CIRCLE_BYTES * (row.count or 0) for row in shares.planes.values())
    taken = beads + sum(shares.outlined.values()) + shares.a_picture * len(shares.planes)
    assert taken <= PAGE_BYTES or len(shares.planes) == 1
    assert LEAST_BYTES <= shares.a_picture <= MOST_BYTES
    # Planes of fewer beads have outlines before those of more.
    outlined = [counts[key] for key in shares.outlined]
    circles = [counts[key] for key in shares.planes.keys() - shares.outlined.keys()]
    assert max(outlined, default=0) <= min(circles, default=10**6)


def test_beads_that_take_more_than_was_set_aside_take_it_from_the_picture():
    shares = Shares.of(rows([100] * 1000))
    aside = shares.outlined[0] + 100 * CIRCLE_BYTES
    assert shares.picture(0, aside) == shares.a_picture
    assert shares.picture(0, aside + 500) == shares.a_picture - 500
    assert shares.picture(0, 10**9) == 1
