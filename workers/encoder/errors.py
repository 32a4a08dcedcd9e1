"""What can go wrong between a text and its vector, as errors a user can act on."""

from limner.language.errors import LimnerError, UnavailableError


class EncoderUnavailable(UnavailableError):  # noqa: N818 - it names the state, as its reader does
    """Triton cannot be reached, serves another model than the spec asks for, or fails on every text."""


class TritonNotInstalled(LimnerError):  # noqa: N818 - it names the state, as its reader does
    """The server or the models' environment is missing from the project."""


class TritonFailed(LimnerError):  # noqa: N818 - it names the state, as its reader does
    """The server could not be started, stopped, or made to load a model."""
