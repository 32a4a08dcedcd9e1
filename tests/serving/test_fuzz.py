"""Requests made from the OpenAPI description and against it: no 500, nothing accepted that the description forbids."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.serving.world import Server

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("serving")]
# A description cannot say which names and keys there are: what keeps to it may be refused, never the other way round.
SETTINGS = """
[checks]
positive_data_acceptance.enabled = false
negative_data_rejection.expected-statuses = [400, 404, 405, 406, 413, 415, 422]
"""
NAMES = {"enum": ["everything", "both", "visiting", "now", "activity", "taste"]}
KEYS = {"type": "integer", "minimum": 1, "maximum": 20}


def described(server: Server) -> dict[str, Any]:
    status, told, _ = server.ask("GET", "/openapi.json")
    assert status == 200
    found: dict[str, Any] = told
    return found


def with_names(told: dict[str, Any]) -> dict[str, Any]:
    """The description with names and keys that there are: what is behind them is met, too."""
    schemas = told["components"]["schemas"]
    schemas["ProfilesRequest"]["properties"]["profile"] = NAMES
    schemas["ProfilesRequest"]["properties"]["keys"] |= {"maxItems": 5}
    schemas["Key"] = {"anyOf": [KEYS, {"enum": [{"user_id": 3, "kind": "book"}]}]}
    schemas["SimilarRequest"]["properties"] |= {"view": {"enum": ["taste"]}, "feature": {"enum": ["likes", "orders"]}}
    schemas["SimilarRequest"]["properties"]["vector"] |= {"minItems": 15, "maxItems": 17}
    refs = {"enum": ["activity:dear", "activity:spent", "taste:likes", "asked:above", "visits:bought_2d"]}
    columns = {
        name: {"type": "array", "items": items}
        for name, items in (("user_id", KEYS), ("kind", {"type": "string"}), ("limit", {}))
    }
    schemas["FeastRequest"]["properties"]["features"] = {"type": "array", "items": refs, "minItems": 1}
    schemas["FeastRequest"]["properties"]["entities"] = {
        "type": "object",
        "properties": columns,
        "required": ["user_id"],
    }
    name, key, features = told["paths"]["/profiles/{name}/{key}"]["get"]["parameters"]
    name["schema"], key["schema"] = NAMES, KEYS
    features["schema"]["items"] = {"enum": ["dear", "spent", "likes", "bought_2d"]}
    return told


def test_no_500_and_no_nonsense(ours: Server, tmp_path: Path) -> None:
    (tmp_path / "openapi.json").write_text(json.dumps(with_names(described(ours))))
    (tmp_path / "schemathesis.toml").write_text(SETTINGS)
    line = [
        str(Path(sys.executable).with_name("schemathesis")),
        "--config-file",
        "schemathesis.toml",
        "run",
        "openapi.json",
    ]
    line += ["--url", f"http://127.0.0.1:{ours.port}", "--max-examples", "20", "--mode", "all", "--seed", "1"]
    line += ["--phases", "coverage,fuzzing", "--generation-database", "none", "--no-color", "--request-timeout", "30"]
    ended = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert ended.returncode == 0, ended.stdout[-20_000:]
    assert "7 selected" in ended.stdout
