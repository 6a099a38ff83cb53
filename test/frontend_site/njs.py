"""A CloudFront Function in njs, the engine that CloudFront's is made from."""

import json
import subprocess
from typing import Any

from frontend_site.programs import need

Json = dict[str, Any]

# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/functions-event-structure.html
REQUEST: Json = {"method": "GET", "uri": "/", "querystring": {}, "headers": {}, "cookies": {}}


def call(code: str, *, headers: dict[str, str] | None = None, **request: Any) -> Json:
    """Return what the function makes of a request: a request for the cache, or an answer."""
    event = {
        "version": "1.0",
        "context": {"eventType": "viewer-request"},
        "request": {
            **REQUEST,
            **request,
            "headers": {name: {"value": value} for name, value in (headers or {}).items()},
        },
    }
    (program,) = need("njs")
    done = subprocess.run(
        [program, "-"],
        input=f"{code}\nconsole.log(JSON.stringify(handler({json.dumps(event)})))",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # njs 0.7 reports an exception and exits with 0.
    assert done.stdout.startswith("{"), done.stdout + done.stderr
    found: Json = json.loads(done.stdout)
    return found
