"""What the server says of itself: what can be asked for, the OpenAPI description, and a page of it."""

import html
from functools import lru_cache
from importlib.metadata import version
from importlib.resources import files
from typing import Any

import orjson

from limner.language.errors import UnavailableError
from limner.serving.messages import Reply
from limner.serving.served import Served
from limner.serving.settings import ServeSettings
from limner.workers.online.database import Snapshot
from limner.workers.online.selection import select
from limner.workers.request.fields import kind_of

_KEY = {
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "bearer": {"type": "http", "scheme": "bearer"},
}


def listing(served: Served) -> Reply:
    """`GET /profiles`: keys, features and request fields of all that can be asked for, by name."""
    return Reply(orjson.dumps(served.database.read(_listed)))


def _listed(snapshot: Snapshot) -> dict[str, Any]:
    found = {}
    for name in [*snapshot.profiles(), *snapshot.served(), *snapshot.programs()]:
        try:
            selection = select(snapshot, name, None)
        except UnavailableError:  # declared, and nothing of it computed yet
            continue
        keys = {k: kind for view in selection.stored if view in selection.served
                for k, kind in selection.served[view].schema.keys}  # fmt: skip
        members = selection.members.items()
        features = [f"{view}__{n}" if n in selection.repeated else n for view, chosen in members for n in chosen]
        request = {field: kind_of(column) for field, column in selection.fields.items()}
        found[name] = {"keys": keys, "features": features, "request": request}
    return found


def description(settings: ServeSettings, *, guarded: bool) -> dict[str, Any]:
    """OpenAPI 3.1, with this server's bounds and, where it has keys, how to give one."""
    import yaml

    found: dict[str, Any] = yaml.safe_load(files("limner.serving").joinpath("openapi.yaml").read_text())
    found["info"]["version"] = version("limner")
    schemas = found["components"]["schemas"]
    schemas["ProfilesRequest"]["properties"]["keys"]["maxItems"] = settings.limits.keys
    schemas["SimilarRequest"]["properties"]["k"]["maximum"] = settings.limits.neighbours
    if guarded:
        found["components"]["securitySchemes"] = _KEY
        found["security"] = [{name: []} for name in _KEY]
        refused = {"$ref": "#/components/responses/Error"}
        for path in found["paths"].values():
            for operation in path.values():
                if operation.get("security") != []:
                    operation["responses"]["401"] = refused
    return found


@lru_cache(maxsize=1)
def page(settings: ServeSettings, *, guarded: bool) -> bytes:
    """The description as a page: it loads nothing from anywhere else."""
    told = description(settings, guarded=guarded)
    parts = [f"<h1>{html.escape(told['info']['title'])}</h1><p>{html.escape(told['info']['description'])}</p>"]
    parts.append('<p>The same for programs: <a href="openapi.json">openapi.json</a></p>')
    for path, methods in told["paths"].items():
        for method, operation in methods.items():
            parts.append(_section(path, method, operation))
    parts.append("<h2>Schemas</h2>")
    for name, schema in told["components"]["schemas"].items():
        parts.append(f'<h3 id="{name}">{name}</h3>{_code(schema)}')
    return (_HEAD + "".join(parts)).encode()


def _section(path: str, method: str, operation: dict[str, Any]) -> str:
    text = f"<h2><code>{method.upper()} {html.escape(path)}</code></h2><p>{html.escape(operation['summary'])} "
    text += f"{html.escape(operation.get('description', ''))}</p>"
    for parameter in operation.get("parameters", []):
        text += f"<p><code>{parameter['name']}</code> ({parameter['in']}): {html.escape(parameter['description'])}</p>"
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if body is not None:
        name = body["$ref"].rpartition("/")[2]
        text += f'<p>Body: <a href="#{name}">{name}</a></p>'
    return text + f"<p>Answers: {', '.join(operation['responses'])}</p>"


def _code(schema: Any) -> str:
    return f"<pre>{html.escape(orjson.dumps(schema, option=orjson.OPT_INDENT_2).decode())}</pre>"


_HEAD = (
    "<!doctype html><meta charset=utf-8><title>Limner</title>"
    "<style>body{font:16px/1.5 sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem}"
    "pre{background:#f4f4f4;padding:.7rem;overflow:auto}</style>"
)
