"""Everything in a cloud, read through the service APIs."""

from collections.abc import Iterator
from typing import Any

from e2e.cloud import Cloud

# Service, operation, key of the list in its answer, key of an item's name.
_LISTS = [
    ("acm", "list_certificates", "CertificateSummaryList", "CertificateArn"),
    ("cloudformation", "list_stacks", "StackSummaries", "StackName"),
    ("codebuild", "list_projects", "projects", None),
    ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    ("ec2", "describe_addresses", "Addresses", "AllocationId"),
    ("ec2", "describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
    ("ec2", "describe_nat_gateways", "NatGateways", "NatGatewayId"),
    ("ec2", "describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
    ("ec2", "describe_route_tables", "RouteTables", "RouteTableId"),
    ("ec2", "describe_security_groups", "SecurityGroups", "GroupId"),
    ("ec2", "describe_subnets", "Subnets", "SubnetId"),
    ("ec2", "describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId"),
    ("ec2", "describe_vpcs", "Vpcs", "VpcId"),
    ("ecr", "describe_repositories", "repositories", "repositoryArn"),
    ("ecs", "list_clusters", "clusterArns", None),
    ("ecs", "list_task_definitions", "taskDefinitionArns", None),
    ("elbv2", "describe_load_balancers", "LoadBalancers", "LoadBalancerArn"),
    ("elbv2", "describe_target_groups", "TargetGroups", "TargetGroupArn"),
    ("events", "list_rules", "Rules", "Arn"),
    ("iam", "list_roles", "Roles", "Arn"),
    ("iam", "list_users", "Users", "Arn"),
    ("kms", "list_keys", "Keys", "KeyId"),
    ("lambda", "list_functions", "Functions", "FunctionArn"),
    ("logs", "describe_log_groups", "logGroups", "logGroupName"),
    ("rds", "describe_db_instances", "DBInstances", "DBInstanceArn"),
    ("rds", "describe_db_parameter_groups", "DBParameterGroups", "DBParameterGroupName"),
    ("rds", "describe_db_snapshots", "DBSnapshots", "DBSnapshotArn"),
    ("rds", "describe_db_subnet_groups", "DBSubnetGroups", "DBSubnetGroupName"),
    ("s3", "list_buckets", "Buckets", "Name"),
    ("scheduler", "list_schedules", "Schedules", "Arn"),
    ("secretsmanager", "list_secrets", "SecretList", "ARN"),
    ("sesv2", "list_email_identities", "EmailIdentities", "IdentityName"),
    ("sns", "list_topics", "Topics", "TopicArn"),
    ("sqs", "list_queues", "QueueUrls", None),
    ("ssm", "describe_parameters", "Parameters", "Name"),
    ("stepfunctions", "list_state_machines", "stateMachines", "stateMachineArn"),
]
_DELETED = {"DELETE_COMPLETE", "deleted"}


def inventory(cloud: Cloud) -> set[str]:
    """Name everything that there is."""
    return set(_items(cloud))


def _items(cloud: Cloud) -> Iterator[str]:
    for service, operation, key, name in _LISTS:
        for item in _all(cloud, service, operation, key):
            if name is None:
                yield f"{service}: {item}"
            elif str(item.get("StackStatus", item.get("State"))) not in _DELETED:
                yield f"{service}: {item[name]}"
    for zone in cloud.client("route53").list_hosted_zones()["HostedZones"]:
        records = cloud.client("route53").list_resource_record_sets(HostedZoneId=zone["Id"])
        for record in records["ResourceRecordSets"]:
            yield f"route53: {record['Name']} {record['Type']}"
    for distribution in (
        cloud.client("cloudfront").list_distributions()["DistributionList"].get("Items", [])
    ):
        yield f"cloudfront: {distribution['Id']}"
    for scope in ("REGIONAL", "CLOUDFRONT"):
        region = "us-east-1" if scope == "CLOUDFRONT" else None
        client = cloud.client("wafv2", region) if region else cloud.client("wafv2")
        for acl in client.list_web_acls(Scope=scope)["WebACLs"]:
            yield f"wafv2: {acl['ARN']}"


def _all(cloud: Cloud, service: str, operation: str, key: str) -> Iterator[Any]:
    client = cloud.client(service)
    if client.can_paginate(operation):
        for page in client.get_paginator(operation).paginate():
            yield from page.get(key, [])
    else:
        yield from getattr(client, operation)().get(key, [])
