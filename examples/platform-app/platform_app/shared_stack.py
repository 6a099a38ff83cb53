"""The resources that a platform has before Galv."""

from typing import Any

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_rds as rds
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_sns as sns
from constructs import Construct


class SharedStack(Stack):
    """VPC, cluster, zone, database and the topic that wakes somebody up.

    Here they are defined, so that the example can be synthesized anywhere. Yours exist: import them
    with `from_lookup`, or take them from the stack that has them.
    """

    def __init__(self, scope: Construct, id: str, *, domain_name: str, **kwargs: Any) -> None:
        super().__init__(scope, id, **kwargs)
        self.vpc = ec2.Vpc(self, "Vpc", max_azs=2, nat_gateways=1)
        self.cluster = ecs.Cluster(self, "Cluster", vpc=self.vpc)
        self.zone = route53.PublicHostedZone(self, "Zone", zone_name=domain_name)
        self.database = rds.DatabaseInstance(
            self,
            "Database",
            engine=rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17),
            instance_type=ec2.InstanceType("t4g.medium"),
            credentials=rds.Credentials.from_generated_secret("postgres"),
            vpc=self.vpc,
            database_name="galv",
            storage_encrypted=True,
            multi_az=True,
            deletion_protection=True,
            removal_policy=RemovalPolicy.SNAPSHOT,
        )
        self.alarms = sns.Topic(self, "Alarms")
