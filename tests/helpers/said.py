"""What the command line answered."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Said:
    """What the command line answered."""

    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        """Its error lines; a traceback is no answer."""
        assert "Traceback" not in self.err
        return [line for line in self.err.splitlines() if line.startswith("error: ")]

    @property
    def error(self) -> str:
        """Its only error line."""
        (line,) = self.errors
        return line
