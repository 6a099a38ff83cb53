"""Three Galvs of a platform, on what they share."""

import os

from aws_cdk import App, Environment
from platform_app.galv_stack import GalvStack
from platform_app.shared_stack import SharedStack
from platform_app.worker_stack import WorkerStack

app = App()
# Where the credentials of the CDK CLI lead. Without any, the templates fit every region.
env = Environment(
    account=os.environ.get("CDK_DEFAULT_ACCOUNT"), region=os.environ.get("CDK_DEFAULT_REGION")
)
shared = SharedStack(
    app,
    "Shared",
    zone_id=app.node.get_context("zoneId"),
    zone_name=app.node.get_context("zoneName"),
    env=env,
)
production = GalvStack(app, "Production", shared=shared, name="galv", version="v2.11.4", env=env)
for name in ("stage", "demo"):
    GalvStack(
        app,
        name.title(),
        shared=shared,
        name=f"galv-{name}",
        version="v2.11.4",
        production=False,
        env=env,
    )
WorkerStack(app, "Worker", shared=shared, backend=production.backend, env=env)
app.synth()
