"""What a terminal would show, taken out of what was printed."""

import base64
import io
import re

import numpy as np
from PIL import Image

CODE = re.compile(r"\x1b\[([\d;]*)m")


def pixels(text: str) -> np.ndarray:
    """Return the picture of lines of upper half blocks, shape (h, w, 3); -1 where a half has no colour."""
    rows, above, below = [], None, None
    for line in text.splitlines():
        cells = []
        # A colour holds until the next code, also beyond the end of a line. Codes are every second part.
        for place, part in enumerate(CODE.split(line)):
            if place % 2 == 0:
                cells += [(above, below)] * part.count("▀")
                continue
            above, below = (None, None) if part in ("", "0") else (above, below)
            for code in re.findall(r"(38|48);2;(\d+);(\d+);(\d+)|(39|49)", part):
                colour = [*map(int, code[1:4])] if code[0] else None
                if code[0] == "38" or code[4] == "39":
                    above = colour
                else:
                    below = colour
        if cells:
            rows.append([first or [-1] * 3 for first, _ in cells])
            rows.append([second or [-1] * 3 for _, second in cells])
    return np.array(rows)


def words(text: str) -> list[str]:
    """Return the lines of text that is no picture, without their colours."""
    plain = [CODE.sub("", line).strip() for line in text.splitlines()]
    return [line for line in plain if line and "▀" not in line]


def kitty_pixels(text: str) -> np.ndarray:
    """Return the picture in messages of Kitty's protocol, each of at most 4096 bytes of Base64."""
    messages = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", text)
    assert "".join(f"\x1b_G{keys};{data}\x1b\\" for keys, data in messages) == text
    keys = [dict(pair.split("=") for pair in head.split(",")) for head, _ in messages]
    assert keys[0] | {"m": ""} == {"a": "T", "f": "100", "m": ""}
    assert [key["m"] for key in keys] == ["1"] * (len(keys) - 1) + ["0"]
    assert all(len(data) <= 4096 and len(data) % 4 == 0 for _, data in messages)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode("".join(data for _, data in messages)))))


def sixel_pixels(text: str) -> np.ndarray:
    """Return the picture in a Sixel string, shape (h, w, 3); -1 where no colour was set."""
    head = re.fullmatch(r'\x1bPq"1;1;(\d+);(\d+)(.*)\x1b\\', text, re.DOTALL)
    width, height = int(head[1]), int(head[2])
    picture = np.full((-(-height // 6) * 6, width, 3), -1)
    palette, colour, x, top = {}, 0, 0, 0
    tokens = re.compile(r"#(\d+);2;(\d+);(\d+);(\d+)|#(\d+)|!(\d+)([?-~])|([?-~])|([$-])")
    place = 0
    while place < len(head[3]):
        found = tokens.match(head[3], place)
        place = found.end()
        row, red, green, blue, chosen, times, repeated, once, step = found.groups()
        if row:
            palette[int(row)] = [round(int(part) * 255 / 100) for part in (red, green, blue)]
        elif chosen:
            colour = int(chosen)
        elif step:
            x, top = 0, top + 6 * (step == "-")
        else:
            bits, number = ord(repeated or once) - 63, int(times or 1)
            for bit in range(6):
                if bits >> bit & 1:
                    picture[top + bit, x : x + number] = palette[colour]
            x += number
            assert x <= width
    return picture[:height]
