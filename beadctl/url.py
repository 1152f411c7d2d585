"""Addresses of objects in stores, such as ``s3://bucket/a.tif``, and the names of these in a run."""

import contextlib
import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from beadctl.errors import ImageError, SettingsError

# A scheme has two letters at least, as one is a drive of Windows; `Path` leaves one of two slashes.
FORM = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+(.*)", re.DOTALL)
ARCHIVE, FILE, WEB = "zip", "file", ("http", "https")
# A scheme alone, of which `Path` leaves no slash.
ALONE = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/*")
# Between an archive and its member: fsspec has the member first, a name has it last, so that its suffix is.
CHAIN, WITHIN = "::", "::/"


@dataclass(frozen=True)
class Url:
    """Address of an object or a folder in a store.

    Attributes
    ----------
    scheme : str
        Kind of the store, lower case.
    rest : str
        What follows ``scheme://``: host or bucket, and place; in an archive, the place alone. It may hold a
        signature, so it is not for messages and records.
    archive : Url or None
        The archive that it lies in.
    """

    scheme: str
    rest: str = field(repr=False)
    archive: "Url | None" = None

    @classmethod
    def parse(cls, text: str) -> "Url | None":
        """Read an address, of which a `Path` may have left one slash of two; None for any other text.

        Raises
        ------
        SettingsError
            If it names no place, holds a user or a password, or a chain other than that of an archive and its
            member.

        Examples
        --------
        >>> url = Url.parse("zip:/day1/a.tif::s3:/bucket/plates.zip")
        >>> url.text
        'zip://day1/a.tif::s3://bucket/plates.zip'
        >>> print(url.name)
        s3:/bucket/plates.zip::/day1/a.tif
        """
        match = FORM.fullmatch(text)
        if match is None:
            return None
        scheme, rest = match[1].lower(), match[2]
        if scheme == ARCHIVE:
            place, _, archive = rest.partition(CHAIN)
            if not archive:
                raise SettingsError(f"{_address(scheme, place)}: {_without_archive(place)}")
            within = cls.parse(archive) or cls(FILE, _without_dots(Path(archive)))
            if within.archive or _is_archive(place):
                inner = within.rest if within.archive else place
                shown = _address(scheme, place)
                raise SettingsError(f"{shown}: an archive in an archive is not read; unpack {inner}")
            return cls(scheme, place.strip("/"), within)
        if scheme != FILE and "@" in rest.partition("/")[0]:
            raise SettingsError(
                f"{scheme}://...@...: a user or a password in an address would be stored with the results; "
                "leave them out, and see the guide on clusters"
            )
        if not rest and scheme != FILE:
            raise SettingsError(f"{scheme}://: names no place; write {scheme}://HOST-OR-BUCKET/PATH")
        url = cls(scheme, rest)
        return cls(scheme, _without_dots(url.file)) if url.file and ".." in url.file.parts else url

    @classmethod
    def of(cls, path: Path) -> "Url | None":
        """Return the address that a path of the command line is; None for that of a file.

        Errors are those of `parse`.
        """
        text = path.as_posix()
        # A text that is too long for a file is none.
        with contextlib.suppress(OSError):
            if (FORM.fullmatch(text) or ALONE.fullmatch(text)) and path.exists():
                return None
        return cls.parse(f"{scheme[1]}://" if (scheme := ALONE.fullmatch(text)) else text)

    @property
    def text(self) -> str:
        """The whole address, as fsspec takes it."""
        own = _address(self.scheme, self.rest)
        return f"{own}{CHAIN}{self.archive.text}" if self.archive else own

    @property
    def shown(self) -> str:
        """The address for tables, messages and records: without a query, which may be a signature."""
        return named(str(self.name))

    @property
    def name(self) -> PurePosixPath:
        """Its name in a run, by which its results lie in folders.

        Raises
        ------
        ImageError
            If a part of it is ``..``, which would lead out of the folder of results.
        """
        place = re.split(r"[?#]", self.rest)[0] if self.scheme in WEB else self.rest
        text = f"{self.archive.name}{WITHIN}{place}" if self.archive else f"{self.scheme}:/{place}"
        if ".." in (name := PurePosixPath(text)).parts:
            raise ImageError(f"{_address(self.scheme, place)}: has a part ..; give it another name")
        return name

    @property
    def file(self) -> Path | None:
        """The file on this machine, where it is one."""
        if self.scheme != FILE:
            return None
        # Windows: file:///C:/a.tif.
        return Path(self.rest if re.match("[A-Za-z]:", self.rest) else f"/{self.rest}")

    def below(self, place: str) -> "Url":
        """Return the address of a place below this one."""
        return Url(self.scheme, f"{self.rest.rstrip('/')}/{place}".lstrip("/"), self.archive)


def shown(path: Path) -> str:
    """Return a path of the command line for messages and records: an address without its signature.

    Examples
    --------
    >>> shown(Path("s3:/bucket/run")), shown(Path("out"))
    ('s3://bucket/run', 'out')
    """
    return url.shown if (url := Url.of(path)) else str(path)


def named(name: str) -> str:
    """Return the address that a name in a run stands for; other names as they are.

    Examples
    --------
    >>> named("https:/example.org/a.tif"), named("day1/a.tif")
    ('https://example.org/a.tif', 'day1/a.tif')
    """
    match = FORM.fullmatch(name)
    if match is None:
        return name
    # The archive itself has no member.
    archive, within, member = (
        f"{name}/".rpartition(WITHIN) if name.endswith(CHAIN) else name.rpartition(WITHIN)
    )
    if within:
        return f"{_address(ARCHIVE, member)}{CHAIN}{named(archive)}"
    return _address(match[1], match[2])


def _without_dots(path: Path) -> str:
    """Return the place of a file after ``file:///``, with the folders that its parts ``..`` lead to."""
    place = path.absolute()
    if ".." in place.parts:
        place = place.parent.resolve() / place.name
    return place.as_posix().lstrip("/")


def _is_archive(place: str) -> bool:
    return place.lower().endswith(f".{ARCHIVE}")


def _without_archive(place: str) -> str:
    """Return what is wrong with an address in an archive that has one part, and what was meant."""
    if _is_archive(place):
        return f"names an archive without a member; write zip://::{place} for all of it"
    return f"names no archive; write zip://{place or 'MEMBER'}::ARCHIVE, or zip://::ARCHIVE for all of it"


def _address(scheme: str, rest: str) -> str:
    # The place of a file begins with a slash, also after the letter of a drive.
    return f"{scheme}:///{rest}" if scheme == FILE else f"{scheme}://{rest}"
