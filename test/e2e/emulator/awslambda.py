"""Logs of functions, which MiniStack writes after CloudFormation has gone on."""

from typing import Any

from ministack.services import cloudwatch_logs, lambda_svc

_emit = lambda_svc._emit_lambda_logs


def _emit_to_what_is_there(function: dict[str, Any], *arguments: Any, **options: Any) -> None:
    """Lose lines for a group that was named and is gone, and those below the level.

    With AWS too it would be made again if the function's role may do that, but there a deployment
    is slower than the delivery of logs.
    """
    settings = function.get("config") or function
    logging = settings.get("LoggingConfig") or {}
    group = logging.get("LogGroup")
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html: with a
    # level Lambda sends "logs of the selected level of detail and lower", and CDK's framework has
    # none of FATAL.
    if logging.get("ApplicationLogLevel") == "FATAL":
        return
    if not group or group.startswith("/aws/lambda/") or group in cloudwatch_logs._log_groups:
        _emit(function, *arguments, **options)


def install() -> None:
    """Replace MiniStack's delivery."""
    lambda_svc._emit_lambda_logs = _emit_to_what_is_there
