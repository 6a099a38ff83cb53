"""How long a task may still read what a deployment has replaced."""

from weakref import WeakKeyDictionary

import jsii
from aws_cdk import Duration, IStableStringProducer, Lazy
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import IConstruct

from galv_constructs.tasks._task import LONGEST_STOP, Task

# A deadline is noticed within a minute, and a container that is stopped has time to end.
_END = 60 + LONGEST_STOP
# Bounded runs by the root of their tree: a runtime is used in other stacks too.
_RUNS: WeakKeyDictionary[IConstruct, list[tuple[Task, float]]] = WeakKeyDictionary()


def bound_run(task: Task, timeout: Duration) -> None:
    """Note that something stops a run of this task after its timeout."""
    _RUNS.setdefault(task.node.root, []).append((task, timeout.to_seconds()))


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
        runs = _RUNS.get(self._secret.node.root, [])
        longest = [timeout + _END for task, timeout in runs if task.reads(self._secret)]
        return str(round(max(self._at_least, *longest)))
