"""Each diagnosis, with its fault put into the answers of AWS about a healthy deployment."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import boto3
import pytest
from ops.recorded import (
    DEPLOYED,
    LATER,
    REGION,
    SECRET,
    AwsError,
    Json,
    Recorded,
    event,
    log_group,
    ran,
    resource,
    service,
    stack,
    stack_id,
)
from ops.transcript import transcript

BACKEND = "galv-BackendStack"
NEVER_STARTED = "TaskFailedToStart"
SECRETS = (
    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource "
    "retrieval failed: unable to retrieve secret from asm: "
)


def text_of(recorded: Recorded, *arguments: str) -> str:
    """Return the output of doctor, which finds something."""
    result = recorded.run("doctor", *arguments)
    assert result.exit_code == 1, result.output
    return result.stdout


def release_fails(recorded: Recorded, reason: str) -> None:
    message = f"Received response status [FAILED] from custom resource. Message returned: {reason}"
    recorded.events[BACKEND] = [
        event(BACKEND, "BackendWebService9481D844", "AWS::ECS::Service", "UPDATE_FAILED",
              "Resource update cancelled", LATER),
        event(BACKEND, "BackendSetupRun905D97AC", "Custom::GalvReleaseTask", "UPDATE_FAILED",
              message, LATER),
    ]  # fmt: skip
    recorded.stacks[REGION] = [stack(BACKEND, "UPDATE_ROLLBACK_COMPLETE")]


def test_finds_nothing_in_a_healthy_deployment(recorded: Recorded) -> None:
    result = recorded.run("doctor")

    assert (result.exit_code, result.output) == (0, "Nothing wrong was found.\n")


NOT_FOUND = "ghcr.io/galv-team/galv-backend:9.9.9: not found"
FORBIDDEN = "pulling from host ghcr.io failed with status code [manifests 1.0]: 403 Forbidden"
UNREACHABLE = (
    'Head "https://ghcr.io/v2/galv-team/a/manifests/1": dial tcp 140.82.112.33:443: i/o timeout'
)


RETRIED = "after an error of the connection"
MAY_NOT = "pull access denied, or the repository does not exist"


@pytest.mark.parametrize(
    ("name", "said", "cause", "remedy"),
    [
        ("ghcr.io/galv-team/galv-backend:9.9.9", NOT_FOUND, " was not found.", "backendVersion"),
        ("ghcr.io/galv-team/b:1.0", FORBIDDEN, "its registry refused", "registry_credentials"),
        ("ghcr.io/galv-team/a:1", UNREACHABLE, "registry could not be reached", "NAT gateway"),
        # What is not there is not there, whatever else the message says.
        ("ghcr.io/galv-team/a:9", f"{RETRIED}: not found", " was not found.", "backendVersion"),
        ("ghcr.io/galv-team/a:9", f"{MAY_NOT}: not found", " was not found.", "backendVersion"),
    ],
)
def test_an_image_that_cannot_be_pulled(
    recorded: Recorded, name: str, said: str, cause: str, remedy: str
) -> None:
    reason = (
        "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to "
        f"resolve ref {name}: {said}"
    )
    recorded.tasks = [ran("web", reason=reason, stop_code=NEVER_STARTED)]

    text = text_of(recorded)

    first = text.splitlines()[0]
    assert first.startswith(f"1. The image {name} ")
    assert cause in first
    assert f"| web, 2026-05-01 02:05 UTC: TaskFailedToStart; {reason}" in text
    assert remedy in text
    assert "2. " not in text


def test_a_secret_without_a_key(recorded: Recorded) -> None:
    reason = (
        f"{SECRETS}service call has been retried 1 time(s): retrieved secret from Secrets Manager "
        "did not contain json key TOKEN"
    )
    recorded.tasks = [ran("setup-db", reason=reason, stop_code=NEVER_STARTED)]

    text = text_of(recorded)

    assert (
        "1. The secret galv-backend-secrets-AbC123 lacks the key TOKEN, which a task needs for "
        "DJANGO_TOKEN.\n" in text
    )
    assert "backendSecretsKeys" in text


def test_a_secret_that_is_no_json(recorded: Recorded) -> None:
    reason = f"{SECRETS}invalid character 'p' looking for beginning of value"
    recorded.tasks = [ran("web", reason=reason, stop_code=NEVER_STARTED)]

    assert "1. A secret is no JSON, and a task needs it to start.\n" in text_of(recorded)


def test_a_secret_that_does_not_exist(recorded: Recorded) -> None:
    reason = (
        f"{SECRETS}failed to fetch secret arn:aws:secretsmanager:eu-west-2:111122223333:secret:"
        "galv-smtp from secrets manager: ResourceNotFoundException: Secrets Manager can't find the "
        "specified secret."
    )
    recorded.tasks = [ran("web", reason=reason, stop_code=NEVER_STARTED)]

    assert "1. The secret galv-smtp does not exist, and a task needs" in text_of(recorded)


def unhealthy(recorded: Recorded, reason: str, description: str) -> None:
    recorded.answers["elastic-load-balancing-v2.DescribeTargetHealth"] = {
        "TargetHealthDescriptions": [
            {
                "Target": {"Id": "10.0.129.17", "Port": 8000},
                "TargetHealth": {
                    "State": "unhealthy",
                    "Reason": reason,
                    "Description": description,
                },
            }
        ]
    }


def test_a_health_check_that_django_refuses(recorded: Recorded) -> None:
    unhealthy(
        recorded, "Target.ResponseCodeMismatch", "Health checks failed with these codes: [400]"
    )
    line = "Invalid HTTP_HOST header: '10.0.129.17:8000'. You may need to add '10.0.129.17' to "
    recorded.tasks = [ran("web", lastStatus="RUNNING", desiredStatus="RUNNING", id="run1")]
    recorded.log_lines["web/web/run1"] = ["started", f"{line}ALLOWED_HOSTS."]

    text = text_of(recorded)

    assert "1. Django refuses the load balancer's health check" in text
    assert "| 10.0.129.17: Target.ResponseCodeMismatch Health checks failed" in text
    assert f"| {line}ALLOWED_HOSTS." in text
    assert "DJANGO_ALLOWED_CIDR_NETS, which is 10.0.128.0/18,10.0.192.0/18" in text


def test_a_health_check_that_stopped_its_task(recorded: Recorded) -> None:
    group = "arn:aws:elasticloadbalancing:eu-west-2:111122223333:targetgroup/galv-Backe/0f1e2d"
    reason = f"Task failed ELB health checks in (target-group {group})"
    recorded.tasks = [ran("web", exit_code=0, stop_code="ServiceSchedulerInitiated", reason=reason)]
    recorded.log_lines["web/web/0a1b2c3d4e5f"] = [
        "django.core.exceptions.DisallowedHost: Invalid HTTP_HOST header: '10.0.129.17:8000'."
    ]

    text = text_of(recorded)

    assert "1. Django refuses the load balancer's health check" in text
    assert f"   | web, 2026-05-01 02:05 UTC: ServiceSchedulerInitiated; {reason}\n" in text


def test_a_health_check_that_fails_otherwise(recorded: Recorded) -> None:
    unhealthy(recorded, "Target.Timeout", "Request timed out")

    text = text_of(recorded)

    assert "1. The load balancer does not find the web tasks healthy" in text
    assert "ALLOWED_HOSTS" not in text


def test_requests_for_foreign_hosts_are_no_fault(recorded: Recorded) -> None:
    """Any scanner of the internet makes Django write such lines."""
    recorded.tasks = [ran("web", lastStatus="RUNNING", desiredStatus="RUNNING", id="run1")]
    recorded.log_lines["web/web/run1"] = ["Invalid HTTP_HOST header: 'evil.example'."]

    assert recorded.run("doctor").exit_code == 0


def test_a_failed_migration(recorded: Recorded) -> None:
    release_fails(
        recorded,
        "Release task exited with code 1\n"
        "Command: steps migrate, create_superuser, loaddata, collectstatic\n"
        "Log: https://console.aws.amazon.com/cloudwatch/home\n"
        "[release] migrate: started\n"
        'django.db.utils.ProgrammingError: column "cell" already exists\n'
        "[release] migrate: failed with exit code 1\n"
        "\n"
        "Logs: /aws/lambda/galv-BackendStack-BackendSetupRunProviderframework\n"
        "    at invokeUserFunction (/var/task/framework.js:2:6)",
    )

    text = text_of(recorded)

    assert text.startswith("1. The database migrations failed with exit code 1.\n")
    assert '| django.db.utils.ProgrammingError: column "cell" already exists\n' in text
    assert "framework" not in text
    assert "The old version goes on serving" in text
    assert "2. " not in text, "what was cancelled explains nothing"


def test_another_step_of_setup(recorded: Recorded) -> None:
    release_fails(recorded, "Release task exited with code 2\n[release] collectstatic: failed with "
                  "exit code 2")  # fmt: skip

    assert "1. The setup step collectstatic failed with exit code 2.\n" in text_of(recorded)


def test_setup_that_hung(recorded: Recorded) -> None:
    release_fails(recorded, "Release task hung: not done after 900 s, and was stopped")

    assert "1. Setup was not done in time, and was stopped.\n" in text_of(recorded)


def test_setup_that_failed_by_hand(recorded: Recorded) -> None:
    recorded.tasks = [ran("setup-db", exit_code=4)]
    recorded.log_lines["setup-db/setup-db/0a1b2c3d4e5f"] = [
        "[release] create_superuser: failed with exit code 4"
    ]

    assert "1. The setup step create_superuser failed with exit code 4.\n" in text_of(recorded)


def test_a_site_that_cannot_be_built(recorded: Recorded) -> None:
    front = "galv-FrontendStack"
    recorded.stacks[REGION].append(stack(front, "UPDATE_ROLLBACK_COMPLETE"))
    recorded.resources[front] = []
    reason = "Site: the build failed in BUILD\nsrc/App.tsx(3,1): error TS2304"
    recorded.events[front] = [
        event(front, "FrontendRelease1", "Custom::GalvSiteRelease", "UPDATE_FAILED", reason, LATER)
    ]

    text = text_of(recorded)

    assert "1. The site could not be built or published" in text
    assert "   | src/App.tsx(3,1): error TS2304\n" in text
    assert "2. " not in text


def test_a_certificate_that_is_pending(recorded: Recorded) -> None:
    recorded.answers["acm.DescribeCertificate"] = {
        "Certificate": {
            "DomainName": "api.example.com",
            "Status": "PENDING_VALIDATION",
            "DomainValidationOptions": [
                {
                    "DomainName": "api.example.com",
                    "ValidationStatus": "PENDING_VALIDATION",
                    "ResourceRecord": {
                        "Name": "_3f.api.example.com.",
                        "Type": "CNAME",
                        "Value": "_9a.acm-validations.aws.",
                    },
                }
            ],
        }
    }

    text = text_of(recorded)

    assert "1. The certificate for api.example.com is still pending" in text
    assert "| wanted: _3f.api.example.com. CNAME _9a.acm-validations.aws.\n" in text
    assert "name servers" in text


def test_a_certificate_that_was_refused(recorded: Recorded) -> None:
    recorded.answers["acm.DescribeCertificate"] = {
        "Certificate": {
            "DomainName": "api.example.com",
            "Status": "FAILED",
            "FailureReason": "CAA_ERROR",
        }
    }

    text = text_of(recorded)

    assert "1. The certificate for api.example.com is FAILED.\n   | CAA_ERROR\n" in text


@pytest.mark.parametrize("missing", ["us-east-1", REGION])
def test_no_bootstrap(recorded: Recorded, missing: str) -> None:
    def answer(request: Json, region: str) -> Json:
        assert request["Name"] == "/cdk-bootstrap/hnb659fds/version"
        if region == missing:
            raise AwsError("ParameterNotFound", "")
        return {"Parameter": {"Value": "21"}}

    recorded.answers["ssm.GetParameter"] = answer

    text = text_of(recorded)

    assert f"1. CDK is not bootstrapped in {missing}" in text
    assert f"cdk bootstrap aws://111122223333/{missing}" in text
    assert ("CloudFront" in text) is (missing == "us-east-1")


def test_looks_for_the_bootstrap_that_the_stacks_were_deployed_with(recorded: Recorded) -> None:
    """`cdk bootstrap --qualifier lab` has a parameter of its own, and CDK's default may be none."""
    name = "/cdk-bootstrap/lab/version"
    (parameter,) = recorded.stacks[REGION][1]["Parameters"]
    parameter["ParameterValue"] = name
    # A stack of the application that needs no bootstrap.
    recorded.stacks[REGION][0]["Parameters"] = []

    def answer(request: Json, _region: str) -> Json:
        if request["Name"] != name:
            raise AwsError("ParameterNotFound", "")
        return {"Parameter": {"Value": "21"}}

    recorded.answers["ssm.GetParameter"] = answer

    assert recorded.run("doctor").exit_code == 0


def test_no_bootstrap_before_there_is_a_backend(recorded: Recorded) -> None:
    recorded.stacks[REGION] = [stack("galv-LogBucketStack")]
    recorded.refuse("ssm.GetParameter", "ParameterNotFound")

    text = text_of(recorded, "--stack", "galv-LogBucketStack")

    assert "CDK is not bootstrapped in us-east-1" in text


def test_a_server_that_ends(recorded: Recorded) -> None:
    recorded.tasks = [ran("web", exit_code=3)]
    recorded.log_lines["web/web/0a1b2c3d4e5f"] = ["ModuleNotFoundError: No module named 'config'"]

    text = text_of(recorded)

    assert "1. The web server ends by itself, with exit code 3.\n" in text
    assert "| ModuleNotFoundError: No module named 'config'\n" in text


def test_a_service_of_another_stack_does_not_fail_because_the_web_server_ends(
    recorded: Recorded,
) -> None:
    other = "galv-ReportsStack"
    recorded.stacks[REGION].append(stack(other, "UPDATE_ROLLBACK_COMPLETE"))
    recorded.resources[other] = []
    for name in (BACKEND, other):
        recorded.events[name] = [
            event(name, "Service1", "AWS::ECS::Service", "UPDATE_FAILED", f"why of {name}", LATER)
        ]
    recorded.tasks = [ran("web", exit_code=3)]

    text = text_of(recorded)

    assert "The web server ends by itself, with exit code 3." in text
    assert f"why of {other}" in text
    assert f"why of {BACKEND}" not in text


def test_the_whole_end_of_the_log_of_a_task_that_runs_is_looked_at(recorded: Recorded) -> None:
    """A busy server writes other lines between two health checks."""
    unhealthy(recorded, "Target.ResponseCodeMismatch", "Health checks failed with [502]")
    recorded.tasks = [ran("web", lastStatus="RUNNING", desiredStatus="RUNNING")]
    written = ["DisallowedHost: 10.0.129.17", *["GET /files/ 200"] * 99]

    def answer(request: Json, _region: str) -> Json:
        events = [{"timestamp": 0, "message": one} for one in written[-request["limit"] :]]
        return {"events": events, "nextForwardToken": "f/end", "nextBackwardToken": "b/end"}

    recorded.answers["cloudwatch-logs.GetLogEvents"] = answer

    assert "Django refuses the load balancer's health check" in text_of(recorded)


def test_lines_of_nginx_do_not_hide_why_the_server_ended(recorded: Recorded) -> None:
    recorded.tasks = [ran("web", exit_code=3)]
    refused = "2026/05/01 02:03:05 [crit] 14#14: *1 connect() to unix:gunicorn.sock failed"
    emergency = "2026/05/01 02:03:06 [emerg] 14#14: no space left"
    lines = ["ModuleNotFoundError: No module named 'config'", *[refused] * 9, emergency]
    recorded.log_lines["web/web/0a1b2c3d4e5f"] = lines

    text = text_of(recorded)

    assert f"| ModuleNotFoundError: No module named 'config'\n   | {emergency}\n" in text
    assert refused not in text


def test_shows_a_traceback_to_its_last_line(recorded: Recorded) -> None:
    recorded.tasks = [ran("web", exit_code=1)]
    recorded.log_lines["web/web/0a1b2c3d4e5f"] = [
        "Traceback (most recent call last):",
        '  File "/code/backend/config/settings.py", line 12, in <module>',
        "    SECRET = os.environ['DJANGO_SECRET_KEY']",
        "KeyError: 'DJANGO_SECRET_KEY'",
    ]

    text = text_of(recorded)

    assert "1. The web server ends by itself, with exit code 1.\n" in text
    assert "| Traceback (most recent call last):\n" in text
    assert "| KeyError: 'DJANGO_SECRET_KEY'\n" in text


@pytest.mark.parametrize(
    ("exit_code", "reason"),
    [
        (137, "OutOfMemoryError: Container killed due to memory usage"),
        (137, ""),
        # The server's own master, after the kernel has killed a worker.
        (1, "OutOfMemoryError: Container killed due to memory usage"),
    ],
)
def test_a_server_without_memory(recorded: Recorded, exit_code: int, reason: str) -> None:
    task = ran("web", exit_code=exit_code)
    task["containers"][0]["reason"] = reason
    recorded.tasks = [task]

    assert "1. A web task used more memory than it has" in text_of(recorded)


@pytest.mark.parametrize(
    ("name", "follows"),
    [
        ("web", "ECS starts another task"),
        ("validation-monitor", "a schedule comes again by itself"),
    ],
)
def test_a_task_that_fargate_spot_interrupted(recorded: Recorded, name: str, follows: str) -> None:
    said = "Your Spot Task was interrupted."
    recorded.tasks = [ran(name, exit_code=143, stop_code="SpotInterruption", reason=said)]

    text = text_of(recorded)

    assert f"Fargate Spot interrupted 1 task of {name}" in text
    assert "no fault of the deployment" in text
    assert follows in text
    assert "ends by itself" not in text


def test_ignores_events_before_the_last_change(recorded: Recorded) -> None:
    before = DEPLOYED - timedelta(minutes=5)
    recorded.tasks = [ran("web", exit_code=3, at=before)]

    assert recorded.run("doctor").exit_code == 0


def test_shows_the_events_of_the_service(recorded: Recorded) -> None:
    said = (
        "(service galv) was unable to start tasks: CannotPullContainerError: failed to resolve ref "
        "ghcr.io/a/b:1: ghcr.io/a/b:1: not found"
    )
    # The time is optional in DescribeServices.
    events: list[Json] = [{"id": "1", "message": "(service galv) has begun"}]
    events += [{"id": "2", "createdAt": LATER, "message": said}]
    recorded.answers["ecs.DescribeServices"] = {"services": [service(events=events)]}

    assert "1. The image ghcr.io/a/b:1 was not found.\n" in text_of(recorded)


def test_a_rollback_that_got_stuck(recorded: Recorded) -> None:
    recorded.stacks[REGION] = [stack(BACKEND, "UPDATE_ROLLBACK_FAILED")]

    text = text_of(recorded)

    assert "is UPDATE_ROLLBACK_FAILED" in text
    assert "aws cloudformation continue-update-rollback --stack-name galv-BackendStack" in text


def test_a_first_deployment_that_cannot_be_deleted(recorded: Recorded) -> None:
    recorded.stacks[REGION] = [stack(BACKEND, "ROLLBACK_FAILED")]

    assert "refuses to be deleted" in text_of(recorded)


def test_a_first_deployment_that_was_rolled_back(recorded: Recorded) -> None:
    """Everything is gone, and only the events tell."""
    release_fails(recorded, "Release task exited with code 1\n[release] migrate: failed with exit "
                  "code 1")  # fmt: skip
    recorded.stacks[REGION] = [stack(BACKEND, "ROLLBACK_COMPLETE")]
    recorded.resources[BACKEND] = [
        resource("BackendClusterF18E857C", "AWS::ECS::Cluster", "gone", "DELETE_COMPLETE"),
        resource("BackendSetupRun905D97AC", "Custom::GalvReleaseTask", "x", "DELETE_COMPLETE"),
    ]

    assert text_of(recorded).startswith("1. The database migrations failed with exit code 1.\n")


def test_quotes_a_reason_that_it_does_not_know(recorded: Recorded) -> None:
    quota = "The maximum number of VPCs has been reached. (Service: Ec2, Status Code: 400)"
    recorded.events[BACKEND] = [
        event(BACKEND, "NetworkVpc1", "AWS::EC2::VPC", "CREATE_FAILED", quota, LATER)
    ]

    text = text_of(recorded)

    assert f"1. NetworkVpc1 (AWS::EC2::VPC) of galv-BackendStack failed.\n   | {quota}\n" in text


def test_a_task_that_never_starts_for_another_reason(recorded: Recorded) -> None:
    reason = "ResourceInitializationError: failed to validate logger args"
    recorded.tasks = [ran("web", reason=reason, stop_code=NEVER_STARTED)]

    assert f"1. ECS could not start web.\n   | web, 2026-05-01 02:05 UTC: {NEVER_STARTED}; " in (
        text_of(recorded)
    )


def test_a_resource_deleted_by_hand_hides_no_other_cause(recorded: Recorded) -> None:
    recorded.refuse("elastic-load-balancing-v2.DescribeTargetHealth", "TargetGroupNotFound", "gone")
    recorded.tasks = [ran("web", exit_code=3)]

    text = text_of(recorded)

    assert "1. The web server ends by itself" in text
    assert "Not seen: AWS refused DescribeTargetHealth: gone" in text


def test_names_the_denied_calls(recorded: Recorded) -> None:
    recorded.refuse("acm.DescribeCertificate", "AccessDeniedException", "User is not authorized")

    result = recorded.run("doctor")

    assert result.exit_code == 125
    assert "Not seen: not allowed to call DescribeCertificate: User is not" in result.stdout
    assert "Nothing wrong" not in result.stdout


def test_looks_at_the_stack_in_us_east_1_too(recorded: Recorded) -> None:
    edge = "galv-FrontendStack-Edge"
    recorded.stacks["us-east-1"] = [stack(edge, "ROLLBACK_COMPLETE")]
    recorded.resources[edge] = []
    recorded.events[edge] = [
        event(edge, "FrontendSite1", "AWS::CertificateManager::Certificate", "CREATE_FAILED",
              "CAA records forbid it", LATER)
    ]  # fmt: skip

    assert "of galv-FrontendStack-Edge failed.\n   | CAA records forbid it" in text_of(recorded)


def test_says_that_a_deployment_goes_on(recorded: Recorded) -> None:
    recorded.stacks[REGION] = [stack(BACKEND, "UPDATE_IN_PROGRESS")]

    result = recorded.run("doctor")

    assert "galv-BackendStack is being deployed right now." in result.stdout


def test_reads_the_log_groups_that_tasks_name(recorded: Recorded) -> None:
    recorded.tasks = [ran("web", exit_code=3)]
    recorded.run("doctor")

    groups = [r["logGroupName"] for call, r in recorded.requests if call.endswith("GetLogEvents")]
    assert set(groups) == {log_group("web")}


FRONTEND = "galv-FrontendStack"
BUCKET_TAKEN = "galv-site already exists"


def site_fails(recorded: Recorded, when: datetime) -> None:
    recorded.stacks[REGION].append(stack(FRONTEND, "UPDATE_ROLLBACK_COMPLETE"))
    recorded.resources[FRONTEND] = []
    recorded.events[FRONTEND] = [
        event(FRONTEND, "SiteBucket1", "AWS::S3::Bucket", "CREATE_FAILED", BUCKET_TAKEN, when)
    ]


def causes(recorded: Recorded) -> list[str]:
    found = json.loads(recorded.run("doctor", "--json").stdout)["diagnoses"]
    return [one["cause"] for one in found]


MIGRATIONS = "The database migrations failed with exit code 1."
SITE_BUCKET = f"SiteBucket1 (AWS::S3::Bucket) of {FRONTEND} failed."


@pytest.mark.parametrize(
    ("site", "expected"),
    [
        (LATER + timedelta(hours=1), [SITE_BUCKET, MIGRATIONS]),
        (LATER - timedelta(hours=1), [MIGRATIONS, SITE_BUCKET]),
    ],
)
def test_a_known_cause_hides_no_other_and_the_newest_is_first(
    recorded: Recorded, site: datetime, expected: list[str]
) -> None:
    release_fails(recorded, "Release task exited with code 1\n[release] migrate: failed with exit "
                  "code 1")  # fmt: skip
    site_fails(recorded, site)

    assert causes(recorded) == expected


def test_shows_two_failures_of_a_stack_in_order(recorded: Recorded) -> None:
    release_fails(recorded, "Release task exited with code 1\n[release] migrate: failed with exit "
                  "code 1")  # fmt: skip
    before = LATER - timedelta(minutes=1)
    recorded.events[BACKEND].append(
        event(BACKEND, "Alarm1", "AWS::SNS::Topic", "CREATE_FAILED", "no such topic", before)
    )

    assert causes(recorded) == [
        "Alarm1 (AWS::SNS::Topic) of galv-BackendStack failed.",
        MIGRATIONS,
    ]


@pytest.mark.parametrize("what", ["creation", "update", "deletion"])
def test_a_cancelled_resource_is_not_a_failure(recorded: Recorded, what: str) -> None:
    said = f"Resource {what} cancelled"
    recorded.events[BACKEND] = [
        event(BACKEND, "Topic1", "AWS::SNS::Topic", "CREATE_FAILED", said),
        event(BACKEND, "Bucket1", "AWS::S3::Bucket", "CREATE_FAILED", BUCKET_TAKEN),
    ]

    assert causes(recorded) == ["Bucket1 (AWS::S3::Bucket) of galv-BackendStack failed."]


def test_does_not_repeat_consequences_of_a_known_cause(recorded: Recorded) -> None:
    said = "Resource handler returned message: ECS Deployment Circuit Breaker was triggered"
    recorded.events[BACKEND] = [
        event(BACKEND, "BackendWebService9481D844", "AWS::ECS::Service", "UPDATE_FAILED", said,
              LATER)
    ]  # fmt: skip
    recorded.tasks = [ran("web", exit_code=3)]

    assert causes(recorded) == ["The web server ends by itself, with exit code 3."]


def test_two_images_are_two_causes(recorded: Recorded) -> None:
    denied = "CannotPullContainerError: failed to resolve ref ghcr.io/a/b:1: 403 Forbidden"
    missing = "CannotPullContainerError: failed to resolve ref ghcr.io/c/d:2: not found"
    recorded.tasks = [
        ran("web", reason=denied, stop_code=NEVER_STARTED, id="1"),
        ran("validation-monitor", reason=missing, stop_code=NEVER_STARTED, id="2"),
    ]

    assert sorted(causes(recorded)) == [
        "The image ghcr.io/a/b:1 could not be pulled: its registry refused to give it.",
        "The image ghcr.io/c/d:2 was not found.",
    ]


def test_shows_a_failed_setup_by_hand_beside_a_failed_deployment(recorded: Recorded) -> None:
    site_fails(recorded, LATER)
    recorded.tasks = [ran("setup-db", exit_code=4, startedBy="galv-ops")]
    recorded.log_lines["setup-db/setup-db/0a1b2c3d4e5f"] = [
        "[release] create_superuser: failed with exit code 4"
    ]

    assert sorted(causes(recorded)) == [
        SITE_BUCKET,
        "The setup step create_superuser failed with exit code 4.",
    ]


@pytest.mark.parametrize("options", [("--project", "galv"), ("--stack", "galv-LogBucketStack")])
def test_does_not_call_it_healthy_without_a_visible_backend(
    recorded: Recorded, options: tuple[str, ...]
) -> None:
    recorded.stacks[REGION] = [stack("galv-LogBucketStack")]

    result = recorded.run("doctor", *options)

    assert result.exit_code == 125
    assert "Nothing wrong" not in result.stdout
    assert "Not seen: a backend: galv has only galv-LogBucketStack in eu-west-2" in result.stdout
    assert "pass --region" in result.stdout


def test_does_not_call_the_site_healthy_if_us_east_1_may_not_be_read(recorded: Recorded) -> None:
    recorded.stacks[REGION].append(stack(FRONTEND))
    recorded.resources[FRONTEND] = [resource("Release12345678", "Custom::GalvSiteRelease", "r")]
    answer = recorded.answers["cloudformation.DescribeStacks"]

    def refuse(request: Json, region: str) -> Json:
        if region == "us-east-1":
            raise AwsError("AccessDenied", "an organisation forbids it")
        assert callable(answer)
        return answer(request, region)

    recorded.answers["cloudformation.DescribeStacks"] = refuse

    result = recorded.run("doctor")

    assert result.exit_code == 125
    assert "Not seen: stacks in us-east-1: not allowed to call DescribeStacks" in result.stdout
    assert recorded.run("status").exit_code == 125


def test_a_first_deployment_that_goes_on(recorded: Recorded) -> None:
    recorded.stacks[REGION] = [stack(BACKEND, "CREATE_IN_PROGRESS")]
    recorded.resources[BACKEND] = []

    result = recorded.run("doctor", "--stack", BACKEND)

    assert (result.exit_code, result.stdout) == (
        0,
        "galv-BackendStack is being deployed right now.\nNothing wrong was found so far.\n",
    )


def test_a_young_certificate_is_waited_for(recorded: Recorded) -> None:
    recorded.stacks[REGION] = [stack(BACKEND, "CREATE_IN_PROGRESS")]
    now = datetime.now(timezone.utc)
    certificate: Json = {"DomainName": "api.example.com", "Status": "PENDING_VALIDATION"}
    recorded.answers["acm.DescribeCertificate"] = {"Certificate": {**certificate, "CreatedAt": now}}
    assert causes(recorded) == []

    certificate["CreatedAt"] = now - timedelta(hours=1)
    recorded.answers["acm.DescribeCertificate"] = {"Certificate": certificate}
    assert "is still pending" in causes(recorded)[0]


@pytest.mark.parametrize("events", [[], ["FailedLongAgo1"]])
def test_a_history_that_is_cut_off(recorded: Recorded, events: list[str]) -> None:
    """CloudFormation forgets events after 90 days, the beginning of a change first."""

    def answer(request: Json, _region: str) -> Json:
        name = request["StackName"].split("/")[1]
        return {
            "StackEvents": [
                event(name, one, "AWS::S3::Bucket", "CREATE_FAILED", BUCKET_TAKEN)
                for one in events
                if name == BACKEND
            ]
        }

    recorded.answers["cloudformation.DescribeStackEvents"] = answer
    recorded.tasks = [ran("web", exit_code=3)]

    expected = ["The web server ends by itself, with exit code 3."]
    expected += [f"{one} (AWS::S3::Bucket) of galv-BackendStack failed." for one in events]
    assert causes(recorded) == expected


@pytest.mark.parametrize("missing", ["createdAt", "stoppedAt"])
def test_a_task_of_which_ecs_does_not_tell_the_times(recorded: Recorded, missing: str) -> None:
    """Both are optional in DescribeTasks."""
    task = ran("web", exit_code=3)
    del task[missing]
    recorded.tasks = [ran("web", exit_code=4, id="other"), task]

    assert causes(recorded) == ["The web server ends by itself, with exit code 4."]
    assert recorded.run("status").exit_code in {0, 1}


def test_events_without_anything_that_may_be_left_out(recorded: Recorded) -> None:
    def answer(request: Json, _region: str) -> Json:
        name = request["StackName"].split("/")[1]
        bare = {"StackId": stack_id(name), "EventId": "1", "StackName": name, "Timestamp": LATER}
        return {"StackEvents": [bare, {**bare, "ResourceStatus": "CREATE_FAILED"}]}

    recorded.answers["cloudformation.DescribeStackEvents"] = answer

    assert recorded.run("doctor").exit_code == 1


def test_a_reason_of_a_custom_resource_loses_the_text_of_cloudformation(recorded: Recorded) -> None:
    front = FRONTEND
    recorded.stacks[REGION].append(stack(front, "UPDATE_ROLLBACK_COMPLETE"))
    recorded.resources[front] = []
    ours = "Site: the build ended with FAILED\nsrc/App.tsx(3,1)\n    at 12:00 it was given up"
    reason = (
        f"Received response status [FAILED] from custom resource. Message returned: Error: {ours}\n"
        "\nLogs: /aws/lambda/galv-FrontendStack-Provider\n\n"
        "    at invokeUserFunction (/var/task/framework.js:2:6)\n"
        "    at processTicksAndRejections (node:internal/process/task_queues:105:5)\n"
        "    at async exports.handler (/var/task/cfn-response.js:1:2) (RequestId: 0a1b-2c3d)"
    )
    recorded.events[front] = [
        event(front, "FrontendRelease1", "Custom::GalvSiteRelease", "UPDATE_FAILED", reason, LATER)
    ]

    (found,) = json.loads(recorded.run("doctor", "--json").stdout)["diagnoses"]

    assert found["shown_by"] == [ours]


def test_a_reason_of_cloudformation_loses_its_request(recorded: Recorded) -> None:
    recorded.events[BACKEND] = [
        event(BACKEND, "Custom1", "Custom::GalvSmtpCredentials", "CREATE_FAILED",
              "Received response status [FAILED] from custom resource. Message returned: Error: "
              "two access keys (RequestId: 0a1b-2c3d)", LATER)
    ]  # fmt: skip

    assert "   | two access keys\n" in text_of(recorded)


LOAD_BALANCER = "arn:aws:elasticloadbalancing:eu-west-2:111122223333:loadbalancer/app/galv/1"
ACL = "arn:aws:wafv2:eu-west-2:111122223333:regional/webacl/galv/1"
EDGE_ACL = "arn:aws:wafv2:us-east-1:111122223333:global/webacl/site/2"


RULES = ("Admin", "RateLimit", "Credentials", "ResetTotal", "Common")


def web_acl(recorded: Recorded, *samples: Json) -> None:
    recorded.resources[BACKEND].append(
        resource("LoadBalancer1", "AWS::ElasticLoadBalancingV2::LoadBalancer", LOAD_BALANCER)
    )

    def rules(arn: str) -> Json:
        seen = {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True}
        return {
            "WebACL": {
                "Name": "galv",
                "Id": "1",
                "ARN": arn,
                "DefaultAction": {"Allow": {}},
                "VisibilityConfig": {**seen, "MetricName": "galv"},
                "Rules": [
                    {
                        "Name": name,
                        "Priority": number,
                        "Statement": {},
                        "VisibilityConfig": {**seen, "MetricName": f"galv-{name}"},
                    }
                    for number, name in enumerate(RULES)
                ],
            }
        }

    def sampled(request: Json, _region: str) -> Json:
        rule = request["RuleMetricName"].removeprefix("galv-")
        found = [one for one in samples if one.get("rule", "Common") == rule]
        return {"SampledRequests": [{k: v for k, v in s.items() if k != "rule"} for s in found]}

    recorded.answers["wafv2.GetWebACLForResource"] = lambda request, _region: rules(ACL)
    recorded.answers["wafv2.GetWebACL"] = lambda _request, _region: rules(EDGE_ACL)
    recorded.answers["wafv2.GetSampledRequests"] = sampled


def sample(headers: dict[str, str], action: str = "BLOCK", **more: Any) -> Json:
    return {
        "Request": {
            "ClientIP": "192.0.2.7",
            "URI": "/files/",
            "Method": "POST",
            "Headers": [{"Name": name, "Value": value} for name, value in headers.items()],
        },
        "Weight": 1,
        "Timestamp": LATER,
        "Action": action,
        **more,
    }


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer 0a1b"},
        {"authorization": "REDACTED"},
        {"cookie": "csrftoken=1; sessionid=2"},
        {"cookie": "csrftoken=REDACTED; sessionid=REDACTED"},
    ],
)
def test_the_waf_blocks_people_who_are_signed_in(
    recorded: Recorded, headers: dict[str, str]
) -> None:
    web_acl(recorded, sample(headers, RuleNameWithinRuleGroup="CrossSiteScripting_BODY"))

    text = text_of(recorded)

    assert text.startswith(
        "1. The WAF blocked 1 request of people who are signed in, by its rule "
        "CrossSiteScripting_BODY.\n   | 2026-05-01 02:05 UTC POST /files/ from 192.0.2.7\n"
    )
    assert "wafCountedRules in cdk.json, counted_rules of GalvWebAcl" in text


def test_the_rate_limit_blocks_a_laboratory(recorded: Recorded) -> None:
    one = sample({"Authorization": "Bearer 0a1b"}, rule="RateLimit")
    web_acl(recorded, one, one)

    text = text_of(recorded)

    assert "The WAF blocked 2 requests of people who are signed in, by the rate limit." in text
    assert "raise rate_limit of GalvWebAcl" in text


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("Credentials", "raise credential_rate_limit of GalvWebAcl"),
        ("ResetTotal", "nobody can reset a password now"),
    ],
)
def test_the_waf_blocks_people_who_sign_in(recorded: Recorded, rule: str, says: str) -> None:
    web_acl(recorded, sample({"User-Agent": "Mozilla"}, rule=rule))

    text = text_of(recorded)

    assert "The WAF blocked 1 request with passwords or codes, by the limit for " in text
    assert says in text


def test_requests_of_a_web_acl_that_two_load_balancers_share_count_once(recorded: Recorded) -> None:
    web_acl(recorded, sample({"cookie": "sessionid=2"}))
    recorded.resources[BACKEND].append(
        resource("Other1", "AWS::ElasticLoadBalancingV2::LoadBalancer", f"{LOAD_BALANCER}2")
    )

    assert "The WAF blocked 1 request of" in text_of(recorded)


def test_the_admin_is_closed_to_the_address_of_an_administrator(recorded: Recorded) -> None:
    web_acl(recorded, sample({"cookie": "sessionid=2"}, rule="Admin"))

    assert "adminCidrs in cdk.json, admin_cidrs of GalvWebAcl" in text_of(recorded)


@pytest.mark.parametrize(
    ("headers", "action"),
    [
        ({"User-Agent": "scanner"}, "BLOCK"),
        ({"Authorization": "Basic YWRtaW46YWRtaW4="}, "BLOCK"),
        ({"Authorization": "Bearer 0a1b"}, "COUNT"),
    ],
)
def test_blocked_attacks_are_not_a_cause(
    recorded: Recorded, headers: dict[str, str], action: str
) -> None:
    web_acl(recorded, sample(headers, action))

    assert recorded.run("doctor").exit_code == 0


def test_the_web_acl_of_the_site_is_asked_in_us_east_1(recorded: Recorded) -> None:
    web_acl(recorded, sample({"cookie": "sessionid=2"}))
    recorded.answers["wafv2.GetWebACLForResource"] = {}
    recorded.resources[BACKEND].append(
        resource("Distribution1", "AWS::CloudFront::Distribution", "E1")
    )
    recorded.answers["cloudfront.GetDistributionConfig"] = {
        "DistributionConfig": {
            "CallerReference": "",
            "Origins": {"Quantity": 1, "Items": [{"Id": "s3", "DomainName": "b.example"}]},
            "DefaultCacheBehavior": {"TargetOriginId": "", "ViewerProtocolPolicy": "https-only"},
            "Comment": "",
            "Enabled": True,
            "WebACLId": EDGE_ACL,
        }
    }

    assert "The WAF blocked 1 request of" in text_of(recorded)
    asked = [request for call, request in recorded.requests if call == "wafv2.GetSampledRequests"]
    assert {(one["WebAclArn"], one["Scope"]) for one in asked} == {(EDGE_ACL, "CLOUDFRONT")}


def never_starts(name: str, reason: str) -> Callable[[Recorded], None]:
    def arrange(recorded: Recorded) -> None:
        recorded.tasks = [ran(name, reason=reason, stop_code=NEVER_STARTED)]

    return arrange


def release_ends(reason: str) -> Callable[[Recorded], None]:
    return lambda recorded: release_fails(recorded, reason)


def web_ends(code: int, *log: str) -> Callable[[Recorded], None]:
    def arrange(recorded: Recorded) -> None:
        recorded.tasks = [ran("web", exit_code=code)]
        recorded.log_lines["web/web/0a1b2c3d4e5f"] = list(log)

    return arrange


def is_unhealthy(description: str) -> Callable[[Recorded], None]:
    return lambda recorded: unhealthy(recorded, "Target.ResponseCodeMismatch", description)


def backend_is(status: str) -> Callable[[Recorded], None]:
    def arrange(recorded: Recorded) -> None:
        recorded.stacks[REGION] = [stack(BACKEND, status)]

    return arrange


def certificate_is(status: str, **more: Any) -> Callable[[Recorded], None]:
    def arrange(recorded: Recorded) -> None:
        found = {"DomainName": "api.example.com", "Status": status, **more}
        recorded.answers["acm.DescribeCertificate"] = {"Certificate": found}

    return arrange


def is_blocked_by(rule: str) -> Callable[[Recorded], None]:
    return lambda recorded: web_acl(recorded, sample({"cookie": "sessionid=2"}, rule=rule))


def site_is_not_built(recorded: Recorded) -> None:
    site_fails(recorded, LATER)
    recorded.events[FRONTEND] = [
        event(FRONTEND, "Release1", "Custom::GalvSiteRelease", "UPDATE_FAILED", "TS2304", LATER)
    ]


def is_not_bootstrapped(recorded: Recorded) -> None:
    recorded.refuse("ssm.GetParameter", "ParameterNotFound")


PULL = "CannotPullContainerError: failed to resolve ref ghcr.io/galv-team/a:1: "
STEP = "Release task exited with code 2\n[release] {}: failed with exit code 2"
RECORD = {"Name": "_3f.api.example.com.", "Type": "CNAME", "Value": "_9a.acm-validations.aws."}
FAULTS: dict[str, Callable[[Recorded], None]] = {
    "an image that is not there": never_starts("web", f"{PULL}not found"),
    "an image that is refused": never_starts("web", f"{PULL}403 Forbidden"),
    "an image that is out of reach": never_starts("web", f"{PULL}i/o timeout"),
    "a secret without a key": never_starts(
        "setup-db", f"{SECRETS}retrieved secret did not contain json key TOKEN"
    ),
    "a secret without a key that no task asks for": never_starts(
        "web", f"{SECRETS}retrieved secret did not contain json key OTHER"
    ),
    "a secret that is no JSON": never_starts("web", f"{SECRETS}invalid character 'p'"),
    "a secret that does not exist": never_starts(
        "web",
        f"{SECRETS}failed to fetch secret {SECRET}:galv-smtp from secrets manager: Secrets "
        "Manager can't find the specified secret.",
    ),
    "migrations": release_ends(STEP.format("migrate")),
    "the superuser": release_ends(STEP.format("create_superuser")),
    "fixtures": release_ends(STEP.format("loaddata")),
    "static files": release_ends(STEP.format("collectstatic")),
    "another step": release_ends(STEP.format("reindex")),
    "setup that hung": release_ends("Release task hung: not done after 900 s, and was stopped"),
    "another release task": release_ends("Release task exited with code 5\nno more room"),
    "a health check that Django refuses": is_unhealthy("Health checks failed with [400]"),
    "a health check that fails otherwise": is_unhealthy("Health checks failed with [502]"),
    "a server that ends": web_ends(3, "ModuleNotFoundError: No module named 'config'"),
    "a server without memory": web_ends(137, "[CRITICAL] WORKER TIMEOUT"),
    "a site that cannot be built": site_is_not_built,
    "a certificate that waits": certificate_is(
        "PENDING_VALIDATION",
        DomainValidationOptions=[{"DomainName": "api.example.com", "ResourceRecord": RECORD}],
    ),
    "a certificate that is refused": certificate_is("FAILED", FailureReason="CAA_ERROR"),
    "the addresses of the admin": is_blocked_by("Admin"),
    "the limit for passwords": is_blocked_by("Credentials"),
    "the rate limit": is_blocked_by("RateLimit"),
    "the limit for resets": is_blocked_by("ResetTotal"),
    "another rule": is_blocked_by("Common"),
    "no bootstrap": is_not_bootstrapped,
    "a stack that cannot be deleted": backend_is("DELETE_FAILED"),
    "a stack that cannot go back": backend_is("UPDATE_ROLLBACK_FAILED"),
    "a resource that fails": lambda recorded: site_fails(recorded, LATER),
    "a task that does not start": never_starts("web", "ResourceInitializationError: no logger"),
}


def test_what_is_said_of_every_fault(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    said = []
    for fault, arrange in FAULTS.items():
        fresh = Recorded()
        monkeypatch.setattr(boto3, "Session", fresh.session)
        arrange(fresh)
        said.append(f"# {fault}\n{fresh.run('doctor').stdout}")

    transcript("doctor", "\n".join(said))


def test_what_programs_are_told_of_a_fault(recorded: Recorded) -> None:
    release_fails(recorded, STEP.format("migrate"))
    site_fails(recorded, LATER + timedelta(minutes=1))
    recorded.refuse("acm.DescribeCertificate", "AccessDeniedException", "no")

    transcript("doctor-json", recorded.run("doctor", "--json").stdout)


@pytest.mark.parametrize("exit_code", [137, 143])
def test_a_server_that_ecs_stopped_did_not_end_by_itself(
    recorded: Recorded, exit_code: int
) -> None:
    reason = "Scaling activity initiated by (deployment ecs-svc/1)"
    stopped = ran("web", exit_code=exit_code, stop_code="ServiceSchedulerInitiated", reason=reason)
    recorded.tasks = [stopped]

    assert recorded.run("doctor").exit_code == 0
