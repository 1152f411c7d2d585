"""Linking of beads between planes: by overlap, and into chains."""

from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from beadctl.segmentation.z_links import chains, overlapping

LABELS = arrays(np.uint32, (9, 11), elements=st.integers(0, 5))


@given(LABELS, LABELS)
def test_linked_beads_overlap_by_half_and_each_most(one, other):
    pairs = overlapping(one, other)

    def shared(a, b):
        return int(((one == a) & (other == b)).sum())

    present = [[label for label in np.unique(plane).tolist() if label] for plane in (one, other)]
    for a, b in pairs.tolist():
        assert shared(a, b) >= 0.5 * min((one == a).sum(), (other == b).sum())
        assert shared(a, b) == max(shared(a, c) for c in present[1]) == max(shared(c, b) for c in present[0])
    # No bead is linked twice, and none that clearly is one is missed.
    assert len(set(pairs[:, 0].tolist())) == len(set(pairs[:, 1].tolist())) == len(pairs)
    for a in present[0]:
        for b in present[1]:
            most = max(shared(c, b) for c in present[0] if c != a) if len(present[0]) > 1 else 0
            beside = max(shared(a, c) for c in present[1] if c != b) if len(present[1]) > 1 else 0
            half = 0.5 * min((one == a).sum(), (other == b).sum())
            if shared(a, b) >= half and shared(a, b) > max(most, beside):
                assert [a, b] in pairs.tolist()


@given(LABELS)
def test_a_plane_and_itself_link_every_bead(plane):
    labels = [label for label in np.unique(plane).tolist() if label]
    assert overlapping(plane, plane).tolist() == [[label, label] for label in labels]


def test_beads_that_lie_side_by_side_are_two():
    one = np.zeros((10, 30), np.uint32)
    other = one.copy()
    one[2:8, 2:8] = 1
    other[2:8, 6:12] = 1
    assert overlapping(one, other).size == 0
    other[2:8, 4:12] = 1
    assert overlapping(one, other).tolist() == [[1, 1]]


@given(st.lists(st.integers(0, 6), min_size=1, max_size=5), st.data())
def test_chains_are_connected_components(counts, data):
    graph = nx.Graph()
    graph.add_nodes_from((plane, place) for plane, count in enumerate(counts) for place in range(count))
    links = []
    for plane, (count, following) in enumerate(pairwise(counts)):
        places = st.tuples(st.integers(0, max(0, count - 1)), st.integers(0, max(0, following - 1)))
        pairs = data.draw(st.lists(places, max_size=4)) if count and following else []
        links.append(np.array(pairs, np.int64).reshape(-1, 2))
        graph.add_edges_from(((plane, a), (plane + 1, b)) for a, b in pairs)
    bead = chains(counts, links)
    nodes = [(plane, place) for plane, count in enumerate(counts) for place in range(count)]
    assert bead.size == len(nodes)
    number = dict(zip(nodes, bead.tolist(), strict=True))
    components = list(nx.connected_components(graph))
    assert len(set(bead.tolist())) == len(components)
    assert all(len({number[node] for node in component}) == 1 for component in components)


def test_no_planes_have_no_beads():
    assert chains([0, 0], [np.empty((0, 2), np.int64)]).tolist() == []


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
def test_labels_of_every_type(dtype):
    plane = np.array([[0, 200, 200]], dtype)
    assert overlapping(plane, plane).tolist() == [[200, 200]]
