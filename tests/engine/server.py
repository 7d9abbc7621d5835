"""A checkpoint -> a real `vllm serve` of it for tests and measurements, on a free port, that can be killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

#: As docs/en/guards.md tells: the labels of a checkpoint of ours, and what else it may write.
CLASSES = {
    "architectures": ["LlamaForSequenceClassification"],
    "classifier_from_token": ["Ġno", "Ġyes", "Ċ"],
    "method": "no_post_processing",
}
MODEL, TOKEN = "wildguard-ko-small", "sesame"
SLOW = 600  # seconds that a server may take to start beside others on two cores


def as_classifier() -> tuple[str, ...]:
    """What a server is started with to judge by /classify."""
    return "--runner", "pooling", "--convert", "classify", "--hf-overrides", json.dumps(CLASSES)


class Server:
    """One `vllm serve` process, to be killed and started again on the same port."""

    def __init__(self, model: Path, log: Path, *more: str, context: int = 2048) -> None:
        self._model, self._log, self._more, self._context = model, log, more, context
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "tests.engine.vllm_command", "serve", str(self._model)),
                    *("--host", "127.0.0.1", "--port", str(self.port), "--api-key", TOKEN),
                    *("--served-model-name", MODEL, "--max-model-len", str(self._context), "--enforce-eager"),
                    *self._more,
                ],
                env=os.environ
                | {
                    "VLLM_CPU_KVCACHE_SPACE": "1",
                    "VLLM_NO_USAGE_STATS": "1",
                    "OMP_NUM_THREADS": "1",
                    "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # else the busy replica and the starting one share a core
                },
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait(self) -> None:
        until = time.monotonic() + SLOW
        while not self.is_up():
            assert self._process.poll() is None, self._log.read_text(errors="replace")[-3000:]
            assert time.monotonic() < until, "the server does not start"
            time.sleep(0.5)

    def is_up(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=2) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    @property
    def spent(self) -> float:
        """Seconds of processor time of the process in front of the engine, which is another process (Linux)."""
        values = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(values[11]) + int(values[12])) / os.sysconf("SC_CLK_TCK")

    def send(self, number: signal.Signals) -> None:
        """To all of its processes."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, number)

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        self._process.wait()
