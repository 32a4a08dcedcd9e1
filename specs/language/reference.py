"""The reference page of the language, written from its models, with a runnable example for each entry."""

from collections.abc import Iterator, Mapping
from typing import Any

from limner.language.features import KINDS
from limner.language.models import DOCUMENTS
from limner.language.schema import json_schema

_HEAD = """# Reference of the spec language

Every kind of document and of feature with its keys, written from the models that read the specs, and an example that
the tests run. [The spec language](spec-language.md) explains how they go together; `limner schema` tells an editor.
"""


def reference(examples: Mapping[str, str]) -> str:
    """The page as Markdown; `examples`: by the name of a document or feature kind, a spec that carries examples;
    more of a kind are called `kind.what`.

    Raises KeyError for a kind without an example.
    """
    definitions = json_schema()["$defs"]
    documents = {kind: model.__name__ for kind, model in DOCUMENTS.items()}
    features = {kind.kind: kind.__name__ for kind in KINDS}
    shown = {*documents.values(), *features.values()}
    parts = [_HEAD, _contents("Documents", documents), _contents("Features", features), "## Documents\n"]
    parts += [_entry(kind, name, definitions, shown, _of(kind, examples)) for kind, name in sorted(documents.items())]
    parts.append("## Features\n")
    parts += [_entry(kind, name, definitions, shown, _of(kind, examples)) for kind, name in sorted(features.items())]
    return "\n".join(parts)


def _of(kind: str, examples: Mapping[str, str]) -> list[str]:
    return [examples[kind], *(text for name, text in sorted(examples.items()) if name.startswith(f"{kind}."))]


def _contents(title: str, kinds: Mapping[str, str]) -> str:
    return f"{title}: " + ", ".join(f"[`{kind}`](#{kind})" for kind in sorted(kinds)) + ".\n"


def _entry(kind: str, model: str, definitions: Mapping[str, Any], shown: set[str], examples: list[str]) -> str:
    lines = [f"### {kind}\n", definitions[model]["description"].strip() + "\n"]
    lines += _table(definitions[model])
    for inner in _parts(model, definitions, shown):
        lines += [f"`{inner}`: {definitions[inner].get('description', '').strip()}\n", *_table(definitions[inner])]
    for example in examples:
        lines += ["```yaml", example.strip(), "```\n"]
    return "\n".join(lines)


def _table(definition: Mapping[str, Any]) -> list[str]:
    required = set(definition.get("required", ()))
    rows = ["| key | | type |", "| --- | --- | --- |"]
    for key, rule in definition["properties"].items():
        default = rule.get("default")
        need = "required" if key in required else f"default `{_word(default)}`" if default not in (None, "") else ""
        about = rule.get("description", "").replace("|", "\\|")
        rows.append(f"| `{key}` | {about} | {', '.join(filter(None, (_type(rule), need)))} |")
    return [*rows, ""]


_MOST = 8  # words to list


def _word(value: Any) -> str:
    return "{}" if value == {} else str(value).lower() if isinstance(value, bool) else f"{value}"


def _type(rule: Mapping[str, Any]) -> str:  # noqa: PLR0911 - one a form
    """What a value looks like, in a few words."""
    if len(rule.get("enum", ())) > _MOST:
        return f"a word such as `{rule['enum'][0]}` or `{rule['enum'][-1]}`"
    if "enum" in rule or "const" in rule:
        return " or ".join(f"`{_word(each)}`" for each in rule.get("enum", [rule.get("const")]))
    if "$ref" in rule:
        return f"`{rule['$ref'].rsplit('/', 1)[-1]}`"
    choices = rule.get("anyOf") or rule.get("oneOf")
    if choices:
        return " or ".join(dict.fromkeys(filter(None, map(_type, choices))))
    match rule.get("type"):
        case "array":
            return f"list of {_type(rule.get('items', {})) or 'values'}"
        case "object":
            values: Any = rule.get("additionalProperties") or next(iter(rule.get("patternProperties", {}).values()), {})
            inner = _type(values) if isinstance(values, Mapping) and "if" not in values else "features"
            return f"mapping of names to {inner or 'values'}"
        case str() as kind:
            return _WORDS.get(kind, kind) + _bounds(rule) + _example(rule)
        case list() as kinds:
            return " or ".join(_WORDS.get(str(kind), str(kind)) for kind in kinds)
    return ""


_WORDS = {"string": "text", "integer": "whole number", "boolean": "`true` or `false`"}


def _bounds(rule: Mapping[str, Any]) -> str:
    low, high = rule.get("minimum"), rule.get("maximum")
    if low is not None and high is not None:
        return f" from {low} to {high}"
    return f" of {low} or more" if low is not None else ""


def _example(rule: Mapping[str, Any]) -> str:
    return f" such as `{rule['examples'][0]}`" if rule.get("examples") else ""


def _parts(model: str, definitions: Mapping[str, Any], shown: set[str]) -> Iterator[str]:
    """The models that the keys of `model` refer to and that have no entry of their own, nearest first."""
    queue, seen = [model], {model}
    while queue:
        for name in _refs(definitions[queue.pop(0)]["properties"]):
            if name not in seen | shown and "properties" in definitions[name]:
                seen.add(name)
                queue.append(name)
                yield name


def _refs(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"].rsplit("/", 1)[-1]
        for value in node.values():
            yield from _refs(value)
    elif isinstance(node, list):
        for value in node:
            yield from _refs(value)
