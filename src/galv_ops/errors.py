"""Errors in one line that says what to do."""

import re

from botocore import exceptions as aws

from galv_ops.answers import error_code
from galv_ops.text import one_line

# Like docker and timeout(1), beside which the exit codes of a command itself have room.
FAILED = 1
USAGE = 2
TIMED_OUT = 124
COULD_NOT = 125
INTERRUPTED = 130

EXIT_CODES = {
    0: "done; nothing fails",
    FAILED: "`status` and `doctor`: something is wrong; `audit`: something is weak; `preflight`: a "
    "deployment would fail; `rehearse`: setup or the check after it failed",
    USAGE: "used wrongly: an unknown option, task or log, or several deployments match",
    TIMED_OUT: "not done within `--timeout`, and stopped",
    COULD_NOT: "could not be done, or not all of it could be seen: no credentials, no such "
    "deployment or region, access denied, throttled, the task never ran",
    INTERRUPTED: "interrupted by Ctrl-C or SIGTERM; a task that was started goes on, and how to "
    "stop it is said",
    "other": "`run`, `setup`, `check`, `exec`: the exit code of what was run",
}

_PROJECT = "https://github.com/galv-team/galv-constructs"
ISSUES = f"{_PROJECT}/issues"

_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
_UNKNOWN_KEY = {
    "AuthFailure",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_LOG_IN = "log in again (such as `aws sso login`), or pass another --profile"
_MEANINGS: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    (
        (aws.NoCredentialsError, aws.PartialCredentialsError),
        "there are no AWS credentials: log in (such as `aws sso login`), or pass --profile",
    ),
    ((aws.ProfileNotFound,), "{}: `aws configure list-profiles` lists those that there are"),
    ((aws.InvalidRegionError,), "{}: pass --region with one such as eu-west-2"),
    ((aws.SSOError, aws.TokenRetrievalError), f"the AWS login has expired: {_LOG_IN}"),
    (
        (aws.ConnectionError, aws.HTTPClientError),
        "{}: check the network, and whether --region is spelled right",
    ),
)


def page(name: str, heading: str) -> str:
    """Return the address of a heading in the project's documentation."""
    return f"{_PROJECT}/blob/main/docs/{name}#{heading}"


class OpsError(Exception):
    """An error and its fix, for a person."""

    def __init__(self, message: str, code: int = COULD_NOT) -> None:
        super().__init__(message)
        self.code = code


def is_denied(error: Exception) -> bool:
    """Tell whether AWS refused a call for lack of permission."""
    return error_code(error) in {
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "NotAuthorized",
        "UnauthorizedOperation",
    }


def is_gone(error: Exception) -> bool:
    """Tell whether something is not there, as when it was deleted by hand."""
    return bool(re.search("NotFound|^NoSuch|Nonexistent", error_code(error)))


def is_fatal(error: Exception) -> bool:
    """Tell whether no other call can succeed either."""
    return error_code(error) in _EXPIRED | _UNKNOWN_KEY or is_throttled(error)


def is_throttled(error: Exception) -> bool:
    """Tell whether AWS refused a call because there were too many."""
    return bool(re.search("throttl|toomanyrequests|requestlimit", error_code(error), re.IGNORECASE))


def explain(error: Exception) -> str:
    """Say in one line what an error of boto3 means and what to do."""
    if isinstance(error, aws.ClientError):
        return one_line(_explain_answer(error))
    return one_line(_explain_client(error))


def _explain_answer(error: aws.ClientError) -> str:
    code, message = error_code(error), error.response.get("Error", {}).get("Message", "")
    call = error.operation_name
    if code in _EXPIRED:
        return f"the AWS credentials have expired: {_LOG_IN}"
    if code in _UNKNOWN_KEY:
        return (
            f"AWS does not accept the credentials ({code}): {_LOG_IN}. In a region that the "
            "account has not enabled it says the same"
        )
    if is_denied(error):
        return (
            f"not allowed to call {call}: {message.rstrip('.')}. The permissions that each command "
            f"needs: {page('galv-ops.md', 'permissions')}"
        )
    if is_throttled(error):
        return f"AWS throttles {call}, also after some retries: {message}. Try again in a minute"
    return f"AWS refused {call}: {message} ({code})"


def _explain_client(error: Exception) -> str:
    for kinds, text in _MEANINGS:
        if isinstance(error, kinds):
            return text.format(error)
    return f"AWS could not be asked: {error}"
