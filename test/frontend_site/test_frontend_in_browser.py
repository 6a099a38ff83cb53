"""The whole way of a site: built by the buildspec, published by the handlers, opened in Chromium.

Real: git, pnpm, Vite, the steps of the build, the handlers, the CloudFront Function, the headers of
the template, the browser. Emulated: S3 and CloudFront (moto). In CodeBuild's place the commands of
the buildspec run here, in CloudFront's a small server.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import yaml  # type: ignore[import-untyped]  # not worth another dependency
from aws_cdk import App, Stack
from aws_cdk import aws_certificatemanager as acm
from frontend_site.browser import Browser, find
from moto import mock_aws
from templates import Json, only, synthesize

from galv_constructs import FrontendSource, GalvFrontend
from galv_constructs.handlers import _aws, site_release

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find() is None, reason="needs Chromium: apt install chromium"),
]

ROOT = Path(__file__).parents[2]
STEPS = ROOT / "src/galv_constructs/site"
SMALL_SITE = Path(__file__).parent / "vite-app"
SCREENSHOT = ROOT / "docs/images/frontend.png"
API = "https://api.example.com"
BUCKET = "site-bucket"
LOG_GROUP = "/site-build"
ACCOUNT = "111122223333"
REGION = "eu-west-2"

# In place of the AWS CLI, which the build image has: what is to be uploaded stays beside the build.
AWS_CLI = f"""#!{sys.executable}
import json, shutil, sys
service, command, source, target, *options = sys.argv[1:]
assert (service, command, options[:2]) == ("s3", "cp", ["--no-progress", "--metadata"])
shutil.copy(source, "upload.zip")
metadata = dict(pair.split("=") for pair in options[2].split(","))
open("upload.json", "w").write(json.dumps({{"target": target, "metadata": metadata}}))
"""


class LocalCodeBuild:
    """Runs the commands of the buildspec, phase by phase, as CodeBuild does."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._builds: dict[str, Json] = {}

    @property
    def count(self) -> int:
        return len(self._builds)

    def start_build(self, **query: Any) -> Json:
        id = f"project:{len(self._builds) + 1}"
        source = self._folder / id.replace(":", "-")
        source.mkdir(parents=True)
        for name in ("buildspec.yml", "build_site.py"):
            shutil.copy(STEPS / name, source)
        tools = self._folder / "bin"
        tools.mkdir(exist_ok=True)
        (tools / "aws").write_text(AWS_CLI)
        (tools / "aws").chmod(0o755)
        variables = {v["name"]: v["value"] for v in query["environmentVariablesOverride"]}
        environment = {
            **os.environ,
            **variables,
            "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        }
        stream = id.replace(":", "/")
        self._builds[id] = {
            "id": id,
            "logs": {"groupName": LOG_GROUP, "streamName": stream, "deepLink": "https://log"},
            **self._run(source, environment),
        }
        logs = boto3.client("logs")
        logs.create_log_stream(logGroupName=LOG_GROUP, logStreamName=stream)
        now = int(time.time() * 1000)
        events = [{"timestamp": now, "message": line or " "} for line in self._lines]
        logs.put_log_events(logGroupName=LOG_GROUP, logStreamName=stream, logEvents=events)
        return {"build": self._builds[id]}

    def _run(self, source: Path, environment: dict[str, str]) -> Json:
        spec = yaml.safe_load((source / "buildspec.yml").read_text())
        phases = []
        self._lines: list[str] = []
        for name, phase in spec["phases"].items():
            assert phase["on-failure"] == "ABORT"
            for command in phase["commands"]:
                done = subprocess.run(
                    ["sh", "-c", command],
                    cwd=source,
                    env=environment,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                self._lines += f"{done.stdout}{done.stderr}".splitlines()
                if done.returncode:
                    why = f"Error while executing command: {command}. Reason: exit status 1"
                    phases.append(
                        {
                            "phaseType": name.upper(),
                            "phaseStatus": "FAILED",
                            "contexts": [{"message": why}],
                        }
                    )
                    return {"buildStatus": "FAILED", "phases": phases}
        self._upload(source)
        return {"buildStatus": "SUCCEEDED"}

    @staticmethod
    def _upload(source: Path) -> None:
        upload = json.loads((source / "upload.json").read_text())
        bucket, _, key = upload["target"].removeprefix("s3://").partition("/")
        body = (source / "upload.zip").read_bytes()
        boto3.client("s3").put_object(
            Bucket=bucket, Key=key, Body=body, Metadata=upload["metadata"]
        )

    def batch_get_builds(self, *, ids: list[str]) -> Json:
        return {"builds": [self._builds[id] for id in ids]}


class Edge:
    """A server that does what CloudFront does with the construct's function and headers."""

    def __init__(self, template: Json) -> None:
        self._s3 = boto3.client("s3")
        self._headers = self._headers_of(template)
        code = only(template, "AWS::CloudFront::Function")["FunctionCode"]
        loop = """
        require('readline').createInterface({input: process.stdin}).on('line', (line) =>
          console.log(JSON.stringify(handler(JSON.parse(line)))));
        """
        self._function = subprocess.Popen(
            [os.environ.get("JSII_NODE", "node"), "-e", code + loop],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._lock = threading.Lock()
        self.requests: list[str] = []
        edge = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, headers, body = edge.answer(self.path)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    @staticmethod
    def _headers_of(template: Json) -> dict[str, str]:
        policy = only(template, "AWS::CloudFront::ResponseHeadersPolicy")
        config = policy["ResponseHeadersPolicyConfig"]
        security = config["SecurityHeadersConfig"]
        return {
            "Content-Security-Policy": security["ContentSecurityPolicy"]["ContentSecurityPolicy"],
            "X-Content-Type-Options": "nosniff",
            **{item["Header"]: item["Value"] for item in config["CustomHeadersConfig"]["Items"]},
        }

    def answer(self, uri: str) -> tuple[int, dict[str, str], bytes]:
        self.requests.append(uri)
        request = {"uri": uri, "headers": {}, "querystring": {}}
        with self._lock:
            assert self._function.stdin is not None
            assert self._function.stdout is not None
            self._function.stdin.write(json.dumps({"request": request}) + "\n")
            self._function.stdin.flush()
            routed = json.loads(self._function.stdout.readline())
        try:
            found = self._s3.get_object(Bucket=BUCKET, Key=f"site{routed['uri']}")
        except self._s3.exceptions.NoSuchKey:
            return 404, self._headers, b"<Error><Code>NoSuchKey</Code></Error>"
        headers = {
            "Content-Type": found["ContentType"],
            "Cache-Control": found["CacheControl"],
            **self._headers,
        }
        return 200, headers, found["Body"].read()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._function.communicate()


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The small site, in two releases."""
    folder = tmp_path_factory.mktemp("repository")
    shutil.copytree(SMALL_SITE, folder, dirs_exist_ok=True)
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.com"]

    def git(*command: str) -> None:
        subprocess.run(["git", *identity, *command], cwd=folder, check=True, capture_output=True)

    git("init", "--quiet")
    for version in ("1.0.0", "1.1.0"):
        (folder / "src/version.js").write_text(f"export const version = '{version}';\n")
        git("add", ".")
        git("commit", "--quiet", "--message", version)
        git("tag", f"v{version}")
    (folder / "src/main.js").write_text("import './nowhere.js';\n")
    git("commit", "--quiet", "--all", "--message", "broken")
    git("tag", "v1.2.0")
    return f"file://{folder}"


@pytest.fixture(scope="module")
def template() -> Json:
    stack = Stack(App(), "Stack")
    certificate = acm.Certificate.from_certificate_arn(
        stack, "Certificate", f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/0a1b"
    )
    GalvFrontend(
        stack,
        "Frontend",
        domain_name="app.example.com",
        api_url=API,
        certificate=certificate,
        source=FrontendSource.git_tag("v1.0.0"),
    )
    return synthesize(stack)


class Deployments:
    """Deployments of releases of the small site, one after another."""

    def __init__(self, codebuild: LocalCodeBuild, repository: str) -> None:
        self.codebuild = codebuild
        self._repository = repository
        self._event: Json = {}
        distribution: Any = {
            "CallerReference": "1",
            "Comment": "",
            "Enabled": True,
            "Origins": {"Quantity": 1, "Items": [{"Id": "o", "DomainName": "site.s3"}]},
            "DefaultCacheBehavior": {"TargetOriginId": "o", "ViewerProtocolPolicy": "allow-all"},
        }
        cloudfront = boto3.client("cloudfront")
        made = cloudfront.create_distribution(DistributionConfig=distribution)
        self.distribution: str = made["Distribution"]["Id"]

    def deploy(self, tag: str) -> Json:
        """Deploy a release, and return what the deployment says of it."""
        properties = {
            "Bucket": BUCKET,
            "DistributionId": self.distribution,
            "ApiUrl": API,
            "TimeoutSeconds": "1200",
            "Project": "project",
            "Floating": "false",
            "Inputs": {
                "Source": {
                    "Type": "git",
                    "Repository": self._repository,
                    "Tag": tag,
                    "Commit": "",
                },
                "Environment": {"VITE_GALV_API_BASE_URL": API},
                "Secrets": {},
                "Recipe": "recipe",
            },
        }
        before = self._event.get("ResourceProperties")
        self._event = {
            "RequestType": "Update" if before else "Create",
            "RequestId": f"request-{tag}-{id(properties)}",
            "StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/app/0a1b",
            "LogicalResourceId": "Site",
            "ResourceProperties": properties,
            "OldResourceProperties": before,
        }
        started = site_release.on_event(self._event, None)
        done = site_release.is_complete({**self._event, **started}, None)
        assert done["IsComplete"]
        data: Json = done["Data"]
        return data


@pytest.fixture(scope="module")
def deployments(tmp_path_factory: pytest.TempPathFactory, repository: str) -> Iterator[Deployments]:
    with mock_aws(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        boto3.client("s3").create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        boto3.client("logs").create_log_group(logGroupName=LOG_GROUP)
        _aws.client.cache_clear()
        real = _aws.client
        codebuild = LocalCodeBuild(tmp_path_factory.mktemp("builds"))

        def client(service: str) -> Any:
            return codebuild if service == "codebuild" else real(service)

        patch.setattr(site_release, "client", client)
        yield Deployments(codebuild, repository)
        real.cache_clear()


@pytest.fixture(scope="module")
def edge(template: Json, deployments: Deployments) -> Iterator[Edge]:
    deployments.deploy("v1.0.0")
    edge = Edge(template)
    yield edge
    edge.close()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def get(edge: Edge) -> Callable[[str], tuple[int, dict[str, str], str]]:
    def fetch(path: str) -> tuple[int, dict[str, str], str]:
        try:
            with urllib.request.urlopen(f"{edge.url}{path}") as answer:
                return answer.status, dict(answer.headers), answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, dict(error.headers), error.read().decode()

    return fetch


def test_a_deep_link_and_a_hard_reload(edge: Edge, browser: Browser) -> None:
    tab = browser.tab()
    tab.open(f"{edge.url}/cells/0a1b2c3d")
    for _ in range(2):
        assert tab.run("document.querySelector('h1').textContent") == "A small site, version 1.0.0"
        assert tab.run("document.querySelector('#page').textContent") == "/cells/0a1b2c3d"
        assert tab.run("document.querySelector('#api').textContent") == API
        tab.reload(hard=True)
    if "UPDATE_SCREENSHOTS" in os.environ:
        picture = tab.call("Page.captureScreenshot", format="png")["data"]
        SCREENSHOT.parent.mkdir(parents=True, exist_ok=True)
        SCREENSHOT.write_bytes(base64.b64decode(picture))


def test_the_policy_is_obeyed_and_does_not_hinder(edge: Edge, browser: Browser) -> None:
    tab = browser.tab()
    tab.open(f"{edge.url}/")

    assert tab.run("document.documentElement.dataset.inline") is None
    assert tab.run("getComputedStyle(document.body).marginTop") != "8px"
    assert tab.run("loadDetails()") == "Details of version 1.0.0"
    tab.run("fetch('https://elsewhere.example.org/').catch(() => null)")
    violations = [text for text in tab.log() if "Content Security Policy" in text]
    assert any("script-src" in text and "inline" in text for text in violations)
    assert any("elsewhere.example.org" in text for text in violations)
    assert all("inline" in text or "elsewhere" in text for text in violations)


def test_a_missing_asset_is_a_404(edge: Edge, get: Any, browser: Browser) -> None:
    assert get("/assets/missing.js")[0] == 404
    tab = browser.tab()
    tab.open(f"{edge.url}/")

    missing = "import('/assets/missing.js').then(() => 'loaded', (error) => error.name)"
    assert tab.run(missing) == "TypeError"


def test_what_is_hashed_is_kept_and_the_rest_is_asked_for(get: Any) -> None:
    _, headers, page = get("/")
    script = page.partition('src="')[2].partition('"')[0]

    assert headers["Cache-Control"] == "no-cache"
    assert get("/manifest.json")[1]["Cache-Control"] == "no-cache"
    assert get("/manifest.json")[1]["Content-Type"] == "application/json"
    assert script.startswith("/assets/")
    assert get(script)[1]["Cache-Control"] == "public, max-age=31536000, immutable"
    assert get(script)[1]["Content-Type"] == "text/javascript; charset=utf-8"


def test_a_build_that_fails_says_why_and_leaves_the_site(
    deployments: Deployments, get: Any, edge: Edge
) -> None:
    before = get("/")

    with pytest.raises(site_release.SiteError) as caught:
        deployments.deploy("v1.2.0")

    reason = str(caught.value)
    assert "FAILED in BUILD: Error while executing command: python3 build_site.py build" in reason
    assert 'Could not resolve "./nowhere.js" from "src/main.js"' in reason
    assert reason.rstrip().endswith("ERROR: pnpm build failed with exit code 1")
    assert get("/")[2] == before[2]


def test_an_old_tab_goes_on_after_an_update_and_a_rollback(
    edge: Edge, browser: Browser, deployments: Deployments
) -> None:
    title = "document.querySelector('h1').textContent"
    old = browser.tab()
    old.open(f"{edge.url}/cells")

    data = deployments.deploy("v1.1.0")

    assert data["Version"] == "v1.1.0"
    assert len(data["Commit"]) == 40
    # The old page loads a part of its own release, which the new one does not have.
    assert old.run("loadDetails()") == "Details of version 1.0.0"
    new = browser.tab()
    new.open(f"{edge.url}/cells")
    assert new.run(title) == "A small site, version 1.1.0"
    assert new.run("loadDetails()") == "Details of version 1.1.0"
    old.reload(hard=False)
    assert old.run(title) == "A small site, version 1.1.0"

    # Going back is a publication without a build.
    builds = deployments.codebuild.count
    assert deployments.deploy("v1.0.0")["Version"] == "v1.0.0"
    assert deployments.codebuild.count == builds
    new.reload(hard=False)
    assert new.run(title) == "A small site, version 1.0.0"


def test_what_was_superseded_will_expire(deployments: Deployments) -> None:
    s3 = boto3.client("s3")
    listed = s3.list_objects_v2(Bucket=BUCKET, Prefix="site/assets/")["Contents"]
    tagged = {
        item["Key"]: s3.get_object_tagging(Bucket=BUCKET, Key=item["Key"])["TagSet"]
        for item in listed
    }

    superseded = [key for key, tags in tagged.items() if tags]
    assert superseded
    assert len(superseded) < len(tagged)
    for key in superseded:
        assert tagged[key] == [{"Key": "superseded", "Value": "true"}]


def test_cloudfront_was_told(deployments: Deployments) -> None:
    cloudfront = boto3.client("cloudfront")
    found = cloudfront.list_invalidations(DistributionId=deployments.distribution)

    assert found["InvalidationList"]["Quantity"] == 3
