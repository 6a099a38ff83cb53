"""Checks of the site: published by the handler, served as CloudFront does, opened in Chromium."""

import importlib
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from frontend_site.browser import Browser, Tab, find
from frontend_site.edge import Origin, edge, function_of, headers_of
from frontend_site.njs import call

from proof.client import Answer, Client
from proof.frontend import pack
from proof.report import Report, Skip
from proof.templates import Json, asset_file
from proof.world import TRUST, World

RELEASE = "Custom::GalvSiteRelease"
_PAGES = ("/", "/cells", "/cells/LR-2.3")
_SETTLE = 20
_ERRORS = 400
_ASSETS = "galv-assets"
# Nothing here has a way to the internet, and React Query waits for one before it asks for anything.
_ONLINE = """Object.defineProperty(
    Navigator.prototype, "onLine", { get: () => true, configurable: false }
)"""
_OPEN_SIGN_IN = """(() => {
    const way = [...document.querySelectorAll("button, a, [role=button]")]
        .find(one => /^\\s*(log|sign) ?in\\s*$/i.test(one.innerText));
    if (way) way.click();
    return Boolean(way);
})()"""
# React hears of a value only from the setter of the element's class.
_FILL_IN = """((user, password) => {
    const inputs = [...document.querySelectorAll("input")]
        .filter(one => one.getClientRects().length && !one.disabled);
    const last = inputs.findIndex(one => one.type === "password");
    if (last < 1) return false;
    const value = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value");
    [[inputs[last - 1], user], [inputs[last], password]].forEach(([one, text]) => {
        value.set.call(one, text);
        one.dispatchEvent(new Event("input", { bubbles: true }));
    });
    inputs[last].focus();
    return true;
})"""
_ENTER = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}


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
            properties = release_of(template)
            fact.detail = _publish(world, properties, files, assembly)
        _check_answers(world, report, serving=serving)
        _check_browser(world, report, serving=serving)


def _publish(world: World, properties: Json, files: Path, assembly: Path) -> str:
    """Publish a site as CloudFormation has it published."""
    archive = world.folder / "site.zip"
    pack(files, archive)
    world.s3.create_bucket(Bucket=_ASSETS)
    world.s3.upload_file(str(archive), _ASSETS, "site.zip")
    cloudfront: Any = world.cloud.client("cloudfront", "us-east-1")
    created = cloudfront.create_distribution(
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
            "DistributionId": created["Distribution"]["Id"],
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
    found = asset_file(assembly, "*/site_release.py")
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
        calls = {call for one in seen for call in one.calls(world.api)}
        signed_in = None if calls else _SignIn(browser, world)
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
        log = [text for one in (*seen, signed_in) if one is not None for text in one.log]
        _none([text for text in log if "CORS" in text])
        if signed_in is None:
            fact.detail = f"{len(calls)} paths"
        else:
            fact.detail = signed_in.outcome(world.api)


def _none(found: list[str]) -> None:
    if found:
        raise AssertionError(f"{len(found)}, the first: {found[0]}")


class _Visit:
    """The events of a browser on one page."""

    def __init__(self, browser: Browser, url: str) -> None:
        tab = browser.tab()
        tab.call("Page.addScriptToEvaluateOnNewDocument", source=_ONLINE)
        tab.open(url)
        self.text = ""
        for _ in _tries():
            self.text = str(tab.run("document.body.innerText"))
            if self.text.strip():
                break
        self._stay(tab)
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
        self.answers = {
            event["response"]["url"].partition("?")[0]: int(event["response"]["status"])
            for event in tab.events("Network.responseReceived")
        }

    def _stay(self, tab: Tab) -> None:
        """Do something on the page."""

    def calls(self, api: str) -> set[str]:
        """The requests of the page to a host."""
        return {url for url in self.requests if urlsplit(url).netloc == api}


class _SignIn(_Visit):
    """The sign-in of the superuser through the page, as people do it."""

    def __init__(self, browser: Browser, world: World) -> None:
        self._world = world
        self._filled_in = False
        super().__init__(browser, f"{world.site}/")

    def _stay(self, tab: Tab) -> None:
        form = f"{_FILL_IN}({json.dumps(self._world.user)}, {json.dumps(self._world.password)})"
        opened = False
        for _ in _tries():
            opened = opened or bool(tab.run(_OPEN_SIGN_IN))
            if tab.run(form):
                self._filled_in = True
                break
        if not self._filled_in:
            return
        before = _begun(tab, besides=self._world.site)
        for kind in ("keyDown", "keyUp"):
            tab.call("Input.dispatchKeyEvent", type=kind, **_ENTER)
        for _ in _tries():
            tab.run("1")
            if _ended(tab) & (_begun(tab, besides=self._world.site) - before):
                break

    def outcome(self, api: str) -> str:
        """Return the result.

        Args:
            api: Host name of the API.

        Raises:
            AssertionError: If the page did not ask our API, or was not answered.
        """
        if not self._filled_in:
            raise AssertionError("the page asks the API for nothing, and has no form to sign in")
        calls = self.calls(api)
        if not calls:
            hosts = sorted({urlsplit(url).netloc for url in self.requests})
            raise AssertionError(f"signing in asks {', '.join(hosts)}, and not {api}; {self.log}")
        answers = {url: self.answers.get(url) for url in calls}
        # Before it, the API may have refused what the page asked for.
        if not any(status is not None and status < _ERRORS for status in answers.values()):
            raise AssertionError(f"after signing in: {answers}; {self.log}")
        return f"signed in through the page; {len(calls)} paths"


def _begun(tab: Tab, *, besides: str) -> set[str]:
    """The requests to other hosts than that of an URL."""
    own = ("", urlsplit(besides).netloc)
    return {
        event["requestId"]
        for event in tab.events("Network.requestWillBeSent")
        if urlsplit(event["request"]["url"]).netloc not in own
    }


def _ended(tab: Tab) -> set[str]:
    """The requests that have been answered, or have failed."""
    kinds = ("Network.responseReceived", "Network.loadingFailed")
    return {event["requestId"] for kind in kinds for event in tab.events(kind)}


def _tries() -> Iterator[int]:
    """Twice a second, until a page is given up."""
    deadline = time.monotonic() + _SETTLE
    number = 0
    while number == 0 or time.monotonic() < deadline:
        time.sleep(0.5)
        yield number
        number += 1
