"""The resources that all Galvs share."""

from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_sns as sns
from constructs import Construct

from galv_constructs import GalvLoadBalancer, GalvLogBucket, GalvNetwork


class SharedStack(Stack):
    """One network, cluster and load balancer, one bucket for logs, one topic for alarms.

    Nothing in it knows of a Galv, so that one more, or one less, changes nothing here.
    """

    def __init__(
        self, scope: Construct, id: str, *, zone_id: str, zone_name: str, **kwargs: Any
    ) -> None:
        super().__init__(scope, id, **kwargs)
        self.zone = route53.HostedZone.from_hosted_zone_attributes(
            self, "Zone", hosted_zone_id=zone_id, zone_name=zone_name
        )
        self.alarms = self._alarms()
        self.log_bucket = GalvLogBucket(self, "Logs").bucket
        self.network = GalvNetwork(self, "Network", log_bucket=self.log_bucket)
        self.cluster = ecs.Cluster(
            self,
            "Cluster",
            vpc=self.network.vpc,
            # The worker scales by the number of tasks that run.
            container_insights_v2=ecs.ContainerInsights.ENABLED,
            # Fargate Spot too.
            enable_fargate_capacity_providers=True,
        )
        self.load_balancer = GalvLoadBalancer(
            self,
            "LoadBalancer",
            network=self.network,
            domain_name=f"*.{zone_name}",
            hosted_zone=self.zone,
            log_bucket=self.log_bucket,
            alarm_topic=self.alarms,
        )

    def _alarms(self) -> sns.Topic:
        """The topic that wakes somebody up: subscribe what your team has."""
        key = kms.Key(self, "AlarmsKey", enable_key_rotation=True)
        topic = sns.Topic(self, "Alarms", master_key=key, enforce_ssl=True)
        alarms_of_the_account = iam.ServicePrincipal(
            "cloudwatch.amazonaws.com",
            conditions={"StringEquals": {"aws:SourceAccount": self.account}},
        )
        topic.grant_publish(alarms_of_the_account)
        key.grant_encrypt_decrypt(alarms_of_the_account)
        return topic
