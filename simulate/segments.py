"""The archetypes of shoppers. A segment is a tendency, not a rule: everything is drawn around it."""

from dataclasses import dataclass

TIERS = ("low", "middle", "high")
AGE_BANDS = ("18-24", "25-34", "35-44", "45-54", "55-64", "65+")

# Visits by hour of the day (UTC), as shares that need not sum to 1.
RHYTHMS: dict[str, tuple[int, ...]] = {
    "office": (1, 1, 0, 0, 0, 1, 2, 4, 4, 2, 2, 3, 7, 5, 2, 2, 3, 5, 7, 8, 9, 8, 5, 2),
    "home": (1, 0, 0, 0, 0, 1, 2, 3, 6, 8, 9, 8, 5, 6, 7, 7, 6, 4, 3, 4, 5, 5, 3, 2),
    "night": (8, 6, 4, 3, 1, 0, 0, 1, 1, 1, 2, 2, 3, 3, 3, 3, 3, 4, 5, 6, 7, 8, 10, 10),
}


@dataclass(frozen=True)
class Segment:
    """A kind of shopper. `strong`: Dirichlet weights of the tags it cares for (others have 0.15); `ages` by AGE_BANDS.

    `sensitivity` and `affinity` are (a, b) of Beta distributions of price sensitivity and coupon affinity; `visits` the
    median rate of visits, in relation to other segments; `leaving` the hazard of leaving for good, a year.
    """

    name: str
    share: float
    strong: dict[str, float]
    ages: tuple[int, int, int, int, int, int]
    tiers: tuple[int, int, int]
    sensitivity: tuple[float, float]
    affinity: tuple[float, float]
    visits: float
    leaving: float
    rhythm: str


SEGMENTS = (
    Segment("trend_follower", 0.17, {"fashion": 4, "beauty": 3, "travel": 0.6}, (40, 35, 15, 6, 3, 1),
            (30, 50, 20), (3, 4), (4, 4), 1.3, 0.5, "night"),
    Segment("young_parent", 0.15, {"baby": 4, "healthy_food": 1.2, "groceries": 1.5, "home": 1}, (8, 52, 35, 4, 1, 0),
            (25, 55, 20), (4, 4), (5, 3), 1.4, 0.25, "home"),
    Segment("techie", 0.14, {"electronics": 4, "gaming": 3}, (35, 35, 18, 8, 3, 1),
            (20, 50, 30), (2, 4), (2, 5), 1.0, 0.4, "night"),
    Segment("home_maker", 0.14, {"home": 3.5, "groceries": 3, "pets": 0.5, "books": 0.5}, (3, 12, 25, 28, 20, 12),
            (25, 55, 20), (4, 3), (4, 4), 1.1, 0.2, "home"),
    Segment("athlete", 0.11, {"sports": 4, "healthy_food": 3, "travel": 0.6}, (22, 34, 25, 12, 5, 2),
            (20, 50, 30), (2, 4), (2, 4), 0.9, 0.35, "office"),
    Segment("bargain_hunter", 0.12, {"groceries": 3, "home": 1, "fashion": 1, "beauty": 1}, (15, 20, 20, 18, 15, 12),
            (70, 27, 3), (7, 2), (7, 2), 1.2, 0.45, "home"),
    Segment("explorer", 0.09, {"books": 3, "travel": 3.5}, (10, 18, 20, 20, 18, 14),
            (15, 45, 40), (2, 5), (2, 5), 0.7, 0.35, "office"),
    Segment("pet_lover", 0.08, {"pets": 4.5, "home": 1, "groceries": 1}, (12, 22, 22, 20, 15, 9),
            (30, 50, 20), (3, 4), (3, 4), 1.0, 0.25, "office"),
)  # fmt: skip
