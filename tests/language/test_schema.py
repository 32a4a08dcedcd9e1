"""The JSON Schema an editor uses agrees with the loader."""

from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from limner.language.descriptions import KEYS
from limner.language.reader import read
from limner.language.schema import json_schema
from tests.language.examples import BASE, HERE
from tests.language.test_fingerprint import SPEC

SCHEMA = json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
DEMO = sorted((HERE.parents[1] / "specs").glob("*.yaml"))
# Mistakes that depend on other documents, on the data, or on several keys at once: no schema can see them.
BEYOND = (
    "column_", "condition_", "yaml_", "embed_lone", "embed_no_column", "embed_unknown", "embed_format",
    "document_twice", "encoder_hashing_ngrams", "encoder_hashing_pooling", "encoder_hashing_split",
    "encoder_split_overlap", "encoder_split_short", "encoder_model_and", "encoder_of_nothing",
    "encoder_word2vec_of",
    "encoder_tfidf_source", "encoder_tfidf_unknown", "example_about", "example_key", "example_unknown", "example_value",
    "entity_reserved", "feature_distinct_star", "feature_named", "feature_names", "feature_sum_of_star",
    "feature_by", "feature_categor", "feature_other", "feature_sequence_of_star",
    "feature_median_of_star", "feature_rfm_orders", "feature_trend_lifetime", "feature_window_twice",
    "profile_twice", "profile_named", "profile_unknown",
    "source_database", "source_duplicate",

    "identity_", "source_delta", "source_formats", "source_format_of",
    "source_identity", "source_lag", "source_partition_is", "source_partition_missing",
    "source_partition_of", "source_rename", "source_where",
    "source_lookup", "source_password", "source_path", "source_range",
    "source_since_not", "source_stream",
    "text_language_twice", "text_no_column", "text_tokens", "text_unknown", "text_words",
    "source_table", "source_timezone", "source_two", "source_unknown", "source_without", "view_at_with",
    "view_other", "view_timezone",
    "profile_request", "request_age", "request_cosine", "request_expression", "request_name", "request_of",
    "request_circle", "request_unknown_entity", "request_unknown_feature", "request_unknown_field",
    "request_unknown_view", "request_without",
    "derived_bounds", "derived_categor", "derived_cycle", "derived_expression", "derived_no", "derived_of",
    "derived_unknown",
    "feature_all", "vector_without", "vector_projects",
    "model_label_is_a", "model_label_of", "model_label_star", "model_label_two", "model_label_unknown", "model_of",
    "classifier_label", "classifier_of_unknown", "classifier_with", "classify_with_the", "interests_with_one",
    "tfidf_encoder_that", "classifier_tuned_and", "classifier_tuned_on", "classifier_tuned_without",
    "interests_with_a_truth", "model_unknown", "model_view_twice", "predict_", "segments_of", "encode_", "sequence_",
    "view_source", "views_", "view_from", "view_without_source", "view_unknown_source", "view_unknown_entity",
)  # fmt: skip
SEEN = [path for path in sorted((HERE / "broken").glob("*.yaml")) if not path.stem.startswith(BEYOND)]


def _complaints(text: str) -> list[Any]:
    return [error for document in read(text, "x")[0] for error in VALIDATOR.iter_errors(document.data)]


def test_it_is_a_json_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("text", [BASE, SPEC, *(path.read_text() for path in DEMO)])
def test_correct_specs_validate(text: str) -> None:
    assert _complaints(text) == []


@pytest.mark.parametrize("path", SEEN, ids=lambda path: path.stem)
def test_a_mistake_within_one_document_is_seen(path: Path) -> None:
    assert _complaints(path.read_text())


def test_every_key_has_a_line_about_it_and_none_takes_null() -> None:
    undescribed = {
        (model, key)
        for model, definition in SCHEMA["$defs"].items()
        for key, rule in definition["properties"].items()
        if not rule.get("description", "").endswith(".")
    }
    assert undescribed == set()
    assert "'type': 'null'" not in str(SCHEMA)


def test_no_line_is_about_a_key_that_is_gone() -> None:
    keys = {model: definition["properties"].keys() for model, definition in SCHEMA["$defs"].items()}
    gone = {(model, key) for model, texts in KEYS.items() for key in texts if key not in keys[model]}
    assert gone == {("Latest", "over")}
