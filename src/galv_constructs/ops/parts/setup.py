"""The last run of setup."""

from __future__ import annotations

from collections.abc import Iterator

from galv_constructs.ops.deployment import SETUP, Deployment
from galv_constructs.ops.parts.part import Part, State
from galv_constructs.ops.tasks import last_run


def setup(deployment: Deployment) -> Iterator[Part]:
    """Tell how the last run of setup went, in a deployment or by hand."""
    if SETUP not in deployment.tasks:
        yield Part("setup", "bad", "there is no setup task")
        return
    run = last_run(deployment, deployment.tasks[SETUP])
    # A deployment waits for setup: one that never ran is none.
    state: State = "bad" if run.state == "off" else run.state
    yield Part("setup", state, run.text, data=run.data)
