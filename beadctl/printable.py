"""Text that stays on one line: control characters, line ends and bytes that are no text, as escapes."""

import re

UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Control characters, line ends, and the surrogates by which Python stands for bytes that are no UTF-8."""


def printable(text: str) -> str:
    r"""Return `text` with control characters and bytes that are no UTF-8 as ``\xNN`` or ``\uNNNN``.

    Examples
    --------
    >>> print(printable("two\nlines"))
    two\x0alines
    """
    return UNPRINTABLE.sub(escaped, text)


def escaped(found: re.Match[str]) -> str:
    r"""Return a character that was found as ``\xNN`` or ``\uNNNN``."""
    code = ord(found[0])
    # PEP 383: a byte that cannot be decoded is the surrogate U+DC00 + byte.
    is_byte = code < 0x80 or 0xDC80 <= code <= 0xDCFF
    return f"\\x{code & 0xFF:02x}" if is_byte else f"\\u{code:04x}"
