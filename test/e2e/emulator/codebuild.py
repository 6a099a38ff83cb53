"""Builds of CodeBuild as local processes, which MiniStack does without Docker by name only.

A build does with its source what CodeBuild does: it takes it out of S3, runs the commands of its
`buildspec.yml`, writes the log, and has the rights of the project's role and no others. The "build
image" is `../build_image`, whose `pnpm` runs a script of the source instead of a bundler; git is
the real one, and finds https://github.com/ in the folder that E2E_REPOSITORIES names.
"""

import contextvars
import io
import os
import secrets
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import yaml  # type: ignore[import-untyped]  # comes with the emulator, without types
from e2e.emulator.private import codebuild, provisioners, responses, sts
from e2e.emulator.process import Process
from e2e.emulator.types import Json, Made

_TYPE = "AWS::CodeBuild::Project"
_IMAGE = Path(__file__).parents[1] / "build_image"
# Seconds that one command of a build may take.
_PATIENCE = 300
_PHASES = ("install", "pre_build", "build", "post_build")
_ENDPOINT = f"http://localhost:{os.environ['GATEWAY_PORT']}"

_processes: dict[str, Process] = {}
_tokens: dict[str, str] = {}
_stop_build = codebuild.stop_build


class _PhaseFailed(Exception):  # noqa: N818 - it ends a build as it should
    """The message of CodeBuild about the phase."""


class _Build:
    """One build."""

    def __init__(self, record: Json, project: Json, variables: list[Json]) -> None:
        self.record = record
        self.project = project
        self.variables = variables
        self.credentials = _session(project["serviceRole"], record["id"])
        self.logs = self._client("logs")
        self._where = {key: record["logs"][f"{key}Name"] for key in ("group", "stream")}

    def run(self) -> None:
        """Run the phases, and say how the build ended."""
        status = "FAILED"
        try:
            with tempfile.TemporaryDirectory() as folder:
                for name, act in self._phases(Path(folder)):
                    self._phase(name, act)
            status = "SUCCEEDED"
        except _PhaseFailed:
            pass
        finally:
            if self.record["buildStatus"] == "IN_PROGRESS":
                self.record["buildStatus"] = status
            self.record["currentPhase"] = "COMPLETED"
            self.record["endTime"] = int(time.time())

    def _phases(self, folder: Path) -> Iterator[tuple[str, Callable[[], None]]]:
        self.environment: dict[str, str] = {}
        yield "PROVISIONING", partial(self._provision, folder)
        yield "DOWNLOAD_SOURCE", partial(self._download, folder)
        specification = yaml.safe_load((folder / "buildspec.yml").read_text())
        _check_keys(specification, {"version", "phases"})
        for name in _PHASES:
            phase = specification["phases"].get(name, {})
            # Of the versions of languages the image has what the machine has.
            _check_keys(phase, {"on-failure", "runtime-versions", "commands"})
            commands = phase.get("commands", [])
            yield name.upper(), partial(self._commands, commands, folder)

    def _phase(self, name: str, act: Callable[[], None]) -> None:
        self.record["currentPhase"] = name
        phase = {"phaseType": name, "startTime": int(time.time())}
        self.record["phases"].append(phase)
        try:
            act()
        except Exception as error:
            message = str(error)
            phase |= {"phaseStatus": "FAILED", "contexts": [{"message": message}]}
            raise _PhaseFailed(message) from error
        phase |= {"phaseStatus": "SUCCEEDED", "endTime": int(time.time())}

    def _provision(self, folder: Path) -> None:
        """Open the log, and make the environment."""
        self.logs.create_log_stream(
            logGroupName=self._where["group"], logStreamName=self._where["stream"]
        )
        for variable in self.variables:
            if variable["type"] != "PLAINTEXT":
                raise ValueError(f"no variables of type {variable['type']}")
            self.environment[variable["name"]] = str(variable["value"])
        self.environment |= {
            **self.credentials,
            "CODEBUILD_BUILD_ID": self.record["id"],
            "AWS_REGION": responses.get_region(),
            "AWS_DEFAULT_REGION": responses.get_region(),
            "AWS_ENDPOINT_URL": _ENDPOINT,
            "PATH": f"{_IMAGE}:{Path(sys.executable).parent}:{os.defpath}",
            "HOME": str(folder),
            # How it reaches what is attached to releases, see edge.py.
            "https_proxy": os.environ["https_proxy"],
            "SSL_CERT_FILE": os.environ["SSL_CERT_FILE"],
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.file://{os.environ['E2E_REPOSITORIES']}/.insteadOf",
            "GIT_CONFIG_VALUE_0": "https://github.com/",
        }

    def _download(self, folder: Path) -> None:
        source = self.project["source"]
        if source["type"] != "S3":
            raise ValueError(f"no sources of type {source['type']}")
        bucket, _, key = source["location"].partition("/")
        body = self._client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            archive.extractall(folder)

    def _commands(self, commands: list[str], folder: Path) -> None:
        for command in commands:
            process = Process(["/bin/sh", "-c", command], folder, self.environment)
            _processes[self.record["id"]] = process
            code = process.code(_PATIENCE)
            self._log(f"[Container] Running command {command}\n{process.output().decode()}")
            if code:
                raise RuntimeError(
                    f"Error while executing command: {command}. Reason: exit status {code}"
                )

    def _log(self, text: str) -> None:
        now = int(time.time() * 1000)
        self.logs.put_log_events(
            logGroupName=self._where["group"],
            logStreamName=self._where["stream"],
            logEvents=[{"timestamp": now, "message": line} for line in text.splitlines() if line],
        )

    def _client(self, service: str) -> Any:
        names = {key.lower(): value for key, value in self.credentials.items()}
        make: Any = boto3.client
        return make(service, region_name=responses.get_region(), endpoint_url=_ENDPOINT, **names)


def _session(role: str, build: str) -> dict[str, str]:
    """Credentials of the role that the project's builds have."""
    name = role.rpartition("/")[2]
    key, secret, token = (f"ASIA{secrets.token_hex(8).upper()}", *map(secrets.token_hex, (20, 20)))
    # As denials of AWS show it, such as in https://github.com/aws/aws-cdk/issues/28522.
    session = f"AWSCodeBuild-{build.rpartition(':')[2]}"
    sts.register_session(
        key,
        {
            "Arn": f"arn:aws:sts::{responses.get_account_id()}:assumed-role/{name}/{session}",
            "UserId": f"{name}:{session}",
            "SecretAccessKey": secret,
            "SessionToken": token,
        },
    )
    return {
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_SESSION_TOKEN": token,
    }


def _check_keys(given: Json, known: set[str]) -> None:
    if unknown := set(given) - known:
        raise ValueError(f"buildspec.yml: what {sorted(unknown)} means is not known here")


def _start(request: Json) -> Any:
    known = {"projectName", "idempotencyToken", "environmentVariablesOverride"}
    if unknown := set(request) - known:
        return responses.error_response_json(
            "InvalidInputException", f"not known here: {unknown}", 400
        )
    project = codebuild.projects.get(request["projectName"])
    if project is None:
        return responses.error_response_json("ResourceNotFoundException", "no such project", 400)
    token = request.get("idempotencyToken", secrets.token_hex())
    if token not in _tokens:
        _tokens[token] = _begin(project, request.get("environmentVariablesOverride", []))
    return responses.json_response({"build": codebuild.builds[_tokens[token]]})


def _begin(project: Json, variables: list[Json]) -> str:
    id: str = codebuild.build_id(project["name"])
    stream = id.partition(":")[2]
    group = project["logsConfig"]["cloudWatchLogs"]["groupName"]
    now = int(time.time())
    record = codebuild.make_build_record(project, id)
    del record["endTime"]
    record |= {
        "buildStatus": "IN_PROGRESS",
        "currentPhase": "SUBMITTED",
        "phases": [{"phaseType": "SUBMITTED", "phaseStatus": "SUCCEEDED", "startTime": now}],
        "logs": {
            "groupName": group,
            "streamName": stream,
            "deepLink": f"https://console.aws.amazon.com/cloudwatch/home#{group}/{stream}",
        },
    }
    codebuild.builds[id] = record
    build = _Build(record, project, variables)
    # The stores are those of the request's account and region.
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(build.run,), daemon=True).start()
    return id


def _stop(request: Json) -> Any:
    answer = _stop_build(request)
    if process := _processes.get(request["id"]):
        process.end()
    return answer


def _with_logs(change: Any) -> Any:
    """Keep where a project logs, which MiniStack drops."""

    def changed(*arguments: Any) -> Made:
        made: Made = change(*arguments)
        properties = next(one for one in reversed(arguments) if isinstance(one, dict))
        logs = properties["LogsConfig"]["CloudWatchLogs"]
        codebuild.projects[made[0]]["logsConfig"] = {
            "cloudWatchLogs": {"groupName": logs["GroupName"], "status": logs["Status"]}
        }
        return made

    return changed


def install() -> None:
    """Replace what MiniStack does with builds."""
    codebuild.start_build = _start
    codebuild.stop_build = _stop
    handler = provisioners.RESOURCE_HANDLERS[_TYPE]
    handler.update(create=_with_logs(handler["create"]), update=_with_logs(handler["update"]))
