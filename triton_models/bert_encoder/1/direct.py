"""The same encoder without a server: reads texts, says how long they took. What serving costs is measured against it.

Run in the models' environment. Each line of standard input is a JSON list of texts; each is answered by the seconds
that encoding took. The first line of output names the engine.
"""

import json
import sys
import time
from pathlib import Path

from encoder import BertEncoder, Options


def main() -> None:
    """Serve until standard input ends; the argument is a JSON object with `dim`, `parameters` and `device`."""
    job = json.loads(sys.argv[1])
    options = Options.from_parameters(job["dim"], job["parameters"])
    encoder = BertEncoder(Path(__file__).resolve().parent / "weights", options, job["device"])
    say(encoder.engine.name)
    for line in sys.stdin:
        texts = json.loads(line)
        started = time.perf_counter()
        encoder.encode(texts)
        say(repr(time.perf_counter() - started))


def say(line: str) -> None:
    """Answer at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
