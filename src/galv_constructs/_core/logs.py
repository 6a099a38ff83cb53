"""Log groups: their names, retention and encryption."""

import re

from aws_cdk import Aws, Fn, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from galv_constructs._core.acknowledge import acknowledge, standards


def new_log_group(
    scope: Construct,
    id: str = "LogGroup",
    *,
    retention: logs.RetentionDays,
    removal_policy: RemovalPolicy,
    encryption_key: kms.IKey | None,
    name: str | None = None,
) -> logs.LogGroup:
    """Define a log group; its key, which CloudWatch Logs may use, or why it has none."""
    log_group = logs.LogGroup(
        scope,
        id,
        log_group_name=name,
        retention=retention,
        removal_policy=removal_policy,
        encryption_key=encryption_key,
    )
    if encryption_key is None:
        acknowledge(log_group, _NO_KEY)
    else:
        allow_logs(encryption_key)
    return log_group


_NO_KEY = standards(
    {
        "CloudWatchLogGroupEncrypted": "The log group is encrypted with a key that CloudWatch "
        "Logs owns; another one costs $1 a month, and encryption_key takes it."
    }
)


def log_group_prefix(scope: Construct) -> str:
    """Start of the log group names of everything below `scope`.

    It ends with the generation of the stack: log groups that outlived a stack must not stand in
    the way of the next one of the same name.
    """
    stack = Stack.of(scope)
    path = scope.node.path.removeprefix(stack.node.path).strip("/")
    # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html
    # gives the characters of a name.
    path = re.sub(r"[^A-Za-z0-9._/#-]", "-", path)
    return f"/{stack.stack_name}/{path}/{stack_generation(scope)}"


def stack_generation(scope: Construct) -> str:
    """Eight characters that differ between a stack and the next one of the same name."""
    stack_uuid = Fn.select(2, Fn.split("/", Stack.of(scope).stack_id))
    return Fn.select(0, Fn.split("-", stack_uuid))


def allow_logs(key: kms.IKey) -> None:
    """Let CloudWatch Logs encrypt with a key; it cannot be added to the policy of an imported one.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
    """
    key.add_to_resource_policy(
        iam.PolicyStatement(
            sid="CloudWatchLogs",
            principals=[iam.ServicePrincipal(f"logs.{Aws.REGION}.amazonaws.com")],
            actions=[
                "kms:Decrypt",
                "kms:DescribeKey",
                "kms:Encrypt",
                "kms:GenerateDataKey*",
                "kms:ReEncrypt*",
            ],
            resources=["*"],
            conditions={
                "ArnLike": {
                    "kms:EncryptionContext:aws:logs:arn": (
                        f"arn:{Aws.PARTITION}:logs:{Aws.REGION}:{Aws.ACCOUNT_ID}:log-group:*"
                    )
                }
            },
        )
    )
