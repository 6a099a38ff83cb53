"""Start the emulator: `python -m e2e.emulator`, configured by environment variables.

It ends, with all that it started, when its standard input does: also when whoever started it was
killed.
"""

import os
import signal
import sys
import threading

from e2e.emulator import (
    acm,
    application_autoscaling,
    awslambda,
    backup,
    capacity_providers,
    cloudfront,
    codebuild,
    containers,
    database_copies,
    databases,
    ec2,
    ecr,
    ecs,
    edge,
    iam,
    images,
    logs,
    names,
    order,
    process,
    protection,
    registry,
    rollback,
    s3,
    scheduler,
    secretsmanager,
    service_quotas,
    ses,
    stack_output,
    wafv2,
)
from e2e.emulator.private import app


def _end_with_input() -> None:
    sys.stdin.buffer.read()
    process.end_all()
    databases.end_all()
    database_copies.end_all()
    # Functions run in the group of the emulator.
    os.killpg(0, signal.SIGKILL)


threading.Thread(target=_end_with_input, daemon=True).start()
for part in (
    acm,
    application_autoscaling,
    awslambda,
    backup,
    capacity_providers,
    cloudfront,
    codebuild,
    containers,
    database_copies,
    databases,
    ec2,
    ecr,
    ecs,
    edge,
    iam,
    images,
    logs,
    names,
    order,
    protection,
    registry,
    rollback,
    s3,
    scheduler,
    secretsmanager,
    service_quotas,
    ses,
    stack_output,
    wafv2,
):
    part.install()
app.main()
