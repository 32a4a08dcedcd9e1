"""Ten times the events need no more memory."""

import subprocess
import sys
from pathlib import Path

CODE = """
import re, sys
from pathlib import Path
from limner.simulate import files
from limner.simulate.options import Options
from limner.simulate.run import simulate
files.GROUP = 50_000
shoppers = int(sys.argv[2])
simulate(Path(sys.argv[1]), Options(shoppers=shoppers, events=100 * shoppers))
# Not getrusage: its peak counts what the process that started this one held.
print(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024)
"""


def test_memory_does_not_grow_with_the_events(tmp_path: Path) -> None:
    """Only a group of blocks is held; a group is made small here, so that a small simulation has many."""

    def peak(shoppers: int) -> int:
        command = [sys.executable, "-c", CODE, str(tmp_path / str(shoppers)), str(shoppers)]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    small, large = peak(1_000), peak(10_000)
    assert large < small + 100  # MB; all rows together would be 250 more
    assert large < 600
