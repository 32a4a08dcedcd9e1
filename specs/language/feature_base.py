"""What feature kinds have in common: a condition, a description, windows."""

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from limner.language.expressions import Condition
from limner.language.scalars import Text, Window

Windows = Annotated[
    Annotated[Window, Tag("<one>")] | Annotated[tuple[Window, ...], Field(min_length=1), Tag("<list>")],
    Discriminator(lambda value: "<list>" if isinstance(value, list | tuple) else "<one>"),
]


class FeatureBase(BaseModel):
    """What every kind may carry."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: ClassVar[str]

    where: Condition | None = None
    description: Text = ""

    @property
    def windows(self) -> tuple[Window, ...]:
        """The windows asked for; one lifetime window where none is written."""
        return ("lifetime",)

    @property
    def column(self) -> str | None:
        """The column the kind reads, None for `*` and for texts."""
        value = getattr(self, self.kind)
        return value if isinstance(value, str) and value != "*" else None

    def names(self, name: str) -> tuple[str, ...]:
        """The output names of the feature `name`, one a window."""
        return (name,)


class Windowed(FeatureBase):
    """A kind that looks at a window: `over: 7d` names one feature, `over: [7d, 30d]` one a window."""

    over: Windows = "lifetime"

    @property
    def windows(self) -> tuple[Window, ...]:
        """The windows asked for."""
        return self.over if isinstance(self.over, tuple) else (self.over,)

    def names(self, name: str) -> tuple[str, ...]:
        """`name` itself where `over` is one window, else `name_7d` and so on."""
        if not isinstance(self.over, tuple):
            return (name,)
        return tuple(f"{name}_{window if isinstance(window, str) else window.text}" for window in self.over)
