"""`jikimi bench report` on a small week."""

import json
import subprocess
import sys
from pathlib import Path


def test_it_tells_seconds_and_memory_of_the_whole_command_and_of_a_quiet_edition(tmp_path: Path) -> None:
    words = ["bench", "report", "--messages", "2000", "--incidents", "30", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "bot", *words], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    told = json.loads(done.stdout)
    assert (told["messages"], told["incidents"]) == (2000, 30)
    assert min(told["seconds"], told["cpu_seconds"], told["mib"], told["quiet_cpu_seconds"]) > 0
    assert told["ratio"] > 0
    assert list(tmp_path.iterdir()) == []  # nothing is left behind
