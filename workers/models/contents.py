"""What versions hold, by the kind of the model. Each says something of rows of what the model reads."""

import hashlib
from pathlib import Path

from limner.language.errors import LimnerError
from limner.workers.models.learned import Learned
from limner.workers.models.segmentation import Segmentation
from limner.workers.models.versions import LEARNED, VERSION, Version, folder_of

Content = Learned | Segmentation
CONTENTS: dict[str, type[Learned] | type[Segmentation]] = {"propensity": Learned, "segments": Segmentation}


def read_content(data: Path, model: str, version: str) -> Content:
    """What a version holds. LimnerError where it is gone, or is not what was registered."""
    folder = folder_of(data, model) / version
    try:
        content = (folder / LEARNED).read_bytes()
        about = Version.model_validate_json((folder / VERSION).read_bytes())
        if hashlib.sha256(content).hexdigest() != about.files[LEARNED]:
            raise ValueError("its bytes are not those that were registered")
        return CONTENTS[about.kind].model_validate_json(content)
    except (OSError, ValueError, KeyError) as error:
        raise LimnerError(
            f"version {version} of model {model} cannot be read ({error}): restore {folder}, or remove it, then "
            f"`limner fit {model}` as of its cut-off, `limner plan` and `limner apply`"
        ) from error


def read_learned(data: Path, model: str, version: str) -> Learned:
    """As `read_content`, of a model of propensity."""
    content = read_content(data, model, version)
    assert isinstance(content, Learned)
    return content


def read_segmentation(data: Path, model: str, version: str) -> Segmentation:
    """As `read_content`, of a model of segments."""
    content = read_content(data, model, version)
    assert isinstance(content, Segmentation)
    return content
