"""Random conditions, from atoms that mean the same in SQL and in the oracle."""

from collections.abc import Iterable, Mapping

from hypothesis import strategies as st

# Each reads the column it stands under.
ATOMS = {
    "n": ["n > 1", "n between -1 and 2", "n in (0, 2)", "n is null", "n % 2 = 1", "n + 1 >= 2",
          "n = 9007199254740993", "greatest(n, 1) = 1", "if(n > 0, n, 0 - n) < 2", "ln(n) > 0.5"],
    "x": ["x > 0", "x <= 0.1", "x * 2 < 3", "abs(x) >= 1.5", "x = 0.1", "x is not null", "-x > 0",
          "x / 2 > 0.05", "log1p(x) < 0.1", "round(x) = 0", "sqrt(abs(x)) > 1", "least(x, 0.2) >= 0.1",
          "exp(x) > 2 or floor(x) < ceil(x)"],
    "q": ["q > 0", "q >= 1 and q < 3", "q - 1 = 0", "q not in (1, 2)"],
    "s": ["s = 'a'", "s in ('a', 'b')", "s like '%a%'", "lower(s) = 'é'", "length(s) > 1", "s <> ''",
          "s < 'b'", "coalesce(s, 'a') = 'a'", "s not like 'a_'"],
    "b": ["b", "not b", "b is not null", "b = true"],
    "brand": ["brand = 'k'", "brand is null"],
    "price": ["price > 0.1"],
    "tier": ["tier in ('k', 'l')"],
    "cost": ["cost <= 0.2", "cost is null"],
    "event_timestamp": ["event_timestamp >= '2024-03-10T02:00:00Z'", "event_timestamp is not null"],
}  # fmt: skip


TYPES = {"n": "int", "x": "float", "s": "string", "b": "bool"}


def conditions(columns: Iterable[str]) -> st.SearchStrategy[str]:
    """A condition over some of `columns`: names, or names with their types."""
    types = columns if isinstance(columns, Mapping) else {}
    fits = [name for name in columns if types.get(name, TYPES.get(name)) == TYPES.get(name, types.get(name))]
    atoms = st.sampled_from([atom for name in fits for atom in ATOMS.get(name, [])])
    return st.one_of(
        atoms,
        atoms,
        atoms.map(lambda a: f"not ({a})"),
        st.tuples(atoms, atoms).map(lambda ab: f"({ab[0]}) or ({ab[1]})"),
        st.tuples(atoms, atoms).map(lambda ab: f"({ab[0]}) and not ({ab[1]})"),
    )
