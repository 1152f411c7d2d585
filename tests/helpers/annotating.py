"""Write label images in the formats of other programs by their descriptions, and compare label images."""

import json
import struct
import zipfile

import numpy as np
from scipy import ndimage

from beadctl.simulate import render

RIGHT_TURNS = {(0, 1): (1, 0), (1, 0): (0, -1), (0, -1): (-1, 0), (-1, 0): (0, 1)}


def beads(labels):
    """Yield number and mask of each bead."""
    for label in np.unique(labels[labels > 0]).tolist():
        yield label, labels == label


def pieces(mask, eight=False):
    """Yield the connected parts of a mask, largest first."""
    parts, count = ndimage.label(mask, structure=np.ones((3, 3)) if eight else None)
    for part in sorted(range(1, count + 1), key=lambda part: -(parts == part).sum()):
        yield parts == part


def largest_pieces(labels, eight=False):
    """Keep the largest part of each bead, as in formats with one outline for each bead."""
    kept = np.zeros_like(labels)
    for label, mask in beads(labels):
        kept[next(pieces(mask, eight))] = label
    return kept


def borders(mask):
    """Return rings along the borders of a mask's pixels, as (x, y) from the corner of the first pixel."""
    padded = np.pad(mask, 1)
    steps = {}
    for y, x in np.argwhere(mask):
        for away, start, step in (
            ((-1, 0), (y, x), (0, 1)),
            ((0, 1), (y, x + 1), (1, 0)),
            ((1, 0), (y + 1, x + 1), (0, -1)),
            ((0, -1), (y + 1, x), (-1, 0)),
        ):
            if not padded[y + 1 + away[0], x + 1 + away[1]]:
                steps.setdefault((int(start[0]), int(start[1])), []).append(step)
    rings = []
    while steps:
        place = start = next(iter(steps))
        ring, before = [], None
        while True:
            choices = steps[place]
            # Where two pixels meet at a corner, the turn to the right stays at the same one.
            turn = RIGHT_TURNS.get(before)
            step = turn if turn in choices else choices[0]
            choices.remove(step)
            if not choices:
                del steps[place]
            if step != before:
                ring.append((place[1], place[0]))
            place, before = (place[0] + step[0], place[1] + step[1]), step
            if place == start:
                break
        rings.append(ring)
    return sorted(rings, key=lambda ring: -abs(enclosed(ring)))


def enclosed(ring):
    x, y = np.array(ring, float).T
    return 0.5 * (x @ np.roll(y, -1) - y @ np.roll(x, -1))


AROUND = [(0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1)]


def rim(mask):
    """Return the pixels of a piece's outer rim in turn, as (x, y): Moore's tracing, as OpenCV's."""
    padded = np.pad(mask, 1)
    start = tuple(np.argwhere(padded)[0].tolist())
    place, towards, ring, first = start, 0, [], None
    while True:
        for turn in range(8):
            direction = (towards + 5 + turn) % 8
            step = AROUND[direction]
            if padded[place[0] + step[0], place[1] + step[1]]:
                break
        else:
            return [(place[1] - 1, place[0] - 1)]
        if (place, direction) == first:
            return ring
        first = first or (place, direction)
        ring.append((place[1] - 1, place[0] - 1))
        place, towards = (place[0] + step[0], place[1] + step[1]), direction


def flat(ring):
    return [float(value) for point in ring for value in point]


def runs(mask):
    """Run lengths down the columns, background first."""
    values = mask.T.ravel()
    changes = np.flatnonzero(np.diff(values)) + 1
    lengths = np.diff([0, *changes, values.size]).tolist()
    return [0, *lengths] if values[0] else lengths


def compressed(lengths):
    """The string of the COCO API (maskApi.c, rleToString)."""
    text = ""
    for index, length in enumerate(lengths):
        value = length - lengths[index - 2] if index > 2 else length
        while True:
            bits, value = value & 31, value >> 5
            done = value == (-1 if bits & 16 else 0)
            text += chr(bits + (0 if done else 32) + 48)
            if done:
                break
    return text


def coco(images, segment, **extra):
    """COCO of {file name: labels}; `segment` makes a bead's mask its segmentation."""
    document = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "bead"}]}
    for number, (name, labels) in enumerate(images.items(), start=1):
        height, width = labels.shape
        document["images"].append({"id": number, "file_name": name, "height": height, "width": width})
        for label, mask in beads(labels):
            rows, columns = np.nonzero(mask)
            low, size = (columns.min(), rows.min()), (np.ptp(columns) + 1, np.ptp(rows) + 1)
            document["annotations"].append(
                {
                    "id": 1000 * number + label,
                    "image_id": number,
                    "category_id": 1,
                    "segmentation": segment(mask),
                    "bbox": [*map(int, low), *map(int, size)],
                    "area": int(mask.sum()),
                    "iscrowd": 0,
                }
                | extra
            )
    return document


def geojson(labels, **properties):
    """GeoJSON as QuPath exports detections: closed rings, from the corner of the first pixel."""
    features = []
    for _, mask in beads(labels):
        parts = [[[*ring, ring[0]] for ring in borders(part)] for part in pieces(mask)]
        kind = "MultiPolygon" if len(parts) > 1 else "Polygon"
        features.append(
            {
                "type": "Feature",
                "id": "0f0b1e0c-0000-4000-8000-000000000000",
                "geometry": {"type": kind, "coordinates": parts if len(parts) > 1 else parts[0]},
                "properties": {"objectType": "detection"} | properties,
            }
        )
    return {"type": "FeatureCollection", "features": features}


POLYGON, RECT, OVAL, LINE, FREEHAND, TRACED, POINT = 0, 1, 2, 3, 7, 8, 10


def region(kind, box=(0, 0, 0, 0), points=(), *, fractions=False, composite=(), position=0, subtype=0):
    """A .roi file (ImageJ's RoiDecoder.java): `box` is top, left, bottom, right; points are (x, y)."""
    points = np.array(points, float).reshape(-1, 2)
    if len(points):
        box = (*points[:, ::-1].min(0).astype(int), *points[:, ::-1].max(0).astype(int))
    header = struct.pack(
        ">4shBxhhhhH16xhi4s4shhBBhii",
        b"Iout", 228, kind, *map(int, box), len(points), 0, len(composite), b"\0" * 4, b"\0" * 4, subtype,
        128 if fractions else 0, 0, 0, 0, position, 0,
    )  # fmt: skip
    whole = (points - [box[1], box[0]]).astype(int)
    body = struct.pack(f">{2 * len(points)}h", *whole[:, 0], *whole[:, 1])
    if fractions:
        body += struct.pack(f">{2 * len(points)}f", *points[:, 0], *points[:, 1])
    return header + body + struct.pack(f">{len(composite)}f", *composite)


def traced(mask):
    """A bead as ImageJ's wand traces it; in several rings a composite region."""
    rings = borders(mask)
    if len(rings) == 1:
        return region(TRACED, points=rings[0])
    path = []
    for ring in rings:
        path += [0, *ring[0]] + [value for point in ring[1:] for value in (1, *point)] + [4]
    rows, columns = np.nonzero(mask)
    box = rows.min(), columns.min(), rows.max() + 1, columns.max() + 1
    return region(RECT, box, composite=path)


def region_set(path, regions):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, content in enumerate(regions, start=1):
            archive.writestr(f"{number:05d}.roi", content)


def cellpose(labels):
    """The lines of _cp_outlines.txt."""
    lines = [",".join(str(int(value)) for value in flat(rim(mask))) for _, mask in beads(labels)]
    return "\n".join(lines) + "\n"


def yolo(labels, shape=None):
    """A segment a bead, as fractions of width and height."""
    height, width = labels.shape
    lines = []
    for _, mask in beads(labels):
        values = [f"{x / width:.6f} {y / height:.6f}" for x, y in borders(mask)[0]]
        lines.append("0 " + " ".join(values))
    return "\n".join(lines) + "\n"


def save(path, document):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


SHAPE = (150, 190)


def scene(seed):
    return render(np.random.default_rng(seed), SHAPE).labels


def pile(seed, count=70):
    """Beads on top of each other: they touch, hide parts of others, divide them, lie within them."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices(SHAPE)
    labels = np.zeros(SHAPE, np.uint32)
    for label in range(1, count + 1):
        (y, x), radius = rng.uniform((0, 0), SHAPE), rng.choice([3.2, 5, 9, 15])
        labels[(rows - y) ** 2 + (columns - x) ** 2 <= radius**2] = label
    kept = np.unique(labels)
    assert len(kept) > 0.8 * count
    return labels


def same_beads(found, truth):
    """Whether two label images have the same beads, possibly under other labels."""
    pairs = np.unique(np.stack([found.ravel(), truth.ravel()]), axis=1).T
    return len(pairs) == len(np.unique(found)) == len(np.unique(truth)) and ((found > 0) == (truth > 0)).all()


def likeness(found, truth, diameter_px=6):
    """Intersection over union of each true bead of that width with the bead found there."""
    ious = []
    for _, mask in beads(truth):
        if mask.sum() >= np.pi / 4 * diameter_px**2:
            other = np.bincount(found[mask]).argmax()
            ious.append((mask & (found == other)).sum() / (mask | (found == other)).sum() if other else 0.0)
    return np.array(ious)


def written(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def mask_of(patch, shape):
    """Return a patch as a mask over the image."""
    mask = np.zeros(shape, bool)
    if patch is not None:
        assert patch.mask.any()
        mask[patch.slices] = patch.mask
    return mask


def circle(y, x, radius):
    """Return a ring around a centre, as (y, x)."""
    turn = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    return np.column_stack([y + radius * np.sin(turn), x + radius * np.cos(turn)])
