"""A deployment with another image makes a snapshot first, which has what its migration drops."""

import time
from pathlib import Path
from typing import Any

import pytest
from containers import why_no_network
from e2e.app import BARE, Application
from e2e.backend import Backend
from e2e.cloud import Cloud
from e2e.rows import ask
from e2e.stack import Json
from frontend_site.programs import skip
from proof.postgres import programs

FIRST, DROPS, BROKEN = "v3.0.0", "v3.1.0", "v3.2.0"
MIGRATION = """\
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("galv", "{after}")]
    operations = [migrations.RunSQL("ALTER TABLE galv_lab {change}")]
"""
DROP = {"0002_drop": MIGRATION.format(after="0001_initial", change="DROP COLUMN quota_bytes")}
FAILS = {"0003_fails": MIGRATION.format(after="0002_drop", change="DROP COLUMN quota_bytes")}
HAS_COLUMN = (
    "SELECT count(*) FROM information_schema.columns "
    "WHERE table_name = 'galv_lab' AND column_name = 'quota_bytes'"
)
COLUMN = "SELECT quota_bytes FROM galv_lab WHERE name = 'kept'"


@pytest.fixture(scope="module")
def app(cloud: Cloud) -> Application:
    skip(why_no_network())
    if programs() is None:
        skip("PostgreSQL is missing (Debian: postgresql)")
    app = Application(cloud, "points", {**BARE, "snapshotBeforeSetup": True})
    for version, migrations in ((FIRST, {}), (DROPS, DROP), (BROKEN, DROP | FAILS)):
        assert isinstance(app.publish_galv(version, **migrations), Path)
    done = app.deploy(backendVersion=FIRST)
    assert done.ok, done.output
    return app


@pytest.fixture(scope="module")
def backend(app: Application) -> Backend:
    return app.backend


def snapshots(cloud: Cloud) -> list[Json]:
    """The restore points of the stack, the oldest first."""
    found = cloud.client("rds").describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
    own = [one for one in found if one["DBSnapshotIdentifier"].startswith("points-backendstack-")]
    return sorted((dict(one) for one in own), key=lambda one: one["SnapshotCreateTime"])


def instance(cloud: Cloud, name: str) -> Json:
    (found,) = cloud.client("rds").describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
    return dict(found)


def restored(cloud: Cloud, snapshot: str) -> Json:
    """An instance that a snapshot was restored to."""
    rds: Any = cloud.client("rds")
    rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier="points-restored", DBSnapshotIdentifier=snapshot
    )
    deadline = time.monotonic() + 60
    while (found := instance(cloud, "points-restored"))["DBInstanceStatus"] != "available":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found


def test_the_first_deployment_makes_none(app: Application, cloud: Cloud) -> None:
    assert snapshots(cloud) == []


def test_another_image_makes_one_that_has_what_is_dropped(
    app: Application, backend: Backend, cloud: Cloud
) -> None:
    database = instance(cloud, backend.id_of("AWS::RDS::DBInstance"))
    ask(database, "INSERT INTO galv_lab (name, quota_bytes) VALUES ('kept', 42)")

    done = app.deploy(backendVersion=DROPS)

    assert done.ok, done.output
    assert app.problems() == []
    (snapshot,) = snapshots(cloud)
    assert snapshot["DBSnapshotIdentifier"].startswith("points-backendstack-before-v3-1-0-")
    tags = {tag["Key"]: tag["Value"] for tag in snapshot["TagList"]}
    assert tags["galv-constructs:restore-point"] == "points-BackendStack"
    assert tags["galv-version"] == DROPS
    setup = backend.tasks("setup-db")[-1]
    assert snapshot["SnapshotCreateTime"] <= setup["createdAt"]
    assert "destructive: galv.0002_drop drops a column" in backend.log(setup)
    assert ask(database, HAS_COLUMN) == ["0"]
    copy = restored(cloud, snapshot["DBSnapshotIdentifier"])
    assert ask(copy, COLUMN) == ["42"]
    cloud.client("rds").delete_db_instance(
        DBInstanceIdentifier="points-restored", SkipFinalSnapshot=True
    )


def test_the_same_image_makes_none(app: Application, cloud: Cloud) -> None:
    before = snapshots(cloud)

    done = app.deploy(monitorIntervalMinutes=20)

    assert done.ok, done.output
    assert snapshots(cloud) == before


def test_a_failed_one_makes_one_and_its_rollback_none(
    app: Application, backend: Backend, cloud: Cloud
) -> None:
    before = snapshots(cloud)

    done = app.deploy(backendVersion=BROKEN)

    assert not done.ok
    assert backend.status == "UPDATE_ROLLBACK_COMPLETE"
    (made,) = snapshots(cloud)[len(before) :]
    assert "-before-v3-2-0-" in made["DBSnapshotIdentifier"]
    assert backend.version == DROPS


def test_a_snapshot_that_cannot_be_made_leaves_all_as_it_was(
    app: Application, backend: Backend, cloud: Cloud
) -> None:
    before, ran, service = snapshots(cloud), len(backend.tasks("setup-db")), backend.service
    template = app.template_of_version(FIRST)
    for resource in template["Resources"].values():
        if resource["Type"] == "Custom::GalvRestorePoint":
            resource["Properties"] |= {"Image": "another", "Database": "no-such-database"}

    done = app.deploy_template(template)

    assert not done.ok
    reason = next(one for one in backend.reasons() if "before setup" in one)
    assert "The snapshot of the database no-such-database before setup could not be made" in reason
    assert "snapshot_before_setup=False (snapshotBeforeSetup in cdk.json)" in reason
    assert snapshots(cloud) == before
    assert len(backend.tasks("setup-db")) == ran
    assert backend.service["deployments"] == service["deployments"]
