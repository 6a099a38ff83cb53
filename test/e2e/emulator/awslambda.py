"""Functions: their logs, and how long their processes live."""

import threading
import time
from typing import Any

from e2e.emulator.private import PROCESS, cloudwatch_logs, lambda_runtime, lambda_svc

_emit = lambda_svc.emit_lambda_logs
_invoke = lambda_runtime.Worker.invoke
_signal, _collect = lambda_runtime.signal, lambda_runtime.collect
_release = lambda_runtime.release_worker
# Processes that wait for their function's next invocation, of some 100 MB each. A stack has more
# than twenty functions, and most are called in its deployments alone.
MOST_IDLE = 40
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


def _release_and_bound(worker: Any) -> None:
    """End the processes that have been idle longest, if there are too many.

    MiniStack keeps one for each function as long as there is the function, and so many stacks
    filled the memory of the machine.
    """
    _release(worker)
    with lambda_runtime.lock:
        pools = lambda_runtime.workers
        idle = sorted(
            ((key, one) for key, pool in pools.items() for one in pool if not one.in_use),
            key=lambda entry: entry[1].last_used,
        )
        doomed = idle[:-MOST_IDLE]
        for key, one in doomed:
            pools[key].remove(one)
            if not pools[key]:
                del pools[key]
    if doomed:
        # A process may take seconds to end.
        threading.Thread(
            target=lambda_runtime.kill_workers, args=[[one for _, one in doomed]], daemon=True
        ).start()


def install() -> None:
    """Replace MiniStack's delivery, and its end of processes."""
    lambda_svc.release_worker = _release_and_bound
    lambda_svc.emit_lambda_logs = _emit_to_what_is_there
    lambda_runtime.Worker.invoke = _invoke_and_keep
    lambda_runtime.signal = _signal_later
    lambda_runtime.collect = _collect_later
