"""What documents have in common: their form, their names, and how one picks features of others."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from limner.language.scalars import Filled

NAME = r"^[a-z][a-z0-9_]{0,62}$"
Name = Annotated[str, Field(pattern=NAME, description="lower case letters, digits and underscores")]
Columns = Annotated[tuple[Filled, ...], Field(min_length=1)]
Member = Annotated[
    Annotated[Name, Tag("<one>")] | Annotated[dict[Name, Columns], Field(min_length=1), Tag("<mapping>")],
    Discriminator(lambda value: "<mapping>" if isinstance(value, dict) else "<one>"),
]
"""A whole view by its name, or some features of a view: `{view: [feature, ...]}`."""


class Model(BaseModel):
    """Frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)
