"""Links into AWS's console, in the partition and the region of an ARN.

`galv_constructs.handlers` has a link to this file: see answers.py.
"""

from urllib.parse import quote

_HOSTS = {"aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com"}


def stack_link(arn: str) -> str:
    """Return the page of a stack."""
    return _link(arn, "cloudformation/home", f"#/stacks/stackinfo?stackId={quote(arn, safe='')}")


def log_link(arn: str, group: str, stream: str = "") -> str:
    """Return the page of a log group, or of a stream in it."""
    place = f"#logsV2:log-groups/log-group/{_twice(group)}"
    if stream:
        place += f"/log-events/{_twice(stream)}"
    return _link(arn, "cloudwatch/home", place)


def secret_link(arn: str, name: str) -> str:
    """Return the page of a secret."""
    return _link(arn, "secretsmanager/secret", name=name)


def _link(arn: str, page: str, place: str = "", **query: str) -> str:
    _, partition, _, region, *_ = arn.split(":")
    host = _HOSTS.get(partition, "console.aws.amazon.com")
    asked = "".join(f"{key}={quote(value, safe='')}&" for key, value in query.items())
    return f"https://{host}/{page}?{asked}region={region}{place}"


def _twice(name: str) -> str:
    # The console decodes twice, and has "$" for "%" in what follows the "#".
    return quote(quote(name, safe=""), safe="").replace("%", "$")
