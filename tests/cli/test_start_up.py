"""What commands must not import to start fast. Seconds are for `limner bench start-up`."""

import subprocess
import sys
from pathlib import Path

import pyarrow as pa

from limner.workers.online.pack import Column
from limner.workers.online.schema import ViewSchema
from limner.workers.online.writer import OnlineWriter

CONFIG = "online_store: {type: limner.feature_repo.online_store.LimnerOnlineStore}"
VIEW = ViewSchema("taste", "t1", (("user_id", "int"),), (Column("spend", "float"),))


def imported(code: str, packages: set[str]) -> list[str]:
    """Which of `packages` a new process has imported after `code`."""
    script = f"{code}\nimport sys; print(sorted({packages!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(eval(done.stdout.splitlines()[-1]))


def test_get_reads_without_feast(tmp_path: Path) -> None:
    (tmp_path / "feature_repo").mkdir()
    (tmp_path / "feature_repo" / "feature_store.yaml").write_text(CONFIG)
    with OnlineWriter(tmp_path / "data" / "online.db") as writer:
        row = {"user_id": [1], "spend": [0.5], "event_timestamp": pa.array([0], pa.timestamp("us", "UTC"))}
        writer.replace(VIEW, [pa.record_batch(row)], loaded="a", as_of=0)
    code = f"from limner.cli.main import run; assert run(['-C', {str(tmp_path)!r}, 'get', '1']) == 0"
    heavy = {"feast", "ray", "torch", "duckdb", "pandas", "scipy", "sqlalchemy", "sqlmodel", "tritonclient"}
    assert imported(code, heavy) == []


def test_our_plug_ins_bring_feast_nothing_heavy() -> None:
    """Stock `feast materialize` imports them. Whatever starts a server or a model is imported when it is needed."""
    plug_ins = "engine", "offline_store", "online_store", "registry_store", "compile"
    code = "\n".join(
        ["from limner.cli import stock_feast", "with stock_feast.quiet():"]
        + [f"    import limner.feature_repo.{name}" for name in plug_ins]
    )
    heavy = {"ray", "torch", "transformers", "sklearn", "scipy", "tritonclient", "onnx", "openvino", "tokenizers"}
    assert imported(code, heavy) == []


def test_feast_is_loaded_lightly_and_nothing_stays_changed() -> None:
    """No torch before somebody asks Feast for it; typeguard is as it was."""
    code = (
        "import typeguard; weave = typeguard.typechecked\n"
        "from limner.cli import light_feast; light_feast.load(); light_feast.load()\n"
        "assert typeguard.typechecked is weave\n"
    )
    assert imported(code, {"feast", "torch"}) == ["feast"]
    asked = "from feast.torch_wrapper import get_torch; assert get_torch().tensor"
    assert imported(code + asked, {"feast", "torch"}) == ["feast", "torch"]
