"""Clients of AWS's services in one account and region."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import boto3
from botocore.config import Config

from galv_ops.errors import OpsError

if TYPE_CHECKING:
    from types_boto3_acm.client import ACMClient
    from types_boto3_cloudformation.client import CloudFormationClient
    from types_boto3_cloudfront.client import CloudFrontClient
    from types_boto3_ecs.client import ECSClient
    from types_boto3_elbv2.client import ElasticLoadBalancingv2Client
    from types_boto3_logs.client import CloudWatchLogsClient
    from types_boto3_rds.client import RDSClient
    from types_boto3_s3.client import S3Client
    from types_boto3_scheduler.client import EventBridgeSchedulerClient
    from types_boto3_secretsmanager.client import SecretsManagerClient
    from types_boto3_sesv2.client import SESV2Client
    from types_boto3_ssm.client import SSMClient

# Where CloudFront takes its certificates from, whatever the region of the deployment is.
EDGE_REGION = "us-east-1"

_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=5, read_timeout=30
)


C = TypeVar("C")


class _Client(Generic[C]):
    """The client of the service that the attribute is named after, created at its first use."""

    def __set_name__(self, owner: type[Aws], name: str) -> None:
        self._service = name

    def __get__(self, aws: Aws, owner: type[Aws]) -> C:
        client: C = aws.client(self._service)
        # From now on the attribute is found before this is asked.
        setattr(aws, self._service, client)
        return client


class Aws:
    """Clients, each created at its first use."""

    acm: _Client[ACMClient] = _Client()
    cloudformation: _Client[CloudFormationClient] = _Client()
    cloudfront: _Client[CloudFrontClient] = _Client()
    ecs: _Client[ECSClient] = _Client()
    elbv2: _Client[ElasticLoadBalancingv2Client] = _Client()
    logs: _Client[CloudWatchLogsClient] = _Client()
    rds: _Client[RDSClient] = _Client()
    s3: _Client[S3Client] = _Client()
    scheduler: _Client[EventBridgeSchedulerClient] = _Client()
    secretsmanager: _Client[SecretsManagerClient] = _Client()
    sesv2: _Client[SESV2Client] = _Client()
    ssm: _Client[SSMClient] = _Client()
    # Few calls each, which the types would not be worth.
    cloudtrail: _Client[Any] = _Client()
    cloudwatch: _Client[Any] = _Client()
    ec2: _Client[Any] = _Client()
    ecr: _Client[Any] = _Client()
    guardduty: _Client[Any] = _Client()
    iam: _Client[Any] = _Client()
    s3control: _Client[Any] = _Client()
    sns: _Client[Any] = _Client()
    wafv2: _Client[Any] = _Client()

    def __init__(self, session: boto3.Session, region: str | None = None) -> None:
        self._session = session
        self._region = region
        self._elsewhere: dict[str, Aws] = {}

    @classmethod
    def of(cls, region: str | None, profile: str | None) -> Aws:
        """Return the clients of a profile and region; by default what the shell says."""
        return cls(boto3.Session(region_name=region or _region_of_shell(), profile_name=profile))

    @property
    def session(self) -> boto3.Session:
        """The session, for what makes clients of its own."""
        return self._session

    @property
    def region(self) -> str:
        """The region.

        Raises:
            OpsError: If there is none.
        """
        region = self._region or self._session.region_name
        if not region:
            raise OpsError("no region is set: pass --region, or set AWS_REGION")
        return str(region)

    @property
    def profile(self) -> str:
        """Name of the profile; empty for credentials that are none's."""
        name = str(self._session.profile_name)
        return "" if name == "default" else name

    def in_region(self, region: str) -> Aws:
        """Return the clients of the same account in another region."""
        if region == self.region:
            return self
        if region not in self._elsewhere:
            # Of the same session, which asks for a second factor only once.
            self._elsewhere[region] = Aws(self._session, region)
        return self._elsewhere[region]

    def client(self, service: str) -> Any:
        """Create a client of a service."""
        create: Any = self._session.client
        return create(service, region_name=self.region, config=_CONFIG)


def _region_of_shell() -> str | None:
    """Return the region that the shell's variables set, in the order of the AWS CLI's version 2.

    boto3 does not read AWS_REGION. After both comes the region of the profile:
    https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-envvars.html
    """
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or None
