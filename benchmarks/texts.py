"""Texts that are as long and as repetitive as product reviews are."""

# Enough of Zipf's law for texts of realistic lengths: a frequent word first.
WORDS = (
    "the and a is it to of this for i in was my very with but not good have on so great as these are you "
    "that love quality product really would they taste price when had like one just out from milk bread "
    "buy again arrived fresh box package delivery small bottle organic chocolate coffee smell store "
    "recommend family kitchen sweet cheese breakfast disappointed perfect texture ingredients refund "
    "unfortunately container satisfied "
)


def reviews(count: int, seed: int) -> list[str]:
    """Return distinct texts as long as product reviews are: a median of 22 words, one in fifty above 100."""
    from random import Random

    random = Random(seed)
    words = WORDS.split()
    weights = [1 / rank for rank in range(1, len(words) + 1)]
    lengths = [min(220, max(3, round(random.lognormvariate(3.1, 0.75)))) for _ in range(count)]
    return [
        f"{' '.join(random.choices(words, weights, k=length))} {seed}-{number}" for number, length in enumerate(lengths)
    ]
