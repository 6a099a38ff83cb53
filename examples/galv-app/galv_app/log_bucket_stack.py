"""The stack of the log bucket."""

from typing import Any

from aws_cdk import Stack
from constructs import Construct

from galv_constructs import GalvConfig, GalvLogBucket


class LogBucketStack(Stack):
    """One bucket for the access logs of all other stacks; it outlives them, and their changes."""

    def __init__(self, scope: Construct, id: str, *, config: GalvConfig, **kwargs: Any) -> None:
        super().__init__(scope, id, **kwargs)
        self.bucket = GalvLogBucket(
            self,
            "Logs",
            production=config.is_production,
            removal_protection=config.removal_protection,
        ).bucket
