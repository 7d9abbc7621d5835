"""The tests against real vLLM run where vLLM is installed; elsewhere one line says how many did not."""

import os
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# Before vLLM is imported: a small cache, one thread for each worker, and nothing sent to its makers.
for name, value in {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "WARNING",
    "HF_HUB_OFFLINE": "1",
}.items():
    os.environ.setdefault(name, value)

MISSING = find_spec("vllm") is None
collect_ignore_glob = ["test_*.py"] if MISSING else []


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if MISSING:
        tests = sum(len(re.findall(r"(?m)^def test_", file.read_text("utf-8"))) for file in _files())
        terminalreporter.write_line(f"tests/engine: {tests} tests against vLLM were not run, it is not installed here")


def _files() -> list[Path]:
    return list(Path(__file__).parent.glob("test_*.py"))
