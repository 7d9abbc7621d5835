"""The API against its own description: schemathesis asks what it allows and what it forbids, and finds nothing."""

import asyncio
import json
import os
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.http_api import description
from adapters.http_api.description.openapi import described
from tests.adapters.http_api.stage import WRITTEN, stage

ROOT = Path(__file__).parents[3]
HOOKS = "tests.adapters.http_api.schemathesis_lines"

#: A body within the described shape may still be too large, and one beyond it is refused for that first. A stream is
#: answered before its later lines have come: what is wrong with those is said in the answer's last line. A key may be a
#: parameter, too, and names of attributes that nobody offers are no matter of shape.
SETTINGS = """
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 413, 415, 422]
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 400, 403, 413, 422]
[[operations]]
include-path = "/v1/check/stream"
[operations.checks.negative_data_rejection]
expected-statuses = [200, 400, 401, 403, 404, 405, 413, 415]
[[operations]]
include-path = "/v1/feedback"
[operations.checks.positive_data_acceptance]
expected-statuses = [404]
[[operations]]
include-path = "/v1/webhooks"
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", 400, 404]
[[operations]]
include-path = "/v1alpha1/comments:analyze"
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", 400, 401]
"""


@pytest.mark.parametrize("examples", ["5", pytest.param("100", marks=pytest.mark.long)])
def test_schemathesis_finds_nothing(tmp_path: Path, examples: str) -> None:
    async def scenario() -> None:
        async with stage(tmp_path, per_second=100_000) as api:
            (tmp_path / "schemathesis.toml").write_text(SETTINGS)
            process = await asyncio.create_subprocess_exec(
                Path(sys.executable).parent / "schemathesis", "--config-file", tmp_path / "schemathesis.toml",
                "--no-color", "run", f"{api.url}/openapi.json", "-H", f"Authorization: Bearer {WRITTEN}",
                "--checks", "all", "--phases", "examples,coverage,fuzzing", "--max-examples", examples, "--seed", "1",
                "--report", "json", "--report-json-path", tmp_path / "found.json",
                cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
                env={**os.environ, "SCHEMATHESIS_HOOKS": HOOKS, "PYTHONPATH": str(ROOT)},
            )  # fmt: skip
            said, _ = await process.communicate()
            text = "\n".join(line[:300] for line in said.decode(errors="replace").splitlines())
            assert process.returncode == 0, text
            assert "12 selected / 12 total" in text and "Tested: 12" in text, text

    asyncio.run(scenario())


def test_the_document_names_every_route_and_status(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with stage(tmp_path) as api:
            document = json.loads((await api.get("/openapi.json"))[1])
            assert document["openapi"] == "3.1.0"
            assert set(document["paths"]) == {
                "/v1/check", "/v1/check/batch", "/v1/check/stream", "/v1/moderations", "/v1alpha1/comments:analyze",
                "/v1/feedback", "/v1/webhooks", "/healthz", "/readyz", "/openapi.json", "/docs",
            }  # fmt: skip
            for path in ("/v1/check", "/v1/moderations"):
                answers = document["paths"][path]["post"]["responses"]
                assert set(answers) >= {"200", "400", "401", "403", "408", "413", "415", "422", "429", "500", "503"}
                assert "Retry-After" in answers["503"]["headers"]
            assert "403" in document["paths"]["/v1alpha1/comments:analyze"]["post"]["responses"]
            null = document["components"]["schemas"]["UnscreenedAnswer"]["properties"]["flagged"]
            assert null["type"] == "null", "unscreened is its own answer"

    asyncio.run(scenario())


def test_all_that_is_read_of_the_document_is_there_in_korean() -> None:
    def read(part: Any) -> Iterator[str]:
        if isinstance(part, dict):
            for name, value in part.items():
                is_read = name in ("description", "summary") and isinstance(value, str)
                yield from [" ".join(value.split())] if is_read else read(value)
        elif isinstance(part, list):
            for one in part:
                yield from read(one)

    words = tomllib.loads((Path(str(description.__file__)).parent / "korean.toml").read_text("utf-8"))
    assert set(read(described("en"))) == set(words), "none is missing, and none is left over"
    assert set(read(described("ko"))) == set(words.values())
