"""All stacks of the documented deployment."""

from pathlib import Path

from aws_cdk import Annotations, App, Stack, Tags

from galv_app.backend_stack import BackendStack
from galv_app.deletion_protection_stack import DeletionProtectionStack
from galv_app.environment import PLACEHOLDER, answer_lookups, deployment_environment
from galv_app.frontend_stack import FrontendStack
from galv_app.log_bucket_stack import LogBucketStack
from galv_constructs import GalvConfig


def add_stacks(app: App) -> list[Stack]:
    """Add the stacks that the context of the app asks for."""
    env = deployment_environment()
    # The CDK CLI runs the app in the folder of its cdk.json.
    config = GalvConfig.from_context(
        app.node, account=env.account, region=env.region, cdk_json=Path("cdk.json")
    )
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
    protection = DeletionProtectionStack(
        app,
        f"{config.name}-DeletionProtectionStack",
        protected=[backend, frontend],
        termination_protection=config.deletion_protection,
        env=env,
    )
    # The CLI shows what is said of stacks, and of nothing above them.
    for number, warning in enumerate(config.warnings, start=1):
        Annotations.of(logs).add_warning_v2(f"galv-app:doubtfulKey{number}", warning)
    for note in config.notes:
        Annotations.of(logs).add_info(note)
    Tags.of(app).add("project-name", config.project_name_tag)
    return [logs, backend, frontend, protection]
