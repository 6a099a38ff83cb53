"""Findings of databases that are acknowledged, and the log groups that RDS creates."""

from collections.abc import Mapping, Sequence

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct, IConstruct

from galv_constructs._core.acknowledge import (
    AWS_LAMBDA_BASIC_EXECUTION,
    DEPLOYMENT_FUNCTIONS,
    acknowledge,
    acknowledge_wildcards,
    secret_findings,
    standards,
)
from galv_constructs._core.policy import DeploymentPolicy
from galv_constructs._core.protection import CLOSED_AT_THE_END

# The id that CDK gives to its one function a stack for the retention of log groups.
_LOG_RETENTION_FUNCTION = "LogRetentionaae0aa3c5b4d4f87b02d85b201efdd8a"


def keep_logs(scope: Construct, names: Mapping[str, str], policy: DeploymentPolicy) -> None:
    """Let log groups expire, each by an id: RDS creates them itself and never expires them."""
    for id, name in names.items():
        logs.LogRetention(
            scope,
            f"{id}LogRetention",
            log_group_name=name,
            retention=policy.log_retention,
            removal_policy=policy.data_removal,
        )
    # CDK creates one function a stack for this, outside of this construct.
    function = Stack.of(scope).node.try_find_child(_LOG_RETENTION_FUNCTION)
    if function is not None:
        _acknowledge_log_retention(function, list(names.values()))


_SIGN_IN = {
    "AwsSolutions-RDS6": "The application signs in with a password and cannot use IAM "
    "tokens; a sign-in method that nothing uses is better disabled.",
}
_FINDINGS = {
    "AwsSolutions-RDS11": "Only the tasks' security groups may open connections, whatever "
    "the port; another one would only surprise whoever has to connect.",
} | standards(
    {
        "RDSEnhancedMonitoringEnabled": "RDS's own metrics say "
        "what an application of this size needs to know; those of the operating system are "
        "billed as logs.",
        "RDSInBackupPlan": "RDS creates backups itself, every day and of every change, and keeps "
        "them as long as the policy says.",
    }
)
_NOT_ROTATED = (
    "Running tasks read the password once, when they start: a rotation that "
    "does not also replace them cuts the application off from its database."
)
_NO_STANDBY = "A deployment that is not in production does without a standby, at half the cost."
_AS_THE_SNAPSHOT = (
    "A restored instance is encrypted as its snapshot is, and the template can say nothing of it; "
    "preflight refuses a snapshot that is not encrypted."
)
_UNPROTECTED = "Deletion protection is off for this deployment: it is meant to be deleted whole."
_RETENTION_FINDINGS = DEPLOYMENT_FUNCTIONS | {
    AWS_LAMBDA_BASIC_EXECUTION: "CDK's own function for retention; the managed policy "
    "only lets it write its log."
}
_ANY_LOG_GROUP = (
    "RDS names its log groups after the instance, whose name is not known before it "
    "is created; the function may only set and delete retention."
)
_ONE_LOG_GROUP = "The ARN of one log group: CloudWatch Logs writes the wildcard at its end."


def server_findings(
    policy: DeploymentPolicy,
    encryption_key: kms.IKey | None,
    *,
    has_standby: bool,
    is_restored: bool,
) -> dict[str, str]:
    """Findings of a server under a policy, and of its credentials."""
    protection = CLOSED_AT_THE_END if policy.deletion_protection else _UNPROTECTED
    findings = (
        _SIGN_IN
        | _FINDINGS
        | {"AwsSolutions-RDS10": protection}
        | standards({"RDSInstanceDeletionProtectionEnabled": protection})
        | secret_findings(encryption_key, not_rotated=_NOT_ROTATED)
    )
    if not has_standby:
        findings |= {"AwsSolutions-RDS3": _NO_STANDBY}
        findings |= standards({"RDSMultiAZSupport": _NO_STANDBY})
    if is_restored:
        findings |= {"AwsSolutions-RDS2": _AS_THE_SNAPSHOT}
        findings |= standards({"RDSStorageEncrypted": _AS_THE_SNAPSHOT})
    return findings


def _acknowledge_log_retention(function: IConstruct, names: Sequence[str]) -> None:
    """Acknowledge what CDK's function for the retention of these log groups is made of."""
    stack = Stack.of(function)
    # With logs that do not outlive the stack it may also delete the log groups.
    groups = [
        stack.format_arn(
            service="logs",
            resource="log-group",
            resource_name=f"{name}:*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        for name in names
    ]
    acknowledge_wildcards(function, {"*": _ANY_LOG_GROUP, **dict.fromkeys(groups, _ONE_LOG_GROUP)})
    acknowledge(function, _RETENTION_FINDINGS)
