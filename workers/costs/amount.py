"""A number of an estimate: exact, about, or unknown with the reason."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Amount:
    """`value` None is unknown; `note` says why, or what it was made from."""

    value: float | None
    about: bool = False
    note: str = ""

    def __add__(self, other: "Amount") -> "Amount":
        """The sum; unknown where a part is."""
        if self.value is None or other.value is None:
            return Amount(None, note=self.note or other.note)
        return Amount(self.value + other.value, self.about or other.about, self.note or other.note)

    def times(self, factor: float, note: str = "") -> "Amount":
        """About so many of another thing."""
        return Amount(None if self.value is None else self.value * factor, True, note or self.note)


NOTHING = Amount(0.0)


def unknown(why: str) -> Amount:
    """Not known."""
    return Amount(None, note=why)
