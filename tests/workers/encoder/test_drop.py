"""A model that nobody asks any more leaves the repository, also where no server runs."""

import os
import socket
from pathlib import Path

from limner.workers.encoder.home import TritonHome
from limner.workers.encoder.serving import drop
from limner.workers.encoder.settings import TritonSettings


def test_a_model_goes_with_the_export_that_only_it_links_to(tmp_path: Path) -> None:
    home = TritonHome(tmp_path)
    for model in ("mood.1", "mood.2"):
        export = home.exports / model
        export.mkdir(parents=True)
        (export / "graph.onnx").write_text("graph")
        (home.repository / model / "1").mkdir(parents=True)
        os.link(export / "graph.onnx", home.repository / model / "1" / "graph.onnx")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        settings = TritonSettings(url=f"127.0.0.1:{nobody.getsockname()[1]}")
        assert drop(home, settings, "mood.1")
        assert not drop(home, settings, "mood.1")
    assert [place.name for place in home.repository.iterdir()] == ["mood.2"]
    assert [place.name for place in home.exports.iterdir()] == ["mood.2"]
