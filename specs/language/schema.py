"""The JSON Schema of the language, for completion and checks in an editor."""

from typing import Any

from pydantic.json_schema import models_json_schema

from limner.language.descriptions import KEYS
from limner.language.features import KINDS
from limner.language.models import DOCUMENTS
from limner.language.request_features import REQUEST_KINDS

_RENAMED = {"ge": "minimum", "le": "maximum", "gt": "exclusiveMinimum"}


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of one spec document.

    It knows keys, types, names and choices of every kind. What depends on other documents or on the data (names that
    are referred to, columns) only the loader can know.
    """
    refs, definitions = models_json_schema([(model, "validation") for model in DOCUMENTS.values()])
    kinds = {kind: refs[model, "validation"]["$ref"] for kind, model in DOCUMENTS.items()}
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Limner spec",
        "description": "One document: an entity, a source, an encoder, a model, a view, a request view or a profile.",
        **_by_kind(kinds),
        "$defs": definitions["$defs"],
    }
    features = schema["$defs"]["FeatureView"]["properties"]["features"]
    _each_value(features, _by_kind({kind.kind: f"#/$defs/{kind.__name__}" for kind in KINDS}))
    requests = schema["$defs"]["RequestView"]["properties"]["features"]
    _each_value(requests, _by_kind({kind.kind: f"#/$defs/{kind.__name__}" for kind in REQUEST_KINDS}))
    plain: dict[str, Any] = _plain(schema)
    for model, texts in KEYS.items():
        properties = plain["$defs"][model]["properties"]
        for key in properties.keys() & texts.keys():
            properties[key] = {**properties[key], "description": texts[key]}
    return plain


def _by_kind(refs: dict[str, str]) -> dict[str, Any]:
    """The first of the keys that is there decides: editors then complete and complain for one kind only."""
    chain: dict[str, Any] = {"anyOf": [{"required": [kind]} for kind in refs]}
    for kind, ref in reversed(refs.items()):
        chain = {"if": {"required": [kind]}, "then": {"$ref": ref}, "else": chain}
    return {"type": "object", **chain}


def _each_value(mapping: dict[str, Any], rule: dict[str, Any]) -> None:
    """Put `rule` for every value of a mapping with constrained names."""
    for pattern in mapping.get("patternProperties", {}):
        mapping["patternProperties"][pattern] = rule
    if "additionalProperties" in mapping and isinstance(mapping["additionalProperties"], dict):
        mapping["additionalProperties"] = rule


def _plain(node: Any) -> Any:
    """Standard keywords only; no null, which the language does not have; no generated titles."""
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    choices = node.get("anyOf")
    if isinstance(choices, list) and {"type": "null"} in choices:
        left = [choice for choice in choices if choice != {"type": "null"}]
        node = {key: value for key, value in node.items() if key not in ("anyOf", "default")}
        node = {**node, **left[0]} if len(left) == 1 else {**node, "anyOf": left}
    if "patternProperties" in node:
        node = {key: value for key, value in node.items() if key != "propertyNames"} | {"additionalProperties": False}
    titled = isinstance(node.get("title"), str) and "$schema" not in node
    return {_RENAMED.get(key, key): _plain(value) for key, value in node.items() if not (titled and key == "title")}
