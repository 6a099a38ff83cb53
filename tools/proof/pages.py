"""Checks of the API's own pages in Chromium: the admin, the browsable API, Swagger and Redoc.

drf-spectacular's pages load Swagger and Redoc from jsDelivr, `@latest`. Nothing here reaches it, so
a server of this machine has its name, with the same packages from npm. Redoc is version 2: version
3 is a module, which these pages load as a script, so that theirs is blank, with any policy.
"""

import json
import shutil
import subprocess
import tarfile
import time
from pathlib import Path

from frontend_site.browser import Browser, find

from proof.client import Json
from proof.report import Report, Skip
from proof.world import World

_PACKAGES = {"swagger-ui-dist": "latest", "redoc": "2"}
_LIBRARY = "drf-spectacular"
_PATIENCE = 30
_SIGN_IN = """((user, password) => {
    document.querySelector("#id_username").value = user;
    document.querySelector("#id_password").value = password;
    document.querySelector("#login-form [type=submit]").click();
})"""
# Each with an element that only its scripts, or its styles, can have created.
_ADMIN = {
    "/admin/": "getComputedStyle(document.querySelector('#header')).display === 'flex'",
    "/admin/auth/user/1/change/": "document.querySelector('.selector-chosen') !== null",
    "/admin/auth/user/add/": "document.querySelector('#id_username') !== null",
}
_BROWSABLE = {
    "/": "document.querySelector('.prettyprint .pln') !== null",
    "/users/": "document.querySelector('.prettyprint .pln') !== null",
}
_DOCUMENTATION = {
    "/schema/swagger-ui/": "document.querySelectorAll('.swagger-ui .opblock').length > 0",
    "/schema/redoc/": "/Battery|Authentication/.test(document.body.innerText)",
}


def fetch_documentation(requirements: Path, folder: Path) -> Path:
    """Return a folder with what jsDelivr has for an application's pages.

    Args:
        requirements: The application's `requirements.txt`, if it has one.
        folder: Folder for it, which must not exist.

    Raises:
        RuntimeError: If npm does not give the packages.
        Skip: If the application has no such pages.
    """
    if not requirements.is_file() or _LIBRARY not in requirements.read_text():
        raise Skip("it loads nothing from there")
    folder.mkdir()
    for package, version in _PACKAGES.items():
        done = subprocess.run(
            ["npm", "pack", "--json", f"--pack-destination={folder}", f"{package}@{version}"],
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"npm gives no {package}:\n{done.stderr}")
        archive = folder / json.loads(done.stdout)[0]["filename"]
        unpacked = folder / archive.stem
        with tarfile.open(archive) as packed:
            packed.extractall(unpacked, filter="data")
        target = folder / "npm" / f"{package}@latest"
        target.parent.mkdir(exist_ok=True)
        shutil.move(unpacked / "package", target)
    return folder


def check_pages(world: World, report: Report, *, is_browsable: bool) -> None:
    """Open the pages, signed in to the admin.

    Args:
        world: What runs.
        report: Where results go.
        is_browsable: Whether the API answers a browser with pages.
    """
    facts = (
        ("the admin works in Chromium under the listener's policy", _ADMIN),
        ("the browsable API works under it", _BROWSABLE if is_browsable else {}),
        ("Swagger and Redoc work under it", _DOCUMENTATION if world.documentation else {}),
    )
    if find() is None:
        with report.check("pages", facts[0][0]):
            raise Skip("there is no Chromium")
        return
    browser = Browser(world.folder / "profile-api", flags=["--ignore-certificate-errors"])
    try:
        with report.check("pages", "the superuser signs in to the admin in Chromium") as found:
            found.detail = sign_in(browser, f"https://{world.api}", world.user, world.password)
        for fact, pages in facts:
            with report.check("pages", fact) as found:
                if not pages:
                    raise Skip("there are no such pages, or not what they load")
                for path, works in pages.items():
                    look(browser, f"https://{world.api}{path}", works)
                found.detail = ", ".join(pages)
    finally:
        browser.close()


def sign_in(browser: Browser, api: str, user: str, password: str) -> str:
    """Sign in to the admin through its page, and say where that leads.

    Raises:
        AssertionError: If it leads nowhere, or the browser complains.
    """
    script = f"{_SIGN_IN}({json.dumps(user)}, {json.dumps(password)})"
    return look(
        browser, f"{api}/admin/login/?next=/admin/", "location.pathname === '/admin/'", script
    )


def look(browser: Browser, url: str, works: str, script: str = "1") -> str:
    """Open a page, and say which one came out.

    Args:
        browser: The browser.
        url: The page.
        works: JavaScript, which is true when the page works.
        script: JavaScript to run first.

    Raises:
        AssertionError: If it does not work in time, or the browser complains: of the content
            security policy, of a script, of a file that it does not get.
    """
    tab = browser.tab()
    tab.open(url)
    tab.run(script)
    deadline = time.monotonic() + _PATIENCE
    done = False
    while not done and time.monotonic() < deadline:
        time.sleep(0.3)
        done = bool(tab.run(works))
    complaints = [
        f"{entry['text']} {entry.get('url', '')}"
        for entry in (event["entry"] for event in tab.events("Log.entryAdded"))
        if entry["level"] == "error" and not _is_elsewhere(entry)
    ]
    complaints += [
        str(event["exceptionDetails"]) for event in tab.events("Runtime.exceptionThrown")
    ]
    if complaints or not done:
        seen = tab.run("document.body.innerText")[:200]
        raise AssertionError(f"{url}: works: {done}; {complaints}; the page says {seen!r}")
    return str(tab.run("location.pathname"))


def _is_elsewhere(entry: Json) -> bool:
    """Whether it is about a picture that nobody has here: an icon, or Redoc's own logo."""
    missing = str(entry.get("url", "")).endswith("/favicon.ico")
    return missing or "net::ERR_NAME_NOT_RESOLVED" in entry["text"]
