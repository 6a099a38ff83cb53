"""Errors on the way to AWS: one line that says what to do, and no traceback."""

from __future__ import annotations

import pytest
from botocore import exceptions as aws
from click.testing import CliRunner
from ops.recorded import REGION, Recorded

from galv_ops.cli import galv_ops
from galv_ops.errors import explain

DESCRIBE = "cloudformation.DescribeStacks"


def line(recorded: Recorded, *arguments: str) -> str:
    """The one line with which a command fails."""
    result = recorded.run(*(arguments or ("status",)))
    assert result.exit_code == 125, result.output
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    return result.stderr.removeprefix("galv-ops: ").strip()


def test_access_denied(recorded: Recorded) -> None:
    recorded.refuse(DESCRIBE, "AccessDenied", "User: a is not authorized\n to perform: b")

    assert line(recorded) == (
        "not allowed to call DescribeStacks: User: a is not authorized to perform: b. The "
        "permissions that each command needs: https://github.com/galv-team/galv-constructs/blob/"
        "main/docs/galv-ops.md#permissions"
    )


@pytest.mark.parametrize("code", ["Throttling", "ThrottlingException", "TooManyRequestsException"])
def test_throttling(recorded: Recorded, code: str) -> None:
    recorded.refuse(DESCRIBE, code, "Rate exceeded")

    assert line(recorded) == (
        "AWS throttles DescribeStacks, also after some retries: Rate exceeded. Try again in a "
        "minute"
    )


def test_expired_credentials(recorded: Recorded) -> None:
    recorded.refuse(DESCRIBE, "ExpiredToken")

    assert "have expired: log in again" in line(recorded)


def test_unknown_credentials(recorded: Recorded) -> None:
    recorded.refuse(DESCRIBE, "InvalidClientTokenId")

    assert "does not accept the credentials (InvalidClientTokenId): log in" in line(recorded)


def test_another_error(recorded: Recorded) -> None:
    recorded.refuse(DESCRIBE, "ServerException", "Service Unavailable")

    assert line(recorded) == ("AWS refused DescribeStacks: Service Unavailable (ServerException)")


def test_a_quota_is_not_called_throttling(recorded: Recorded) -> None:
    recorded.refuse(DESCRIBE, "LimitExceededException", "You have reached a limit")

    assert line(recorded) == (
        "AWS refused DescribeStacks: You have reached a limit (LimitExceededException)"
    )


@pytest.fixture
def real(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> pytest.MonkeyPatch:
    """A shell that knows nothing of AWS, and no endpoint that is not on this machine."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    return monkeypatch


def said(*arguments: str) -> str:
    result = CliRunner().invoke(galv_ops, ["status", *arguments])
    assert result.exit_code == 125, result.output
    return result.stderr


def test_no_credentials(real: pytest.MonkeyPatch) -> None:
    assert said("--region", REGION) == (
        "galv-ops: there are no AWS credentials: log in (such as `aws sso login`), or pass "
        "--profile\n"
    )


def test_no_region(real: pytest.MonkeyPatch) -> None:
    assert said() == "galv-ops: no region is set: pass --region, or set AWS_REGION\n"


def test_no_such_profile(real: pytest.MonkeyPatch) -> None:
    assert "(nix) could not be found: `aws configure list-profiles`" in said("--profile", "nix")


def test_an_invalid_region(real: pytest.MonkeyPatch) -> None:
    real.setenv("AWS_ACCESS_KEY_ID", "a")
    real.setenv("AWS_SECRET_ACCESS_KEY", "b")

    assert "pass --region with one such as eu-west-2" in said("--region", "eu west 2")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            aws.EndpointConnectionError(endpoint_url="https://ecs.eu-wst-2.amazonaws.com"),
            '"https://ecs.eu-wst-2.amazonaws.com": check the network, and whether --region is',
        ),
        (aws.UnauthorizedSSOTokenError(), "the AWS login has expired: log in again"),
        (aws.TokenRetrievalError(provider="sso", error_msg="x"), "the AWS login has expired"),
        (aws.ReadTimeoutError(endpoint_url="https://x"), "check the network"),
        (aws.ParamValidationError(report="x"), "AWS could not be asked: "),
    ],
)
def test_an_error_of_boto3_before_any_call(error: Exception, text: str) -> None:
    assert text in explain(error)
