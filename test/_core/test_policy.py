"""The table that turns `production` and `removal_protection` into settings, and what follows."""

from itertools import product

import pytest
from aws_cdk import RemovalPolicy, Stack
from aws_cdk.aws_logs import RetentionDays
from backends import RefusedBackend, backend_in, new_app
from templates import Json, of_type, only, synthesize

from galv_constructs._core.policy import DeploymentPolicy

Templates = dict[tuple[bool, bool | None], Json]

SWITCHES = [True, False]
OVERRIDES = [None, True, False]
# Of production and removal protection; the policies themselves are tested for all six.
ROWS = [(True, None), (True, False), (False, None), (False, True)]


@pytest.mark.parametrize(("production", "override"), list(product(SWITCHES, OVERRIDES)))
def test_removal_protection_says_whether_data_outlives_the_stack(
    production: bool, override: bool | None
) -> None:
    policy = DeploymentPolicy.of(production=production, removal_protection=override)

    protected = production if override is None else override
    assert policy.deletion_protection is protected
    assert policy.versioned is protected
    assert policy.delete_contents is not protected
    if protected:
        assert policy.bucket_removal is RemovalPolicy.RETAIN
        assert policy.data_removal is RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
        assert policy.database_removal is RemovalPolicy.SNAPSHOT
    else:
        removal = {policy.bucket_removal, policy.data_removal, policy.database_removal}
        assert removal == {RemovalPolicy.DESTROY}


@pytest.mark.parametrize("override", [True, False])
@pytest.mark.parametrize("removal", OVERRIDES)
def test_an_explicit_deletion_protection_wins(override: bool, removal: bool | None) -> None:
    policy = DeploymentPolicy.of(
        production=True, removal_protection=removal, deletion_protection=override
    )

    assert policy.deletion_protection is override
    assert policy.versioned is (removal is not False)


@pytest.mark.parametrize("override", OVERRIDES)
@pytest.mark.parametrize(
    ("production", "days", "retention"),
    [(True, 30, RetentionDays.ONE_YEAR), (False, 7, RetentionDays.ONE_MONTH)],
)
def test_production_says_how_careful_a_deployment_is(
    production: bool, override: bool | None, days: int, retention: RetentionDays
) -> None:
    policy = DeploymentPolicy.of(production=production, removal_protection=override)

    assert policy.multi_az is production
    assert policy.backup_retention_days == days
    assert policy.log_retention == retention


@pytest.mark.parametrize(("production", "override"), list(product(SWITCHES, OVERRIDES)))
def test_an_explicit_switch_wins_over_production(production: bool, override: bool | None) -> None:
    policy = DeploymentPolicy.of(
        production=production, execute_command=override, container_insights=override
    )

    assert policy.execute_command is (not production if override is None else override)
    assert policy.container_insights is (production if override is None else override)


@pytest.fixture(scope="module")
def templates() -> Templates:
    """A template for each row of the table."""
    made = {}
    for production, protection in ROWS:
        stack = Stack(new_app(), "Stack")
        backend_in(stack, production=production, removal_protection=protection)
        made[production, protection] = synthesize(stack)
    return made


class TestTemplates:
    @pytest.mark.parametrize(("production", "override"), ROWS)
    def test_resources_with_data_follow_removal_protection(
        self,
        templates: Templates,
        production: bool,
        override: bool | None,
    ) -> None:
        template = templates[production, override]
        protected = production if override is None else override

        kept = {
            "AWS::S3::Bucket": "Retain",
            "AWS::SecretsManager::Secret": "RetainExceptOnCreate",
            "AWS::Logs::LogGroup": "RetainExceptOnCreate",
        }
        for kind, policy in kept.items():
            for logical_id, resource in of_type(template, kind).items():
                # Setup gives the tasks' login another password in a restored database.
                if logical_id.startswith("BackendLogin"):
                    continue
                assert resource["DeletionPolicy"] == (policy if protected else "Delete")
        ((_, database),) = of_type(template, "AWS::RDS::DBInstance").items()
        assert database["DeletionPolicy"] == ("Snapshot" if protected else "Delete")
        assert database["UpdateReplacePolicy"] == database["DeletionPolicy"]
        assert database["Properties"]["DeleteAutomatedBackups"] is not protected
        assert bool(of_type(template, "Custom::S3AutoDeleteObjects")) is not protected
        protection = only(template, "Custom::GalvProtection")
        assert protection["Protected"] == ("true" if protected else "false")
        versioned = {
            "VersioningConfiguration" in bucket["Properties"]
            for bucket in of_type(template, "AWS::S3::Bucket").values()
        }
        assert versioned == {protected}

    @pytest.mark.parametrize(("production", "override"), ROWS)
    def test_standby_backups_and_insights_follow_production(
        self,
        templates: Templates,
        production: bool,
        override: bool | None,
    ) -> None:
        template = templates[production, override]

        database = only(template, "AWS::RDS::DBInstance")
        assert database["MultiAZ"] is production
        assert database["BackupRetentionPeriod"] == (30 if production else 7)
        cluster = only(template, "AWS::ECS::Cluster")
        insights = "enabled" if production else "disabled"
        assert cluster["ClusterSettings"] == [{"Name": "containerInsights", "Value": insights}]
        service = only(template, "AWS::ECS::Service")
        assert service["EnableExecuteCommand"] is not production


@pytest.mark.parametrize(
    "argument",
    [
        "production",
        "removal_protection",
        "deletion_protection",
        "execute_command",
        "container_insights",
    ],
)
@pytest.mark.parametrize("value", ["false", 0, []])
def test_refuses_a_flag_that_is_not_a_boolean(
    refused_backend: RefusedBackend, argument: str, value: object
) -> None:
    assert refused_backend(**{argument: value}) == (
        f"{argument} must be true or false, got {value!r} ({type(value).__name__})"
    )


def test_refuses_production_without_a_value(refused_backend: RefusedBackend) -> None:
    assert refused_backend(production=None).startswith("production must be true or false, got None")
