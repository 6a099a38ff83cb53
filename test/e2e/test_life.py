"""The life of a deployment outside production, from nothing to nothing, one test a step."""

import json
import re
import shlex
from pathlib import Path

import pytest
from containers import why_no_network
from e2e.app import BARE, Application
from e2e.backend import Backend
from e2e.cloud import Cloud
from e2e.describable import missing
from e2e.inventory import inventory
from e2e.stack import Json
from e2e.templates import resource
from frontend_site.programs import skip
from proof.postgres import programs

FIRST, SECOND, BROKEN, THIRD = "v2.11.3", "v2.11.5", "v2.12.0", "v2.12.1"
LOSING = "v3.0.0"
SITE, BROKEN_SITE, NEXT_SITE = "v2.2.0", "v2.2.1", "v2.2.2"
MIGRATION = """\
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("galv", "{after}")]
    operations = [migrations.RunSQL("ALTER TABLE galv_cell ADD COLUMN {column}")]
"""
NOTE = {"0002_note": MIGRATION.format(after="0001_initial", column="note text DEFAULT ''")}
AGAIN = {"0003_note": MIGRATION.format(after="0002_note", column="note text")}
DROP = {
    "0003_drop": MIGRATION.format(after="0002_note", column="").replace(
        "ADD COLUMN ", "DROP COLUMN note"
    )
}
STATUS = re.compile(r"\w+: (?:OK|ERROR)")
OWN_LOGS = (
    r"logs: /aws/lambda/life-\w+Stack-"
    "(LogRetention|CustomS3AutoDelete|CustomVpcRestrictDefaultSG).*"
)


OWN = """\
def own(stack: Stack) -> dict[str, Any]:
    bucket, check = (stack.node.try_get_context(key) for key in ("theirBucket", "theirCheck"))
    return {
        "check_status": check or "off",
        "media_bucket": s3.Bucket.from_bucket_name(stack, "Their", bucket) if bucket else None,
    }


class BackendStack(Stack):"""
THEIRS = "uploads-of-theirs"


@pytest.fixture(scope="module")
def app(cloud: Cloud) -> Application:
    """The example with arguments that it has no keys for; without theirs it is the example."""
    application = Application(cloud, "life", dict(BARE), with_frontend=True)
    file, argument = "galv_app/backend_stack.py", "log_bucket=log_bucket,\n            web_acl_arn="
    application.change(file, "class BackendStack(Stack):", OWN)
    application.change(file, argument, f"**own(self),\n            {argument}")
    return application


@pytest.fixture(scope="module")
def before(app: Application, cloud: Cloud) -> set[str]:
    return inventory(cloud)


@pytest.fixture(scope="module")
def images(app: Application) -> dict[str, Path]:
    skip(why_no_network())
    if programs() is None:
        skip("PostgreSQL is missing (Debian: postgresql)")
    app.publish_frontend(SITE)
    app.publish_frontend(BROKEN_SITE, build="echo 'src/App.tsx(3,1): error TS2304'; exit 2")
    app.publish_frontend(NEXT_SITE, build="echo 'its files are attached'; exit 2")
    app.attach_frontend(NEXT_SITE)
    return {
        FIRST: app.publish_galv(FIRST),
        SECOND: app.publish_galv(SECOND, **NOTE),
        BROKEN: app.publish_galv(BROKEN, **NOTE, **AGAIN),
        THIRD: app.publish_galv(THIRD, **NOTE),
        LOSING: app.publish_galv(LOSING, **NOTE, **DROP),
    }


@pytest.fixture(scope="module")
def backend(before: set[str], images: object, app: Application, cloud: Cloud) -> Backend:
    done = app.deploy(backendVersion=FIRST, frontendVersion=SITE)
    assert done.ok, done.output
    return app.backend


def setups(backend: Backend) -> int:
    """How often setup ran."""
    return len(backend.tasks("setup-db"))


def steps(backend: Backend) -> list[str]:
    """Return the outcome of each step of the last setup."""
    return steps_of(backend, backend.tasks("setup-db")[-1])


def steps_of(backend: Backend, task: Json) -> list[str]:
    lines = backend.log(task)
    return [line.removeprefix("[release] ") for line in lines if line.startswith("[release] ")]


def succeeded(*names: str) -> list[str]:
    return [f"{name}: {what}" for name in names for what in ("started", "done")]


@pytest.mark.smoke
def test_deploys_from_nothing(backend: Backend, app: Application, images: dict[str, Path]) -> None:
    for stack in (backend, app.frontend):
        assert stack.status == "CREATE_COMPLETE"
        made = stack.resources()
        assert set(made) == set(app.template(stack)["Resources"])
        assert {r["ResourceStatus"] for r in made.values()} == {"CREATE_COMPLETE"}
        assert list(missing(stack)) == []

    assert app.problems() == []
    assert setups(backend) == 1
    assert steps(backend) == succeeded(
        "own_database", "plan", "migrate", "create_superuser", "loaddata", "collectstatic"
    )
    assert backend.version == FIRST
    assert backend.service["runningCount"] == 1


@pytest.mark.smoke
def test_the_web_service_answers_its_names(backend: Backend) -> None:
    status, body = backend.ask("/health/")
    assert (status, json.loads(body)) == (200, {"status": "ok", "version": FIRST})
    assert backend.ask("/health/", "api-life.example.com")[0] == 200
    assert backend.ask("/health/", "www.example.com")[0] == 400
    # That one takes the database, over TLS.
    assert backend.ask("/users/", "api-life.example.com") == (200, b'["admin"]')


@pytest.mark.smoke
def test_writes_the_log_of_setup(backend: Backend) -> None:
    (setup,) = backend.tasks("setup-db")

    assert setup["containers"][0]["exitCode"] == 0
    lines = backend.log(setup)
    assert lines[0] == "[release] own_database: started"
    assert lines[-1] == "[release] collectstatic: done"


@pytest.mark.smoke
def test_has_the_documented_outputs(backend: Backend, app: Application, cloud: Cloud) -> None:
    outputs = backend.outputs

    assert outputs["BackendUrl"] == "https://api-life.example.com"
    assert backend.cluster.endswith(outputs["Cluster"])
    secret = cloud.client("secretsmanager").get_secret_value(
        SecretId=outputs["SuperuserPasswordSecret"]
    )
    assert len(secret["SecretString"]) == 32
    assert app.frontend.outputs["FrontendUrl"] == "https://app-life.example.com"
    assert app.frontend.outputs["FrontendVersion"] == SITE


@pytest.mark.smoke
def test_the_command_for_check_status_runs_it(backend: Backend) -> None:
    """Its options are those of the call that the AWS CLI makes of it."""
    run, _, tail = backend.outputs["CheckStatus"].partition(" && ")
    assert run.startswith("aws ecs run-task --")
    words = shlex.split(run)[3:]
    given = dict(zip(words[::2], words[1::2], strict=True))
    network = re.fullmatch(
        r"awsvpcConfiguration={subnets=\[(.+)],securityGroups=\[(.+)],assignPublicIp=(\w+)}",
        given.pop("--network-configuration"),
    )
    assert network is not None
    assert given.keys() == {"--region", "--cluster", "--task-definition", "--launch-type"}

    backend.ecs.run_task(
        cluster=given["--cluster"],
        taskDefinition=given["--task-definition"],
        launchType=given["--launch-type"],
        networkConfiguration={
            "awsvpcConfiguration": {
                "subnets": network[1].split(","),
                "securityGroups": network[2].split(","),
                "assignPublicIp": network[3],
            }
        },
    )

    task = backend.wait_for_task("check-status")
    found = STATUS.findall("\n".join(backend.log(task)))
    # There is no mail server here.
    assert {"database: OK", "s3: OK", "smtp: ERROR"} <= set(found), backend.log(task)
    assert task["containers"][0]["exitCode"] == 1
    assert backend.log_group(task) == tail.rpartition(" ")[2]


@pytest.mark.smoke
def test_serves_the_site_for_its_api(backend: Backend, app: Application) -> None:
    assert app.frontend.files() == {
        "index.html": f"<script type=module src=/assets/index-{SITE}.js></script>\n",
        f"assets/index-{SITE}.js": "const api = 'https://api-life.example.com'\n",
    }


@pytest.mark.smoke
def test_validates_when_it_is_due(backend: Backend, images: dict[str, Path]) -> None:
    """The emulator's clock is left alone: what the schedule sends is sent here."""
    (schedule,) = backend.schedules()
    assert (schedule["State"], schedule["ScheduleExpression"]) == ("ENABLED", "rate(5 minutes)")

    answer = backend.send(schedule)

    assert "FunctionError" not in answer, answer["Payload"].read()
    run = backend.wait_for_task("validation-monitor")
    assert run["containers"][0]["exitCode"] == 0
    assert "0 to validate" in backend.log(run)


def test_changes_nothing_when_nothing_changed(
    backend: Backend, app: Application, images: dict[str, Path]
) -> None:
    events = backend.events()

    again, diff = app.deploy(), app.diff()

    assert again.ok, again.output
    assert again.output.count("(no changes)") == 5
    assert "Number of stacks with differences: 0" in diff.output
    assert backend.events() == events
    assert setups(backend) == 1


def test_a_failing_build_leaves_the_old_site(
    backend: Backend, app: Application, images: dict[str, Path]
) -> None:
    files = app.frontend.files()

    done = app.deploy(frontendVersion=BROKEN_SITE, monitorIntervalMinutes=0)

    assert not done.ok
    assert app.frontend.status == "UPDATE_ROLLBACK_COMPLETE"
    reason = next(reason for reason in app.frontend.reasons() if "Site: " in reason)
    assert "the build ended with FAILED in BUILD" in reason
    assert "src/App.tsx(3,1): error TS2304" in reason
    assert app.frontend.files() == files
    assert app.problems() == []


def test_interval_0_ends_the_schedule_and_needs_no_setup(
    backend: Backend, images: dict[str, Path]
) -> None:
    """It was part of the deployment before, whose backend went well."""
    assert backend.status == "UPDATE_COMPLETE"
    assert backend.schedules() == []
    assert backend.ids("AWS::SQS::Queue") == []
    assert setups(backend) == 1


def test_an_update_runs_setup_once_before_the_service_changes(
    backend: Backend, app: Application, images: dict[str, Path]
) -> None:
    done = app.deploy(backendVersion=SECOND, frontendVersion=NEXT_SITE, monitorIntervalMinutes=10)

    assert done.ok, done.output
    assert app.problems() == []
    skipped = ["loaddata: skipped, only for the first release"]
    assert steps(backend) == [
        *succeeded("own_database", "plan", "migrate", "create_superuser"),
        *skipped,
        *succeeded("collectstatic"),
    ]
    assert "  Applying galv.0002_note... OK" in backend.log(backend.tasks("setup-db")[-1])
    assert backend.version == SECOND
    setup, web = backend.tasks("setup-db")[-1], backend.tasks("web", "RUNNING")[-1]
    assert setup["stoppedAt"] <= web["createdAt"]
    assert len(backend.tasks("setup-db")) == 2


def test_another_interval_restores_the_schedule(backend: Backend, images: dict[str, Path]) -> None:
    (schedule,) = backend.schedules()

    assert schedule["ScheduleExpression"] == "rate(10 minutes)"
    assert "FunctionError" not in backend.send(schedule)
    run = backend.wait_for_task("validation-monitor", number=2)
    assert "0 to validate" in backend.log(run)


def test_the_next_build_is_published(app: Application) -> None:
    assert NEXT_SITE in app.frontend.files()["index.html"]
    assert app.frontend.outputs["FrontendVersion"] == NEXT_SITE
    # Pages that are open go on loading parts of the site that they belong to.
    assert "https://api-life.example.com" in app.frontend.files()["env.js"]
    assert f"assets/index-{SITE}.js" in app.frontend.files()


@pytest.mark.smoke
def test_a_failing_migration_leaves_the_service_as_it_was(
    backend: Backend, app: Application, images: dict[str, Path]
) -> None:
    service, version = backend.service, backend.version
    ran = setups(backend)

    done = app.deploy_version(BROKEN)

    assert not done.ok
    assert backend.status == "UPDATE_ROLLBACK_COMPLETE"
    reason = next(reason for reason in backend.reasons() if "Release task" in reason)
    assert "Release task exited with code 1\n" in reason
    assert (
        "Command: steps own_database, plan, migrate, create_superuser, loaddata, collectstatic"
        in reason
    )
    assert "Log: https://" in reason
    assert 'ProgrammingError: column "note" of relation "galv_cell" already exists' in reason
    assert "[release] migrate: failed with exit code 1" in reason
    assert "Release task exited with code 1" in done.output
    assert steps(backend) == [
        *succeeded("own_database", "plan"),
        "migrate: started",
        "migrate: failed with exit code 1",
    ]
    assert setups(backend) == ran + 1, "setup must not run during the rollback"
    assert backend.version == version
    assert backend.service["deployments"] == service["deployments"]


def test_the_next_good_deployment_works(
    backend: Backend, app: Application, images: dict[str, Path]
) -> None:
    done = app.deploy_version(THIRD)

    assert done.ok, done.output
    assert backend.status == "UPDATE_COMPLETE"
    assert backend.version == THIRD
    assert steps(backend)[:6] == succeeded("own_database", "plan", "migrate")
    assert app.problems() == []


def test_a_migration_that_loses_data_is_refused_before_it_runs(
    backend: Backend, app: Application, images: dict[str, Path]
) -> None:
    version, service = backend.version, backend.service

    done = app.deploy(backendVersion=LOSING, allowDestructiveMigrations=False)

    assert not done.ok
    reason = next(reason for reason in backend.reasons() if "Release task" in reason)
    assert "refused: data would be lost. galv.0003_drop drops a column" in reason
    assert 'allow_destructive_migrations=["galv.0003_drop"]' in reason
    log = backend.log(backend.tasks("setup-db")[-1])
    assert "destructive: galv.0003_drop drops a column" in log
    assert steps(backend) == [
        *succeeded("own_database"),
        "plan: started",
        "plan: failed with exit code 1",
    ]
    assert backend.version == version
    assert backend.service["deployments"] == service["deployments"]


def test_a_new_password_of_the_database_ends_the_old_one(
    backend: Backend, app: Application, images: dict[str, Path]
) -> None:
    assert database_user(backend) == "galv_tasks_1"

    done = app.deploy(databaseRotation=2, backendVersion=THIRD)

    assert done.ok, done.output
    assert app.problems() == []
    assert database_user(backend) == "galv_tasks_2"
    setup, end = backend.tasks("setup-db")[-2:]
    assert steps_of(backend, setup)[:2] == succeeded("own_database")
    # At the very end, by what setup's own task does for the login that nothing uses any more.
    assert any("password of galv_tasks_1 is refused from" in line for line in backend.log(end))


def database_user(backend: Backend) -> str:
    """The user that the web service signs in to the database as."""
    definition = backend.definition(backend.service["taskDefinition"])
    (container,) = definition["containerDefinitions"]
    (secret,) = [s for s in container["secrets"] if s["name"] == "POSTGRES_USER"]
    return backend.secret(secret["valueFrom"])


def test_new_credentials_for_mail_replace_the_old_ones(backend: Backend, app: Application) -> None:
    (old,), ran = access_keys(backend), setups(backend)

    done = app.deploy_template(with_rotation(app, 2, THIRD))

    assert done.ok, done.output
    assert app.problems() == []
    (new,) = access_keys(backend)
    assert new != old
    assert mail_user(backend) == new
    # Setup sends no mail, and has none of them.
    assert setups(backend) == ran


def test_new_credentials_are_taken_back_with_the_rest(backend: Backend, app: Application) -> None:
    before = access_keys(backend)

    done = app.deploy_template(with_rotation(app, 3, BROKEN))

    assert not done.ok
    assert backend.status == "UPDATE_ROLLBACK_COMPLETE"
    assert access_keys(backend) == before
    assert mail_user(backend) == before[0]


def test_a_secret_that_was_deleted_is_named_with_the_way_to_restore_it(
    backend: Backend, app: Application, cloud: Cloud
) -> None:
    """The superuser's, which nobody uses after the first day."""
    secrets = cloud.client("secretsmanager")
    name = backend.outputs["SuperuserPasswordSecret"]
    arn = secrets.delete_secret(SecretId=name, RecoveryWindowInDays=30)["ARN"]

    done = app.deploy_version(SECOND)

    assert not done.ok
    assert backend.status == "UPDATE_ROLLBACK_COMPLETE"
    reason = next(reason for reason in backend.reasons() if "was deleted" in reason)
    assert f"aws secretsmanager restore-secret --secret-id {arn}" in reason
    secrets.restore_secret(SecretId=name)


def test_the_site_can_be_destroyed_first(backend: Backend, app: Application) -> None:
    """With what needs it; the API, which it refers to and which knows its name, stays."""
    service = backend.service

    done = app.destroy(app.frontend.name)

    assert done.ok, done.output
    assert there(app) == {"LogBucketStack", "BackendStack", "FrontendStack-Edge"}
    assert backend.service["deployments"] == service["deployments"]
    assert backend.ask("/health/")[0] == 200


def test_another_bucket_for_uploads_comes_with_the_site(
    backend: Backend, app: Application, cloud: Cloud
) -> None:
    cloud.client("s3").create_bucket(
        Bucket=THEIRS, CreateBucketConfiguration={"LocationConstraint": "eu-west-2"}
    )
    checked = len(backend.tasks("check-status"))

    done = app.deploy(theirBucket=THEIRS, theirCheck="warn")

    assert done.ok, done.output
    assert app.problems() == []
    assert uploads(backend) == THEIRS
    assert THEIRS in content_security_policy(app)
    assert len(backend.tasks("check-status")) == checked + 1


def test_check_status_runs_although_only_the_database_changes(
    backend: Backend, app: Application
) -> None:
    ran, service = setups(backend), backend.service
    checked = len(backend.tasks("check-status"))

    done = app.deploy(databaseInstanceType="db.t4g.small")

    assert done.ok, done.output
    assert len(backend.tasks("check-status")) == checked + 1
    assert setups(backend) == ran
    assert backend.service["deployments"] == service["deployments"]


def test_the_bucket_of_the_stack_can_be_used_again(
    backend: Backend, app: Application, cloud: Cloud
) -> None:
    """The site of the stack that is deployed later uses the given one until then."""
    done = app.deploy(theirBucket="", theirCheck="", databaseInstanceType="db.t4g.micro")

    assert done.ok, done.output
    assert app.problems() == []
    assert uploads(backend) != THEIRS
    assert uploads(backend) in content_security_policy(app)
    assert THEIRS not in content_security_policy(app)
    cloud.client("s3").delete_bucket(Bucket=THEIRS)


def there(app: Application) -> set[str]:
    """The stacks of the application that exist, without its name."""
    found = set()
    for region in ("eu-west-2", "us-east-1"):
        cloudformation = app.cloud.client("cloudformation", region)
        found |= {one["StackName"] for one in cloudformation.describe_stacks()["Stacks"]}
    return {name.removeprefix("life-") for name in found if name.startswith("life-")}


def uploads(backend: Backend) -> str:
    """Name of the bucket that the web service puts uploads in."""
    (container,) = backend.definition(backend.service["taskDefinition"])["containerDefinitions"]
    (name,) = [
        one["value"]
        for one in container["environment"]
        if one["name"] == "DJANGO_AWS_STORAGE_BUCKET_NAME"
    ]
    return str(name)


def content_security_policy(app: Application) -> str:
    """The policy that browsers get with the site."""
    id = app.frontend.id_of("AWS::CloudFront::ResponseHeadersPolicy")
    answer = app.cloud.client("cloudfront").get_response_headers_policy(Id=id)
    config = answer["ResponseHeadersPolicy"]["ResponseHeadersPolicyConfig"]
    return str(config["SecurityHeadersConfig"]["ContentSecurityPolicy"]["ContentSecurityPolicy"])


def with_rotation(app: Application, number: int, version: str) -> Json:
    """The template with another `rotation` of `GalvMail`, which the example has no key for."""
    template = app.template_of_version(version)
    resource(template, "Custom::GalvSmtpCredentials")["Properties"]["Rotation"] = str(number)
    return template


def access_keys(backend: Backend) -> list[str]:
    """Ids of the access keys of the user that sends mail."""
    keys = backend.cloud.client("iam").list_access_keys(UserName=backend.id_of("AWS::IAM::User"))
    return [key["AccessKeyId"] for key in keys["AccessKeyMetadata"]]


def mail_user(backend: Backend) -> str:
    """The SMTP user name that the web service got when it started."""
    definition = backend.definition(backend.service["taskDefinition"])
    (container,) = definition["containerDefinitions"]
    (secret,) = [s for s in container["secrets"] if s["name"] == "DJANGO_EMAIL_HOST_USER"]
    return backend.secret(secret["valueFrom"])


@pytest.mark.smoke
def test_leaves_nothing_when_it_is_destroyed(
    app: Application, before: set[str], cloud: Cloud, request: pytest.FixtureRequest
) -> None:
    done = app.destroy()

    assert done.ok, done.output
    left = inventory(cloud) - before
    # Lambda makes these for functions of CDK's own, and CloudFormation knows nothing of them.
    own = {name for name in left if re.fullmatch(OWN_LOGS, name)}
    # The site's stack was there twice, unless the test that creates it again was left out.
    assert len(own) == (5 if request.config.getoption("--smoke") else 6)
    assert left == own
