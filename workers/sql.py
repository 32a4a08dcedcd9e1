"""Names and texts as SQL: the only two ways into a statement for what a spec or a file system says."""


def quoted(identifier: str) -> str:
    """`identifier` as a SQL name, whatever it holds."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """`text` as a SQL string, whatever it holds."""
    return "'" + text.replace("'", "''") + "'"
