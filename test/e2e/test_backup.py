"""A deployment with a backup plan: what AWS Backup is told, and what outlives the stack."""

from typing import Any

import pytest
from e2e.app import BARE, Application
from e2e.cloud import ACCOUNT, Cloud
from e2e.stack import Json

VERSION = "v6.1.0"
COPIES = f"arn:aws:backup:eu-central-1:{ACCOUNT}:backup-vault:galv"
KEYS = {
    "removalProtection": True,
    "deletionProtection": False,
    "backupDays": 35,
    "backupLockDays": 14,
    "backupCopyTo": COPIES,
    "databaseKey": True,
    "alarmEmail": "lab@example.com",
}


@pytest.fixture(scope="module")
def app(cloud: Cloud) -> Application:
    application = Application(cloud, "backups", {**BARE, **KEYS})
    application.publish(VERSION)
    return application


@pytest.fixture(scope="module")
def plan(app: Application) -> Json:
    done = app.deploy(backendVersion=VERSION)
    assert done.ok, done.output
    client = app.cloud.client("backup")
    answer: Json = client.get_backup_plan(BackupPlanId=app.backend.id_of("AWS::Backup::BackupPlan"))
    return answer


def vault_of(app: Application) -> str:
    return str(app.backend.id_of("AWS::Backup::BackupVault"))


def test_a_backup_of_each_day_is_kept_and_copied(app: Application, plan: Json) -> None:
    (rule,) = plan["BackupPlan"]["Rules"]

    assert rule["TargetBackupVaultName"] == vault_of(app)
    assert rule["ScheduleExpression"] == "cron(0 5 * * ? *)"
    assert rule["Lifecycle"] == {"DeleteAfterDays": 35}
    (copy,) = rule["CopyActions"]
    assert copy["DestinationBackupVaultArn"] == COPIES


def test_database_and_uploads_are_selected(app: Application, plan: Json) -> None:
    client = app.cloud.client("backup")
    (selection,) = client.list_backup_selections(BackupPlanId=plan["BackupPlanId"])[
        "BackupSelectionsList"
    ]
    found: Any = client.get_backup_selection(
        BackupPlanId=plan["BackupPlanId"], SelectionId=selection["SelectionId"]
    )["BackupSelection"]

    database, bucket = found["Resources"]
    assert database.endswith(f":db:{app.backend.id_of('AWS::RDS::DBInstance')}")
    (uploads,) = [id for id in app.backend.ids("AWS::S3::Bucket") if "media" in id]
    assert bucket == f"arn:aws:s3:::{uploads}"
    role = found["IamRoleArn"].rpartition("/")[2]
    trust = app.cloud.client("iam").get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    assert trust["Statement"][0]["Principal"] == {"Service": "backup.amazonaws.com"}


@pytest.mark.usefixtures("plan")
def test_the_vault_outlives_the_stack_and_another_deployment_has_its_own(app: Application) -> None:
    before = vault_of(app)
    done = app.destroy()
    assert done.ok, done.output

    # With the identity for mail that outlived it too.
    again = app.deploy(backendVersion=VERSION, mailIdentity="existing")

    assert again.ok, again.output
    assert vault_of(app) != before
    kept = app.cloud.client("backup").describe_backup_vault(BackupVaultName=before)
    assert kept["BackupVaultName"] == before
