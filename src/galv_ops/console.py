"""Links into AWS's console."""

from urllib.parse import quote

from galv_ops.stack import Stack

_HOSTS = {"aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com"}


def stack_link(stack: Stack) -> str:
    """Return the page of a stack."""
    id = quote(stack.id, safe="")
    return _link(stack.aws.region, stack.id, "cloudformation", f"/stacks/stackinfo?stackId={id}")


def log_group_link(region: str, arn: str, group: str) -> str:
    """Return the page of a log group, in the partition of an ARN."""
    # The console decodes twice, and has "$" for "%" in what follows the "#".
    name = quote(quote(group, safe=""), safe="").replace("%", "$")
    return _link(region, arn, "cloudwatch", f"logsV2:log-groups/log-group/{name}")


def secret_link(region: str, arn: str, name: str) -> str:
    """Return the page of a secret, in the partition of an ARN."""
    query = f"secret?name={quote(name, safe='')}"
    return f"https://{_host(arn)}/secretsmanager/{query}&region={region}"


def _link(region: str, arn: str, service: str, place: str) -> str:
    return f"https://{_host(arn)}/{service}/home?region={region}#{place}"


def _host(arn: str) -> str:
    partition = arn.split(":")[1]
    return _HOSTS.get(partition, "console.aws.amazon.com")
