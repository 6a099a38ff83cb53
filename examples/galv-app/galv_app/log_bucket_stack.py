"""The stack of the log bucket."""

from typing import Any

from aws_cdk import Duration, Stack
from aws_cdk import aws_s3 as s3
from constructs import Construct

from galv_constructs import GalvConfig, GalvLogBucket


class LogBucketStack(Stack):
    """One bucket for the access logs of all other stacks; it outlives them, and their changes."""

    def __init__(self, scope: Construct, id: str, *, config: GalvConfig, **kwargs: Any) -> None:
        super().__init__(scope, id, **kwargs)
        days = config.log_lock_days
        lock = None if days is None else s3.ObjectLockRetention.governance(Duration.days(days))
        self.bucket = GalvLogBucket(
            self,
            "Logs",
            production=config.is_production,
            object_lock_retention=lock,
            # What is locked stays, whatever becomes of the rest.
            removal_protection=config.removal_protection if lock is None else True,
        ).bucket
