"""Copies of an instance that can be read from."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds
from constructs import Construct

from galv_constructs._core.acknowledge import acknowledge, standards
from galv_constructs.database._checks import check_instance_type
from galv_constructs.network import IGalvNetwork

_DEFAULT = "A replica is a copy: it is deleted with the stack, and the database it copies is not."
# "If you specify the SourceDBInstanceIdentifier property, don't specify this property":
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-rds-dbinstance.html
_AS_THE_SOURCE = "A replica in the same region is encrypted as its source, with the same key."
_FINDINGS = {
    "AwsSolutions-RDS10": _DEFAULT,
    "AwsSolutions-RDS2": _AS_THE_SOURCE,
    "AwsSolutions-RDS3": "A replica has no standby: when it fails, the database still answers.",
} | standards(
    {
        "RDSInstanceDeletionProtectionEnabled": _DEFAULT,
        "RDSMultiAZSupport": "A replica has no standby: when it fails, the database still answers.",
        "RDSInstanceBackupEnabled": "The database that it copies has backups.",
        "RDSStorageEncrypted": _AS_THE_SOURCE,
    }
)


def add_read_replica(
    scope: Construct,
    id: str,
    *,
    source: rds.IDatabaseInstance,
    network: IGalvNetwork,
    size: ec2.InstanceType,
    parameter_group: rds.IParameterGroup,
    instance_type: ec2.InstanceType | None,
) -> rds.DatabaseInstanceReadReplica:
    """Define a replica beside its source."""
    check_instance_type("instance_type", instance_type)
    primary, group = scope.node.find_child("Resource"), scope.node.find_child("SubnetGroup")
    resource = primary.node.default_child
    assert isinstance(resource, rds.CfnDBInstance)  # noqa: S101 - what an L2 instance is made of
    assert isinstance(group, rds.SubnetGroup)  # noqa: S101 - where the database is
    replica = rds.DatabaseInstanceReadReplica(
        scope,
        id,
        source_database_instance=source,
        instance_type=size if instance_type is None else instance_type,
        vpc=network.vpc,
        subnet_group=group,
        security_groups=[
            ec2.SecurityGroup(
                scope,
                f"{id}SecurityGroup",
                vpc=network.vpc,
                description="Replica of the Galv database",
                allow_all_outbound=False,
            )
        ],
        parameter_group=parameter_group,
        storage_type=rds.StorageType.GP3,
        max_allocated_storage=resource.max_allocated_storage,
        multi_az=False,
        publicly_accessible=False,
        auto_minor_version_upgrade=True,
        copy_tags_to_snapshot=True,
        deletion_protection=False,
        removal_policy=RemovalPolicy.DESTROY,
    )
    acknowledge(replica, _FINDINGS)
    return replica
