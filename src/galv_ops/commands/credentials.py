"""`galv-ops credentials`: where the superuser's password is."""

from __future__ import annotations

import click

from galv_ops.command import Ops, command
from galv_ops.console import secret_link
from galv_ops.errors import OpsError
from galv_ops.output import table
from galv_ops.query.deployment import SETUP

_USER = "DJANGO_SUPERUSER_USERNAME"
_PASSWORD = "DJANGO_SUPERUSER_PASSWORD"  # noqa: S105 - the name of a variable
# Where nothing else is said.
_DEFAULT_USER = "admin"


@command("credentials")
@click.option("--show", is_flag=True, help="Print the password too.")
def credentials(ops: Ops, *, show: bool) -> int:
    """Say where the superuser's first password is.

    Changing the password in Galv leaves the secret as it is.
    """
    setup = ops.deployment.task(SETUP)
    if _PASSWORD not in setup.secrets:
        raise OpsError(f"the setup task gets no {_PASSWORD}, so setup creates no superuser")
    # The ARN of a secret, and after it what of it: key, stage and version.
    arn = ":".join(setup.secrets[_PASSWORD].split(":")[:7])
    secret = ops.aws.secretsmanager.describe_secret(SecretId=arn)
    facts = {
        "user": setup.environment.get(_USER, _DEFAULT_USER),
        "secret": secret["Name"],
        "console": secret_link(arn, secret["Name"]),
    }
    if show:
        answer = ops.aws.secretsmanager.get_secret_value(SecretId=arn)
        facts["password"] = answer["SecretString"]
    lines = table(list(facts.items()))
    if not show:
        lines.append("To see the password: galv-ops credentials --show")
    ops.out.result(facts, lines)
    return 0
