"""What every command of `galv-ops` has: its options, and how it fails."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Any

import click

from galv_constructs.ops.aws import Aws
from galv_constructs.ops.deployment import Deployment
from galv_constructs.ops.errors import (
    AWS_ERRORS,
    COULD_NOT,
    INTERRUPTED,
    OpsError,
    explain,
    one_line,
)
from galv_constructs.ops.find import find
from galv_constructs.ops.output import Output


@dataclass
class Ops:
    """What every command starts from."""

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


def command(name: str) -> Callable[[Callable[..., int]], click.Command]:
    """Make a command of a function that takes an `Ops` and returns an exit code."""
    return lambda function: _command(name, function)


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


def _command(name: str, function: Callable[..., int]) -> click.Command:
    @wraps(function)
    def run(
        stack: str | None,
        project: str | None,
        region: str | None,
        profile: str | None,
        *,
        as_json: bool,
        **arguments: Any,
    ) -> None:
        out = Output(as_json=as_json)
        ops = Ops(stack, project, region, profile, out)
        try:
            code = function(ops, **arguments)
        except OpsError as error:
            _fail(out, str(error), error.code)
        except AWS_ERRORS as error:
            _fail(out, explain(error), COULD_NOT)
        except KeyboardInterrupt:
            _fail(out, "interrupted", INTERRUPTED)
        sys.exit(code)

    options = (
        click.option("--stack", envvar="GALV_STACK", help="Name of a stack of the deployment."),
        click.option(
            "--project",
            envvar="GALV_PROJECT",
            help="Value of the tag project-name on its stacks. Default: the only one there is.",
        ),
        click.option("--region", help="Default: what the shell or the profile says."),
        click.option("--profile", help="Profile of the AWS CLI. Default: what the shell says."),
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
    )
    for option in reversed(options):
        run = option(run)
    return click.command(name)(run)


def _fail(out: Output, message: str, code: int) -> None:
    out.clear()
    click.echo(f"galv-ops: {one_line(message)}", err=True)
    sys.exit(code)
