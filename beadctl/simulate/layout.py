"""Positions, sizes and variation of the beads of a scene."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from beadctl.simulate.drawing import Beads, Floats, Shape, circles
from beadctl.simulate.sampling import log_uniform


@dataclass(frozen=True)
class Arrangement:
    """Number, sizes and layout of beads.

    Attributes
    ----------
    count : int
        Beads to place; those too close to others are left out.
    diameter_px : float
        Median diameter, px.
    spread : float
        Standard deviation of the natural logarithm of the diameter.
    bimodal : float
        Ratio of the diameter of a second population to that of the first; 1 for a single population.
    layout : str
        A name in `beadctl.simulate.plan.LAYOUTS`.
    closest : float
        Least distance of two centres over the sum of their radii.
    """

    count: int
    diameter_px: float
    spread: float
    bimodal: float
    layout: str
    closest: float


def draw_radii(rng: np.random.Generator, plan: Arrangement, shape: Shape) -> Floats:
    """Return radii, px, shape (count,): at least 1.5 px, at most a quarter of the image's long side."""
    log_size = rng.standard_normal(plan.count) * plan.spread
    size = plan.diameter_px * np.exp(np.clip(log_size, -1.8, 1.8))
    if plan.bimodal != 1.0:
        size = np.where(rng.random(plan.count) < rng.uniform(0.15, 0.6), size * plan.bimodal, size)
    return np.asarray(np.clip(size, 3.0, max(3.0, 0.5 * max(shape))) / 2, np.float32)


def _anywhere(rng: np.random.Generator, count: int, shape: Shape, margin: float) -> tuple[Floats, Floats]:
    y = rng.uniform(-margin, shape[0] - 1 + margin, count).astype(np.float32)
    x = rng.uniform(-margin, shape[1] - 1 + margin, count).astype(np.float32)
    return y, x


def _group_sizes(rng: np.random.Generator, total: int, mean: float) -> NDArray[np.intp]:
    sizes = rng.geometric(1.0 / max(mean, 1.0), total)
    return np.asarray(sizes[np.cumsum(sizes) - sizes < total], np.intp)


def _strings(
    rng: np.random.Generator, r: Floats, shape: Shape, closest: float, mean: float, *, branching: bool
) -> tuple[Floats, Floats]:
    """Grow groups in which each bead touches an earlier one: chains, or clumps if branching."""
    sizes = _group_sizes(rng, len(r), mean)
    y, x = np.zeros(len(r)), np.zeros(len(r))
    stiffness = rng.uniform(0.1, 1.2)
    reach = rng.uniform(closest, closest + 0.25, len(r))
    turn = rng.standard_normal(len(r)) * stiffness
    fresh = rng.uniform(0, 2 * np.pi, len(r))
    start = 0
    for size in sizes:
        stop = min(start + int(size), len(r))
        y[start], x[start] = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        heading = fresh[start]
        for i in range(start + 1, stop):
            parent = int(rng.integers(max(start, i - 12), i)) if branching else i - 1
            heading = fresh[i] if branching else heading + turn[i]
            step = reach[i] * (r[parent] + r[i])
            y[i], x[i] = y[parent] + step * np.sin(heading), x[parent] + step * np.cos(heading)
        start = stop
    return y.astype(np.float32), x.astype(np.float32)


def pushed_apart(
    y: NDArray[np.floating], x: NDArray[np.floating], r: Floats, closest: float, rounds: int
) -> tuple[Floats, Floats]:
    """Return the centres, shape (n,), after overlapping beads have been pushed apart a number of times.

    Parameters
    ----------
    y, x, r : ndarray
        Centres and radii, px, shape (n,).
    closest : float
        Wanted least distance of two centres over the sum of their radii.
    rounds : int
        Number of times that each overlapping pair is pushed apart.
    """
    places = np.column_stack([y, x]).astype(np.float64)
    for _ in range(rounds):
        i, j = cKDTree(places).query_pairs(2.0 * closest * float(r.max()), output_type="ndarray").T
        apart = places[i] - places[j]
        distance = np.maximum(np.hypot(*apart.T), 1e-3)
        short = np.maximum(closest * (r[i] + r[j]) - distance, 0.0)
        push = apart * (0.5 * short / distance)[:, None]
        for axis in range(2):
            places[:, axis] += np.bincount(i, push[:, axis], len(r)) - np.bincount(j, push[:, axis], len(r))
    return places[:, 0].astype(np.float32), places[:, 1].astype(np.float32)


def _heaps(
    rng: np.random.Generator, r: Floats, shape: Shape, closest: float, mean: float
) -> tuple[Floats, Floats]:
    """Place beads in patches and push them apart: dense, disordered packings."""
    sizes = _group_sizes(rng, len(r), mean)
    group = np.repeat(np.arange(len(sizes)), sizes)[: len(r)]
    # A hexagonally packed bead occupies sqrt(3) / 2 of the square of the distance of its neighbours.
    step = 2 * closest * float(np.median(r))
    extent = step * np.sqrt(sizes * np.sqrt(0.75) / np.pi)[group]
    stretch, turn = rng.uniform(1.0, 1.8, len(sizes))[group], rng.uniform(0, np.pi, len(sizes))[group]
    away, angle = extent * np.sqrt(rng.random(len(r))), rng.uniform(0, 2 * np.pi, len(r))
    u, v = away * np.cos(angle) * stretch, away * np.sin(angle) / stretch
    y = rng.uniform(0, shape[0], len(sizes))[group] + np.sin(turn) * u + np.cos(turn) * v
    x = rng.uniform(0, shape[1], len(sizes))[group] + np.cos(turn) * u - np.sin(turn) * v
    return pushed_apart(y, x, r, closest, 12)


def _lattice(
    rng: np.random.Generator, r: Floats, shape: Shape, closest: float, mean: float
) -> tuple[Floats, Floats]:
    """Place beads in patches of rotated hexagonal lattices with jitter and ragged borders."""
    nearest_step = max(closest, 0.8)
    step = 2 * float(np.median(r)) * rng.uniform(nearest_step, max(nearest_step, 1.12) + 0.05)
    ys, xs = [], []
    for size in _group_sizes(rng, len(r), mean):
        side = int(np.ceil(np.sqrt(size))) + 2
        i, j = (a.ravel() for a in np.mgrid[-side : side + 1, -side : side + 1])
        u, v = step * (j + 0.5 * i), step * np.sqrt(0.75) * i
        stretch = rng.uniform(1.0, 2.2)
        ragged = np.hypot(u / stretch, v * stretch) + rng.standard_normal(len(u)) * step * rng.uniform(0, 0.8)
        nearest = np.argsort(ragged)[: max(1, int(size))]
        angle = rng.uniform(0, 2 * np.pi)
        jitter = step * rng.uniform(0.0, 0.1) * rng.standard_normal((2, len(nearest)))
        u, v = u[nearest] + jitter[0], v[nearest] + jitter[1]
        ys.append(rng.uniform(0, shape[0]) + np.sin(angle) * u + np.cos(angle) * v)
        xs.append(rng.uniform(0, shape[1]) + np.cos(angle) * u - np.sin(angle) * v)
    y, x = np.concatenate(ys)[: len(r)], np.concatenate(xs)[: len(r)]
    return y.astype(np.float32), x.astype(np.float32)


def _satellites(rng: np.random.Generator, r: Floats, shape: Shape) -> tuple[Floats, Floats, Floats]:
    """Place small spheres on and around large ones."""
    y, x = _anywhere(rng, len(r), shape, float(np.median(r)) * 0.5)
    r = r.copy()
    small = rng.random(len(r)) < 0.4
    hosts = np.flatnonzero(~small)
    if len(hosts):
        host = rng.choice(hosts, int(small.sum()))
        # A smaller satellite could not be distinguished from a grain of the host's surface.
        r[small] = np.maximum(r[host] * rng.uniform(0.12, 0.45, len(host)), 3.0)
        angle = rng.uniform(0, 2 * np.pi, len(host))
        away = r[host] * rng.choice([0.6, 1.0, 1.0, 1.0, 1.0, 1.1], len(host))
        away += r[small] * rng.uniform(0, 0.6, len(host))
        y[small], x[small] = y[host] + away * np.sin(angle), x[host] + away * np.cos(angle)
    return y, x, r


def uncrowded(y: Floats, x: Floats, r: Floats, closest: float) -> NDArray[np.bool_]:
    """Return which beads to keep, bool (n,), so that no two are too close; the earlier one is kept.

    Parameters
    ----------
    y, x, r : ndarray of float32
        Centres and radii, px, shape (n,).
    closest : float
        Least distance of two centres over the sum of their radii.
    """
    keep = np.ones(len(y), bool)
    if len(y) < 2:
        return keep
    tree = cKDTree(np.column_stack([y, x]))
    pairs = tree.query_pairs(2.0 * closest * float(r.max()), output_type="ndarray")
    i, j = pairs.T
    close = np.hypot(y[i] - y[j], x[i] - x[j]) < closest * (r[i] + r[j])
    clashes = pairs[close]
    for first, second in clashes[np.lexsort((clashes[:, 1], clashes[:, 0]))].tolist():
        if keep[first]:
            keep[second] = False
    return keep


def place(rng: np.random.Generator, plan: Arrangement, shape: Shape) -> Beads:
    """Place round, sharp beads of equal brightness, each at least partly in an image of `shape`, px."""
    r = draw_radii(rng, plan, shape)
    if plan.spread > 0.3:
        # Large beads first: small ones still find space between them.
        r = np.sort(r)[::-1].copy()
    mean = log_uniform(rng, 2, 40)
    closest = plan.closest
    match plan.layout:
        case "chains":
            y, x = _strings(rng, r, shape, closest, min(mean, 15), branching=False)
        case "clumps":
            y, x = _strings(rng, r, shape, closest, mean, branching=True)
        case "heaps":
            y, x = _heaps(rng, r, shape, closest, 3 * mean)
            # Inside a heap beads are pressed closer together.
            closest *= 0.85
        case "lattice":
            y, x = _lattice(rng, r, shape, closest, 3 * mean)
        case "satellites":
            y, x, r = _satellites(rng, r, shape)
        case "mixed":
            half = len(r) // 2
            y, x = _anywhere(rng, len(r), shape, float(np.median(r)))
            y[half:], x[half:] = _strings(rng, r[half:], shape, closest, mean, branching=True)
        case _:
            y, x = _anywhere(rng, len(r), shape, float(np.median(r)))
    r = r[: len(y)]
    if plan.layout == "satellites":
        # Satellites may overlap hosts, but neither may overlap their own kind.
        is_host = r > 0.5 * np.median(r)
        groups = np.flatnonzero(is_host), np.flatnonzero(~is_host)
        kept = [group[uncrowded(y[group], x[group], r[group], max(closest, 0.75))] for group in groups]
        keep = np.sort(np.concatenate(kept))
    else:
        keep = np.flatnonzero(uncrowded(y, x, r, closest))
    visible = (y > -0.6 * r) & (y < shape[0] - 1 + 0.6 * r) & (x > -0.6 * r) & (x < shape[1] - 1 + 0.6 * r)
    keep = keep[visible[keep]]
    return circles(y[keep], x[keep], r[keep])


def vary(rng: np.random.Generator, beads: Beads, *, oval: float, rough: float) -> Beads:
    """Return beads of varied brightness, focus, edge and shape.

    Parameters
    ----------
    rng, beads : Generator and Beads
        Source of randomness; beads from `place`.
    oval : float
        Largest aspect ratio minus 1.
    rough : float
        Amplitude of the outline's harmonics as a share of the radius; 0 for none.
    """
    n = len(beads)
    gain = np.exp(rng.standard_normal(n) * rng.choice([0.03, 0.15, 0.3]))
    if rng.random() < 0.35:
        dim = rng.random(n) < rng.uniform(0.05, 0.5)
        gain = np.where(dim, gain * rng.uniform(0.3, 0.7, n), gain)
    focus = np.clip(rng.standard_normal(n) * rng.choice([0.05, 0.3, 0.8]), -1, 1)
    softness = rng.uniform(0.04, 0.12) * beads.radius_px + rng.uniform(0.25, 0.6)
    radius = beads.radius_px
    if rng.random() < 0.25:
        # A bead out of focus is softer, larger and fainter.
        far = rng.random(n) < rng.uniform(0.05, 0.4)
        growth = np.where(far, rng.uniform(1.05, 1.35, n), 1.0)
        radius, softness = radius * growth, np.where(far, rng.uniform(0.2, 0.45, n) * radius, softness)
        gain = np.where(far, gain * rng.uniform(0.35, 0.8, n), gain)
    aspect = 1.0 + rng.random(n) * oval
    shares = np.array([1.0, 1.0, 0.5, 0.5])
    wobble = rng.standard_normal((n, 4)) * rough * shares if rough else np.zeros((n, 0))
    return replace(
        beads,
        radius_px=np.asarray(radius, np.float32),
        aspect=aspect.astype(np.float32),
        angle_rad=rng.uniform(0, np.pi, n).astype(np.float32),
        gain=np.clip(gain, 0.2, 2.5).astype(np.float32),
        softness_px=np.asarray(softness, np.float32),
        focus=focus.astype(np.float32),
        wobble=np.clip(wobble, -0.12, 0.12).astype(np.float32),
    )
