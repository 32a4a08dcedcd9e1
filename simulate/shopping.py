"""What happens in a visit: a search, products looked at, put into the cart, bought at once at its end."""

import numpy as np

from limner.simulate.catalog import IN_CATEGORY, TAGS, catalog, tag_of
from limner.simulate.lives import Lives, interests_at
from limner.simulate.offers import discounts
from limner.simulate.options import Options
from limner.simulate.people import People
from limner.simulate.rows import BROWSE, BUY, CART, NONE, SEARCH, Rows, rows, together
from limner.simulate.streams import choose, logistic
from limner.simulate.visits import Visits, category_in

SECOND = 1_000_000

# By intent: gift, compare, buy, browse.
SEARCHES = np.array([0.5, 0.6, 0.75, 0.15])  # chance of a search
MORE_LOOKS = np.array([2.0, 3.5, 1.0, 3.0])  # mean number of products looked at after the first one
CART_BASE = np.array([-1.2, -2.2, -0.4, -3.0])  # log-odds

MOST_LOOKS = 20
SAME_CATEGORY, SAME_TAG = 0.7, 0.15  # of a later look; the rest is drawn by interest anew
CART_PRICE, CART_TIER, CART_COUPON = -2.0, 0.4, 5.0
BUY_BASE, BUY_PRICE, BUY_TIER, BUY_COUPON = 0.4, -1.0, 0.3, 8.0
MORE_PIECES = np.array([1.0 if tag == "groceries" else 0.5 if tag in {"pets", "healthy_food"} else 0.1 for tag in TAGS])


def shopping(options: Options, people: People, lives: Lives, visits: Visits, rng: np.random.Generator) -> Rows:
    """The events of visits. A search and the first look are of the visit's category."""
    count = len(visits)
    searches = rng.random(count) < SEARCHES[visits.intent]
    looks = 1 + np.minimum(rng.geometric(1 / (1 + MORE_LOOKS[visits.intent])) - 1, MOST_LOOKS - 1)
    visit = np.repeat(np.arange(count), looks)
    first = np.cumsum(looks) - looks  # the place of each visit's first look
    at = visits.at[visit] + _since(first, looks, 15 * SECOND + rng.exponential(45 * SECOND, len(visit)))
    done = at[first + looks - 1] + (20 * SECOND + rng.exponential(60 * SECOND, count)).astype(np.int64)
    looked = _looks(options, people, lives, visits, visit, first, at, rng)
    carted, bought = _decisions(options, people, visits, looked, rng)
    into_cart = looked.take(carted)
    pause = rng.integers(5 * SECOND, 15 * SECOND, len(into_cart))
    tag = tag_of(into_cart.category)
    pieces = 1 + rng.poisson(MORE_PIECES[tag])
    redeems = (visits.coupon[into_cart.visit] == tag) & (
        rng.random(len(into_cart)) < 0.2 + 0.8 * people.affinity[into_cart.who]
    )
    off, coupon = _coupons(options, visits, into_cart.visit, tag)
    shared = {"category": into_cart.category, "product": into_cart.product, "price": into_cart.price}
    buys = rows(
        BUY,
        visit=into_cart.visit,
        who=into_cart.who,
        at=done[into_cart.visit],
        quantity=pieces,
        amount=np.round(into_cart.price * pieces * np.where(redeems, 1 - off, 1), 2),
        coupon=np.where(redeems, coupon, NONE),
        **shared,
    ).take(bought[carted])
    carts = rows(CART, visit=into_cart.visit, who=into_cart.who, at=into_cart.at + pause, quantity=pieces, **shared)
    asked = np.flatnonzero(searches)
    intent = {"intent": visits.intent[asked], "category": visits.category[asked]}
    found = rows(SEARCH, visit=asked, who=visits.who[asked], at=visits.at[asked], **intent)
    return together([found, looked, carts, buys])


def _since(first: np.ndarray, counts: np.ndarray, gaps: np.ndarray) -> np.ndarray:
    """Running sums of gaps that begin anew at each `first`, in whole µs."""
    sums = np.cumsum(gaps.astype(np.int64))
    before = sums[first] - gaps[first].astype(np.int64)
    return np.asarray(sums - np.repeat(before, counts))


def _looks(
    options: Options,
    people: People,
    lives: Lives,
    visits: Visits,
    visit: np.ndarray,
    first: np.ndarray,
    at: np.ndarray,
    rng: np.random.Generator,
) -> Rows:
    """Products looked at: cheap ones by who is sensitive to prices, dear ones by who can pay."""
    who, home = visits.who[visit], visits.category[visit]
    strays = rng.random(len(visit))
    strays[first] = 0
    anew = np.flatnonzero(strays >= SAME_CATEGORY + SAME_TAG)
    tag = tag_of(home)
    tag[anew] = choose(rng, interests_at(people, lives, who[anew], at[anew]))
    category = np.where(strays < SAME_CATEGORY, home, category_in(tag, rng))
    leaning = np.exp(1.2 * (people.sensitivity[who] - 0.4) - 0.5 * (people.tier[who] - 1))
    product = category * IN_CATEGORY + (IN_CATEGORY * rng.random(len(visit)) ** leaning).astype(np.int64)
    price = catalog(options.seed).price[product]
    return rows(BROWSE, visit=visit, who=who, at=at, category=category, product=product, price=price)


def _decisions(
    options: Options, people: People, visits: Visits, looked: Rows, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Whether each look puts the product into the cart, and whether it is then bought."""
    dear = looked.product % IN_CATEGORY / IN_CATEGORY - 0.5
    off, _ = _coupons(options, visits, looked.visit, tag_of(looked.category))
    off = off * people.affinity[looked.who]
    sensitive = people.sensitivity[looked.who] * dear
    tier = people.tier[looked.who] - 1
    base = CART_BASE[visits.intent[looked.visit]]
    cart = logistic(base + CART_PRICE * sensitive + CART_TIER * tier + CART_COUPON * off)
    buy = logistic(BUY_BASE + BUY_PRICE * sensitive + BUY_TIER * tier + BUY_COUPON * off)
    carted = rng.random(len(looked)) < cart
    return carted, carted & (rng.random(len(looked)) < buy)


def _coupons(options: Options, visits: Visits, visit: np.ndarray, tag: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The discount and the id of the coupon that a visit holds for each tag; 0 and NONE without one."""
    holds = visits.coupon[visit] == tag
    campaign = visits.campaign[visit]
    off = np.zeros(len(visit))
    off[holds] = discounts(options)[campaign[holds], tag[holds]]
    return off, np.where(holds, 1 + campaign * len(TAGS) + tag, NONE)
