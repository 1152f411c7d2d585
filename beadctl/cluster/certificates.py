"""TLS between the processes of a cluster."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from beadctl.errors import SettingsError

if TYPE_CHECKING:
    from distributed.security import Security


@dataclass(frozen=True)
class Certificates:
    """Files in PEM by which the processes of a cluster know one another.

    Attributes
    ----------
    authority, certificate, key : Path
        Certificate of the authority that signed all others, and this user's certificate and private key.
    """

    authority: Path
    certificate: Path
    key: Path

    @classmethod
    def of(cls, authority: Path | None, certificate: Path | None, key: Path | None) -> "Certificates | None":
        """Return the certificates that the settings name; None where they name none.

        Raises
        ------
        SettingsError
            If some are missing, or are no files.
        """
        given = {"tls_ca": authority, "tls_cert": certificate, "tls_key": key}
        if not any(given.values()):
            return None
        for name, path in given.items():
            if path is None:
                raise SettingsError(f"cluster.{name}: is missing; TLS takes tls_ca, tls_cert and tls_key")
            if not path.is_file():
                raise SettingsError(f"cluster.{name} = {path}: no such file")
        assert authority is not None
        assert certificate is not None
        assert key is not None
        return cls(authority.absolute(), certificate.absolute(), key.absolute())

    def security(self) -> "Security":
        """Return them as Dask takes them, for all roles."""
        from distributed.security import Security

        roles = ("client", "scheduler", "worker")
        files = {f"tls_{role}_cert": str(self.certificate) for role in roles}
        files |= {f"tls_{role}_key": str(self.key) for role in roles}
        return Security(tls_ca_file=str(self.authority), require_encryption=True, **files)


def temporary() -> "Security":
    """Return certificates that this process makes for its own workers: no other user can join them."""
    # Dask would say by another error that it is missing.
    import cryptography  # noqa: F401
    from distributed.security import Security

    made: Security = Security.temporary()
    return made
