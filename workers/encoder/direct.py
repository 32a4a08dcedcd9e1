"""An encoder run without the server, in the models' environment: the yardstick for what serving costs."""

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from tempfile import TemporaryFile

from limner.workers.encoder.errors import TritonFailed
from limner.workers.encoder.home import TritonHome
from limner.workers.encoder.resolve import EncoderModel


class Direct:
    """A running process; `engine` is what it computes with."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.engine = self._line()

    def seconds(self, texts: Sequence[str]) -> float:
        """Encode and return the seconds it took, without the time the texts took to get there."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(list(texts)) + "\n")
        self.process.stdin.flush()
        return float(self._line())

    def _line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise TritonFailed("the encoder's process ended")
        return line.strip()


@contextmanager
def direct(model: EncoderModel, home: TritonHome, parameters: dict[str, str], device: str = "cpu") -> Iterator[Direct]:
    """Run the served files of `model` for the length of a block; `parameters` are those of its config.pbtxt."""
    script = home.repository / model.name / model.version / "direct.py"
    job = json.dumps({"dim": model.dim, "parameters": parameters, "device": device})
    with TemporaryFile("w+") as errors:
        process = subprocess.Popen(  # noqa: S603
            [str(home.python), str(script), job],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            yield Direct(process)
        except TritonFailed as error:
            errors.seek(0)
            raise TritonFailed(f"{error}: {errors.read()[-2000:]}") from error
        finally:
            process.communicate()
