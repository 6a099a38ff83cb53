"""The resources of a backup plan: databases of RDS, and buckets."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from aws_cdk import Annotations, Stack
from aws_cdk import aws_rds as rds
from aws_cdk import aws_s3 as s3
from constructs import Construct, IConstruct

from galv_constructs._core.placement import check_place
from galv_constructs._core.validation import check_list
from galv_constructs.backend.backend import GalvBackend

_RESOURCES = "backends, databases and buckets"


@dataclass(kw_only=True)
class Resources:
    """Databases and buckets, sorted by how AWS Backup backs them up."""

    instances: list[rds.IDatabaseInstance] = field(default_factory=list)
    clusters: list[rds.IDatabaseCluster] = field(default_factory=list)
    buckets: list[s3.IBucket] = field(default_factory=list)

    @property
    def arns(self) -> list[str]:
        """Their ARNs."""
        return [
            *(instance.instance_arn for instance in self.instances),
            *(cluster.cluster_arn for cluster in self.clusters),
            *(bucket.bucket_arn for bucket in self.buckets),
        ]

    @property
    def keys(self) -> list[str]:
        """Spelled ARNs of the keys of databases, as far as they are known."""
        return [
            spelled(resource.kms_key_id, resource)
            for resource in self._created
            if resource.kms_key_id is not None
        ]

    @property
    def without_own_key(self) -> list[rds.CfnDBInstance | rds.CfnDBCluster]:
        """Databases that are known to be encrypted with the key of RDS, `aws/rds`."""
        return [
            resource
            for resource in self._created
            if resource.kms_key_id is None
            # One that is restored keeps the key of its snapshot.
            and getattr(resource, "db_snapshot_identifier", None) is None
            and getattr(resource, "snapshot_identifier", None) is None
        ]

    @property
    def _created(self) -> list[rds.CfnDBInstance | rds.CfnDBCluster]:
        """The databases that the application creates."""
        resources = (each.node.default_child for each in (*self.instances, *self.clusters))
        return [one for one in resources if isinstance(one, rds.CfnDBInstance | rds.CfnDBCluster)]


def spelled(arn: str, construct: IConstruct) -> str:
    """Spell an ARN as a template does, so that two of one resource are the same text."""
    return json.dumps(Stack.of(construct).resolve(arn))


def check_resources(scope: Construct, resources: Any) -> None:
    """Refuse what AWS Backup cannot back up."""
    check_list("resources", resources, f"a list of {_RESOURCES}, such as [backend]")
    given: Sequence[Any] = resources
    if not given:
        raise ValueError(f"resources must have at least one of {_RESOURCES}, got []")
    for index, resource in enumerate(given):
        name = f"resources[{index}]"
        if resource in given[:index]:
            raise ValueError(f"{name} is in resources twice: leave one of them out")
        if isinstance(resource, GalvBackend):
            _check_versions(name, resource.media_bucket, "removal_protection=True to the backend")
        elif _is_database(resource):
            if resource.resource is None:
                raise ValueError(
                    f"{name} is known by its address alone, and AWS Backup backs up instances and "
                    "clusters of RDS: pass GalvDatabase.from_instance(…) or from_cluster(…)"
                )
            check_place(scope, name, resource.resource)
        elif hasattr(resource, "bucket_arn"):
            check_place(scope, name, resource)
            _check_versions(name, resource, "versioned=True to it")
        else:
            raise ValueError(
                f"{name} must be a GalvBackend, a database such as a GalvDatabase, or an "
                f"s3.IBucket, got {resource!r}"
            )


def resources_of(given: Sequence[Any]) -> Resources:
    """Sort what is backed up."""
    resources = Resources()
    for each in given:
        if isinstance(each, GalvBackend):
            resources.buckets.append(each.media_bucket)
            _add_database(resources, each.database.resource)
        elif _is_database(each):
            _add_database(resources, each.resource)
        else:
            resources.buckets.append(each)
    return resources


def warn_of_unknown_databases(scope: Construct, given: Sequence[Any]) -> None:
    """Warn of a database that is not backed up although its backend is."""
    for each in given:
        if isinstance(each, GalvBackend) and each.database.resource is None:
            Annotations.of(scope).add_warning_v2(
                "galv-constructs:databaseNotBackedUp",
                f"the database of {each.node.path} is known by its address alone, and AWS Backup "
                "backs up instances and clusters of RDS: uploads are backed up, and the database "
                "is not. Pass it as GalvDatabase.from_instance(…) or from_cluster(…), or back it "
                "up yourself.",
            )


def _is_database(resource: Any) -> bool:
    return hasattr(resource, "database_name") and hasattr(resource, "resource")


def _add_database(resources: Resources, database: Any) -> None:
    if database is None:
        return
    # Backends may share a server.
    same: list[Any] = resources.instances
    if isinstance(database, rds.DatabaseClusterBase):
        same = resources.clusters
    if database not in same:
        same.append(database)


def _check_versions(name: str, bucket: s3.IBucket, way_out: str) -> None:
    """Refuse a bucket that is known to keep no versions.

    "You must enable S3 Versioning on your S3 bucket to use AWS Backup for Amazon S3":
    https://docs.aws.amazon.com/aws-backup/latest/devguide/s3-backups.html
    """
    resource = bucket.node.default_child
    if isinstance(resource, s3.CfnBucket) and resource.versioning_configuration is None:
        raise ValueError(
            f"{name}: the bucket {bucket.node.path} keeps no versions of objects, which AWS Backup "
            f"needs: pass {way_out}"
        )
