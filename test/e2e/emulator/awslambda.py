"""Functions: their logs, and that a process outlives an error that it answered with."""

import threading
import time
from typing import Any

from e2e.emulator.private import PROCESS, cloudwatch_logs, lambda_runtime, lambda_svc

_emit = lambda_svc.emit_lambda_logs
_invoke = lambda_runtime.Worker.invoke
_signal, _collect = lambda_runtime.signal, lambda_runtime.collect
# What MiniStack would end in the thread of an invocation.
_doomed = threading.local()


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
    if not group or group.startswith("/aws/lambda/") or group in cloudwatch_logs.log_groups:
        _emit(function, *arguments, **options)


def _invoke_and_keep(worker: Any, *arguments: Any, **options: Any) -> Any:
    """Keep the process of a function that raised, as Lambda does.

    It starts another after a crash or at the deadline:
    https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
    CDK's framework raises at each look at what is not complete yet, and a new process of Node for
    each look took more of the processor than anything else.
    """
    _doomed.processes = []
    try:
        answer = _invoke(worker, *arguments, **options)
    finally:
        processes, _doomed.processes = _doomed.processes, None
    for process in processes:
        # Only the function's own error has a trace.
        if "trace" in answer and process.poll() is None:
            setattr(worker, PROCESS, process)
        else:
            _signal(process)
            _collect(process, time.monotonic() + lambda_runtime.REAP_GRACE)
    return answer


def _signal_later(process: Any) -> None:
    processes = getattr(_doomed, "processes", None)
    if processes is None:
        _signal(process)
    elif process is not None:
        processes.append(process)


def _collect_later(process: Any, deadline: float) -> None:
    if getattr(_doomed, "processes", None) is None:
        _collect(process, deadline)


def install() -> None:
    """Replace MiniStack's delivery, and its end of processes."""
    lambda_svc.emit_lambda_logs = _emit_to_what_is_there
    lambda_runtime.Worker.invoke = _invoke_and_keep
    lambda_runtime.signal = _signal_later
    lambda_runtime.collect = _collect_later
