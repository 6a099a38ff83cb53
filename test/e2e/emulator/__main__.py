"""Start the emulator: `python -m e2e.emulator`, configured by environment variables."""

from e2e.emulator import (
    application_autoscaling,
    awslambda,
    containers,
    ec2,
    ecs,
    iam,
    names,
    order,
    protection,
    rollback,
    s3,
    secretsmanager,
    ses,
    wafv2,
)
from ministack import app

for part in (
    application_autoscaling,
    awslambda,
    containers,
    ec2,
    ecs,
    iam,
    names,
    order,
    protection,
    rollback,
    s3,
    secretsmanager,
    ses,
    wafv2,
):
    part.install()
app.main()
