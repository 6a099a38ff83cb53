"""The last run of setup."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from galv_ops.parts.last_run import LastRun, last_run
from galv_ops.parts.part import Part, State
from galv_ops.query.deployment import SETUP, Deployment


def setup(deployment: Deployment) -> Iterator[Part]:
    """Tell how the last run of setup went, in a deployment or by hand."""
    missing: State = "busy" if deployment.is_being_created else "bad"
    if SETUP not in deployment.tasks:
        yield Part("setup", missing, "there is no setup task")
        return
    run = last_run(deployment, deployment.tasks[SETUP])
    if run.state == "bad" and _is_past(deployment, run):
        run = replace(run, state="back", text=f"{run.text}; that deployment was rolled back")
    # A deployment waits for setup: one that never ran is none.
    yield Part("setup", missing if run.state == "off" else run.state, run.text, data=run.data)


def _is_past(deployment: Deployment, run: LastRun) -> bool:
    """Tell whether CloudFormation has gone back from a run that failed: no new one follows."""
    resource = deployment.setup_run
    if resource is None or run.when is None or not resource.status.endswith("_COMPLETE"):
        return False
    return resource.changed > run.when
