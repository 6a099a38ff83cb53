"""`galv-ops open`: where everything is."""

from __future__ import annotations

from galv_ops.command import Ops, command
from galv_ops.console import log_link, stack_link
from galv_ops.output import table
from galv_ops.query.deployment import WEB


@command("open")
def open_(ops: Ops) -> int:
    """Print the URLs of the API, the site, and AWS's console."""
    deployment = ops.deployment
    web = deployment.task(WEB)
    api = f"https://{web.environment['VIRTUAL_HOST']}"
    urls = {"api": api, "admin": f"{api}/admin/"}
    sites = [url for url in web.environment.get("FRONTEND_VIRTUAL_HOST", "").split(",") if url]
    for number, url in enumerate((url for url in sites if url != api), start=1):
        urls["site" if number == 1 else f"site-{number}"] = url
    urls["stack"] = stack_link(deployment.backend.id)
    urls["log"] = log_link(deployment.backend.id, web.log_group)
    ops.out.result(urls, table(list(urls.items())))
    return 0
