"""Mutations of a file's bytes at random."""

from random import Random

NUMBERS = (0, 1, 2, 3, 7, 127, 255, 256, 32767, 65535, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**64 - 1)
TOKENS = (
    b"", b"\0", b"\n", b"\r", b'"', b"'", b"[", b"]", b"{", b"}", b",", b":", b"=", b"-", b"-1", b"0",
    b"1e999", b"NaN", b"nan", b"inf", b"null", b"true", b"1e-999", b"99999999999999999999", b"\xff",
    b"\xed\xa0\x80", b"\\u0000", b"\xe2\x80\xae", b"[]", b"{}", b'""', b"../", b"1979-05-27", b"0x10",
)  # fmt: skip
KINDS = ("byte", "number", "token", "instead", "cut", "delete", "repeat")
# Headers and directories, which decide most, lie at the ends of a file.
PLACES = ((0, 300), (-300, -1), (0, 2**20))

Edit = tuple[str, int, bytes | int]


def edits(chance: Random) -> list[Edit]:
    """Return one to six edits."""
    return [_edit(chance) for _ in range(chance.randint(1, 6))]


def _edit(chance: Random) -> Edit:
    kind, place = chance.choice(KINDS), chance.randint(*chance.choice(PLACES))
    match kind:
        case "byte":
            return kind, place, chance.randrange(256)
        case "number":
            size, order = chance.choice((1, 2, 4, 8)), chance.choice(("little", "big"))
            return kind, place, (chance.choice(NUMBERS) % 256**size).to_bytes(size, order)
        case "token" | "instead":
            return kind, place, chance.choice(TOKENS)
        case _:
            return kind, place, chance.randint(1, 64)


def mutated(content: bytes, edits: list[Edit]) -> bytes:
    """Return a copy with these edits; places beyond the end wrap around."""
    copy = bytearray(content)
    for kind, place, what in edits:
        if not copy:
            break
        at = place % len(copy)
        match kind:
            case "byte":
                copy[at] = what
            case "number":
                copy[at : at + len(what)] = what
            case "token":
                copy[at:at] = what
            case "instead":
                # The next word or number of a text.
                end = at
                while end < len(copy) and (chr(copy[end]).isalnum() or chr(copy[end]) in "._-+"):
                    end += 1
                copy[at:end] = what
            case "cut":
                del copy[at:]
            case "delete":
                del copy[at : at + what]
            case "repeat":
                copy[at:at] = copy[at : at + what] * 3
    return bytes(copy)
