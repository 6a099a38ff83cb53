"""Audit of exposure and loss: public or unprotected buckets, database, ports."""

from __future__ import annotations

from collections.abc import Iterator

from botocore.exceptions import ClientError

from galv_ops.answers import error_code
from galv_ops.audits.account import BLOCKS
from galv_ops.audits.finding import Finding, Json, Severity
from galv_ops.query.deployment import SECURITY_GROUP, Deployment, describe_service

_ANYONE = {"0.0.0.0/0", "::/0"}
_PUBLIC_PORTS = {(443, 443), (80, 80)}
_LOAD_BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"


def buckets(deployment: Deployment) -> Iterator[Finding]:
    """Tell which buckets of the deployment are public, or could be."""
    for stack, resource in deployment.resources("AWS::S3::Bucket"):
        s3 = stack.aws.s3
        try:
            status = s3.get_bucket_policy_status(Bucket=resource.id)["PolicyStatus"]
        except ClientError as error:
            if error_code(error) != "NoSuchBucketPolicy":
                raise
            status = {}
        if status.get("IsPublic"):
            yield Finding(
                "high",
                f"The bucket {resource.id} is public by its policy.",
                "Take out of the policy what was added, or deploy again.",
                [resource.id],
            )
        try:
            blocks: Json = dict(
                s3.get_public_access_block(Bucket=resource.id)["PublicAccessBlockConfiguration"]
            )
        except ClientError as error:
            if error_code(error) != "NoSuchPublicAccessBlockConfiguration":
                raise
            blocks = {}
        if not all(blocks.get(block) for block in BLOCKS):
            yield Finding(
                "medium",
                f"The bucket {resource.id} can be made public.",
                "Turn on all four settings of Block Public Access again.",
                [resource.id],
            )


def database(deployment: Deployment) -> Iterator[Finding]:
    """Tell whether the database is public, unencrypted, without backups, or easily deleted."""
    for stack, resource in deployment.resources("AWS::RDS::DBInstance"):
        answer = stack.aws.rds.describe_db_instances(DBInstanceIdentifier=resource.id)
        for database in answer["DBInstances"]:
            name = resource.id
            if database.get("PubliclyAccessible"):
                yield Finding(
                    "high",
                    f"The database {name} has a public address.",
                    "Turn off PubliclyAccessible.",
                    [name],
                )
            if database.get("StorageEncrypted") is False:
                yield Finding(
                    "high",
                    f"The database {name} is not encrypted.",
                    "Copy a snapshot with a key, and restore it.",
                    [name],
                )
            if database.get("BackupRetentionPeriod") == 0:
                yield Finding(
                    "high",
                    f"The database {name} has no automated backups.",
                    "Set BackupRetentionPeriod.",
                    [name],
                )
            if database.get("DeletionProtection") is False and _is_production(deployment):
                yield _unprotected("high", f"The database {name}", name)


def load_balancer(deployment: Deployment) -> Iterator[Finding]:
    """Tell whether the load balancer is easily deleted, or answers without TLS."""
    for stack, resource in deployment.resources(_LOAD_BALANCER):
        found = stack.aws.elbv2.describe_load_balancer_attributes(LoadBalancerArn=resource.id)
        values = {attribute.get("Key"): attribute.get("Value") for attribute in found["Attributes"]}
        if values.get("deletion_protection.enabled") == "false" and _is_production(deployment):
            yield _unprotected("low", "The load balancer", resource.id)
        listeners = stack.aws.elbv2.describe_listeners(LoadBalancerArn=resource.id)["Listeners"]
        for listener in listeners:
            kinds = {action.get("Type") for action in listener.get("DefaultActions", [])}
            if listener.get("Protocol") == "HTTP" and "forward" in kinds:
                yield Finding(
                    "high",
                    f"The load balancer forwards plain HTTP on port {listener.get('Port')}.",
                    "Redirect it to HTTPS.",
                    [resource.id],
                )


def ports(deployment: Deployment) -> Iterator[Finding]:
    """Tell which ports are open to everybody, but for HTTPS and its redirect."""
    for stack in deployment.stacks:
        ids = [resource.id for resource in stack.resources(SECURITY_GROUP)]
        if not ids:
            continue
        for group in stack.aws.ec2.describe_security_groups(GroupIds=ids)["SecurityGroups"]:
            for rule in group.get("IpPermissions", []):
                ranges = [allowed.get("CidrIp") for allowed in rule.get("IpRanges", [])]
                ranges += [allowed.get("CidrIpv6") for allowed in rule.get("Ipv6Ranges", [])]
                open_to = sorted(_ANYONE & set(ranges))
                low, high = rule.get("FromPort"), rule.get("ToPort")
                if open_to and (
                    rule.get("IpProtocol") != "tcp" or (low, high) not in _PUBLIC_PORTS
                ):
                    what = "all ports" if low is None else f"ports {low} to {high}"
                    yield Finding(
                        "high",
                        f"The security group {group['GroupId']} lets everybody in on {what} "
                        f"({', '.join(open_to)}).",
                        "Revoke the rule: in the templates only the load balancer is public, on "
                        "443 and 80.",
                        [group["GroupId"]],
                    )


def _unprotected(severity: Severity, what: str, id: str) -> Finding:
    return Finding(
        severity,
        f"{what} can be deleted by one call, in what looks like production: ECS Exec is off.",
        "Deploy with deletionProtection, or turn it on by hand.",
        [id],
    )


def _is_production(deployment: Deployment) -> bool:
    """Whether the deployment is as in production: ECS Exec is on everywhere else."""
    service = describe_service(deployment) if deployment.has_backend else None
    return service is not None and not service.get("enableExecuteCommand")
