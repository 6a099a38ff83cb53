"""The examples of docstrings and the Python snippets of the documentation."""

import ast
import re
import textwrap
from collections.abc import Callable
from pathlib import Path

import aws_cdk
from aws_cdk import Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from backends import whole_backend_in, zone_in

import galv_constructs
from galv_constructs import GalvLogBucket

ROOT = Path(__file__).parent.parent
# API.md has those of the docstrings.
DOCUMENTS = [
    *ROOT.glob("src/**/*.py"),
    *(path for path in ROOT.glob("*.md") if path.name != "API.md"),
    *ROOT.glob("docs/**/*.md"),
    *ROOT.glob("examples/*/README.md"),
]
SNIPPETS = {
    f"{path.relative_to(ROOT)}-{number}": textwrap.dedent(code)
    for path in sorted(DOCUMENTS)
    for number, code in enumerate(
        re.findall(r"^ *```python\n(.*?)^ *```$", path.read_text(), re.DOTALL | re.MULTILINE), 1
    )
}


def cluster_in(stack: Stack) -> ecs.ICluster:
    vpc = ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-1",
        availability_zones=["a", "b"],
        private_subnet_ids=["subnet-1", "subnet-2"],
        private_subnet_ipv4_cidr_blocks=["10.0.0.0/24", "10.0.1.0/24"],
    )
    return ecs.Cluster.from_cluster_attributes(stack, "Cluster", cluster_name="c", vpc=vpc)


def database_in(stack: Stack) -> rds.IDatabaseInstance:
    return rds.DatabaseInstance.from_database_instance_attributes(
        stack,
        "Database",
        instance_identifier="reports",
        instance_endpoint_address="reports.example.com",
        port=5432,
        security_groups=[ec2.SecurityGroup.from_security_group_id(stack, "Group", "sg-1")],
    )


def listener_in(stack: Stack) -> elbv2.IApplicationListener:
    return elbv2.ApplicationListener.from_application_listener_attributes(
        stack,
        "Listener",
        listener_arn="arn:aws:elasticloadbalancing:eu-west-1:111122223333:listener/app/a/1/2",
        security_group=ec2.SecurityGroup.from_security_group_id(stack, "ListenerGroup", "sg-2"),
    )


def load_balancer_in(stack: Stack) -> elbv2.IApplicationLoadBalancer:
    return elbv2.ApplicationLoadBalancer.from_application_load_balancer_attributes(
        stack,
        "LoadBalancer",
        load_balancer_arn="arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/a/1",
        load_balancer_dns_name="a-1.eu-west-1.elb.amazonaws.com",
        load_balancer_canonical_hosted_zone_id="Z32O12XQLNTSW2",
        security_group_id="sg-2",
    )


# What a reader has already, by the name that snippets give it.
GIVEN: dict[str, Callable[[Stack], object]] = {
    "self": lambda stack: stack,
    "app": lambda stack: stack.node.root,
    "backend": lambda stack: whole_backend_in(stack, "GivenBackend"),
    "bucket": lambda stack: s3.Bucket(stack, "GivenBucket"),
    "client_secret": lambda stack: secretsmanager.Secret(stack, "GivenClientSecret"),
    "cluster": cluster_in,
    "database": database_in,
    "database_secret": lambda stack: secretsmanager.Secret(stack, "GivenDatabaseSecret"),
    "ec2": lambda _: ec2,
    "ecs": lambda _: ecs,
    "elbv2": lambda _: elbv2,
    "exports_bucket": lambda stack: s3.Bucket(stack, "GivenExports"),
    "licence": lambda stack: secretsmanager.Secret.from_secret_name_v2(
        stack, "GivenLicence", "licence"
    ),
    "licences": lambda stack: lambda_.Function.from_function_name(
        stack, "GivenLicences", "licences"
    ),
    "listener": listener_in,
    "load_balancer": load_balancer_in,
    "logs": lambda stack: GalvLogBucket(stack, "GivenLogs"),
    "queue": lambda stack: sqs.Queue(stack, "GivenQueue"),
    "reports_bucket": lambda stack: s3.Bucket(stack, "GivenReports"),
    "reports_cluster": lambda stack: s3.Bucket(stack, "GivenReportsCluster"),
    "repository": lambda stack: ecr.Repository(stack, "GivenRepository"),
    "results_bucket": lambda stack: s3.Bucket(stack, "GivenResults"),
    "scheduler": lambda _: scheduler,
    "search_cluster": lambda stack: s3.Bucket(stack, "GivenSearchCluster"),
    "search_service": lambda stack: s3.Bucket(stack, "GivenSearch"),
    "TimeZone": lambda _: aws_cdk.TimeZone,
    "topic": lambda stack: sns.Topic(stack, "GivenTopic"),
    "zone": lambda stack: stack.node.try_find_child("Zone") or zone_in(stack),
}


def missing_names(code: str) -> set[str]:
    """The names that a snippet uses and does not define."""
    used: set[str] = set()
    defined: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else defined).add(node.id)
        elif isinstance(node, ast.alias):
            defined.add(node.asname or node.name)
        elif isinstance(node, ast.arg):
            defined.add(node.arg)
        elif isinstance(node, ast.ClassDef | ast.FunctionDef):
            defined.add(node.name)
    return used - defined


def run(name: str, stack: Stack) -> None:
    """Run a snippet in a stack, which it knows as `self`."""
    names: dict[str, object] = {"__name__": "__main__", "self": stack}
    for missing in sorted(missing_names(SNIPPETS[name])):
        if missing in GIVEN:
            names[missing] = GIVEN[missing](stack)
        elif missing in galv_constructs.__all__:
            names[missing] = getattr(galv_constructs, missing)

    exec(compile(SNIPPETS[name], name, "exec"), names)
