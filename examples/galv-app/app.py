"""The documented deployment of Galv, configured in cdk.json."""

from aws_cdk import App, Tags
from galv_app.backend_stack import BackendStack
from galv_app.environment import deployment_environment

from galv_constructs import GalvConfig

app = App()
config = GalvConfig.from_context(app.node)
BackendStack(
    app,
    f"{config.name}-BackendStack",
    config=config,
    env=deployment_environment(app, config),
)
Tags.of(app).add("project-name", config.project_name_tag)
app.synth()
