"""The settings that the tasks of one application share."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from aws_cdk import RemovalPolicy
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import IDependable

from galv_constructs._core.placement import check_vpc, vpc_of
from galv_constructs._core.validation import (
    check_construct,
    check_tags,
    check_user,
    check_variables,
    is_token,
)
from galv_constructs.images._image import Architecture, check_architecture
from galv_constructs.network import IGalvNetwork

_LOG_GROUP = re.compile(r"[A-Za-z0-9_./#-]{1,400}")


@dataclass(frozen=True, kw_only=True)
class TaskRuntime:
    """Image, environment, secrets, network and logs that tasks share.

    `GalvBackend.runtime` is one; you can create one for any other image. Every task created from it
    has roles, a security group and a log group of its own: a grant to one is no grant to another.

    Example:
        ```python
        runtime = TaskRuntime(
            cluster=cluster,
            network=GalvNetwork.from_vpc(cluster.vpc),
            image=ecs.ContainerImage.from_ecr_repository(repository, "1.4.2"),
            log_group_prefix="/reports",
            connects_to=[database],
            grants=[bucket.grant_read],
        )
        ```
    """

    cluster: ecs.ICluster
    """Cluster that tasks run in."""

    network: IGalvNetwork
    """VPC and subnets that tasks run in."""

    image: ecs.ContainerImage
    """Image of the main container."""

    architecture: Architecture = "X86_64"
    """Processor architecture that `image` is built for: `X86_64` or `ARM64`. Default: `X86_64`."""

    user: str | None = None
    """User, or `user:group`, that runs the main container, by name or number. Where it has
    `writable_paths`, a container of the same image first lets any user write to them, as root with
    `chmod`: on Fargate they are root's. Give it for an image whose `USER` is not root.
    Default: the image's own."""

    log_group_prefix: str
    """Start of the names of log groups; a task's own name follows it after a slash."""

    environment: Mapping[str, str] = field(default_factory=dict)
    """Plain environment variables. Default: none."""

    secrets: Mapping[str, ecs.Secret] = field(default_factory=dict)
    """Environment variables whose values come from a secret when a task starts. Default: none."""

    entry_point: Sequence[str] | None = None
    """Entry point that replaces the image's. Default: the image's own."""

    writable_paths: Sequence[str] | None = None
    """Paths that tasks may write to; the rest of the file system is read-only.
    Default: everything is writable."""

    tags: Mapping[str, str] = field(default_factory=dict)
    """Tags of each task's definition. Default: none."""

    connects_to: Sequence[ec2.IConnectable] = ()
    """Peers that every task may connect to, each on its default port. Default: none."""

    egress_ports: Sequence[int] = (443,)
    """TCP ports on which tasks may reach any IPv4 address. Default: HTTPS."""

    grants: Sequence[Callable[[iam.IRole], object]] = ()
    """Called with every task role, such as `bucket.grant_read`. Default: none."""

    depends_on: Sequence[IDependable] = ()
    """Constructs that have to exist before a task can do its work, such as the database.
    Default: none."""

    gates: Sequence[IDependable] = ()
    """Constructs that have to succeed in a deployment before scheduled runs change with it, such as
    a `GalvReleaseTask`. Default: none."""

    log_retention: logs.RetentionDays = logs.RetentionDays.ONE_YEAR
    """How long logs are kept. Default: one year."""

    log_removal_policy: RemovalPolicy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
    """Removal policy of log groups, for when their task or stack is deleted. Default: they stay,
    unless the deployment that created them failed. One that stays blocks a new one of its name."""

    encryption_key: kms.IKey | None = None
    """Key that log groups are encrypted with, which CloudWatch Logs must be allowed to use. Tasks
    may decrypt secrets with it when they start. Default: a key that CloudWatch Logs owns."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ValueError: If a value is malformed, a name is in both `environment` and `secrets`, or
                `cluster` and `network` are in different VPCs.
        """
        check_construct("cluster", self.cluster, "aws_ecs.ICluster", "ecs.Cluster(…)")
        check_construct("network", self.network, "IGalvNetwork", "GalvNetwork.from_vpc(vpc)")
        check_construct(
            "image", self.image, "aws_ecs.ContainerImage", "ecs.ContainerImage.from_registry(name)"
        )
        check_vpc("cluster", vpc_of(self.cluster), self.network.vpc)
        check_architecture(self.image, self.architecture)
        check_user("user", self.user)
        check_variables(self.environment, self.secrets, reserved={})
        check_tags("tags", self.tags)
        prefix = self.log_group_prefix
        if not is_token(prefix) and not _LOG_GROUP.fullmatch(prefix):
            raise ValueError(
                f"log_group_prefix must be letters, digits and any of '_./#-', such as '/reports', "
                f"got {prefix!r}"
            )
