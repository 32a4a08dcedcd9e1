"""What `POST /events` says of itself: OpenAPI, drawn from the sources that are followed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from limner.workers.stream.choose import Streamed
from limner.workers.stream.http_requests import JSON, LINES, Limits

_KEY = {
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "bearer": {"type": "http", "scheme": "bearer"},
}
_VALUES: dict[str, Any] = {
    "Text": {"type": "string", "pattern": "^[^\\u0000]*$"},
    "Whole": {"type": "integer", "minimum": -(2**63), "maximum": 2**64 - 1},
    "Value": {
        "description": "Anything that JSON can say without the character NUL, and whole numbers within 64 bits.",
        "anyOf": [
            {"$ref": "#/components/schemas/Text"},
            {"$ref": "#/components/schemas/Whole"},
            {"type": ["number", "boolean", "null"]},
            {"type": "array", "items": {"$ref": "#/components/schemas/Value"}},
            {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Value"}},
        ],
    },
    "Answer": {
        "type": "object",
        "description": "What became of the events: `refused` by their place; `quarantined` are taken, and not "
        "counted by the view that is named.",
        "properties": {
            "taken": {"type": "integer", "minimum": 0},
            "repeated": {"type": "integer", "minimum": 0},
            "refused": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"event": {"type": "integer", "minimum": 0}, "reason": {"type": "string"}},
                    "required": ["event", "reason"],
                },
            },
            "quarantined": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"id": {"type": "string"}, "reason": {"type": "string"}},
                    "required": ["id", "reason"],
                },
            },
        },
        "required": ["taken", "repeated", "refused", "quarantined"],
    },
    "Error": {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]},
}
_ERRORS = {
    "400": "The body is no JSON, or holds no event.",
    "401": "It wants a key.",
    "403": "A web page asks.",
    "404": "Nobody follows that source.",
    "408": "The body did not come in time.",
    "413": "It is too much at once.",
    "415": "The body is of another type.",
    "421": "Another host is meant.",
    "503": "The worker is behind, or stops. Send the same events again: they count once.",
}


@dataclass(frozen=True)
class Form:
    """An event of one source: its id, its timestamp and the columns that are known, as the source's files name them."""

    id: str
    event_timestamp: str
    columns: Sequence[str] = ()


def forms(found: Streamed) -> dict[str, Form]:
    """Of the sources that are followed."""
    made: dict[str, Form] = {}
    for name, source in found.sources.items():
        assert source.stream is not None
        assert source.event_timestamp is not None
        plan = next(plan for plan in found.plans.values() if name in plan.raw)
        columns = [source.rename.get(each, each) for each in plan.raw[name] if each != source.created_timestamp]
        id_, at = (source.rename.get(each, each) for each in (source.stream.id, source.event_timestamp))
        made[name] = Form(id_, at, columns)
    return made


def description(made: Mapping[str, Form], limits: Limits, *, guarded: bool) -> dict[str, Any]:
    """OpenAPI 3.1; `guarded`: one must have a key."""
    paths: dict[str, Any] = {f"/events/{name}": {"post": _post(name, [name], limits, guarded)} for name in made}
    parameter = {
        "name": "source", "in": "query", "required": len(made) > 1, "description": "Of which source the events are.",
        "schema": {"enum": list(made)},
    }  # fmt: skip
    paths["/events"] = {"post": {**_post("", list(made), limits, guarded), "parameters": [parameter]}}
    for path, name, text in (("/health", "health", "That it listens."), ("/openapi.json", "openapi", "This.")):
        answers = {"200": _answer(text, {"type": "object"}), "421": _error("421")}
        paths[path] = {"get": {"operationId": name, "summary": text, "responses": answers | {"403": _error("403")}}}
    if guarded:
        paths["/health"]["get"]["security"] = []
        paths["/openapi.json"]["get"]["responses"]["401"] = _error("401")
    schemas = _VALUES | {f"Event_{name}": _event(form) for name, form in made.items()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Limner: events", "version": version("limner"), "description": "Answers when they happened."},
        "paths": paths,
        "components": {"schemas": schemas} | ({"securitySchemes": _KEY} if guarded else {}),
    } | ({"security": [{name: []} for name in _KEY]} if guarded else {})


def _post(name: str, sources: Sequence[str], limits: Limits, guarded: bool) -> dict[str, Any]:
    events = [{"$ref": f"#/components/schemas/Event_{each}"} for each in sources]
    several = {
        "type": "array", "items": {}, "minItems": 1, "maxItems": limits.events, "description": "Each is judged alone.",
    }  # fmt: skip
    lines = {"schema": {"type": "string", "minLength": 1, "description": "An event a line."}}
    content: dict[str, Any] = {JSON.decode(): {"schema": {"anyOf": [*events, several]}}}
    content |= {kind.decode(): lines for kind in LINES}
    told = {"$ref": "#/components/schemas/Answer"}
    return {
        "operationId": f"post_{name or 'events'}",
        "summary": f"Events of {' or '.join(sources)}.",
        "requestBody": {"required": True, "content": content},
        "responses": {
            "200": _answer("Some of them happened, now or before.", told),
            "422": _answer("None of them was taken.", told),
            **{status: _error(status) for status in _ERRORS if guarded or status != "401"},
        },
    }


def _event(form: Form) -> dict[str, Any]:
    value, text = ({"$ref": f"#/components/schemas/{name}"} for name in ("Value", "Text"))
    known = {
        form.id: {"anyOf": [{**text, "minLength": 1}, {"$ref": "#/components/schemas/Whole"}]},
        form.event_timestamp: {**text, "format": "date-time"},
    }
    return {
        "type": "object",
        "description": "What is known by a column is text, as it is in the source's files, until cleaning casts it.",
        "properties": dict.fromkeys(form.columns, value) | known,
        "required": list(known),
        "additionalProperties": value,
    }


def _answer(text: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": {JSON.decode(): {"schema": schema}}}


def _error(status: str) -> dict[str, Any]:
    return _answer(_ERRORS[status], {"$ref": "#/components/schemas/Error"})
