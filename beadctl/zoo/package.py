"""The zip of a package: equal model files give equal bytes."""

import contextlib
import dataclasses
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from beadctl.errors import ModelError, OutputError
from beadctl.files import atomic, sha256
from beadctl.model.metadata import ModelFacts, with_facts
from beadctl.model.session import DEFAULT_MODEL, Model
from beadctl.zoo import require_packages
from beadctl.zoo.description import Statement, describe
from beadctl.zoo.example import Example

# Zip has no earlier date.
DATE = (1980, 1, 1, 0, 0, 0)
UNIX = 3
DEFAULT_AUTHORS = ("The beadctl authors",)


@dataclass(frozen=True)
class Packed:
    """What was written: the size of the zip, its files, and the version of the zoo's format."""

    size_bytes: int
    files: int
    format_version: str

    def __str__(self) -> str:
        """Return it as words."""
        return f"{self.size_bytes / 2**20:.2f} MiB, {self.files} files, model format {self.format_version}"


@dataclass(frozen=True)
class Package:
    """A package to write of a model file, and what it states.

    Attributes
    ----------
    out : Path
        The ``.zip`` file to write.
    authors : sequence of str
        Who made the model; may be empty for the default model.
    name, licence : str, optional
        Replace those of the model file, also in the copy of it that the package holds.
    overwrite : bool
        Replace `out`.
    """

    out: Path
    authors: Sequence[str] = ()
    name: str | None = None
    licence: str | None = None
    overwrite: bool = False

    def require_possible(self, source: Path) -> None:
        """Refuse the package of a source before any work.

        Of a training run, which has no model file yet, it refuses also what is not stated.

        Raises
        ------
        SettingsError
            If nobody is named, or the licence is no SPDX identifier.
        OutputError
            If `out` exists and `overwrite` is false, or it does not end in ``.zip``.
        MissingExtraError
            If the extra ``bioimageio`` is not installed.
        """
        require_packages()
        if self.out.suffix != ".zip":
            raise OutputError(f"{self.out}: a package is a zip; give --bioimageio FILE.zip")
        if self.out.exists() and not self.overwrite:
            raise OutputError(f"{self.out}: already exists; use --overwrite, or another --bioimageio")
        if source.suffix != ".onnx":
            Statement.of(self.name or "bead", self.licence or "unspecified", self.authors)

    def write(self, source: Path) -> Packed:
        """Write it of an ``.onnx`` file, checked by the zoo's own library.

        The test tensors are what the network is shown of a simulated field, and its maps on the CPU. Errors
        are those of `require_possible`, and:

        Raises
        ------
        ModelError
            If the model file cannot be used.
        OutputError
            If `out` cannot be written.
        """
        self.require_possible(source)
        from bioimageio.spec import InvalidDescr, load_description, save_bioimageio_package_as_folder

        # One thread, so that the last bits of the maps are the same each time.
        model = Model(source, "cpu", 1)
        authors = self.authors
        if not authors and model.sha256 == sha256(DEFAULT_MODEL):
            authors = DEFAULT_AUTHORS
        facts = model.facts
        statement = Statement.of(self.name or facts.name, self.licence or facts.licence, authors)
        # The library may still hold files open, which Windows then cannot remove.
        temporary_folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        with temporary_folder as folder, self._named(model) as model:
            made, files = Path(folder) / "made", Path(folder) / "files"
            made.mkdir()
            description = describe(model, Example.of(model), statement, made)
            save_bioimageio_package_as_folder(description, output_path=files)
            with atomic(self.out) as temporary:
                _zip(files, temporary)
                with zipfile.ZipFile(temporary) as file:
                    loaded = load_description(file)
                if isinstance(loaded, InvalidDescr):
                    raise ModelError(f"{source}: its package is not valid ({loaded.get_reason()})")
            return Packed(self.out.stat().st_size, len(list(files.iterdir())), description.format_version)

    @contextlib.contextmanager
    def _named(self, model: Model) -> Iterator[Model]:
        """Yield a model, or a temporary copy that states the name and licence of the package."""
        facts: ModelFacts = dataclasses.replace(
            model.facts, name=self.name or model.facts.name, licence=self.licence or model.facts.licence
        )
        if facts == model.facts:
            yield model
            return
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            path = Path(folder) / model.path.name
            path.write_bytes(with_facts(model.path.read_bytes(), facts))
            yield Model(path, "cpu", 1)


def _zip(folder: Path, out: Path) -> None:
    """Write the files of a folder by name, uncompressed, as weights hardly shrink."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as file:
        for path in sorted(folder.iterdir()):
            entry = zipfile.ZipInfo(path.name, DATE)
            entry.create_system, entry.external_attr = UNIX, 0o644 << 16
            file.writestr(entry, path.read_bytes())
