"""Lambda functions of `handlers/`, their role, and the custom resources that call them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from aws_cdk import CustomResource, Duration, IgnoreMode
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import custom_resources as cr
from constructs import Construct

from galv_constructs._core.acknowledge import acknowledge_provider

_PACKAGE = Path(__file__).parents[1]
_SHARED = ("_answers", "_aws", "_console", "_redact")
_POLL_INTERVAL = Duration.seconds(10)
_RUNTIME = lambda_.Runtime.PYTHON_3_14
_LAMBDA = iam.ServicePrincipal("lambda.amazonaws.com")


def handler_role(scope: Construct, id: str = "HandlerRole") -> iam.Role:
    """Define a role for functions, which may do nothing yet."""
    return iam.Role(scope, id, assumed_by=_LAMBDA)


def handler_function(
    scope: Construct,
    id: str,
    *,
    module: str,
    entry: str,
    parts: Sequence[str] = (),
    folders: Sequence[str] = (),
    description: str,
    role: iam.IRole,
    log_group: logs.ILogGroup,
    timeout: Duration,
    memory_size: int = 256,
    environment: Mapping[str, str] | None = None,
    retry_attempts: int | None = None,
    max_event_age: Duration | None = None,
    on_failure: lambda_.IDestination | None = None,
) -> lambda_.Function:
    """Define a function that runs `entry` of `handlers/<module>.py`.

    It imports `parts`, which are files beside it, and `folders`, which are packages.
    """
    return lambda_.Function(
        scope,
        id,
        description=description[:256],
        # The handler and what it imports, so that a change of another one leaves it alone.
        code=lambda_.Code.from_asset(
            str(_PACKAGE),
            exclude=[
                "/*",
                "!/handlers",
                "/handlers/*",
                *(f"!/handlers/{name}.py" for name in (module, *_SHARED, *parts)),
                *(
                    pattern
                    for name in folders
                    # Without what Python compiled, which is another one each time.
                    for pattern in (
                        f"!/handlers/{name}",
                        f"/handlers/{name}/*",
                        f"!/handlers/{name}/*.py",
                    )
                ),
            ],
            # Globs would be read again for each file of the package.
            ignore_mode=IgnoreMode.GIT,
        ),
        handler=f"handlers.{module}.{entry}",
        runtime=_RUNTIME,
        memory_size=memory_size,
        # Has to be longer than all retries of its calls together.
        timeout=timeout,
        role=role,
        log_group=log_group,
        environment=None if environment is None else dict(environment),
        retry_attempts=retry_attempts,
        max_event_age=max_event_age,
        on_failure=on_failure,
    )


def handled_resource(
    scope: Construct,
    *,
    resource_type: str,
    properties: Mapping[str, object],
    log_group: logs.ILogGroup,
    on_event: lambda_.IFunction,
    is_complete: lambda_.IFunction | None = None,
    timeout: Duration | None = None,
) -> CustomResource:
    """Define a custom resource and CDK's framework around its handlers.

    Where there is `is_complete`, it is asked every ten seconds, gives up by itself after `timeout`,
    which it gets as `TimeoutSeconds`, and is asked no more five minutes later. CloudFormation waits
    for ten minutes on top.
    """
    waits = is_complete is not None
    seconds = 0 if timeout is None else round(timeout.to_seconds())
    if timeout is not None:
        properties = {**properties, "TimeoutSeconds": str(seconds)}
    provider = cr.Provider(
        scope,
        "Provider",
        on_event_handler=on_event,
        is_complete_handler=is_complete,
        query_interval=_POLL_INTERVAL if waits else None,
        total_timeout=Duration.seconds(seconds + 300) if waits else None,
        log_group=log_group,
        disable_waiter_state_machine_logging=True if waits else None,
    )
    acknowledge_provider(provider, on_event, is_complete)
    return CustomResource(
        scope,
        "Resource",
        resource_type=resource_type,
        service_token=provider.service_token,
        service_timeout=service_timeout(seconds),
        properties=properties,
    )


def service_timeout(seconds: int) -> Duration:
    """Return how long CloudFormation waits for a resource whose handler gives up by itself.

    One that never answers is not waited for as long as CloudFormation would.
    """
    return Duration.seconds(min(3600, seconds + 600))
