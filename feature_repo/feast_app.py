"""Feast's own feature server as an ASGI application, so that another server in this process can hand requests to it."""

import logging
from typing import TYPE_CHECKING, Any

from limner.feature_repo.quiet import hush_server
from limner.language.errors import LimnerError, UnavailableError, UnknownNameError

if TYPE_CHECKING:
    from feast import FeatureStore


def feast_app(store: "FeatureStore") -> Any:
    """The application of `feast serve`; its registry is refreshed by whoever holds it.

    What `feast serve` answers with 500 although the request is wrong has the same body here, and a status that says so.
    """
    from feast.errors import FeastError
    from feast.feature_server import get_app
    from feast.permissions.server.utils import (
        AuthManagerType,
        ServerType,
        init_auth_manager,
        init_security_manager,
        str_to_auth_manager_type,
    )

    hush_server()
    logging.getLogger("fastapi").setLevel(logging.CRITICAL)  # it logs a traceback for each request that is wrong
    settings = store.config.auth_config
    kind = str_to_auth_manager_type(settings.type)
    if kind is AuthManagerType.OIDC:
        can_check_tokens()
    init_security_manager(auth_type=kind, fs=store)
    init_auth_manager(auth_type=kind, server_type=ServerType.REST, auth_config=settings)
    app = get_app(store, registry_ttl_sec=0)
    for error in (FeastError, LimnerError, ValueError, TypeError, KeyError, IndexError, OverflowError):
        app.add_exception_handler(error, _explain)
    return app


def can_check_tokens() -> None:
    """LimnerError where Feast lacks what signatures are checked with: it would refuse each token, and say only 401."""
    try:
        import cryptography  # noqa: F401
    except ImportError as error:
        raise LimnerError(
            "feature_store.yaml: `auth: {type: oidc}` needs the package cryptography to check tokens: "
            "pip install 'limner[oidc]'"
        ) from error


async def _explain(_request: Any, error: Exception) -> Any:
    from fastapi.responses import JSONResponse
    from feast.errors import FeastError

    if isinstance(error, FeastError):
        status = int(error.http_status_code())
        return JSONResponse(error.to_error_detail(), 400 if status == 500 else status)
    return JSONResponse(str(error), status_of(error.__cause__ if isinstance(error.__cause__, LimnerError) else error))


def status_of(error: BaseException) -> int:
    """The HTTP status that says whose fault an error is."""
    if isinstance(error, UnknownNameError):
        return 404
    return 503 if isinstance(error, UnavailableError) else 400
