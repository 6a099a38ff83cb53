"""The options that every command of `galv-ops` has, and how a command fails."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Any, TypeVar

import click

from galv_ops.answers import AWS_ERRORS
from galv_ops.errors import COULD_NOT, INTERRUPTED, ISSUES, OpsError, explain
from galv_ops.output import Output
from galv_ops.query.aws import Aws
from galv_ops.query.deployment import Deployment
from galv_ops.query.find import find
from galv_ops.text import one_line

_Function = TypeVar("_Function", bound=Callable[..., Any])

_STACK, _PROJECT = "GALV_STACK", "GALV_PROJECT"


@dataclass
class Ops:
    """The options and the session that every command starts from."""

    stack: str | None
    project: str | None
    region: str | None
    profile: str | None
    out: Output

    @cached_property
    def aws(self) -> Aws:
        """Clients for the account and region that are meant."""
        return Aws.of(self.region, self.profile)

    @cached_property
    def deployment(self) -> Deployment:
        """The deployment that is meant."""
        return find(self.aws, stack=self.stack, project=self.project)


def global_options(function: _Function) -> _Function:
    """Give a command, or all of them, the options that say what is meant and how to print it."""
    options = (
        click.option(
            "--stack", help=f"Name of a stack of the deployment. Default: the variable {_STACK}."
        ),
        click.option(
            "--project",
            help=f"Value of the tag project-name on its stacks. Default: the variable {_PROJECT}, "
            "otherwise the only deployment that there is.",
        ),
        click.option(
            "--region", help="Default: AWS_REGION, AWS_DEFAULT_REGION or the profile's region."
        ),
        click.option("--profile", help="Profile of the AWS CLI. Default: AWS_PROFILE."),
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
    )
    for option in reversed(options):
        function = option(function)
    return function


def command(
    name: str, kind: type[click.Command] = click.Command
) -> Callable[[Callable[..., int]], click.Command]:
    """Make a command of a function that takes an `Ops` and returns an exit code."""
    return lambda function: _command(name, function, kind)


def timeout_option(*, default: int) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Give a command the minutes after which what it runs is stopped."""
    return click.option(
        "--timeout",
        type=click.IntRange(1),
        default=default,
        show_default=True,
        metavar="MINUTES",
        help="After which it is stopped.",
    )


def _command(name: str, function: Callable[..., int], kind: type[click.Command]) -> click.Command:
    @wraps(function)
    @click.pass_context
    def run(context: click.Context, /, **arguments: Any) -> None:
        before = {} if context.parent is None else context.parent.params
        # What stands behind the command is said later, and wins.
        given = {
            key: arguments.pop(key) or before.get(key)
            for key in ("stack", "project", "region", "profile", "as_json")
        }
        out = Output(as_json=bool(given.pop("as_json")))
        if not _wants_color(os.environ):
            context.color = False
        sys.exit(_exit_code(out, lambda: function(_ops(given, out), **arguments)))

    command = click.command(name, cls=kind)(global_options(run))
    # Otherwise click cuts the summaries in the list of commands to what fits in a line.
    command.short_help = (command.help or "").partition("\n\n")[0]
    return command


def _ops(given: dict[str, str | None], out: Output) -> Ops:
    """Return what is meant: by options, otherwise by the shell's variables."""
    if not given["stack"] and not given["project"]:
        given["stack"] = os.environ.get(_STACK)
        given["project"] = os.environ.get(_PROJECT)
    return Ops(**{key: value or None for key, value in given.items()}, out=out)


def _exit_code(out: Output, function: Callable[[], int]) -> int:
    try:
        with _terminated_as_interrupted():
            return function()
    except OpsError as error:
        return _fail(out, str(error), error.code)
    except AWS_ERRORS as error:
        return _fail(out, explain(error), COULD_NOT)
    except KeyboardInterrupt:
        return _fail(out, "interrupted", INTERRUPTED)
    except OSError:
        # click knows what to do when standard output is closed.
        raise
    except Exception:  # noqa: BLE001 - Python's own exit code means that a deployment fails
        for line in traceback.format_exc().splitlines():
            out.error(line)
        return _fail(out, f"this is a fault of galv-ops: please report it at {ISSUES}", COULD_NOT)


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Make SIGTERM do what Ctrl-C does, so that a task that goes on is told of."""

    def interrupt(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _wants_color(environment: Mapping[str, str]) -> bool:
    """Whether output may be colored, see https://no-color.org."""
    return not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"


def _fail(out: Output, message: str, code: int) -> int:
    out.error(f"galv-ops: {one_line(message)}")
    return code
