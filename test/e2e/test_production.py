"""In production: a first deployment that fails, what refuses to be deleted, and what remains."""

import json
from collections.abc import Callable, Iterator

import pytest
from botocore.exceptions import ClientError
from e2e.app import BARE, Application, Outcome
from e2e.cloud import Cloud
from e2e.faults import MIGRATION_FAILS, SERVER_ENDS
from e2e.inventory import inventory
from e2e.stack import Stack
from e2e.templates import add_what_fails, resource
from galv.stand_in import APPLICATION

GOOD, NO_MIGRATION, NO_SERVICE, NO_CHECK = "v4.0.0", "v4.0.1", "v4.0.2", "v4.0.3"
SITE, NO_SITE, NO_PAGE = "v4.0.0", "v4.0.1", "v4.0.2"
LAST = "lab-DeletionProtectionStack"
_CHECK = "galv/management/commands/check_status.py"
# There is no mail server here, with which the check signs in.
CHECKS_NO_MAIL = {_CHECK: (APPLICATION / _CHECK).read_text().replace('    "smtp": _smtp,\n', "")}
PAGE_WITHOUT_ITS_SCRIPT = """\
mkdir -p dist/assets
echo "const api = '$VITE_GALV_API_BASE_URL'" > dist/assets/api.js
echo "<script src=/assets/api.js></script>" > dist/index.html
echo "<script src=/assets/missing.js></script>" >> dist/index.html
"""


@pytest.fixture(scope="module")
def app(cloud: Cloud) -> Application:
    application = Application(cloud, "lab", {"isProduction": True, **BARE}, with_frontend=True)
    application.publish_frontend(SITE)
    application.publish_frontend(NO_SITE, build="exit 1")
    application.publish_frontend(NO_PAGE, build=PAGE_WITHOUT_ITS_SCRIPT)
    argument = "container_insights=config.enable_container_insights,"
    application.change("galv_app/backend_stack.py", argument, f'{argument} check_status="fail",')
    application.publish(GOOD, CHECKS_NO_MAIL)
    application.publish(NO_CHECK)
    application.publish(NO_MIGRATION, MIGRATION_FAILS)
    application.publish(NO_SERVICE, SERVER_ENDS)
    return application


@pytest.fixture(scope="module")
def before(app: Application, cloud: Cloud) -> set[str]:
    return inventory(cloud)


def is_kept(name: str) -> bool:
    """Whether a resource outlives its stack by docs/operations.md: buckets, logs, secrets, mail."""
    service, _, id = name.partition(": ")
    # What sends through the identity goes on sending.
    of_mail = service in ("sesv2", "route53") and "mail-lab.example.com" in id
    of_mail = of_mail and not id.startswith("_dmarc")
    return (
        service in ("s3", "logs")
        or of_mail
        or (
            service == "secretsmanager"
            # Of use only with the key that goes with the stack, and of a name that is wanted again.
            and ":secret:lab-smtp-" not in id
            # The tasks' password, of which setup makes another one for a database that comes back.
            and "LoginSecret" not in id
        )
    )


def is_left_by_a_failure(name: str) -> bool:
    """Whether it outlives a failed creation: buckets, and a snapshot of an empty database."""
    own_logs = name.startswith(("logs: /aws/lambda/", "logs: /aws/rds/"))
    return own_logs or name.startswith("s3: ") or is_snapshot(name)


def is_snapshot(name: str) -> bool:
    return name.startswith("rds: ") and ":snapshot:" in name


def statuses(app: Application) -> list[str]:
    """The status of each stack, in the order of deployment."""
    stacks = app.cloud.client("cloudformation").describe_stacks()["Stacks"]
    found = {one["StackName"]: one["StackStatus"] for one in stacks}
    names = [f"lab-{name}Stack" for name in ("LogBucket", "Backend", "Frontend")]
    return [found.get(name, "") for name in [*names, LAST]]


Break = Callable[[Application], Outcome]


def no_migration(app: Application) -> Outcome:
    return app.deploy(backendVersion=NO_MIGRATION, frontendVersion=SITE)


def no_network(app: Application) -> Outcome:
    template = app.template_of_version(GOOD)
    resource(template, "AWS::EC2::NatGateway")["Properties"]["AllocationId"] = "eipalloc-0"
    return app.deploy_template(template)


def no_database(app: Application) -> Outcome:
    template = app.template_of_version(GOOD)
    resource(template, "AWS::RDS::DBInstance")["Properties"]["DBSubnetGroupName"] = "missing"
    return app.deploy_template(template)


def no_service(app: Application) -> Outcome:
    return app.deploy_version(NO_SERVICE)


def no_check(app: Application) -> Outcome:
    return app.deploy_version(NO_CHECK)


def a_name_that_is_taken(app: Application) -> Outcome:
    secrets = app.cloud.client("secretsmanager")
    secrets.create_secret(Name="lab-smtp", SecretString="{}")
    try:
        return app.deploy_version(GOOD)
    finally:
        secrets.delete_secret(SecretId="lab-smtp", ForceDeleteWithoutRecovery=True)


def something_when_all_is_protected(app: Application) -> Outcome:
    template = app.template_of_version(GOOD)
    (protection,) = [
        id for id, one in template["Resources"].items() if one["Type"] == "Custom::GalvProtection"
    ]
    add_what_fails(template, protection)
    return app.deploy_template(template)


@pytest.mark.parametrize(
    ("fail", "reason"),
    [
        (no_migration, "Release task exited with code 1"),
        (no_network, "InvalidAllocationID.NotFound"),
        (no_database, "DBSubnetGroupNotFound"),
        (a_name_that_is_taken, "lab-smtp"),
        (no_service, "Circuit Breaker"),
        (no_check, "smtp: ERROR"),
        (something_when_all_is_protected, "InvalidGroup.NotFound"),
    ],
)
def test_a_first_deployment_that_fails_rolls_back_to_nothing_by_itself(
    fail: Break, reason: str, before: set[str], app: Application, cloud: Cloud
) -> None:
    """Each attempt is also the proof that the one before it stands in the way of nothing."""
    done = fail(app)

    assert "failed to deploy" in done.output, done.output
    assert any(reason in event for event in app.backend.reasons()), app.backend.reasons()
    assert statuses(app)[1:] == ["ROLLBACK_COMPLETE", "", ""]
    left = inventory(cloud) - before
    stacks = {"cloudformation: lab-LogBucketStack", "cloudformation: lab-BackendStack"}
    assert {name for name in left if not is_left_by_a_failure(name)} == stacks


def test_a_first_deployment_that_fails_rolls_back_the_stack_in_us_east_1(
    app: Application, cloud: Cloud
) -> None:
    edge = Stack(cloud, f"{app.frontend.name}-Edge")
    template = app.template(edge)
    (certificate,) = [
        id
        for id, one in template["Resources"].items()
        if one["Type"] == "AWS::CertificateManager::Certificate"
    ]
    add_what_fails(template, certificate)
    there = cloud.client("cloudformation", "us-east-1")
    # It needs nothing of the others: it was created when they failed, and then left alone.
    there.delete_stack(StackName=edge.name)
    there.get_waiter("stack_delete_complete").wait(StackName=edge.name, WaiterConfig={"Delay": 1})
    certificates = cloud.client("acm", "us-east-1").list_certificates
    # Those of other deployments.
    before = certificates()["CertificateSummaryList"]

    done = app.deploy_template(app.template_of_version(GOOD), (edge, template))

    assert not done.ok
    assert statuses(app)[2:] == ["", ""]
    (found,) = there.describe_stacks(StackName=edge.name)["Stacks"]
    assert found["StackStatus"] == "ROLLBACK_COMPLETE"
    assert certificates()["CertificateSummaryList"] == before


@pytest.mark.parametrize(
    ("version", "reason"),
    [(NO_SITE, "the build ended with FAILED"), (NO_PAGE, "assets/missing.js")],
)
def test_a_site_that_is_not_built_or_does_not_load_rolls_back(
    version: str, reason: str, app: Application
) -> None:
    text = json.dumps(app.template(app.frontend)).replace(SITE, version)

    done = app.deploy_template(app.template_of_version(GOOD), (app.frontend, json.loads(text)))

    assert not done.ok
    assert any(reason in event for event in app.frontend.reasons()), app.frontend.reasons()
    complete = "CREATE_COMPLETE"
    assert statuses(app) == [complete, complete, "ROLLBACK_COMPLETE", ""]


def test_the_next_deployment_succeeds_and_turns_on_deletion_protection(app: Application) -> None:
    done = app.deploy(backendVersion=GOOD, frontendVersion=SITE)

    assert done.ok, done.output
    complete = "CREATE_COMPLETE"
    assert statuses(app) == [complete, "UPDATE_COMPLETE", complete, complete]
    assert app.problems() == []
    assert app.backend.protected() == [True, True]


def test_an_update_keeps_deletion_protection(app: Application) -> None:
    template = app.template(app.backend)
    balancer = resource(template, "AWS::ElasticLoadBalancingV2::LoadBalancer")["Properties"]
    for attribute in balancer["LoadBalancerAttributes"]:
        if attribute["Key"] == "idle_timeout.timeout_seconds":
            attribute["Value"] = "300"
    resource(template, "AWS::RDS::DBInstance")["Properties"]["DBInstanceClass"] = "db.t4g.small"

    done = app.deploy_template(template)

    assert done.ok, done.output
    assert app.backend.status == "UPDATE_COMPLETE"
    assert app.backend.protected() == [True, True]


def test_a_failed_update_keeps_deletion_protection(app: Application) -> None:
    done = app.deploy_version(NO_MIGRATION)

    assert not done.ok
    assert app.backend.status == "UPDATE_ROLLBACK_COMPLETE"
    assert app.backend.protected() == [True, True]


@pytest.fixture
def unchanged(app: Application, cloud: Cloud) -> Iterator[None]:
    there = (statuses(app), inventory(cloud), app.backend.service["runningCount"])
    yield
    assert (statuses(app), inventory(cloud), app.backend.service["runningCount"]) == there


@pytest.mark.usefixtures("unchanged")
def test_destroying_it_is_refused_before_anything_is_gone(app: Application) -> None:
    done = app.destroy()

    assert not done.ok
    assert LAST in done.output
    assert "TerminationProtection is enabled" in done.output


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("name", ["lab-BackendStack", "lab-FrontendStack", LAST])
def test_deleting_a_single_stack_without_the_cli_is_refused(name: str, cloud: Cloud) -> None:
    with pytest.raises(ClientError, match=r"is imported by stack|TerminationProtection"):
        cloud.client("cloudformation").delete_stack(StackName=name)


def test_production_turned_off_and_on_changes_deletion_protection(app: Application) -> None:
    trial = app.deploy(isProduction=False)

    assert trial.ok, trial.output
    assert app.backend.protected() == [False, False]
    assert app.problems() == []

    production = app.deploy(isProduction=True)

    assert production.ok, production.output
    assert app.backend.protected() == [True, True]
    assert not app.destroy().ok
    assert app.problems() == []


def test_leaves_exactly_what_is_kept_when_it_is_destroyed_as_documented(
    before: set[str], app: Application, cloud: Cloud
) -> None:
    there = inventory(cloud) - before
    opened = app.deploy(deletionProtection=False)
    assert opened.ok, opened.output
    assert app.backend.protected() == [False, False]

    done = app.destroy()

    assert done.ok, done.output
    left = inventory(cloud) - before
    assert {name for name in there if is_snapshot(name)} < {
        name for name in left if is_snapshot(name)
    }
    assert {name for name in left if not is_snapshot(name)} == {
        name for name in there if is_kept(name)
    }


def test_deploys_again_beside_the_kept_resources(app: Application) -> None:
    done = app.deploy(deletionProtection=True, mailIdentity="existing")

    assert done.ok, done.output
    assert statuses(app) == ["CREATE_COMPLETE"] * 4
    assert app.problems() == []
    assert app.backend.protected() == [True, True]
