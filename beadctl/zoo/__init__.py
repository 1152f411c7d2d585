"""A model file as a package of the BioImage Model Zoo, for programs that do not know beadctl."""

from importlib.util import find_spec

from beadctl.errors import MissingExtraError


def require_packages() -> None:
    """Refuse a package where the libraries that describe it are not installed.

    Raises
    ------
    MissingExtraError
        It names the ``pip install``.
    """
    for name, title in (("bioimageio", "bioimageio.spec"), ("onnx", "onnx")):
        if find_spec(name) is None:
            raise MissingExtraError(f'{title} is not installed; pip install "beadctl[bioimageio]"')
