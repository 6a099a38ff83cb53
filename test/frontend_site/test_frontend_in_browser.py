"""The whole way of a site: built by the buildspec, published by the handlers, opened in Chromium.

Real: git, pnpm, Vite, the steps of the build, the handlers, the CloudFront Function in njs, the
headers of the template, the browser. Emulated: S3 and CloudFront's API (moto). In CodeBuild's place
the commands of the buildspec run here, in CloudFront's nginx.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import yaml  # type: ignore[import-untyped]  # not worth another dependency
from aws_cdk import App, Stack
from aws_cdk import aws_certificatemanager as acm
from frontend_site.browser import Browser
from frontend_site.edge import Origin, edge, function_of, headers_of
from moto import mock_aws
from templates import Json, synthesize

from galv_constructs import FrontendSource, GalvFrontend
from galv_constructs.handlers import _aws, site_release

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
STEPS = ROOT / "src/galv_constructs/site"
SMALL_SITE = Path(__file__).parent / "vite-app"
API = "https://api.example.com"
BUCKET = "site-bucket"
LOG_GROUP = "/site-build"
ACCOUNT = "111122223333"
REGION = "eu-west-2"

# In place of the AWS CLI, which the build image has: what is to be uploaded stays beside the build.
AWS_CLI = f"""#!{sys.executable}
import json, shutil, sys
if sys.argv[1:] == ["sts", "get-caller-identity", "--query=UserId", "--output=text"]:
    sys.exit(print("AROA0A1B:build"))
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
            "CODEBUILD_BUILD_ID": id,
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


def configure_at_run_time(source: Path) -> None:
    """Let the site read its API from /env.js, as newer releases of Galv's do."""
    (source / "env.template.js").write_text(
        "window.__ENV__ = { VITE_GALV_API_BASE_URL: '${VITE_GALV_API_BASE_URL}' };\n"
    )
    page, script = source / "index.html", source / "src/main.js"
    page.write_text(
        page.read_text().replace("<script", '<script src="/env.js"></script><script', 1)
    )
    script.write_text(script.read_text().replace("import.meta.env", "window.__ENV__"))


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
        if version == "1.1.0":
            configure_at_run_time(folder)
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

    def __init__(self, codebuild: LocalCodeBuild, repository: str, page: str) -> None:
        self.codebuild = codebuild
        self._repository = repository
        self._page = page
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
            "PageUrl": self._page,
            "WebAcl": "false",
            "Checksums": "checksums",
            "ApiUrl": API,
            "Variables": {"VITE_GALV_API_BASE_URL": API},
            "TimeoutSeconds": "1200",
            "Project": "project",
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
def aws() -> Iterator[pytest.MonkeyPatch]:
    """S3, CloudFront and logs, emulated, with a bucket."""
    with mock_aws(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        boto3.client("s3").create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        boto3.client("logs").create_log_group(logGroupName=LOG_GROUP)
        _aws.client.cache_clear()
        yield patch
        _aws.client.cache_clear()


@pytest.fixture(scope="module")
def address(
    aws: pytest.MonkeyPatch, template: Json, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Where the site is served, as soon as there is one."""
    origin = Origin(boto3.client("s3"), BUCKET)
    with edge(
        tmp_path_factory.mktemp("edge"),
        function=function_of(template),
        headers=headers_of(template),
        origin=origin.url,
    ) as url:
        yield url
    origin.close()


@pytest.fixture(scope="module")
def deployments(
    aws: pytest.MonkeyPatch,
    address: str,
    repository: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Deployments:
    real = _aws.client
    codebuild = LocalCodeBuild(tmp_path_factory.mktemp("builds"))

    def client(service: str) -> Any:
        return codebuild if service == "codebuild" else real(service)

    aws.setattr(site_release, "client", client)
    return Deployments(codebuild, repository, address)


@pytest.fixture(scope="module")
def site(address: str, deployments: Deployments) -> str:
    """URL of the site after its first deployment."""
    deployments.deploy("v1.0.0")
    return address


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def get(site: str) -> Callable[..., tuple[int, dict[str, str], str]]:
    def fetch(path: str, headers: dict[str, str] | None = None) -> tuple[int, dict[str, str], str]:
        request = urllib.request.Request(f"{site}{path}", headers=headers or {})
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, dict(answer.headers), answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, dict(error.headers), error.read().decode()

    return fetch


@pytest.mark.slow
def test_a_deep_link_and_a_hard_reload(site: str, browser: Browser) -> None:
    tab = browser.tab()
    tab.open(f"{site}/cells/0a1b2c3d")
    for _ in range(2):
        assert tab.run("document.querySelector('h1').textContent") == "A small site, version 1.0.0"
        assert tab.run("document.querySelector('#page').textContent") == "/cells/0a1b2c3d"
        assert tab.run("document.querySelector('#api').textContent") == API
        tab.reload(hard=True)


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/cells/LR-2.3", "/cells/run.csv?editing=true"])
def test_an_identifier_with_a_dot(site: str, browser: Browser, path: str) -> None:
    tab = browser.tab()
    tab.open(f"{site}{path}")

    assert tab.run("document.querySelector('#page').textContent") == path.partition("?")[0]
    # A page that loads it gets no page.
    assert tab.run(f"fetch('{path}').then((answer) => answer.status)") == 404


@pytest.mark.slow
def test_the_content_security_policy_holds_and_breaks_nothing(site: str, browser: Browser) -> None:
    tab = browser.tab()
    tab.open(f"{site}/")

    assert tab.run("document.documentElement.dataset.inline") is None
    assert tab.run("getComputedStyle(document.body).marginTop") != "8px"
    assert tab.run("loadDetails()") == "Details of version 1.0.0"
    tab.run("fetch('https://elsewhere.example.org/').catch(() => null)")
    violations = [text for text in tab.log() if "Content Security Policy" in text]
    assert any("script-src" in text and "inline" in text for text in violations)
    assert any("elsewhere.example.org" in text for text in violations)
    assert all("inline" in text or "elsewhere" in text for text in violations)


@pytest.mark.slow
def test_a_missing_asset_is_a_404(site: str, get: Any, browser: Browser) -> None:
    for headers in ({}, {"Accept": "text/html", "Sec-Fetch-Mode": "navigate"}):
        assert get("/assets/missing.js", headers)[0] == 404
    tab = browser.tab()
    tab.open(f"{site}/")

    missing = "import('/assets/missing.js').then(() => 'loaded', (error) => error.name)"
    assert tab.run(missing) == "TypeError"


@pytest.mark.slow
def test_hashed_files_are_cached_and_others_are_revalidated(get: Any) -> None:
    _, headers, page = get("/")
    script = page.partition('src="')[2].partition('"')[0]

    assert headers["Cache-Control"] == "no-cache"
    assert get("/manifest.json")[1]["Cache-Control"] == "no-cache"
    assert get("/manifest.json")[1]["Content-Type"] == "application/json"
    assert script.startswith("/assets/")
    assert get(script)[1]["Cache-Control"] == "public, max-age=31536000, immutable"
    assert get(script)[1]["Content-Type"] == "text/javascript; charset=utf-8"


@pytest.mark.slow
def test_a_build_that_fails_says_why_and_leaves_the_site(
    deployments: Deployments, get: Any, site: str
) -> None:
    before = get("/")

    with pytest.raises(site_release.SiteError) as caught:
        deployments.deploy("v1.2.0")

    reason = str(caught.value)
    assert "FAILED in BUILD: Error while executing command: python3 build_site.py build" in reason
    assert 'Could not resolve "./nowhere.js" from "src/main.js"' in reason
    assert reason.rstrip().endswith("ERROR: pnpm run build failed with exit code 1")
    assert get("/")[2] == before[2]


@pytest.mark.slow
def test_an_old_tab_goes_on_after_an_update_and_a_rollback(
    site: str, browser: Browser, deployments: Deployments
) -> None:
    title = "document.querySelector('h1').textContent"
    old = browser.tab()
    old.open(f"{site}/cells")

    data = deployments.deploy("v1.1.0")

    assert data["Version"] == "v1.1.0"
    assert len(data["Commit"]) == 40
    # The old page loads a part of its own release, which the new one does not have.
    assert old.run("loadDetails()") == "Details of version 1.0.0"
    new = browser.tab()
    new.open(f"{site}/cells")
    assert new.run(title) == "A small site, version 1.1.0"
    # This one is configured when it is published, and not when it is built.
    assert new.run("window.__ENV__.VITE_GALV_API_BASE_URL") == API
    assert new.run("document.querySelector('#api').textContent") == API
    assert new.run("loadDetails()") == "Details of version 1.1.0"
    old.reload(hard=False)
    assert old.run(title) == "A small site, version 1.1.0"

    # Going back is a publication without a build.
    builds = deployments.codebuild.count
    assert deployments.deploy("v1.0.0")["Version"] == "v1.0.0"
    assert deployments.codebuild.count == builds
    new.reload(hard=False)
    assert new.run(title) == "A small site, version 1.0.0"


@pytest.mark.slow
def test_superseded_files_expire(deployments: Deployments) -> None:
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


@pytest.mark.slow
def test_cloudfront_got_an_invalidation(deployments: Deployments) -> None:
    cloudfront = boto3.client("cloudfront")
    found = cloudfront.list_invalidations(DistributionId=deployments.distribution)

    assert found["InvalidationList"]["Quantity"] == 3
