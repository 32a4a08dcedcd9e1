"""The Arrow answer of `POST /profiles`, as both sides know it."""

MEDIA = "application/vnd.apache.arrow.stream"
UNKNOWN = b"limner.unknown"  # metadata of the schema: the rows, a JSON list, whose entity nothing knows
