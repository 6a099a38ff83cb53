"""The site that people use."""

from __future__ import annotations

from collections.abc import Iterator

from galv_ops.parts.part import Part
from galv_ops.query.deployment import SITE_RELEASE, Deployment
from galv_ops.query.moved import moved_sites
from galv_ops.query.stack import Stack
from galv_ops.text import moment

# Outputs of the example's stack.
_VERSION, _COMMIT = "FrontendVersion", "FrontendCommit"


def site(deployment: Deployment) -> Iterator[Part]:
    """Tell which release of the site was published, and when."""
    found = deployment.resources(SITE_RELEASE)
    if not found:
        yield Part("site", "off", "there is no frontend in these stacks")
    for stack, resource in found:
        failed = resource.status.endswith("FAILED")
        busy = resource.status.endswith("IN_PROGRESS")
        version = _output(stack, _VERSION)
        commit = _output(stack, _COMMIT)
        which = f"version {version}, " if version else ""
        yield Part(
            "site",
            "bad" if failed else "busy" if busy else "ok",
            f"{which}{resource.status} {moment(resource.changed)}",
            moved_sites(deployment),
            {
                "version": version,
                "commit": commit,
                "status": resource.status,
                "changed": resource.changed,
            },
        )


def _output(stack: Stack, name: str) -> str:
    return next((value for key, value in stack.outputs.items() if key.endswith(name)), "")
