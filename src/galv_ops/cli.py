"""The command line."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from galv_ops.command import global_options
from galv_ops.commands.audit import audit
from galv_ops.commands.check import check
from galv_ops.commands.credentials import credentials
from galv_ops.commands.doctor import doctor
from galv_ops.commands.exec import exec_
from galv_ops.commands.logs import logs
from galv_ops.commands.open import open_
from galv_ops.commands.preflight import preflight
from galv_ops.commands.rehearse import rehearse
from galv_ops.commands.releases import releases
from galv_ops.commands.run import run
from galv_ops.commands.setup import setup
from galv_ops.commands.sleep import sleep_, wake
from galv_ops.commands.status import status
from galv_ops.errors import EXIT_CODES
from galv_ops.output import printable


class _Commands(click.Group):
    """A group that lists its commands in the order in which they are needed.

    click prints by itself how it was used wrongly, and quotes arguments in that.
    """

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with _printable_errors():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        with _printable_errors():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self.commands)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Exit codes"):
            formatter.write_dl(
                [(str(code), description) for code, description in EXIT_CODES.items()]
            )


@contextmanager
def _printable_errors() -> Iterator[None]:
    try:
        yield
    except click.exceptions.NoArgsIsHelpError:
        raise  # it is the help, of many lines
    except click.UsageError as error:
        raise click.UsageError(printable(error.format_message()), error.ctx) from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="galv-ops", prog_name="galv-ops")
@global_options
def galv_ops(**_options: Any) -> None:
    """Look after a deployment of Galv on AWS.

    A deployment is found by --stack, or by the tag project-name on its stacks. Options may stand
    before or after the command.
    """


for _command in (
    preflight,
    rehearse,
    status,
    releases,
    doctor,
    check,
    setup,
    run,
    logs,
    exec_,
    sleep_,
    wake,
    open_,
    credentials,
    audit,
):
    galv_ops.add_command(_command)
