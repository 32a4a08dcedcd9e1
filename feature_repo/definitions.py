"""What stock `feast` reads: the specs of this project, compiled to Feast objects."""

from pathlib import Path

from limner.feature_repo.compile import objects

globals().update(objects(Path(__file__).resolve().parent.parent))
