"""Publishing the site with a faked AWS: every branch, every fault that AWS can answer with."""

from __future__ import annotations

import io
import json
import logging
import zipfile
from typing import Any

import pytest
from botocore import exceptions as aws
from handlers.services import FakeServices, client_error, clients

from galv_constructs.handlers import _aws, _site_page, site_release

Json = dict[str, Any]

STACK = "arn:aws:cloudformation:eu-west-1:111122223333:stack/app/0a1b2c3d"
API = "https://api.example.com"
PAGE = "https://d111111abcdef8.cloudfront.net"
VARIABLES = {"VITE_GALV_API_BASE_URL": API}
NOW = 1_800_000_000.0
BUCKET = "site-bucket"
SITE = {
    "index.html": b"<script src=/assets/app-1.js>",
    "assets/app-1.js": f'fetch("{API}/health/")'.encode(),
    "assets/style-1.css": b"p {}",
    "manifest.json": b"{}",
    "icons/a b.png": b"\x89PNG",
}


THROTTLED = client_error("ThrottlingException", message="Rate exceeded")
DENIED = client_error("AccessDenied", 403, "Access Denied")
MISSING = client_error("404", 404, "Not Found")
NO_PARAMETER = client_error("ParameterNotFound")


def packed(files: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("assets/", b"")
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


class FakeAws(FakeServices):
    """S3, CodeBuild, CloudFront, CloudWatch Logs and CloudFormation, as the handlers use them."""

    def __init__(self) -> None:
        super().__init__()
        self.objects: dict[str, Json] = {}
        # None where there is no such parameter.
        self.checksums: str | None = None
        self.builds: dict[str, Json] = {}
        self.tokens: dict[str, str] = {}
        self.invalidations: dict[str, list[str]] = {}
        self.visible = True
        self.stack_status = "UPDATE_IN_PROGRESS"
        self.lines: list[str] = []

    # S3

    def head_object(self, **query: Any) -> Json:
        self._called("head_object", query)
        if query["Key"] not in self.objects:
            raise MISSING
        return self.objects[query["Key"]]

    def get_object(self, **query: Any) -> Json:
        self._called("get_object", query)
        if query["Key"] not in self.objects:
            raise client_error("NoSuchKey", 404)
        found = self.objects[query["Key"]]
        body = found["Body"]
        return {**found, "Body": io.BytesIO(body), "ContentLength": len(body)}

    def put_object(self, **query: Any) -> Json:
        self._called("put_object", query)
        self.objects[query["Key"]] = {"Metadata": {}, "Tags": {}, **query}
        return {}

    def copy_object(self, **query: Any) -> Json:
        self._called("copy_object", query)
        source = self.objects[query["CopySource"]["Key"]]
        tags = dict([query["Tagging"].split("=")]) if "Tagging" in query else source["Tags"]
        self.objects[query["Key"]] = {**source, **query, "Tags": tags}
        return {}

    def get_object_tagging(self, **query: Any) -> Json:
        self._called("get_object_tagging", query)
        tags = self.objects[query["Key"]]["Tags"]
        return {"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]}

    def delete_object_tagging(self, **query: Any) -> Json:
        self._called("delete_object_tagging", query)
        if query["Key"] in self.objects:
            self.objects[query["Key"]]["Tags"] = {}
        return {}

    def get_paginator(self, name: str) -> FakeAws:
        assert name == "list_objects_v2"
        return self

    def paginate(self, **query: Any) -> list[Json]:
        self._called("list_objects_v2", query)
        # S3 leaves Contents out of a page without any.
        names = [key for key in self.objects if key.startswith(query.get("Prefix", ""))]
        return [{}, {"Contents": [{"Key": key} for key in names]}]

    # Parameter Store

    def get_parameter(self, **query: Any) -> Json:
        self._called("get_parameter", query)
        assert query["Name"] == "checksums"
        if self.checksums is None:
            raise NO_PARAMETER
        return {"Parameter": {"Value": self.checksums}}

    def put_parameter(self, **query: Any) -> Json:
        self._called("put_parameter", query)
        assert query["Name"] == "checksums"
        # The same call makes it and changes it.
        assert query["Overwrite"]
        assert query["Type"] == "String"
        assert len(query["Value"]) <= 4096
        self.checksums = query["Value"]
        return {}

    def delete_parameter(self, **query: Any) -> Json:
        self._called("delete_parameter", query)
        assert query["Name"] == "checksums"
        if self.checksums is None:
            raise NO_PARAMETER
        self.checksums = None
        return {}

    # CodeBuild

    def start_build(self, **query: Any) -> Json:
        self._called("start_build", query)
        token = query["idempotencyToken"]
        if token not in self.tokens:
            self.tokens[token] = f"project:{len(self.builds) + 1}"
            self.builds[self.tokens[token]] = {
                "id": self.tokens[token],
                "buildStatus": "IN_PROGRESS",
                "currentPhase": "BUILD",
                "logs": {
                    "groupName": "/site-build",
                    "streamName": "stream",
                    "deepLink": "https://console.aws.amazon.com/log",
                },
            }
        return {"build": self.builds[self.tokens[token]]}

    def batch_get_builds(self, **query: Any) -> Json:
        self._called("batch_get_builds", query)
        return {"builds": [self.builds[id] for id in query["ids"] if self.visible]}

    def stop_build(self, **query: Any) -> Json:
        self._called("stop_build", query)
        return {}

    # The others

    def get_log_events(self, **query: Any) -> Json:
        self._called("get_log_events", query)
        return {"events": [{"message": f"{line}\n"} for line in self.lines]}

    def create_invalidation(self, **query: Any) -> Json:
        self._called("create_invalidation", query)
        batch = query["InvalidationBatch"]
        assert batch["Paths"]["Quantity"] == len(batch["Paths"]["Items"])
        self.invalidations[batch["CallerReference"]] = batch["Paths"]["Items"]
        return {}

    def describe_stacks(self, **query: Any) -> Json:
        self._called("describe_stacks", query)
        return {"Stacks": [{"StackStatus": self.stack_status}]}


class Deployment:
    """Requests of CloudFormation, one after another, as the Provider framework hands them on."""

    def __init__(self, fake: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
        self.aws = fake
        self.now = NOW
        self.pauses: list[float] = []
        self.asked: list[str] = []
        self.faults: list[tuple[int, bytes]] = []
        self.looked_at: list[tuple[str, str]] = []
        for module in (_aws, site_release):
            monkeypatch.setattr(module, "client", clients(fake))
        monkeypatch.setattr(site_release, "time", lambda: self.now)
        monkeypatch.setattr(site_release, "sleep", self.pauses.append)
        monkeypatch.setattr(site_release, "tell_if_moved", self.look_at)
        monkeypatch.setattr(_site_page, "time", lambda: self.now)
        monkeypatch.setattr(_site_page, "sleep", self.wait)
        monkeypatch.setattr(_site_page, "_get", self.get)
        self.event: Json = {
            "RequestType": "Create",
            "RequestId": "request-1",
            "StackId": STACK,
            "LogicalResourceId": "Site",
            "ResourceProperties": {
                "Checksums": "checksums",
                "Bucket": BUCKET,
                "DistributionId": "E123",
                "PageUrl": PAGE,
                "WebAcl": "false",
                "ApiUrl": API,
                "Variables": VARIABLES,
                "TimeoutSeconds": "1200",
                "Project": "project",
                "Inputs": self.inputs("v1.0.0"),
            },
        }

    @staticmethod
    def inputs(tag: str) -> Json:
        return {
            "Source": {"Type": "git", "Repository": "https://example.com/r", "Tag": tag},
            "Environment": VARIABLES,
            "Secrets": {"TOKEN": "arn:secret:TOKEN::"},
            "Recipe": "image hash",
        }

    def look_at(self, source: Json, *, version: str, commit: str) -> None:
        """Take the question whether a tag was moved."""
        assert source["Repository"] == "https://example.com/r"
        self.looked_at.append((version, commit))

    def wait(self, seconds: float) -> None:
        """Let time pass in which the page is asked for again."""
        self.now += seconds

    def get(self, url: str) -> tuple[int, bytes]:
        """Answer as CloudFront does: with the content of the bucket, or the next of the faults."""
        self.asked.append(url)
        if self.faults:
            return self.faults.pop(0)
        path = url.removeprefix(f"{PAGE}/") or "index.html"
        found = self.aws.objects.get(f"site/{path}")
        return (404, b"NoSuchKey") if found is None else (200, found["Body"])

    @property
    def key(self) -> str:
        return site_release.release_key(self.event["ResourceProperties"])

    @property
    def build(self) -> Json:
        """The newest build."""
        return list(self.aws.builds.values())[-1]

    def update(self, **properties: Any) -> None:
        """Go on to the next request, which changes properties."""
        before = self.event["ResourceProperties"]
        self.event |= {
            "RequestType": "Update",
            "RequestId": f"request-{int(self.event['RequestId'].partition('-')[2]) + 1}",
            "OldResourceProperties": before,
            "ResourceProperties": {**before, **properties},
        }

    def release(self, tag: str) -> None:
        self.update(Inputs=self.inputs(tag))

    def newest_of(self, day: str) -> None:
        """Ask for `latest` of a day."""
        self.update(Inputs={**self.inputs("latest"), "AsOf": day})

    def roll_back(self) -> None:
        """Go back as CloudFormation does: an Update with old and new exchanged."""
        self.aws.stack_status = "UPDATE_ROLLBACK_IN_PROGRESS"
        self.update(**self.event["OldResourceProperties"])

    def start(self) -> Json:
        """Send the request; its result goes into the polls, through JSON as in the framework."""
        result = site_release.on_event(self.event, None)
        self.event = json.loads(json.dumps({**self.event, **result}))
        plan: Json = result["Plan"]
        return plan

    def succeed(self, files: dict[str, bytes] | None = None) -> None:
        """End the build well: it uploads the release."""
        self.build["buildStatus"] = "SUCCEEDED"
        self.aws.objects[self.left] = {
            "Body": packed(SITE if files is None else files),
            "Metadata": {"version": "v1.0.0", "commit": "0a1b"},
            "ContentType": "application/zip",
            "Tags": {},
        }

    @property
    def left(self) -> str:
        """Where the newest build leaves what it made."""
        name = self.build["id"].partition(":")[2]
        return f"incoming/AROA123:AWSCodeBuild-{name}/{name}.zip"

    @property
    def kept(self) -> Json:
        """The release that this deployment is of."""
        release: Json = self.aws.objects[f"releases/{self.key}/site.zip"]
        return release

    def poll(self) -> Json:
        result: Json = site_release.is_complete(self.event, None)
        return result

    def deploy(self, files: dict[str, bytes] | None = None) -> Json:
        """The whole of a deployment that works."""
        if self.start()["BuildId"]:
            self.succeed(files)
        result = self.poll()
        assert result["IsComplete"]
        data: Json = result["Data"]
        return data

    def refusal(self) -> str:
        """Poll, and return the reason for the failure, which must fit."""
        with pytest.raises(site_release.SiteError) as caught:
            self.poll()
        reason = str(caught.value)
        assert len(reason.encode()) <= _aws.REASON_LIMIT
        return reason

    def published(self) -> list[str]:
        keys = [query["Key"] for query in self.aws.queries("put_object")]
        return [key for key in keys if key.startswith("site/")]

    def served(self) -> dict[str, bytes]:
        """Return the files of the site that no lifecycle rule expires."""
        return {
            key.removeprefix("site/"): item["Body"]
            for key, item in self.aws.objects.items()
            if key.startswith("site/") and not item["Tags"]
        }


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Deployment:
    return Deployment(FakeAws(), monkeypatch)


class TestStart:
    def test_create_starts_a_build(self, deployment: Deployment) -> None:
        plan = deployment.start()

        assert plan == {"Key": deployment.key, "BuildId": "project:1", "RollingBack": False}
        assert deployment.event["PhysicalResourceId"] == "Site-0a1b2c3d"
        (query,) = deployment.aws.queries("start_build")
        variables = {
            v["name"]: (v["type"], v["value"]) for v in query.pop("environmentVariablesOverride")
        }
        assert variables == {
            "VITE_GALV_API_BASE_URL": ("PLAINTEXT", API),
            "GALV_BUILD_Type": ("PLAINTEXT", "git"),
            "GALV_BUILD_Repository": ("PLAINTEXT", "https://example.com/r"),
            "GALV_BUILD_Tag": ("PLAINTEXT", "v1.0.0"),
            "GALV_BUILD_TARGET": ("PLAINTEXT", f"s3://{BUCKET}/incoming/"),
            # Not its value, which every step would have then.
            "GALV_BUILD_SECRETS": ("PLAINTEXT", '{"TOKEN": "arn:secret:TOKEN::"}'),
        }
        assert query["projectName"] == "project"

    def test_a_second_delivery_starts_no_second_build(self, deployment: Deployment) -> None:
        assert deployment.start() == deployment.start()
        assert len(deployment.aws.builds) == 1

    def test_delete_removes_the_records_and_nothing_else(self, deployment: Deployment) -> None:
        deployment.deploy()
        deployment.event["RequestType"] = "Delete"
        calls = len(deployment.aws.calls)

        assert deployment.start()["Key"] == ""
        assert deployment.poll()["IsComplete"]
        assert deployment.aws.names()[calls:] == ["delete_parameter"]
        assert deployment.aws.checksums is None
        assert deployment.served() == SITE

    def test_deletes_a_site_that_was_never_published(self, deployment: Deployment) -> None:
        deployment.event["RequestType"] = "Delete"

        assert deployment.start()["Key"] == ""
        assert deployment.poll()["IsComplete"]

    def test_delete_says_why_records_could_not_be_removed(self, deployment: Deployment) -> None:
        deployment.deploy()
        deployment.event["RequestType"] = "Delete"
        deployment.aws.faults["delete_parameter"] = [DENIED]

        with pytest.raises(site_release.SiteError, match="checksums of releases could not be del"):
            deployment.start()

    def test_the_physical_id_is_kept(self, deployment: Deployment) -> None:
        deployment.event["PhysicalResourceId"] = "as-it-was"
        deployment.deploy()
        deployment.release("v1.1.0")
        deployment.start()

        assert deployment.event["PhysicalResourceId"] == "as-it-was"

    def test_retries_transient_errors(self, deployment: Deployment) -> None:
        role = client_error(
            "InvalidInputException", message="not authorized to perform: sts:AssumeRole on role"
        )
        unreachable = aws.EndpointConnectionError(endpoint_url="https://codebuild")
        broken = client_error("Oops", 503)
        deployment.aws.faults["start_build"] = [role, unreachable, broken, THROTTLED]

        assert deployment.start()["BuildId"] == "project:1"
        assert deployment.pauses == [2, 4, 8, 16]

    @pytest.mark.parametrize(
        ("faults", "pauses"), [([DENIED], 0), ([THROTTLED] * 5, 4)], ids=["lasts", "too long"]
    )
    def test_a_build_that_cannot_be_started_fails(
        self, deployment: Deployment, faults: list[Exception], pauses: int
    ) -> None:
        deployment.aws.faults["start_build"] = list(faults)

        with pytest.raises(site_release.SiteError, match="the build could not be started"):
            deployment.start()
        assert len(deployment.pauses) == pauses

    def test_a_bucket_that_cannot_be_read_fails(self, deployment: Deployment) -> None:
        deployment.aws.faults["head_object"] = [DENIED]

        with pytest.raises(site_release.SiteError, match="could not look for release"):
            deployment.start()


class TestBuild:
    def test_waits_for_it(self, deployment: Deployment) -> None:
        deployment.start()

        assert deployment.poll() == {"IsComplete": False}
        assert deployment.published() == []

    def test_waits_while_codebuild_does_not_know_it_yet(self, deployment: Deployment) -> None:
        deployment.start()
        deployment.aws.visible = False

        assert deployment.poll() == {"IsComplete": False}

    def test_waits_while_codebuild_does_not_answer(self, deployment: Deployment) -> None:
        deployment.start()
        deployment.aws.faults["batch_get_builds"] = [THROTTLED]

        assert deployment.poll() == {"IsComplete": False}

    def test_fails_when_it_may_not_describe_the_build(self, deployment: Deployment) -> None:
        deployment.start()
        deployment.aws.faults["batch_get_builds"] = [DENIED]

        assert "could not be watched" in deployment.refusal()

    @pytest.mark.parametrize(
        "phase",
        ["PROVISIONING", "DOWNLOAD_SOURCE", "INSTALL", "PRE_BUILD", "BUILD", "POST_BUILD"],
    )
    def test_fails_with_the_phase_and_the_end_of_the_log(
        self, deployment: Deployment, phase: str
    ) -> None:
        deployment.start()
        said = {"message": "Error while executing command: python3 build_site.py. Reason: exit 1"}
        deployment.build.update(
            {
                "buildStatus": "FAILED",
                "phases": [
                    {"phaseType": "SUBMITTED", "phaseStatus": "SUCCEEDED"},
                    {"phaseType": phase, "phaseStatus": "FAILED", "contexts": [said, {}]},
                    {"phaseType": "FINALIZING", "phaseStatus": "FAILED"},
                    {"phaseType": "COMPLETED"},
                ],
            }
        )
        deployment.aws.lines = ["line"] * 100 + [
            "ERROR: tag v1 is commit ß",
            "    at ModuleLoader (file:///parseAst.js:355:41)",
            "[Container] 2026/11/22 Phase complete",
        ]

        reason = deployment.refusal()

        assert f"Site: the build ended with FAILED in {phase}: Error while" in reason
        assert "\nLog: https://console.aws.amazon.com/log\n" in reason
        assert reason.endswith("ERROR: tag v1 is commit ß")
        assert deployment.published() == []

    @pytest.mark.parametrize("status", ["FAULT", "STOPPED", "TIMED_OUT"])
    def test_fails_without_phases(self, deployment: Deployment, status: str) -> None:
        deployment.start()
        deployment.build["buildStatus"] = status

        assert f"the build ended with {status}\n" in deployment.refusal()

    def test_fails_with_a_phase_that_says_nothing(self, deployment: Deployment) -> None:
        deployment.start()
        deployment.build.update(
            {
                "buildStatus": "FAILED",
                "phases": [{"phaseType": "BUILD", "phaseStatus": "CLIENT_ERROR"}],
            }
        )

        assert "FAILED in BUILD: ?" in deployment.refusal()

    @pytest.mark.parametrize(
        ("fault", "said"),
        [
            (DENIED, "(no log: AccessDenied)"),
            (aws.ReadTimeoutError(endpoint_url="https://logs"), "(no log: ReadTimeoutError)"),
            (None, "(no log lines)"),
        ],
    )
    def test_a_log_that_cannot_be_read_hides_nothing(
        self, deployment: Deployment, fault: Exception | None, said: str
    ) -> None:
        deployment.start()
        deployment.build["buildStatus"] = "FAILED"
        deployment.aws.faults["get_log_events"] = [fault]

        reason = deployment.refusal()

        assert reason.endswith(said)
        assert "ended with FAILED" in reason

    def test_no_secret_is_in_the_reason(self, deployment: Deployment) -> None:
        deployment.event["ResourceProperties"]["Inputs"]["Secrets"] = {"VITE_MAPS": "maps:KEY"}
        deployment.start()
        said = {"message": "git clone https://x:hunter2@github.com/a/b failed"}
        deployment.build.update(
            {
                "buildStatus": "FAILED",
                "phases": [
                    {"phaseType": "BUILD", "phaseStatus": "FAILED", "contexts": [said]},
                ],
            }
        )
        deployment.aws.lines = [
            "VITE_MAPS: 'hunter2'",
            "//registry.npmjs.org/:_authToken=hunter2",
            "pnpm install",
            "pnpm build",
            "{",
            *(f"  NAME_{number}: 'hunter2'," for number in range(3)),
            *(f"  'NAME_{number}': 'hunter2'," for number in range(3)),
            "}",
            "App.tsx(3,1): error TS2304",
        ]

        reason = deployment.refusal()

        assert "hunter2" not in reason
        assert "git clone https://x:[redacted]@github.com/a/b failed" in reason
        assert "VITE_MAPS: '[redacted]'\n//registry.npmjs.org/:_authToken=[redacted]\n" in reason
        assert reason.endswith("App.tsx(3,1): error TS2304")

    def test_a_build_without_a_log_says_so(self, deployment: Deployment) -> None:
        deployment.start()
        deployment.build.update({"buildStatus": "FAILED", "logs": {"groupName": "/site-build"}})

        assert deployment.refusal().endswith("(no log: the build never ran)")

    def test_a_long_link_leaves_no_room_for_the_log(self, deployment: Deployment) -> None:
        deployment.start()
        deployment.build["buildStatus"] = "FAILED"
        deployment.build["logs"]["deepLink"] = "https://" + "x" * 850
        deployment.aws.lines = ["line"]

        reason = deployment.refusal()

        assert "ended with FAILED" in reason
        assert "line" not in reason

    @pytest.mark.parametrize("phase", ["SUBMITTED", "QUEUED"])
    def test_one_that_never_starts_fails_promptly(self, deployment: Deployment, phase: str) -> None:
        deployment.start()
        deployment.build["currentPhase"] = phase
        deployment.now += 299
        assert deployment.poll() == {"IsComplete": False}

        deployment.now += 1

        assert "the build never started: no machine after 300 s, and was stopped" in (
            deployment.refusal()
        )
        assert deployment.aws.queries("stop_build") == [{"id": "project:1"}]

    def test_one_that_hangs_is_stopped(self, deployment: Deployment) -> None:
        deployment.start()
        deployment.now += 1200

        assert "the build hung: not done after 1200 s, and was stopped" in deployment.refusal()

    def test_the_reason_of_a_hanging_build_has_no_secret(self, deployment: Deployment) -> None:
        deployment.event["ResourceProperties"]["Inputs"]["Secrets"] = {"VITE_MAPS": "maps:KEY"}
        deployment.start()
        deployment.aws.lines = ["VITE_MAPS: hunter2"]
        deployment.now += 1200

        reason = deployment.refusal()

        assert "VITE_MAPS" in reason
        assert "hunter2" not in reason

    def test_the_deadline_holds_while_codebuild_does_not_answer(
        self, deployment: Deployment
    ) -> None:
        deployment.start()
        deployment.now += 1200
        deployment.aws.faults = {"batch_get_builds": [THROTTLED], "stop_build": [THROTTLED]}

        assert "and could not be stopped: An error occurred" in deployment.refusal()

    def test_is_stopped_when_the_stack_rolls_back(self, deployment: Deployment) -> None:
        deployment.start()
        deployment.aws.stack_status = "ROLLBACK_IN_PROGRESS"

        assert "cancelled by a rollback, and was stopped" in deployment.refusal()

    def test_goes_on_when_the_stack_cannot_be_asked(self, deployment: Deployment) -> None:
        deployment.start()
        deployment.aws.faults["describe_stacks"] = [DENIED]

        assert deployment.poll() == {"IsComplete": False}


class TestPublish:
    def test_puts_the_page_last(self, deployment: Deployment) -> None:
        data = deployment.deploy()

        assert data == {"Version": "v1.0.0", "Commit": "0a1b"}
        order = deployment.published()
        assert set(order[:2]) == {"site/assets/app-1.js", "site/assets/style-1.css"}
        assert set(order[2:4]) == {"site/manifest.json", "site/icons/a b.png"}
        assert order[4:] == ["site/index.html"]
        assert deployment.served() == SITE

    @pytest.mark.parametrize(
        ("name", "told"),
        [
            # As https://www.iana.org/assignments/media-types/ has them.
            ("a.avif", "image/avif"),
            ("a.css", "text/css; charset=utf-8"),
            ("a.csv", "text/csv; charset=utf-8"),
            ("a.gif", "image/gif"),
            ("a.htm", "text/html; charset=utf-8"),
            ("a.html", "text/html; charset=utf-8"),
            ("a.ico", "image/x-icon"),
            ("a.jpeg", "image/jpeg"),
            ("a.jpg", "image/jpeg"),
            ("a.js", "text/javascript; charset=utf-8"),
            ("a.json", "application/json"),
            ("a.map", "application/json"),
            ("a.md", "text/markdown; charset=utf-8"),
            ("a.mjs", "text/javascript; charset=utf-8"),
            ("a.otf", "font/otf"),
            ("a.pdf", "application/pdf"),
            ("a.png", "image/png"),
            ("a.svg", "image/svg+xml"),
            ("a.ttf", "font/ttf"),
            ("a.txt", "text/plain; charset=utf-8"),
            ("a.wasm", "application/wasm"),
            ("a.webmanifest", "application/manifest+json"),
            ("a.webp", "image/webp"),
            ("a.woff", "font/woff"),
            ("a.woff2", "font/woff2"),
            ("a.xml", "application/xml"),
        ],
    )
    def test_sets_the_content_type_of_each_kind_of_file(
        self, deployment: Deployment, name: str, told: str
    ) -> None:
        deployment.deploy({**SITE, name: b""})

        (put,) = (
            query
            for query in deployment.aws.queries("put_object")
            if query["Key"] == f"site/{name}"
        )
        assert put["ContentType"] == told

    def test_sets_content_type_and_cache_time(self, deployment: Deployment) -> None:
        deployment.deploy({**SITE, "assets/x-1.bin": b"", "parquet.WASM": b""})

        headers = {
            query["Key"].removeprefix("site/"): (query["ContentType"], query["CacheControl"])
            for query in deployment.aws.queries("put_object")
            if query["Key"].startswith("site/")
        }
        forever = "public, max-age=31536000, immutable"
        assert headers == {
            "assets/app-1.js": ("text/javascript; charset=utf-8", forever),
            "assets/style-1.css": ("text/css; charset=utf-8", forever),
            "assets/x-1.bin": ("application/octet-stream", forever),
            "index.html": ("text/html; charset=utf-8", "no-cache"),
            "manifest.json": ("application/json", "no-cache"),
            "icons/a b.png": ("image/png", "no-cache"),
            "parquet.WASM": ("application/wasm", "no-cache"),
        }

    def test_invalidates_files_without_a_hash(self, deployment: Deployment) -> None:
        deployment.deploy()

        assert deployment.aws.invalidations == {
            "request-1": ["/", "/icons/a%20b.png", "/manifest.json", "/index.html"]
        }

    def test_invalidates_everything_when_there_are_many_files(self, deployment: Deployment) -> None:
        deployment.deploy({**SITE, **{f"icons/{n}.png": b"" for n in range(100)}})

        assert deployment.aws.invalidations == {"request-1": ["/*"]}

    def test_a_second_delivery_changes_nothing(self, deployment: Deployment) -> None:
        deployment.deploy()
        before = dict(deployment.aws.objects)

        deployment.deploy()

        assert deployment.aws.objects == before
        assert list(deployment.aws.invalidations) == ["request-1"]

    def test_retries_transient_errors(self, deployment: Deployment) -> None:
        slow_down = client_error("SlowDown", 503)
        too_many = client_error("TooManyInvalidationsInProgress")
        deployment.aws.faults = {
            "put_object": [None, slow_down, THROTTLED],
            "create_invalidation": [too_many, too_many, THROTTLED],
            "get_object": [aws.ReadTimeoutError(endpoint_url="https://s3")],
        }

        deployment.deploy()

        assert deployment.served() == SITE
        assert len(deployment.aws.invalidations) == 1

    def test_an_invalidation_that_stays_throttled_fails(self, deployment: Deployment) -> None:
        deployment.start()
        deployment.succeed()
        deployment.aws.faults["create_invalidation"] = [THROTTLED] * 5

        assert "the site is there, but CloudFront's caches could not" in deployment.refusal()

    def test_a_denied_upload_keeps_the_old_page(self, deployment: Deployment) -> None:
        deployment.deploy()
        before = deployment.served()
        deployment.release("v1.1.0")
        deployment.start()
        deployment.succeed(
            {
                "index.html": f"new '{API}'".encode(),
                "assets/app-2.js": b"new",
                "assets/style-2.css": b"new",
            }
        )
        deployment.aws.faults["put_object"] = [None, DENIED]

        assert "could not be published: An error occurred (AccessDenied)" in deployment.refusal()
        assert {name: deployment.served()[name] for name in before} == before

    def test_nothing_new_is_published_once_the_stack_rolls_back(
        self, deployment: Deployment
    ) -> None:
        deployment.start()
        deployment.succeed()
        deployment.aws.stack_status = "ROLLBACK_IN_PROGRESS"

        assert "publication was cancelled by a rollback" in deployment.refusal()
        assert deployment.published() == []

    def test_refuses_files_built_for_another_api(self, deployment: Deployment) -> None:
        deployment.start()
        deployment.succeed({**SITE, "assets/app-1.js": b'"https://api.example.org"'})

        assert f"does not call the API {API}" in deployment.refusal()
        assert deployment.published() == []

    def test_writes_the_configuration(self, deployment: Deployment) -> None:
        deployment.deploy({**CONFIGURED, "env.template.js": TEMPLATE})

        assert deployment.served()["env.js"] == (
            f"window.__ENV__ = {{VITE_GALV_API_BASE_URL: '{API}', VITE_TITLE: ''}}".encode()
        )
        assert "env.template.js" not in deployment.served()
        (put,) = (q for q in deployment.aws.queries("put_object") if q["Key"] == "site/env.js")
        assert put["CacheControl"] == "no-cache"
        assert put["ContentType"] == "text/javascript; charset=utf-8"
        assert "/env.js" in deployment.aws.invalidations["request-1"]

    def test_one_archive_serves_another_deployment(self, deployment: Deployment) -> None:
        deployment.deploy({**CONFIGURED, "env.template.js": TEMPLATE})
        there = "https://api.example.org"
        deployment.update(
            ApiUrl=there, Variables={"VITE_GALV_API_BASE_URL": there, "VITE_TITLE": "Lab"}
        )
        deployment.deploy()

        assert len(deployment.aws.builds) == 1
        assert deployment.served()["env.js"] == (
            b"window.__ENV__ = {VITE_GALV_API_BASE_URL: 'https://api.example.org', "
            b"VITE_TITLE: 'Lab'}"
        )

    def test_writes_no_secret_into_the_configuration(self, deployment: Deployment) -> None:
        deployment.start()
        deployment.succeed({**CONFIGURED, "env.template.js": TEMPLATE + b"\n'$TOKEN'"})

        assert "asks for TOKEN, which is given as a secret" in deployment.refusal()

    @pytest.mark.parametrize(("kind", "refused"), [("image", True), ("git", False)])
    def test_refuses_variables_that_nothing_reads(
        self, deployment: Deployment, kind: str, refused: bool
    ) -> None:
        properties = deployment.event["ResourceProperties"]
        properties["Variables"] = {**VARIABLES, "VITE_TITLE": "Lab"}
        properties["Inputs"]["Source"]["Type"] = kind
        deployment.start()
        deployment.succeed()

        if refused:
            assert "environment sets VITE_TITLE, and the image is built" in deployment.refusal()
        else:
            deployment.poll()

    @pytest.mark.parametrize("files", [{}, {"dist/index.html": API.encode()}])
    def test_refuses_files_without_a_page(
        self, deployment: Deployment, files: dict[str, bytes]
    ) -> None:
        deployment.start()
        deployment.succeed(files)

        assert "there is no index.html among the files" in deployment.refusal()

    def test_refuses_a_release_that_is_no_archive(self, deployment: Deployment) -> None:
        deployment.start()
        deployment.succeed()
        deployment.aws.objects[deployment.left]["Body"] = b"<html>"

        assert "is no ZIP file" in deployment.refusal()
        assert f"releases/{deployment.key}/site.zip" not in deployment.aws.objects

    def test_refuses_a_site_that_does_not_fit(
        self, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(site_release, "LARGEST_SITE", 10)
        deployment.start()
        deployment.succeed()

        assert "bytes, and may have 10" in deployment.refusal()

    def test_a_build_that_uploaded_nothing_fails(self, deployment: Deployment) -> None:
        deployment.start()
        deployment.build["buildStatus"] = "SUCCEEDED"

        assert "left 0 releases in incoming/ instead of one" in deployment.refusal()


CONFIGURED = {
    "index.html": b"<script src=/env.js></script><script src=/assets/app-1.js></script>",
    "assets/app-1.js": b"fetch(window.__ENV__.VITE_GALV_API_BASE_URL)",
}
TEMPLATE = (
    b"window.__ENV__ = {VITE_GALV_API_BASE_URL: '${VITE_GALV_API_BASE_URL}', "
    b"VITE_TITLE: '$VITE_TITLE'}"
)


class TestPage:
    """The last step: the page has to load."""

    def test_is_asked_for_once(self, deployment: Deployment) -> None:
        deployment.deploy()

        assert deployment.asked == [f"{PAGE}/", f"{PAGE}/assets/app-1.js"]
        assert deployment.now == NOW

    def test_and_its_configuration(self, deployment: Deployment) -> None:
        deployment.deploy({**CONFIGURED, "env.template.js": TEMPLATE})

        assert f"{PAGE}/env.js" in deployment.asked

    def test_that_does_not_load_fails_the_deployment(self, deployment: Deployment) -> None:
        deployment.start()
        deployment.succeed()
        deployment.faults = [(503, b"<h1>FunctionExecutionError</h1>")] * 99

        reason = deployment.refusal()

        assert "its page does not load" in reason
        assert f"{PAGE}/ answers 503: <h1>FunctionExecutionError" in reason
        assert _site_page.PATIENCE <= deployment.now - NOW < _site_page.PATIENCE + 20

    def test_behind_a_web_acl_may_be_refused(self, deployment: Deployment) -> None:
        deployment.update(WebAcl="true")
        deployment.faults = [(403, b"Request blocked")]

        deployment.deploy()

    def test_is_not_asked_for_by_a_rollback(self, deployment: Deployment) -> None:
        deployment.deploy()
        deployment.release("v1.1.0")
        deployment.start()
        deployment.succeed(NEW)
        deployment.faults = [(503, b"")] * 99
        deployment.refusal()
        deployment.roll_back()
        deployment.asked.clear()

        assert deployment.deploy() == {"Version": "v1.0.0", "Commit": "0a1b"}
        assert deployment.served() == SITE
        assert deployment.asked == []

    def test_is_not_asked_for_when_the_stack_is_deleted(self, deployment: Deployment) -> None:
        deployment.deploy()
        deployment.asked.clear()
        deployment.event["RequestType"] = "Delete"

        deployment.deploy()
        assert deployment.asked == []


NEW = {
    "index.html": b"<script src=/assets/app-2.js>",
    "assets/app-2.js": f'"{API}"'.encode(),
    "assets/style-1.css": b"p {}",
    "manifest.json": b"{}",
}


class TestIntegrity:
    """A release is what one build left, and nothing else."""

    def test_copies_it_once(self, deployment: Deployment) -> None:
        deployment.deploy()
        deployment.aws.objects[deployment.left]["Body"] = packed({"index.html": b"later"})

        assert deployment.poll()["IsComplete"]
        assert deployment.served() == SITE

    def test_keeps_the_metadata_of_its_build_and_nothing_else(self, deployment: Deployment) -> None:
        deployment.start()
        deployment.succeed()
        deployment.aws.objects[deployment.left]["Metadata"]["x"] = "y"
        deployment.poll()

        assert deployment.kept["Metadata"] == {
            "version": "v1.0.0",
            "commit": "0a1b",
            "build": "project:1",
        }

    def test_refuses_two_that_one_build_left(self, deployment: Deployment) -> None:
        deployment.start()
        deployment.succeed()
        other = deployment.left.replace("AROA123", "AROA456")
        deployment.aws.objects[other] = deployment.aws.objects[deployment.left]

        assert "build project:1 left 2 releases in incoming/ instead of one" in deployment.refusal()
        assert deployment.published() == []

    def test_refuses_one_that_is_too_large(
        self, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        deployment.start()
        deployment.succeed()
        monkeypatch.setattr(site_release, "LARGEST_SITE", 10)

        assert "bytes, and may have 10" in deployment.refusal()
        assert deployment.aws.queries("put_object") == []

    def test_does_not_go_back_to_one_that_was_altered(self, deployment: Deployment) -> None:
        deployment.deploy()
        deployment.kept["Body"] = packed({"index.html": b"altered"})
        deployment.release("v1.1.0")
        deployment.deploy(NEW)
        deployment.release("v1.0.0")
        deployment.start()

        refusal = deployment.refusal()
        assert f"release {deployment.key} was altered: its SHA-256 is" in refusal
        assert f"delete s3://{BUCKET}/releases/{deployment.key}/site.zip" in refusal
        assert deployment.served() == NEW

    def test_does_not_roll_back_to_one_that_was_altered(self, deployment: Deployment) -> None:
        deployment.deploy()
        deployment.kept["Body"] = packed({"index.html": b"altered"})
        deployment.release("v1.1.0")
        deployment.deploy(NEW)
        deployment.roll_back()

        assert deployment.deploy() == {"Version": "", "Commit": ""}
        assert deployment.served() == NEW

    def test_builds_a_release_again_that_has_no_record(self, deployment: Deployment) -> None:
        deployment.deploy()
        deployment.aws.checksums = None
        deployment.update(TimeoutSeconds="600")
        deployment.deploy()

        assert len(deployment.aws.builds) == 2

    def test_records_the_newest_as_far_as_they_fit(self, deployment: Deployment) -> None:
        deployment.aws.checksums = json.dumps({f"{n:032}": "0" * 64 for n in range(35)})
        deployment.deploy()

        records = json.loads(deployment.aws.checksums or "")
        assert len(records) == 35
        assert next(iter(records)) == f"{1:032}"
        assert list(records)[-1] == deployment.key

    @pytest.mark.parametrize(
        ("call", "reason"),
        [
            ("put_parameter", "the checksum of release"),
            ("get_parameter", "the checksums of releases could not be read"),
        ],
    )
    def test_publishes_nothing_that_cannot_be_recorded(
        self, deployment: Deployment, call: str, reason: str
    ) -> None:
        deployment.start()
        deployment.succeed()
        deployment.aws.faults[call] = [DENIED]

        assert reason in deployment.refusal()
        assert deployment.published() == []


class TestNextRelease:
    def test_keeps_the_old_files_and_lets_them_expire(self, deployment: Deployment) -> None:
        deployment.deploy()
        deployment.release("v1.1.0")
        deployment.deploy(NEW)

        old = {"site/assets/app-1.js", "site/icons/a b.png"}
        tagged = {key for key, item in deployment.aws.objects.items() if item["Tags"]}
        assert tagged == old
        assert deployment.served() == NEW
        script = deployment.aws.objects["site/assets/app-1.js"]
        assert script["Body"] == SITE["assets/app-1.js"]
        assert script["ContentType"] == "text/javascript; charset=utf-8"
        assert script["CacheControl"] == "public, max-age=31536000, immutable"

    def test_marks_superseded_files_once(self, deployment: Deployment) -> None:
        """Otherwise frequent releases would keep files for ever."""
        deployment.deploy()
        first = deployment.key
        deployment.release("v1.1.0")
        deployment.deploy(NEW)
        copies = len(deployment.aws.queries("copy_object"))
        deployment.release("v1.2.0")
        deployment.deploy(NEW)

        keys = [query["Key"] for query in deployment.aws.queries("copy_object")[copies:]]
        # The release before the last one, and no file of the site a second time.
        assert keys == [f"releases/{first}/site.zip"]

    def test_needs_no_build_when_it_was_published_before(self, deployment: Deployment) -> None:
        deployment.deploy()
        for tag in ("v1.1.0", "v1.2.0"):
            deployment.release(tag)
            deployment.deploy(NEW)
        deployment.release("v1.0.0")
        kept = deployment.aws.objects[f"releases/{deployment.key}/site.zip"]
        assert kept["Tags"] == {"superseded": "true"}

        deployment.deploy()

        assert len(deployment.aws.builds) == 3
        assert deployment.served() == SITE
        assert deployment.aws.objects[f"releases/{deployment.key}/site.zip"]["Tags"] == {}

    def test_needs_no_build_when_only_the_hosting_changes(self, deployment: Deployment) -> None:
        deployment.deploy()
        deployment.update(DistributionId="E456")
        deployment.deploy()

        assert len(deployment.aws.builds) == 1
        assert deployment.aws.queries("create_invalidation")[-1]["DistributionId"] == "E456"

    def test_latest_is_built_once_a_day(self, deployment: Deployment) -> None:
        deployment.newest_of("2026-11-23")
        deployment.deploy()
        deployment.newest_of("2026-11-23")
        deployment.deploy()
        assert len(deployment.aws.builds) == 1

        deployment.newest_of("2026-11-30")
        deployment.deploy(NEW)

        assert len(deployment.aws.builds) == 2
        assert deployment.served() == NEW

    def test_asks_whether_the_tag_was_moved_since_it_was_built(
        self, deployment: Deployment
    ) -> None:
        deployment.deploy()
        assert deployment.looked_at == []

        deployment.update(TimeoutSeconds="600")
        deployment.deploy()

        assert deployment.looked_at == [("v1.0.0", "0a1b")]

    def test_does_not_ask_whether_latest_was_moved(self, deployment: Deployment) -> None:
        for _ in range(2):
            deployment.newest_of("2026-11-23")
            deployment.deploy()

        assert deployment.looked_at == []

    @pytest.mark.parametrize("kind", ["image", "release"])
    def test_asks_of_git_alone_whether_a_tag_was_moved(
        self, deployment: Deployment, kind: str
    ) -> None:
        inputs = deployment.inputs("v1.0.0")
        for _ in range(2):
            deployment.update(Inputs={**inputs, "Source": {**inputs["Source"], "Type": kind}})
            deployment.deploy()

        assert bool(deployment.looked_at) == (kind == "release")

    def test_a_site_that_cannot_be_listed_is_published_all_the_same(
        self, deployment: Deployment, caplog: pytest.LogCaptureFixture
    ) -> None:
        # The first time is for what the build left.
        deployment.aws.faults["list_objects_v2"] = [None, DENIED]
        deployment.deploy()

        assert deployment.served() == SITE
        assert "older files could not be marked" in caplog.text

    def test_files_that_cannot_be_marked_stay(
        self, deployment: Deployment, caplog: pytest.LogCaptureFixture
    ) -> None:
        deployment.deploy()
        deployment.release("v1.1.0")
        deployment.aws.faults["copy_object"] = [DENIED]
        deployment.deploy(NEW)

        assert "older files could not be marked" in caplog.text
        assert "site/assets/app-1.js" in deployment.aws.objects


class TestRollback:
    def test_publishes_the_release_before_without_a_build(self, deployment: Deployment) -> None:
        deployment.deploy()
        deployment.release("v1.1.0")
        deployment.deploy(NEW)
        deployment.roll_back()

        data = deployment.deploy()

        assert data["Version"] == "v1.0.0"
        assert deployment.served() == SITE
        assert len(deployment.aws.builds) == 2

    def test_of_latest_publishes_that_of_the_day_before(self, deployment: Deployment) -> None:
        deployment.newest_of("2026-11-23")
        deployment.deploy()
        deployment.newest_of("2026-11-30")
        deployment.deploy(NEW)
        deployment.roll_back()
        deployment.deploy()

        assert deployment.served() == SITE
        assert len(deployment.aws.builds) == 2

    def test_does_not_ask_whether_the_tag_was_moved(self, deployment: Deployment) -> None:
        deployment.deploy()
        deployment.release("v1.1.0")
        deployment.deploy(NEW)
        deployment.roll_back()
        deployment.deploy()

        assert deployment.looked_at == []

    @pytest.mark.parametrize("lost", ["release", "records"])
    def test_builds_a_release_again_that_is_gone(self, deployment: Deployment, lost: str) -> None:
        """Otherwise a page that does not load would stay."""
        deployment.deploy()
        deployment.release("v1.1.0")
        deployment.start()
        deployment.succeed(NEW)
        deployment.faults = [(503, b"")] * 99
        deployment.refusal()
        deployment.roll_back()
        if lost == "release":
            del deployment.aws.objects[f"releases/{deployment.key}/site.zip"]
        else:
            deployment.aws.checksums = None

        assert deployment.start()["BuildId"] == "project:3"
        # That the stack rolls back is no reason to give this build up.
        assert not deployment.poll()["IsComplete"]
        deployment.succeed(SITE)
        assert deployment.poll() == {
            "IsComplete": True,
            "Data": {"Version": "v1.0.0", "Commit": "0a1b"},
        }
        assert deployment.served() == SITE

    @pytest.mark.parametrize("fault", ["start", "end"])
    def test_says_that_a_missing_release_could_not_be_built(
        self, deployment: Deployment, fault: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        deployment.deploy()
        deployment.release("v1.1.0")
        deployment.deploy(NEW)
        deployment.roll_back()
        deployment.aws.checksums = None
        if fault == "start":
            deployment.aws.faults["start_build"] = [DENIED]
        deployment.start()
        deployment.build["buildStatus"] = "FAILED"

        assert deployment.poll() == {"IsComplete": True, "Data": {"Version": "", "Commit": ""}}
        assert "the site is left as it is: Site: the build" in caplog.text
        assert deployment.served() == NEW

    @pytest.mark.parametrize("call", ["head_object", "get_object", "put_object", "get_parameter"])
    def test_never_fails(
        self, deployment: Deployment, call: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """It would leave the stack in UPDATE_ROLLBACK_FAILED."""
        caplog.set_level(logging.WARNING)
        deployment.deploy()
        deployment.release("v1.1.0")
        deployment.deploy(NEW)
        deployment.roll_back()
        deployment.aws.faults[call] = [DENIED] * 50

        assert deployment.deploy() == {"Version": "", "Commit": ""}
        assert "AccessDenied" in caplog.text
        assert deployment.served()["index.html"] == NEW["index.html"]


class TestDirectory:
    @pytest.fixture
    def deployment(self, monkeypatch: pytest.MonkeyPatch) -> Deployment:
        deployment = Deployment(FakeAws(), monkeypatch)
        properties = deployment.event["ResourceProperties"]
        del properties["Project"]
        properties |= {"AssetBucket": "assets", "AssetKey": "a.zip", "Inputs": {"Files": "a"}}
        deployment.aws.objects["a.zip"] = {
            "Body": packed(SITE),
            "Metadata": {},
            "ContentType": "application/zip",
            "Tags": {"superseded": "true"},
        }
        return deployment

    def test_is_published_without_a_build(self, deployment: Deployment) -> None:
        assert deployment.deploy() == {"Version": "", "Commit": ""}
        assert deployment.served() == SITE
        assert deployment.aws.builds == {}

    def test_is_kept_as_a_release(self, deployment: Deployment) -> None:
        deployment.deploy()
        deployment.aws.objects.pop("a.zip")
        deployment.update(TimeoutSeconds="600")
        deployment.deploy()

        assert deployment.aws.objects[f"releases/{deployment.key}/site.zip"]["Tags"] == {}

    def test_is_kept_anew_by_a_rollback_when_records_are_gone(self, deployment: Deployment) -> None:
        deployment.deploy()
        deployment.aws.objects["b.zip"] = {**deployment.aws.objects["a.zip"], "Body": packed(NEW)}
        deployment.update(AssetKey="b.zip", Inputs={"Files": "b"})
        deployment.deploy()
        deployment.aws.checksums = None
        deployment.roll_back()
        deployment.deploy()

        assert deployment.served() == SITE
        assert deployment.key in json.loads(deployment.aws.checksums or "")

    def test_that_cannot_be_read_fails(self, deployment: Deployment) -> None:
        deployment.start()
        deployment.aws.faults["get_object"] = [DENIED]

        assert "the files could not be read" in deployment.refusal()

    def test_does_not_run_into_another_directorys_rollback(self, deployment: Deployment) -> None:
        deployment.deploy()
        deployment.update(AssetKey="b.zip", Inputs={"Files": "b"})
        deployment.aws.objects["b.zip"] = {
            **deployment.aws.objects["a.zip"],
            "Body": packed(NEW),
        }
        deployment.deploy()
        deployment.roll_back()
        deployment.deploy()

        assert deployment.served() == SITE


def test_a_client_is_created_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    _aws.client.cache_clear()

    assert _aws.client("s3") is _aws.client("s3")
    assert _aws.client("s3").meta.config.retries["total_max_attempts"] == 4
    _aws.client.cache_clear()


@pytest.mark.parametrize(
    ("size", "end", "clipped"),
    [(20, False, "ß ends"), (4, False, "…"), (5, False, "ß…"), (6, True, "…nds")],
)
def test_clips_to_whole_characters(size: int, end: bool, clipped: str) -> None:
    assert _aws.clip("ß ends", size, end=end) == clipped
