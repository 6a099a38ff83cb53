"""Links into AWS's console, which nothing here can follow: they are compared with its own."""

import json

import pytest
from ops.recorded import Recorded, log_group, stack_id

from galv_ops.console import log_link, secret_link, stack_link


def arn(partition: str = "aws", region: str = "eu-west-2") -> str:
    return f"arn:{partition}:cloudformation:{region}:111122223333:stack/galv/0a1b"


@pytest.mark.parametrize(
    ("partition", "region", "host"),
    [
        ("aws", "eu-west-2", "console.aws.amazon.com"),
        ("aws-cn", "cn-north-1", "console.amazonaws.cn"),
        ("aws-us-gov", "us-gov-west-1", "console.amazonaws-us-gov.com"),
    ],
)
def test_each_partition_has_its_console(partition: str, region: str, host: str) -> None:
    id = arn(partition, region)
    quoted = id.replace(":", "%3A").replace("/", "%2F")

    assert stack_link(id) == (
        f"https://{host}/cloudformation/home?region={region}#/stacks/stackinfo?stackId={quoted}"
    )
    assert log_link(id, "/galv/web") == (
        f"https://{host}/cloudwatch/home?region={region}"
        "#logsV2:log-groups/log-group/$252Fgalv$252Fweb"
    )
    assert log_link(id, "/galv/web", "web/web/0a") == (
        f"{log_link(id, '/galv/web')}/log-events/web$252Fweb$252F0a"
    )
    assert secret_link(id, "galv/x") == (
        f"https://{host}/secretsmanager/secret?name=galv%2Fx&region={region}"
    )


def test_open_tells_programs_where_everything_is(recorded: Recorded) -> None:
    assert json.loads(recorded.run("open", "--json").stdout) == {
        "api": "https://api.example.com",
        "admin": "https://api.example.com/admin/",
        "site": "https://app.example.com",
        "stack": stack_link(stack_id("galv-BackendStack")),
        "log": log_link(stack_id("galv-BackendStack"), log_group("web")),
    }
