"""The served model repository, PROJECT/.triton/repository: complete in itself, mountable anywhere."""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from string import Template

from limner.workers.encoder.calibration import INT8, SMOOTHING, calibration_identity, calibration_texts
from limner.workers.encoder.errors import TritonFailed, TritonNotInstalled
from limner.workers.encoder.home import TritonHome
from limner.workers.encoder.install import has, run
from limner.workers.encoder.resolve import EncoderModel, digest, weight_files

Say = Callable[[str], None]


@dataclass(frozen=True)
class Serving:
    """How a model is served, apart from what it computes: the lower half of config.pbtxt."""

    engine: str = "auto"
    threads: int = 0
    token_budget: int = 0
    warm: str = "all"


def build(model: EncoderModel, home: TritonHome, serving: Serving | None = None, say: Say = lambda line: None) -> bool:
    """Build an encoder's folder in the repository; return False if it was up to date.

    The folder is made aside and moved into place, and holds copies of the weights: a later change of the
    model's own folder does not change what is served under this fingerprint. Raises TritonFailed.
    """
    source = templates() / "bert_encoder"
    config = render(source / "config.pbtxt", model, serving or Serving())
    code = sorted((source / "1").glob("*.py"))
    stamp = {
        "fingerprint": model.fingerprint,
        "config": config,
        "code": hashlib.sha256(b"\0".join(path.read_bytes() for path in code)).hexdigest(),
    }
    place = home.repository / model.name
    before = read_stamp(place)
    if before == stamp:
        return False
    building = home.base / "building" / f"{model.name}.{os.getpid()}"
    shutil.rmtree(building, ignore_errors=True)
    version = building / model.version
    version.mkdir(parents=True)
    for path in code:
        shutil.copyfile(path, version / path.name)
    fill_weights(model, home, version / "weights", say)
    (building / "config.pbtxt").write_text(config)
    (building / "limner.json").write_text(json.dumps(stamp))
    home.repository.mkdir(parents=True, exist_ok=True)
    replace(place, building)
    drop_unused_exports(home)
    return True


def fill_weights(model: EncoderModel, home: TritonHome, target: Path, say: Say) -> None:
    """Fill `target` with what both engines read: config.json, the weights, and the exported graph and tokenizer."""
    target.mkdir()
    for path in (model.folder / "config.json", *weight_files(model.folder), *model.folder.glob("*.index.json")):
        shutil.copyfile(path, target / path.name)
    for path in exported(model, home, say).iterdir():
        os.link(path, target / path.name)


def exported(model: EncoderModel, home: TritonHome, say: Say) -> Path:
    """Return the folder of the exported graph and tokenizer, exporting them if no other encoder has needed them yet."""
    exporter = Path(__file__).with_name("export.py").read_text()
    made_of = {"files": model.files, "pooling": model.pooling, "normalize": model.normalize, "code": exporter}
    if model.precision == INT8:
        made_of |= {"int8": calibration_identity(), "tokens": str(model.max_tokens), "prefix": model.prefix}
    key = digest(made_of)
    place = home.exports / key[:32]
    if not place.is_dir():
        if model.precision == INT8:
            require_quantizer(model, home)
        say(f"exporting encoder {model.name}")
        building = place.with_suffix(f".{os.getpid()}")
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir(parents=True)
        job = {
            "source": str(model.folder),
            "target": str(building),
            "pooling": model.pooling,
            "normalize": model.normalize,
        }
        run(
            [sys.executable, "-m", "limner.workers.encoder.export", json.dumps(job)],
            f"export of encoder {model.name!r}",
        )
        if model.precision == INT8:
            quantize(model, home, building)
        building.rename(place)
    return place


def require_quantizer(model: EncoderModel, home: TritonHome) -> None:
    """Raise TritonNotInstalled unless the models' environment can make int8 of a model."""
    if not has(home, INT8):
        raise TritonNotInstalled(
            f"encoder {model.name!r} has precision int8, and what quantizes it is not installed in {home.environment}: "
            "run `limner triton install --int8`, or choose another precision"
        )


def quantize(model: EncoderModel, home: TritonHome, folder: Path) -> None:
    """Add graph.xml and graph.bin, in int8, to an exported folder; about 15 s for a small BERT."""
    texts = [model.prefix + text for text in calibration_texts()]
    job = json.dumps({"folder": str(folder), "texts": texts, "max_tokens": model.max_tokens, "smoothing": SMOOTHING})
    script = Path(__file__).with_name("quantize.py")
    run([str(home.python), str(script)], f"quantization of encoder {model.name!r}", job)
    (folder / "graph.onnx").unlink()


def drop_unused_exports(home: TritonHome) -> None:
    """Remove exports that no repository folder links to any more."""
    for place in home.exports.glob("*"):
        if all(path.stat().st_nlink == 1 for path in place.iterdir()):
            shutil.rmtree(place)


def render(template: Path, model: EncoderModel, serving: Serving) -> str:
    """Fill in config.pbtxt."""
    return Template(template.read_text()).substitute(
        name=model.name,
        dim=model.dim,
        fingerprint=model.fingerprint,
        pooling=model.pooling,
        normalize=str(model.normalize).lower(),
        max_tokens=model.max_tokens,
        split_most=model.split_most,
        split_overlap=model.split_overlap,
        precision=model.precision,
        engine=serving.engine,
        threads=serving.threads,
        token_budget=serving.token_budget,
        warm=serving.warm,
    )


def templates() -> Path:
    """Return the folder of model sources: package data, or `triton_models` of a checkout."""
    spec = find_spec("limner.triton_models")
    places = list(spec.submodule_search_locations or ()) if spec else []
    if not places:
        raise TritonFailed("limner.triton_models is missing from this installation: install limner again")
    return Path(places[0])


def replace(place: Path, building: Path) -> None:
    """Move a finished folder into place; what was there is removed afterwards."""
    old = building.with_suffix(".old")
    shutil.rmtree(old, ignore_errors=True)
    if place.exists():
        place.rename(old)
    building.rename(place)
    shutil.rmtree(old, ignore_errors=True)


def read_stamp(place: Path) -> dict[str, str] | None:
    """Return what a repository folder was built from, None if there is none."""
    try:
        stamp: dict[str, str] = json.loads((place / "limner.json").read_text())
    except FileNotFoundError:
        return None
    return stamp
