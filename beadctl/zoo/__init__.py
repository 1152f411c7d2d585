"""A model file as a package of the BioImage Model Zoo, for programs that do not know beadctl."""

from beadctl.errors import require_extra


def require_packages() -> None:
    """Refuse a package where the libraries that describe it are not installed.

    Raises
    ------
    MissingExtraError
        It names the ``pip install``.
    """
    require_extra("bioimageio", "bioimageio.spec", "onnx")
