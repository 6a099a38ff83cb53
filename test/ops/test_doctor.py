"""Each diagnosis, with its fault put into what AWS tells of a deployment that is well."""

from __future__ import annotations

from datetime import timedelta

import pytest
from ops.recorded import (
    DEPLOYED,
    LATER,
    REGION,
    AwsError,
    Json,
    Recorded,
    event,
    log_group,
    ran,
    resource,
    service,
    stack,
)

# Clients of a dozen services for each test.
pytestmark = pytest.mark.slow

BACKEND = "galv-BackendStack"
NEVER_STARTED = "TaskFailedToStart"
SECRETS = (
    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource "
    "retrieval failed: unable to retrieve secret from asm: "
)


def text_of(recorded: Recorded, *arguments: str) -> str:
    """What doctor finds."""
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


def test_finds_nothing_where_nothing_is_wrong(recorded: Recorded) -> None:
    result = recorded.run("doctor")

    assert (result.exit_code, result.output) == (0, "Nothing wrong was found.\n")


NOT_FOUND = "ghcr.io/galv-team/galv-backend:9.9.9: not found"
FORBIDDEN = "pulling from host ghcr.io failed with status code [manifests 1.0]: 403 Forbidden"
UNREACHABLE = (
    'Head "https://ghcr.io/v2/galv-team/a/manifests/1": dial tcp 140.82.112.33:443: i/o timeout'
)


@pytest.mark.parametrize(
    ("name", "said", "cause", "remedy"),
    [
        ("ghcr.io/galv-team/galv-backend:9.9.9", NOT_FOUND, " was not found.", "backendVersion"),
        ("ghcr.io/galv-team/b:1.0", FORBIDDEN, "its registry refused", "registry_credentials"),
        ("ghcr.io/galv-team/a:1", UNREACHABLE, "registry could not be reached", "NAT gateway"),
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

    assert "1. Django refuses the load balancer's health check" in text_of(recorded)


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


def test_a_server_without_memory(recorded: Recorded) -> None:
    reason = "OutOfMemoryError: Container killed due to memory usage"
    task = ran("web", exit_code=137)
    task["containers"][0]["reason"] = reason
    recorded.tasks = [task]

    assert "1. A web task used more memory than it has" in text_of(recorded)


def test_what_was_before_the_last_change_explains_nothing(recorded: Recorded) -> None:
    before = DEPLOYED - timedelta(minutes=5)
    recorded.tasks = [ran("web", exit_code=3, at=before)]

    assert recorded.run("doctor").exit_code == 0


def test_what_service_events_say(recorded: Recorded) -> None:
    said = (
        "(service galv) was unable to start tasks: CannotPullContainerError: failed to resolve ref "
        "ghcr.io/a/b:1: ghcr.io/a/b:1: not found"
    )
    events = [{"id": "1", "createdAt": LATER, "message": said}]
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


def test_what_it_does_not_know_it_quotes(recorded: Recorded) -> None:
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


def test_what_was_deleted_by_hand_hides_nothing_else(recorded: Recorded) -> None:
    recorded.refuse("elastic-load-balancing-v2.DescribeTargetHealth", "TargetGroupNotFound", "gone")
    recorded.tasks = [ran("web", exit_code=3)]

    text = text_of(recorded)

    assert "1. The web server ends by itself" in text
    assert "Not seen: AWS refused DescribeTargetHealth: gone" in text


def test_says_what_it_was_not_allowed_to_see(recorded: Recorded) -> None:
    recorded.refuse("acm.DescribeCertificate", "AccessDeniedException", "User is not authorized")

    result = recorded.run("doctor")

    assert result.exit_code == 0
    assert "Not seen: not allowed to call DescribeCertificate: User is not" in result.stdout


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
