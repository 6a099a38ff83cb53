"""The shell in the web container: the token of its session is seen by nobody else."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ops.recorded import CLUSTER, REGION, Recorded, ran, service

TOKEN = "AAEAAtoken"
PLUGIN = "session-manager-plugin"


@pytest.fixture
def shell(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> tuple[Recorded, Path, list[Any]]:
    """A deployment with ECS Exec, a folder for the plugin, and what is started at last."""
    web = ran("web", id="aaaa")
    (container,) = web["containers"]
    container["runtimeId"] = "aaaa-1"
    web.update(lastStatus="RUNNING", desiredStatus="RUNNING", enableExecuteCommand=True)
    recorded.tasks = [web]
    recorded.answers["ecs.DescribeServices"] = {
        "services": [service(enableExecuteCommand=True)],
        "failures": [],
    }
    recorded.answers["ecs.ExecuteCommand"] = {
        "session": {"sessionId": "s", "streamUrl": "wss://x", "tokenValue": TOKEN}
    }
    started: list[Any] = []
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.defpath}")

    def start(*arguments: Any) -> int:
        started.append(arguments)
        return 5

    monkeypatch.setattr(os, "execve", start)
    return recorded, tmp_path, started


def install(folder: Path, script: str) -> None:
    plugin = folder / PLUGIN
    plugin.write_text(f"#!/bin/sh\n{script}\n")
    plugin.chmod(0o755)


@pytest.mark.slow
@pytest.mark.parametrize("version", ["1.2.497.1", "1.2.536.0", "1.2.498", "1.10.1.0", "2"])
def test_a_plugin_gets_the_token_in_its_environment(
    shell: tuple[Recorded, Path, list[Any]], version: str
) -> None:
    recorded, folder, started = shell
    install(folder, f"echo {version}")

    result = recorded.run("exec", "--", "env")

    assert (result.exit_code, result.output) == (5, "")
    ((plugin, arguments, variables),) = started
    assert plugin == str(folder / PLUGIN)
    assert TOKEN not in " ".join(arguments)
    assert arguments[1] == "AWS_SSM_START_SESSION_RESPONSE"
    assert TOKEN in variables[arguments[1]]
    assert "AWS_SSM_START_SESSION_RESPONSE" not in os.environ


@pytest.mark.slow
@pytest.mark.parametrize(
    "script", ["echo 1.2.497.0", "echo 1.2.339.0", "echo 1.1", "echo nonsense", "exit 1"]
)
def test_an_older_plugin_gets_the_token_as_an_argument_with_a_warning(
    shell: tuple[Recorded, Path, list[Any]], script: str
) -> None:
    recorded, folder, started = shell
    install(folder, script)

    result = recorded.run("exec")

    assert result.exit_code == 5
    assert "takes the token of the session as an argument" in result.stderr
    assert "install a newer one" in result.stderr
    assert TOKEN not in result.output
    ((_, arguments, variables),) = started
    assert TOKEN in arguments[1]
    assert TOKEN not in "".join(variables.values())


@pytest.mark.slow
def test_json_shows_the_call_and_opens_nothing(shell: tuple[Recorded, Path, list[Any]]) -> None:
    recorded, _, started = shell

    result = recorded.run("exec", "--json")

    assert result.exit_code == 0
    assert TOKEN not in result.output
    assert started == []


@pytest.mark.parametrize(
    ("profile", "passed"), [((), ""), (("--profile", "default"), ""), (("--profile", "lab"), "lab")]
)
def test_the_plugin_is_called_as_the_aws_cli_calls_it(
    shell: tuple[Recorded, Path, list[Any]],
    monkeypatch: pytest.MonkeyPatch,
    profile: tuple[str, ...],
    passed: str,
) -> None:
    """The CLI passes the name of a profile, and an empty one when none is asked for."""
    recorded, folder, started = shell
    install(folder, "echo 1.2.536.0")
    (folder / "config").write_text("[default]\n[profile lab]\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
    # Beside the web container there may be another, such as an agent of GuardDuty.
    recorded.tasks[0]["containers"].insert(0, {"name": "agent", "runtimeId": "aaaa-0"})

    recorded.run("exec", *profile)

    ((_, (_, _, *arguments), _),) = started
    assert arguments == [
        REGION,
        "StartSession",
        passed,
        json.dumps({"Target": f"ecs:{CLUSTER}_aaaa_aaaa-1"}),
        f"https://ssm.{REGION}.amazonaws.com",
    ]
