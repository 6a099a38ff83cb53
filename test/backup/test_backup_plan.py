"""Backups in a vault of AWS Backup."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from aws_cdk import Duration, Stack
from aws_cdk import aws_backup as backup
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_events as events
from aws_cdk import aws_kms as kms
from aws_cdk import aws_rds as rds
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Annotations, Match
from backends import ENVIRONMENT, KEY_ARN, Refusal, backend_in, new_app, regional_stack
from templates import Json, as_list, of_type, only, only_id, statements, synthesize

from galv_constructs import (
    GalvBackupPlan,
    GalvDatabase,
    GalvDatabaseCluster,
    GalvNetwork,
    IGalvDatabase,
)

PLAN, VAULT = "AWS::Backup::BackupPlan", "AWS::Backup::BackupVault"
SELECTION, RULE = "AWS::Backup::BackupSelection", "AWS::Events::Rule"
HERE, OURS = str(ENVIRONMENT.region), str(ENVIRONMENT.account)
THERE, THEIRS = "eu-central-1", "444455556666"


def bucket_in(stack: Stack, id: str = "Bucket", *, versioned: bool = True) -> s3.Bucket:
    return s3.Bucket(stack, id, versioned=versioned)


def network_in(stack: Stack) -> GalvNetwork:
    vpc = ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-1",
        availability_zones=["a", "b"],
        private_subnet_ids=["subnet-1", "subnet-2"],
    )
    return GalvNetwork.from_vpc(vpc)  # type: ignore[return-value]


def database_in(stack: Stack, **arguments: Any) -> GalvDatabase:
    network = network_in(stack)
    return GalvDatabase(stack, "Database", network=network, preflight=False, **arguments)


def cluster_in(stack: Stack, **arguments: Any) -> GalvDatabaseCluster:
    network = network_in(stack)
    return GalvDatabaseCluster(stack, "Aurora", network=network, preflight=False, **arguments)


def given_instance(stack: Stack) -> IGalvDatabase:
    instance = rds.DatabaseInstance.from_database_instance_attributes(
        stack,
        "Instance",
        instance_identifier="ours",
        instance_endpoint_address="db.example.com",
        port=5432,
        security_groups=[ec2.SecurityGroup.from_security_group_id(stack, "Group", "sg-1")],
    )
    return GalvDatabase.from_instance(instance, secret=secret_in(stack))


def by_address(stack: Stack) -> IGalvDatabase:
    return GalvDatabase.from_attributes(
        host="db.example.com",
        secret=secret_in(stack),
        security_groups=[ec2.SecurityGroup.from_security_group_id(stack, "Group", "sg-1")],
    )


def secret_in(stack: Stack) -> secretsmanager.ISecret:
    return secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "ours")


def vault_of(stack: Stack, region: str, account: str, name: str = "galv") -> backup.IBackupVault:
    arn = f"arn:aws:backup:{region}:{account}:backup-vault:{name}"
    return backup.BackupVault.from_backup_vault_arn(stack, "Copies", arn)


def plan_in(stack: Stack, **arguments: Any) -> GalvBackupPlan:
    if "resources" not in arguments:
        arguments["resources"] = [stack.node.try_find_child("Bucket") or bucket_in(stack)]
    return GalvBackupPlan(stack, "Backups", **arguments)


def plan(**arguments: Any) -> Json:
    """The template of a plan for a bucket."""
    stack = regional_stack()
    plan_in(stack, **arguments)
    return synthesize(stack)


def rules(template: Json) -> dict[str, Json]:
    """The plan's rules by name."""
    return {rule["RuleName"]: rule for rule in only(template, PLAN)["BackupPlan"]["BackupPlanRule"]}


def allowed(template: Json) -> dict[str, list[Any]]:
    """What the role may do, and with what."""
    role = only_id(template, "AWS::IAM::Role", "BackupsRole")
    found: dict[str, list[Any]] = {}
    for statement in statements(template, role):
        for action in as_list(statement["Action"]):
            found.setdefault(action, []).extend(as_list(statement["Resource"]))
    return found


class TestRules:
    def test_backs_up_every_day_for_35_days(self) -> None:
        template = plan()

        assert list(rules(template)) == ["Daily"]
        daily = rules(template)["Daily"]
        assert daily["ScheduleExpression"] == "cron(0 5 * * ? *)"
        assert daily["Lifecycle"] == {"DeleteAfterDays": 35}
        assert daily["TargetBackupVault"] == {
            "Fn::GetAtt": [only_id(template, VAULT), "BackupVaultName"]
        }
        assert "CopyActions" not in daily

    def test_keeps_backups_for_as_long_as_asked_for(self) -> None:
        found = rules(plan(daily_retention=Duration.days(8)))

        assert found["Daily"]["Lifecycle"] == {"DeleteAfterDays": 8}

    def test_keeps_one_of_each_month_if_asked_to(self) -> None:
        found = rules(plan(monthly_retention=Duration.days(365)))

        assert list(found) == ["Daily", "Monthly"]
        assert found["Monthly"]["ScheduleExpression"] == "cron(0 6 1 * ? *)"
        assert found["Monthly"]["Lifecycle"] == {"DeleteAfterDays": 365}

    def test_begins_when_asked_to(self) -> None:
        found = rules(plan(schedule=events.Schedule.cron(hour="12", minute="30")))

        assert found["Daily"]["ScheduleExpression"] == "cron(30 12 * * ? *)"


class TestVault:
    def test_stays_when_the_stack_is_deleted(self) -> None:
        ((_, vault),) = of_type(plan(), VAULT).items()

        assert vault["DeletionPolicy"] == "RetainExceptOnCreate"
        assert vault["UpdateReplacePolicy"] == "Retain"

    def test_is_named_after_this_very_stack(self) -> None:
        name = json.dumps(only(plan(), VAULT)["BackupVaultName"])

        assert "AWS::StackId" in name
        assert len("StackBackupsVault") + 13 <= 50

    def test_is_locked_as_asked_for(self) -> None:
        lock = backup.LockConfiguration(
            min_retention=Duration.days(7),
            max_retention=Duration.days(400),
            changeable_for=Duration.days(3),
        )
        template = plan(lock_configuration=lock, monthly_retention=Duration.days(400))

        assert only(template, VAULT)["LockConfiguration"] == {
            "ChangeableForDays": 3,
            "MaxRetentionDays": 400,
            "MinRetentionDays": 7,
        }

    def test_is_not_locked_by_default(self) -> None:
        assert "LockConfiguration" not in only(plan(), VAULT)

    def test_has_the_given_key(self) -> None:
        stack = regional_stack()
        plan_in(stack, encryption_key=kms.Key.from_key_arn(stack, "Key", KEY_ARN))

        assert only(synthesize(stack), VAULT)["EncryptionKeyArn"] == KEY_ARN

    def test_has_the_key_of_the_account_by_default(self) -> None:
        assert "EncryptionKeyArn" not in only(plan(), VAULT)


class TestResources:
    def test_a_backend_is_its_database_and_its_uploads(self) -> None:
        stack = regional_stack()
        plan_in(stack, resources=[backend_in(stack)])
        template = synthesize(stack)

        database, bucket = only(template, SELECTION)["BackupSelection"]["Resources"]
        assert only_id(template, "AWS::RDS::DBInstance") in json.dumps(database)
        assert only_id(template, "AWS::S3::Bucket", "BackendMediaBucket") in json.dumps(bucket)

    def test_a_cluster_and_a_given_instance(self) -> None:
        stack = regional_stack()
        plan_in(stack, resources=[cluster_in(stack), given_instance(stack)])
        template = synthesize(stack)

        instance, cluster = only(template, SELECTION)["BackupSelection"]["Resources"]
        assert json.dumps(instance).endswith(f':rds:{HERE}:{OURS}:db:ours"]]}}')
        assert only_id(template, "AWS::RDS::DBCluster") in json.dumps(cluster)

    def test_a_server_of_two_databases_is_backed_up_once(self) -> None:
        stack = regional_stack()
        server = database_in(stack)
        plan_in(stack, resources=[server, server.add_database("cathode")])

        assert len(only(synthesize(stack), SELECTION)["BackupSelection"]["Resources"]) == 1

    def test_a_backend_whose_database_is_known_by_its_address_is_warned_of(self) -> None:
        stack = regional_stack()
        backend = backend_in(stack, database=by_address(stack))
        plan_in(stack, resources=[backend])

        Annotations.from_stack(stack).has_warning(
            "/Stack/Backups", Match.string_like_regexp("uploads are backed up, and the database is")
        )
        assert len(only(synthesize(stack), SELECTION)["BackupSelection"]["Resources"]) == 1


class TestRole:
    def test_is_for_aws_backup_alone(self) -> None:
        (statement,) = only(plan(), "AWS::IAM::Role", "BackupsRole")["AssumeRolePolicyDocument"][
            "Statement"
        ]

        assert statement["Principal"] == {"Service": "backup.amazonaws.com"}

    def test_reads_the_bucket_and_changes_no_object(self) -> None:
        template = plan()
        found = allowed(template)
        bucket = {"Fn::GetAtt": [only_id(template, "AWS::S3::Bucket"), "Arn"]}

        assert found["s3:ListBucketVersions"] == [bucket]
        assert found["s3:GetObjectVersion"] == [{"Fn::Join": ["", [bucket, "/*"]]}]
        assert not [action for action in found if action.startswith(("s3:Delete", "s3:PutObject"))]
        assert not [action for action in found if action.startswith("rds:")]

    def test_creates_snapshots_of_the_database_alone(self) -> None:
        stack = regional_stack()
        plan_in(stack, resources=[given_instance(stack)])
        found = allowed(synthesize(stack))

        database, snapshots = map(json.dumps, found["rds:CreateDBSnapshot"])
        assert database.endswith(f':rds:{HERE}:{OURS}:db:ours"]]}}')
        assert snapshots.endswith(f':rds:*:{OURS}:snapshot:awsbackup:*"]]}}')
        assert list(map(json.dumps, found["rds:DeleteDBSnapshot"])) == [snapshots]
        assert not [action for action in found if action.startswith("s3:")]
        assert not {"rds:DeleteDBInstance", "rds:ModifyDBInstance"} & set(found)

    def test_creates_snapshots_of_a_cluster(self) -> None:
        stack = regional_stack()
        plan_in(stack, resources=[cluster_in(stack)])
        found = allowed(synthesize(stack))

        assert ":cluster-snapshot:awsbackup:*" in json.dumps(found["rds:CopyDBClusterSnapshot"])
        assert "rds:CreateDBSnapshot" not in found

    def test_has_no_policy_of_aws_that_is_for_everything(self) -> None:
        assert "ManagedPolicyArns" not in only(plan(), "AWS::IAM::Role", "BackupsRole")

    def test_copies_to_no_vault_by_default(self) -> None:
        assert "backup:CopyFromBackupVault" not in allowed(plan())


class TestCopies:
    @pytest.mark.parametrize(("region", "account"), [(THERE, OURS), (HERE, THEIRS)])
    def test_go_to_another_region_or_account(self, region: str, account: str) -> None:
        stack = regional_stack()
        vault = vault_of(stack, region, account)
        plan_in(stack, copy_to=vault, monthly_retention=Duration.days(90))
        template = synthesize(stack)

        arn = f"arn:aws:backup:{region}:{account}:backup-vault:galv"
        assert [rule["CopyActions"] for rule in rules(template).values()] == [
            [{"DestinationBackupVaultArn": arn, "Lifecycle": {"DeleteAfterDays": days}}]
            for days in (35, 90)
        ]
        assert arn in allowed(template)["backup:CopyIntoBackupVault"]
        assert "backup:CopyFromBackupVault" in allowed(template)
        Annotations.from_stack(stack).has_no_warning("*", Match.any_value())

    def test_are_kept_as_long_as_asked_for(self) -> None:
        stack = regional_stack()
        copy_to = vault_of(stack, THERE, OURS)
        plan_in(stack, copy_to=copy_to, copy_retention=Duration.days(90))

        (copy,) = rules(synthesize(stack))["Daily"]["CopyActions"]
        assert copy["Lifecycle"] == {"DeleteAfterDays": 90}

    def test_of_a_database_to_another_region_need_no_key_of_its_own(self) -> None:
        stack = regional_stack()
        plan_in(stack, resources=[database_in(stack)], copy_to=vault_of(stack, THERE, OURS))

        assert "CopyActions" in rules(synthesize(stack))["Daily"]

    @pytest.mark.parametrize("make", [database_in, cluster_in])
    def test_of_a_database_with_a_key_of_its_own_go_to_another_account(
        self, make: Callable[..., Any]
    ) -> None:
        stack = regional_stack()
        database = make(stack, encryption_key=kms.Key.from_key_arn(stack, "Key", KEY_ARN))
        plan_in(stack, resources=[database], copy_to=vault_of(stack, HERE, THEIRS))

        assert "CopyActions" in rules(synthesize(stack))["Daily"]

    def test_of_a_restored_database_have_the_key_of_its_snapshot(self) -> None:
        stack = regional_stack()
        database = database_in(stack, snapshot_identifier="before")
        plan_in(stack, resources=[database], copy_to=vault_of(stack, HERE, THEIRS))

        assert "CopyActions" in rules(synthesize(stack))["Daily"]

    def test_of_a_database_to_another_region_and_account_are_warned_of(self) -> None:
        stack = regional_stack()
        plan_in(stack, resources=[given_instance(stack)], copy_to=vault_of(stack, THERE, THEIRS))

        Annotations.from_stack(stack).has_warning(
            "/Stack/Backups", Match.string_like_regexp(f"{THERE} and {THEIRS}.*to one or the other")
        )

    def test_of_a_stack_for_any_place_are_not_compared(self) -> None:
        stack = Stack(new_app(), "Stack")
        plan_in(stack, resources=[database_in(stack)], copy_to=vault_of(stack, HERE, OURS))

        assert "CopyActions" in rules(synthesize(stack))["Daily"]


class TestFailures:
    def test_are_told(self) -> None:
        stack = regional_stack()
        plan_in(stack, alarm_topic=sns.Topic(stack, "Topic"))
        template = synthesize(stack)
        vault = only_id(template, VAULT)

        of_backups = only(template, RULE, "BackupsBackupFailed")
        of_copies = only(template, RULE, "BackupsCopyFailed")
        assert of_backups["EventPattern"] == {
            "source": ["aws.backup"],
            "detail-type": ["Backup Job State Change"],
            "detail": {
                "backupVaultName": [{"Fn::GetAtt": [vault, "BackupVaultName"]}],
                "state": ["FAILED", "PARTIAL", "ABORTED", "EXPIRED"],
            },
        }
        assert of_copies["EventPattern"] == {
            "source": ["aws.backup"],
            "detail-type": ["Copy Job State Change"],
            "detail": {
                "sourceBackupVaultArn": [{"Fn::GetAtt": [vault, "BackupVaultArn"]}],
                "state": ["FAILED", "PARTIAL"],
            },
        }
        for rule in (of_backups, of_copies):
            (target,) = rule["Targets"]
            assert target["Arn"] == {"Ref": only_id(template, "AWS::SNS::Topic")}
            assert "failed (Stack/Backups): <detail-statusMessage>" in json.dumps(target)

    def test_are_told_to_nobody_by_default(self) -> None:
        assert of_type(plan(), RULE) == {}


def days(number: int) -> Duration:
    return Duration.days(number)


class TestRefuses:
    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            ({"resources": []}, "resources must have at least one of backends, databases and"),
            ({"resources": "backend"}, "resources must be a list of backends, databases and"),
            ({"resources": ["ours"]}, r"resources\[0\] must be a GalvBackend, a database such as"),
            ({"daily_retention": 35}, "daily_retention must be a Duration, got 35: use Duration.d"),
            ({"daily_retention": days(0)}, "daily_retention must be whole days from 1 to 36500"),
            ({"monthly_retention": Duration.hours(36)}, "monthly_retention must be whole days"),
            ({"copy_retention": days(9)}, "copy_retention is given without copy_to"),
            ({"schedule": "daily"}, "schedule must be an aws_events.Schedule, got 'daily'"),
            ({"copy_to": "arn:aws:backup"}, "copy_to must be an aws_backup.IBackupVault, got"),
            ({"lock_configuration": 35}, "lock_configuration must be a backup.LockConfiguration"),
            (
                {"lock_configuration": backup.LockConfiguration(min_retention=days(36))},
                "daily_retention is 35 days, and lock_configuration lets backups of at least 36",
            ),
            (
                {
                    "monthly_retention": days(365),
                    "lock_configuration": backup.LockConfiguration(
                        min_retention=days(7), max_retention=days(90)
                    ),
                },
                "lock_configuration lets backups of at least 7 and at most 90 into the vault",
            ),
            (
                {
                    "lock_configuration": backup.LockConfiguration(
                        min_retention=days(7), changeable_for=days(2)
                    )
                },
                "lock_configuration.changeable_for must be whole days from 3 to 36500, got 2 days",
            ),
        ],
    )
    def test_refuses_malformed_arguments(
        self, refusal: Refusal, arguments: Json, expected: str
    ) -> None:
        stack = regional_stack()
        bucket_in(stack)

        said = refusal(lambda: plan_in(stack, **arguments))

        assert expected.replace("\\", "") in said

    def test_refuses_what_is_there_twice(self, refusal: Refusal) -> None:
        bucket = bucket_in(regional_stack())

        said = refusal(lambda: plan_in(Stack.of(bucket), resources=[bucket, bucket]))

        assert "resources[1] is in resources twice: leave one of them out" in said

    def test_refuses_a_bucket_without_versions(self, refusal: Refusal) -> None:
        bucket = bucket_in(regional_stack(), versioned=False)

        said = refusal(lambda: plan_in(Stack.of(bucket), resources=[bucket]))

        assert "resources[0]: the bucket Stack/Bucket keeps no versions of objects" in said
        assert "pass versioned=True to it" in said

    def test_refuses_a_backend_whose_uploads_have_no_versions(self, refusal: Refusal) -> None:
        backend = backend_in(regional_stack(), production=False)

        said = refusal(lambda: plan_in(Stack.of(backend), resources=[backend]))

        assert "the bucket Stack/Backend/MediaBucket keeps no versions" in said
        assert "pass removal_protection=True to the backend" in said

    def test_refuses_a_database_that_is_known_by_its_address(self, refusal: Refusal) -> None:
        stack = regional_stack()
        database = by_address(stack)

        said = refusal(lambda: plan_in(stack, resources=[database]))

        assert "resources[0] is known by its address alone" in said
        assert "pass GalvDatabase.from_instance(…) or from_cluster(…)" in said

    def test_refuses_a_copy_beside_the_backups(self, refusal: Refusal) -> None:
        stack = regional_stack()
        bucket_in(stack)
        vault = vault_of(stack, HERE, OURS)

        said = refusal(lambda: plan_in(stack, copy_to=vault))

        assert f"is in the stack's own region and account, {HERE} and {OURS}" in said
        assert "pass a vault in another region, or in another account" in said

    def test_refuses_a_vault_of_the_same_stack_wherever_that_is(self, refusal: Refusal) -> None:
        stack = Stack(new_app(), "Stack")
        bucket_in(stack)
        vault = backup.BackupVault(stack, "Copies")

        assert "own region and account" in refusal(lambda: plan_in(stack, copy_to=vault))

    def test_refuses_the_default_vault_of_another_account(self, refusal: Refusal) -> None:
        stack = regional_stack()
        bucket_in(stack)
        vault = vault_of(stack, HERE, THEIRS, "Default")

        said = refusal(lambda: plan_in(stack, copy_to=vault))

        assert "is the default vault of its account" in said
        assert "create a vault there with a KMS key of your own" in said

    @pytest.mark.parametrize(
        ("make", "path"), [(database_in, "Database/Resource"), (cluster_in, "Aurora/Resource")]
    )
    def test_refuses_another_account_for_a_database_with_the_key_of_rds(
        self, refusal: Refusal, make: Callable[..., Any], path: str
    ) -> None:
        stack = regional_stack()
        database = make(stack)
        vault = vault_of(stack, HERE, THEIRS)

        said = refusal(lambda: plan_in(stack, resources=[database], copy_to=vault))

        assert f"is in account {THEIRS}, and the database Stack/{path}" in said
        assert "is encrypted with the key of RDS" in said
        assert "pass encryption_key to the database" in said


class TestKeys:
    def test_of_a_database_may_be_used_by_the_account_of_its_copies(self) -> None:
        stack = regional_stack()
        key, other = kms.Key(stack, "Key"), kms.Key(stack, "Other")
        database = database_in(stack, encryption_key=key)
        plan_in(stack, resources=[database], copy_to=vault_of(stack, HERE, THEIRS))
        template = synthesize(stack)

        assert f":iam::{THEIRS}:root" in json.dumps(policy_of(template, key))
        assert f":iam::{THEIRS}:root" not in json.dumps(policy_of(template, other))

    def test_of_a_database_is_for_its_own_account_where_copies_stay_there(self) -> None:
        stack = regional_stack()
        key = kms.Key(stack, "Key")
        database = database_in(stack, encryption_key=key)
        plan_in(stack, resources=[database], copy_to=vault_of(stack, THERE, OURS))

        assert f":iam::{THEIRS}:root" not in json.dumps(policy_of(synthesize(stack), key))


def policy_of(template: Json, key: kms.Key) -> Json:
    resource = key.node.default_child
    assert isinstance(resource, kms.CfnKey)
    id = Stack.of(key).resolve(resource.logical_id)
    policy: Json = template["Resources"][id]["Properties"]["KeyPolicy"]
    return policy
