"""Whether a given database is there, runs what Galv needs, and lets tasks in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .aws_errors import AWS_ERRORS, error_code, error_message

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .finding import Finding
    from .question import Question
    from .world import World

ACTIONS = ("rds:DescribeDBInstances",)
ENGINES = ("postgres", "aurora-postgresql")
# In these a database takes no connections, and stays so by itself:
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html
_DOWN = re.compile(r"stopp|delet|fail|inaccessible|incompatible|storage-full|restore-error")


def answer(question: Question, world: World) -> Iterable[Finding]:
    """Ask for `InstanceIdentifier`.

    It has at least the version `EngineVersion`, and all `SecurityGroupIds`.
    """
    name = question.text("InstanceIdentifier")
    found: Any
    try:
        (found,) = world.client("rds").describe_db_instances(DBInstanceIdentifier=name)[
            "DBInstances"
        ]
    except AWS_ERRORS as error:
        if "DBInstanceNotFound" not in error_code(error):
            raise
        yield question.error(
            f"the database {name} does not exist",
            error_message(error),
            "correct its identifier, or pass a database of this account and region",
        )
        return
    engine, version = found["Engine"], found["EngineVersion"]
    if engine not in ENGINES:
        yield question.error(
            f"the database {name} is not PostgreSQL",
            f"its engine is {engine}",
            f"pass one with the engine {' or '.join(ENGINES)}",
        )
    else:
        least = question.text("EngineVersion", "")
        if least and _numbers(version) < _numbers(least):
            yield question.error(
                f"the database {name} is too old",
                f"it runs version {version}, and {least} or newer is needed",
                "upgrade it before the deployment",
            )
    status = found["DBInstanceStatus"]
    if status != "available":
        say = question.error if _DOWN.search(status) else question.warning
        yield say(
            f"the database {name} is not available",
            f"its status is {status}",
            "start it, or bring it back" if _DOWN.search(status) else "wait until it is available",
        )
    groups = [group["VpcSecurityGroupId"] for group in found.get("VpcSecurityGroups", [])]
    missing = [group for group in question.texts("SecurityGroupIds") if group not in groups]
    if missing:
        yield question.error(
            f"the database {name} does not have the security group {', '.join(missing)}",
            f"it has {', '.join(groups) or 'none'}, so that rules of the other let nobody in",
            "pass a security group that the database has, or add the other to it",
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)))
