"""The packaged phrases of one language, arranged by what a text is about."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa

from limner.simulate.catalog import TAGS
from limner.simulate.visits import INTENTS
from limner.simulate.words import LANGUAGES, SENTIMENTS, Lists, one, words

PLAIN = 6  # adjectives, from the first: those that can be denied


@dataclass(frozen=True)
class Grammar:
    """Lists of phrases: one a sentiment, a category, a tag, an intent; or one a category and sentiment."""

    space: str  # between words
    short: Lists
    open: Lists  # category x sentiment
    adjectives: Lists
    opposites: Lists  # plain adjectives of the opposite sentiment
    sentences: Lists  # category x sentiment
    close: Lists
    heads: Lists  # category: "the fit of this dress is"
    stories: Lists  # tag
    degrees: Lists
    denials: Lists
    joints: Lists
    but: Lists
    ends: Lists
    short_ends: Lists
    typos: dict[str, str]
    before: Lists  # intent
    after: Lists  # intent
    cheap: Lists
    styles: Lists
    items: Lists  # category
    brands: Lists  # tag


@cache
def grammar(language: str) -> Grammar:
    """Read a language, writing each category's noun into the phrases."""
    own, shop = words(language), words("categories")
    nouns = [(tag, entry[language]) for tag in TAGS for entry in shop[tag]["categories"].values()]

    def by_sentiment(key: str) -> Lists:
        return Lists([own[sentiment][key] for sentiment in SENTIMENTS])

    def by_category_and_sentiment(key: str) -> Lists:
        return Lists([[_with(text, item=noun) for text in own[s][key]] for _, noun in nouns for s in SENTIMENTS])

    aspects = {tag: own["aspects"] + own["tags"][tag]["aspects"] for tag in TAGS}
    return Grammar(
        space="" if language == "zh" else " ",
        short=by_sentiment("short"),
        open=by_category_and_sentiment("open"),
        adjectives=by_sentiment("adjectives"),
        opposites=Lists([own[sentiment]["adjectives"][:PLAIN] for sentiment in reversed(SENTIMENTS)]),
        sentences=by_category_and_sentiment("sentences"),
        close=by_sentiment("close"),
        heads=Lists(
            [[_with(h, item=noun, aspect=a) for h in own["heads"] for a in aspects[tag]] for tag, noun in nouns]
        ),
        stories=Lists([own["tags"][tag]["stories"] for tag in TAGS]),
        degrees=one(own["degrees"]),
        denials=one(own["denials"]),
        joints=one(own["joints"]),
        but=one(own["but"]),
        ends=one(own["ends"]),
        short_ends=one(own["short_ends"]),
        typos=own["letter_typos"],
        before=Lists([own["searches"][intent]["before"] for intent in INTENTS]),
        after=Lists([own["searches"][intent]["after"] for intent in INTENTS]),
        cheap=one(own["searches"]["cheap"]),
        styles=one(own["searches"]["styles"]),
        items=Lists([[noun] for _, noun in nouns]),
        brands=Lists([shop[tag]["brands"] for tag in TAGS]),
    )


def in_languages(language: np.ndarray, texts: Callable[[Grammar, np.ndarray], pa.Array]) -> pa.Array:
    """Texts of rows in several languages: `texts` makes those of one, given its grammar and the places of its rows."""
    places, made = [], []
    for code, name in enumerate(LANGUAGES):
        chosen = np.flatnonzero(language == code)
        if len(chosen):  # with no rows Arrow's functions would answer with one
            places.append(chosen)
            made.append(texts(grammar(name), chosen))
    if not made:
        return pa.array([], pa.string())
    return pa.concat_arrays(made).take(pa.array(np.argsort(np.concatenate(places))))


def _with(text: str, **slots: str) -> str:
    for name, value in slots.items():
        text = text.replace(f"{{{name}}}", value)
    return text
