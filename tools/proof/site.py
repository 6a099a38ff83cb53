"""Checks of the site: published by the handler, served as CloudFront does, opened in Chromium."""

import importlib
import json
import os
import re
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

from frontend_site.browser import Browser, find
from frontend_site.edge import Origin, edge, function_of, headers_of
from frontend_site.njs import call

from proof.client import Answer, Client
from proof.frontend import pack
from proof.report import Report, Skip
from proof.templates import Json
from proof.world import TRUST, World

RELEASE = "Custom::GalvSiteRelease"
_PAGES = ("/", "/cells", "/cells/LR-2.3")
_SETTLE = 20
_ASSETS = "galv-assets"


def release_of(world_template: Json) -> Json:
    """Return the properties of the custom resource that publishes the site."""
    for resource in world_template["Resources"].values():
        if resource["Type"] == RELEASE:
            found: Json = resource["Properties"]
            return found
    raise LookupError(f"the templates have no {RELEASE}")


def check_site(world: World, report: Report, files: Path, assembly: Path) -> None:
    """Publish the files and look at them."""
    template = world.assembly.resolve(
        next(
            template
            for template in world.assembly.templates
            if any(one["Type"] == RELEASE for one in template["Resources"].values())
        )
    )
    with ExitStack() as stack:
        serving = False
        with report.check("site", "the edge function runs in CloudFront's engine (njs)"):
            # nginx would only say that it cannot start.
            call(function_of(template), headers={"host": "app.example.com"})
            bucket = str(release_of(template)["Bucket"])
            origin = Origin(world.s3, bucket)
            stack.callback(origin.close)
            url = stack.enter_context(
                edge(
                    world.folder / "edge",
                    function=function_of(template),
                    headers=headers_of(template),
                    origin=origin.url,
                )
            )
            world.proxy.serve_site(url.removeprefix("http://"))
            time.sleep(0.5)
            serving = True
        with report.check("site", "the handler publishes the files") as fact:
            fact.detail = _publish(world, release_of(template), files, assembly)
        _check_answers(world, report, serving=serving)
        _check_browser(world, report, serving=serving)


def _publish(world: World, properties: Json, files: Path, assembly: Path) -> str:
    """Publish a site as CloudFormation has it published."""
    archive = world.folder / "site.zip"
    pack(files, archive)
    world.s3.create_bucket(Bucket=_ASSETS)
    world.s3.upload_file(str(archive), _ASSETS, "site.zip")
    cloudfront: Any = world.cloud.client("cloudfront", "us-east-1")
    made = cloudfront.create_distribution(
        DistributionConfig={
            "CallerReference": "1",
            "Comment": "",
            "Enabled": True,
            "Origins": {"Quantity": 1, "Items": [{"Id": "o", "DomainName": "site.s3"}]},
            "DefaultCacheBehavior": {"TargetOriginId": "o", "ViewerProtocolPolicy": "allow-all"},
        }
    )
    os.environ.update(world.cloud.environment())
    os.environ.update(dict.fromkeys(TRUST, str(world.certificates.authority)))
    event = {
        "RequestType": "Create",
        "RequestId": "0a1b",
        "StackId": world.assembly.resolve({"Ref": "AWS::StackId"}),
        "LogicalResourceId": "Release",
        "ResourceProperties": {
            **properties,
            "DistributionId": made["Distribution"]["Id"],
            "AssetBucket": _ASSETS,
            "AssetKey": "site.zip",
        },
    }
    handler: Any = _handler(assembly)
    started = handler.on_event(event, None)
    if not handler.is_complete({**event, **started}, None)["IsComplete"]:
        raise AssertionError("the publication did not end")
    count = sum(path.is_file() for path in files.rglob("*"))
    return f"{count} files"


def _handler(assembly: Path) -> ModuleType:
    """Return the handler that the assembly deploys."""
    found = next(assembly.glob("asset.*/*/site_release.py"))
    sys.path.insert(0, str(found.parent.parent))
    return importlib.import_module(f"{found.parent.name}.site_release")


def _check_answers(world: World, report: Report, *, serving: bool) -> None:
    client = Client(world.site, world.certificates.authority)

    def navigate(path: str) -> Answer:
        if not serving:
            raise Skip("nothing serves the site")
        return client.get(path, Accept="text/html", **{"Sec-Fetch-Mode": "navigate"})

    with report.check("site", "every path of the application is its page, never cached"):
        for path in _PAGES:
            answer = navigate(path).expect(200)
            if answer.headers.get("cache-control") != "no-cache":
                raise AssertionError(f"{path}: {dict(answer.headers)}")
    with report.check("site", "scripts are kept for a year, and a missing one is missing"):
        page = navigate("/").expect(200)
        scripts = re.findall(r'src="(/assets/[^"]+)"', page.body.decode())
        for script in scripts:
            if "immutable" not in client.get(script).expect(200).headers["cache-control"]:
                raise AssertionError(f"{script} is not kept")
        client.get("/assets/missing-0a1b.js").expect(403, 404)
    with report.check("site", "a content security policy comes with each answer") as fact:
        policy = navigate("/").headers.get("content-security-policy", "")
        if "default-src 'self'" not in policy or world.api not in policy:
            raise AssertionError(policy or "none")
        fact.detail = policy.partition(";")[0]


def _check_browser(world: World, report: Report, *, serving: bool) -> None:
    if find() is None or not serving:
        with report.check("browser", "the site opens in Chromium"):
            raise Skip("nothing serves the site" if not serving else "there is no Chromium")
        return
    browser = Browser(world.folder / "profile", flags=["--ignore-certificate-errors"])
    try:
        seen = [_Visit(browser, f"{world.site}{path}") for path in _PAGES]
    finally:
        browser.close()
    with report.check("browser", "pages have content") as fact:
        fact.detail = f"{', '.join(_PAGES)}: {[len(one.text) for one in seen]} characters"
        if not all(one.text.strip() for one in seen):
            raise AssertionError(f"blank: {fact.detail}; {[one.errors for one in seen]}")
    with report.check("browser", "no page error"):
        _none([error for one in seen for error in one.errors])
    with report.check("browser", "no violation of the content security policy"):
        _none([text for one in seen for text in one.log if "Content Security Policy" in text])
    with report.check("browser", "the page calls the API, and may read the answers") as fact:
        calls = {call for one in seen for call in one.requests if f"//{world.api}/" in call}
        _none([text for one in seen for text in one.log if "CORS" in text])
        if not calls:
            raise Skip("before someone signs in, the page asks for nothing")
        fact.detail = f"{len(calls)} paths"


def _none(found: list[str]) -> None:
    if found:
        raise AssertionError(f"{len(found)}, the first: {found[0]}")


class _Visit:
    """What a browser saw on one page."""

    def __init__(self, browser: Browser, url: str) -> None:
        tab = browser.tab()
        tab.open(url)
        deadline = time.monotonic() + _SETTLE
        self.text = ""
        while not self.text.strip() and time.monotonic() < deadline:
            time.sleep(0.5)
            self.text = str(tab.run("document.body.innerText"))
        # For what a page does after it is drawn.
        time.sleep(2)
        tab.run("1")
        self.log = tab.log()
        self.errors = [
            json.dumps(event["exceptionDetails"].get("exception", event["exceptionDetails"]))[:300]
            for event in tab.events("Runtime.exceptionThrown")
        ]
        self.requests = [
            event["request"]["url"].partition("?")[0]
            for event in tab.events("Network.requestWillBeSent")
        ]
