"""All stacks of the documented deployment."""

from aws_cdk import App, Stack, Tags

from galv_app.backend_stack import BackendStack
from galv_app.environment import PLACEHOLDER, answer_lookups, deployment_environment
from galv_app.frontend_stack import FrontendStack
from galv_app.log_bucket_stack import LogBucketStack
from galv_constructs import GalvConfig


def add_stacks(app: App) -> list[Stack]:
    """Add the stacks that the context of the app asks for."""
    env = deployment_environment()
    config = GalvConfig.from_context(app.node, account=env.account, region=env.region)
    if env is PLACEHOLDER:
        answer_lookups(app, config)
    logs = LogBucketStack(app, f"{config.name}-LogBucketStack", config=config, env=env)
    backend = BackendStack(
        app,
        f"{config.name}-BackendStack",
        config=config,
        log_bucket=logs.bucket,
        env=env,
    )
    frontend = FrontendStack(
        app,
        f"{config.name}-FrontendStack",
        config=config,
        backend=backend.backend,
        log_bucket=logs.bucket,
        env=env,
    )
    Tags.of(app).add("project-name", config.project_name_tag)
    return [logs, backend, frontend]
