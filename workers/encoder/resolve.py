"""From an encoder spec to the files that make its vectors, and to the fingerprint that names them."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from limner.language.errors import LimnerError
from limner.language.models import Encoder
from limner.workers.encoder.calibration import INT8, calibration_identity
from limner.workers.encoder.hashes import FileHashes

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "spiece.model",
)
HUB_FILES = ("config.json", *TOKENIZER_FILES, "*.safetensors", "*.safetensors.index.json")


@dataclass(frozen=True)
class EncoderModel:
    """An encoder whose files are known: `dim` numbers a vector, `fingerprint` (hex sha256) their identity.

    `prefix` is for whoever makes the texts: it is part of what is sent to be encoded, and the server adds
    nothing.
    """

    name: str
    folder: Path
    pooling: str
    max_tokens: int
    normalize: bool
    prefix: str
    precision: str
    dim: int
    fingerprint: str
    files: str = ""  # sha256 of the files alone
    split_most: int = 1  # pieces of a text that is longer than max_tokens; 1: it is cut there
    split_overlap: int = 0  # tokens that neighbouring pieces share
    on_demand: bool = False  # whoever asks for it first may load it

    @property
    def version(self) -> str:
        """Triton's version number of this fingerprint.

        Clients ask for this version, so a server with other weights cannot answer them, not even amid a
        reload.
        """
        return str(int(self.fingerprint[:12], 16) + 1)


def resolve(encoder: Encoder, root: Path) -> EncoderModel:
    """Locate an encoder's files (nothing is imported) and fingerprint all that its vectors depend on.

    `precision: auto` is part of the fingerprint as written, not as a machine interprets it: vectors of one
    encoder computed in bfloat16 on a CPU and in half precision on a GPU are interchangeable (cosine 0.9999).
    int8 is not (cosine 0.997): what it is calibrated with is part of the fingerprint, too.
    Raises LimnerError for a missing package, folder or file.
    """
    if encoder.model is None:
        raise LimnerError(f"encoder {encoder.encoder!r} has no model: it counts terms, and needs no server")
    folder = locate(encoder.model, root)
    config = read_config(folder, encoder.encoder)
    positions = config.get("max_position_embeddings")
    if isinstance(positions, int) and encoder.max_tokens > positions:
        raise LimnerError(
            f"encoder {encoder.encoder!r}: max_tokens {encoder.max_tokens} is more than the model's "
            f"{positions} positions"
        )
    dim = next((config[key] for key in ("hidden_size", "dim", "d_model") if key in config), None)
    if not isinstance(dim, int):
        raise LimnerError(f"encoder {encoder.encoder!r}: {folder / 'config.json'} names no hidden_size")
    hashes = FileHashes(root / "data" / ".limner-cache" / "file-hashes.json")
    files = {path.name: hashes.sha256(path) for path in model_files(folder, encoder.encoder)}
    identity: dict[str, object] = {
        "files": files,
        "pooling": encoder.pooling,
        "max_tokens": encoder.max_tokens,
        "normalize": encoder.normalize,
        "prefix": encoder.prefix,
        "precision": encoder.precision,
    }
    split = encoder.split
    if split is not None:  # as a key of its own: encoders without it stay what they were
        identity["split"] = [split.most, split.overlap]
    if encoder.precision == INT8:
        identity["int8"] = calibration_identity()
    hashes.save()
    return EncoderModel(
        name=encoder.encoder,
        folder=folder,
        pooling=encoder.pooling,
        max_tokens=encoder.max_tokens,
        normalize=encoder.normalize,
        prefix=encoder.prefix,
        precision=encoder.precision,
        dim=dim,
        fingerprint=digest(identity),
        files=digest(files),
        split_most=1 if split is None else split.most,
        split_overlap=0 if split is None else split.overlap,
    )


def digest(value: Mapping[str, object]) -> str:
    """Return the sha256 of a JSON object, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def locate(model: str, root: Path) -> Path:
    """Return the folder of `package:name/sub/folder`, of a folder (relative to `root`) or of a hub name."""
    if model.startswith("package:"):
        return locate_in_package(model.removeprefix("package:"))
    folder = (root / model).expanduser()
    if folder.is_dir():
        return folder.resolve()
    if model.count("/") == 1 and not model.startswith((".", "/", "~")):
        return locate_on_hub(model)
    raise LimnerError(f"encoder model {model!r}: no such folder ({folder})")


def locate_in_package(reference: str) -> Path:
    """Return a folder inside an installed package, without importing the package."""
    package, _, inside = reference.partition("/")
    try:
        found = find_spec(package)
    except (ImportError, ValueError):
        found = None
    if found is None or not found.submodule_search_locations:
        raise LimnerError(
            f"encoder model 'package:{reference}': package {package!r} is not installed; "
            f"run `pip install {package.replace('_', '-')}`"
        )
    folders = [Path(place) / inside for place in found.submodule_search_locations]
    for folder in folders:
        if folder.is_dir():
            return folder.resolve()
    raise LimnerError(
        f"encoder model 'package:{reference}': package {package!r} has no folder {inside!r} ({folders[0]})"
    )


def locate_on_hub(name: str) -> Path:
    """Return the local snapshot of a hub model, `owner/name` or `owner/name@revision`, fetched once."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    repository, _, revision = name.partition("@")
    wanted: dict[str, Any] = {"revision": revision or None, "allow_patterns": list(HUB_FILES)}
    try:
        return Path(snapshot_download(repository, local_files_only=True, **wanted))
    except LocalEntryNotFoundError:
        pass
    try:
        return Path(snapshot_download(repository, **wanted))
    except Exception as error:
        raise LimnerError(
            f"encoder model {name!r}: no such folder, and the hub did not give it "
            f"({type(error).__name__}: {error}); check the name, or download it and name its folder"
        ) from error


def read_config(folder: Path, name: str) -> dict[str, object]:
    """Read a model's config.json."""
    path = folder / "config.json"
    if not path.is_file():
        raise LimnerError(f"encoder {name!r}: {folder} has no config.json; expected a transformers model folder")
    config: dict[str, object] = json.loads(path.read_text())
    return config


def weight_files(folder: Path) -> list[Path]:
    """Return the weights transformers would read: safetensors where there are any."""
    return sorted(folder.glob("*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))


def model_files(folder: Path, name: str) -> list[Path]:
    """Return every file the vectors depend on; raises LimnerError where weights or tokenizer are missing."""
    weights = weight_files(folder)
    if not weights:
        raise LimnerError(f"encoder {name!r}: {folder} has no weights (*.safetensors or pytorch_model*.bin)")
    tokenizer = [folder / file for file in TOKENIZER_FILES if (folder / file).is_file()]
    if not tokenizer:
        raise LimnerError(f"encoder {name!r}: {folder} has no tokenizer (tokenizer.json or vocab.txt)")
    return [folder / "config.json", *tokenizer, *weights]
