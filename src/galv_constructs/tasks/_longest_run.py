"""The longest time that a task may still read what a deployment has replaced."""

import jsii
from aws_cdk import Duration, IStableStringProducer, Lazy
from aws_cdk import aws_secretsmanager as secretsmanager

from galv_constructs.tasks._task import LONGEST_STOP, Task

# A deadline is noticed within a minute, and a container that is stopped has time to end.
_END = 60 + LONGEST_STOP
# Type of the metadata at the root of a tree that says how long a run may take, and what it reads.
# At the root, as a runtime is used in other stacks too.
_RUN = "galv-constructs:boundedRun"


def bound_run(task: Task, timeout: Duration) -> None:
    """Note that something stops a run of this task after its timeout."""
    task.node.root.node.add_metadata(
        _RUN, {"secrets": task.secret_arns, "seconds": timeout.to_seconds()}
    )


def seconds_in_use(secret: secretsmanager.ISecret, *, at_least: Duration) -> str:
    """Return a token for the seconds until the last bounded run that reads a secret has ended.

    Runs that are defined later count too.
    """
    return Lazy.string(_SecondsInUse(secret, at_least.to_seconds()))


@jsii.implements(IStableStringProducer)
class _SecondsInUse:
    def __init__(self, secret: secretsmanager.ISecret, at_least: float) -> None:
        self._secret = secret
        self._at_least = at_least

    def produce(self) -> str:
        arn = self._secret.secret_arn
        longest = [
            entry.data["seconds"] + _END
            for entry in self._secret.node.root.node.metadata
            # What follows the ARN names a key and a version.
            if entry.type == _RUN and any(read.startswith(arn) for read in entry.data["secrets"])
        ]
        return str(round(max([self._at_least, *longest])))
