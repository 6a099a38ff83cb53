"""The handler of preflight, every branch, with questions whose answers are given."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

import pytest
from botocore import exceptions as aws
from handlers.services import clients

from galv_constructs.handlers import _aws, preflight
from galv_constructs.handlers._preflight.finding import Finding
from galv_constructs.handlers._preflight.world import World as RealWorld
from galv_constructs.handlers.preflight import NO_WARNINGS, NOT_ASKED, PreflightError, on_event

Json = dict[str, Any]

STACK = "arn:aws:cloudformation:eu-central-1:123456789012:stack/galv/0a1b2c3d-0000"
IMAGE = {"Ask": "image", "Image": "ghcr.io/galv-team/galv-backend:v2.11.4"}
SECRET = {"Ask": "secret", "SecretArn": "arn:aws:secretsmanager:…:secret:x", "Keys": ["A", "B"]}
QUESTIONS = {"Backend/Image": IMAGE, "Backend/Secrets": SECRET}
QUOTA = {"Quotas/fargate-vcpu": {"Ask": "quotas", "Needs": ["fargate-vcpu=6"]}}
ROUTES = {"Ask": "subnets", "VpcId": "vpc-1", "SubnetIds": ["subnet-1"], "Route": "nat"}
SUBNETS = {**ROUTES, "Addresses": "8"}


def error(check: str = "Backend/Image", **texts: str) -> Finding:
    return finding(check, "error", **texts)


def finding(check: str, severity: Any, **texts: str) -> Finding:
    said = {
        "wrong": "the registry has no tag v2.11.4",
        "found": "v2.11.3",
        "fix": "set backendVersion to v2.11.3",
    }
    return Finding(check=check, severity=severity, **{**said, **texts})


class World:
    """What is asked, and what the answers are; also the stack."""

    def __init__(self) -> None:
        self.asked: list[Mapping[str, Any]] = []
        self.found: list[Finding] = []
        self.status = "UPDATE_IN_PROGRESS"
        self.fault: Exception | None = None
        self.world = RealWorld()

    def ask(self, questions: Mapping[str, Any], world: RealWorld, seconds: float) -> list[Finding]:
        assert 0 < seconds < 120
        self.world = world
        self.asked.append(questions)
        return self.found

    def describe_stacks(self, **query: str) -> Json:
        assert query == {"StackName": STACK}
        if self.fault is not None:
            raise self.fault
        return {"Stacks": [{"StackStatus": self.status}]}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(preflight, "ask", made.ask)
    monkeypatch.setattr(_aws, "client", clients(made))
    return made


def event(
    kind: str, questions: Json = QUESTIONS, before: Json | None = None, *, upgraded: bool = False
) -> Json:
    request: Json = {
        "RequestType": kind,
        "StackId": STACK,
        "LogicalResourceId": "Preflight",
        "ResourceProperties": {
            "LogGroup": "galv-PreflightLogs",
            "Questions": questions,
            "Version": "2.0.0",
        },
    }
    if kind != "Create":
        request["PhysicalResourceId"] = "Preflight-0a1b2c3d-0000"
    if before is not None:
        request["OldResourceProperties"] = {
            "LogGroup": "galv-PreflightLogs",
            "Questions": before,
            "Version": "1.0.0" if upgraded else "2.0.0",
        }
    return json.loads(json.dumps(request))  # type: ignore[no-any-return]  # it is one again


def refusal(world: World, *found: Finding, kind: str = "Create") -> str:
    """Ask, and return the reason for the failure, which must fit."""
    world.found = list(found)
    with pytest.raises(PreflightError) as caught:
        on_event(event(kind), None)
    reason = str(caught.value)
    assert len(reason.encode()) <= _aws.REASON_LIMIT
    return reason


class TestWhatIsAsked:
    def test_a_creation_asks_all(self, world: World) -> None:
        assert on_event(event("Create"), None) == {
            "PhysicalResourceId": "Preflight-0a1b2c3d-0000",
            "Data": {"Warnings": NO_WARNINGS},
        }
        assert world.asked == [QUESTIONS]

    def test_a_creation_does_not_mind_a_stack_that_cannot_be_described(self, world: World) -> None:
        world.fault = aws.EndpointConnectionError(endpoint_url="cloudformation")

        on_event(event("Create"), None)

        assert world.asked == [QUESTIONS]

    @pytest.mark.parametrize(
        ("status", "asks"),
        [("CREATE_IN_PROGRESS", True), ("UPDATE_IN_PROGRESS", False), ("", False)],
    )
    def test_room_is_asked_for_only_before_the_stack_has_what_needs_it(
        self, world: World, status: str, asks: bool
    ) -> None:
        world.status = status

        on_event(event("Create", {**QUESTIONS, **QUOTA, "Subnets": SUBNETS}), None)

        if asks:
            assert world.asked == [{**QUESTIONS, **QUOTA, "Subnets": SUBNETS}]
        else:
            assert world.asked == [{**QUESTIONS, "Subnets": ROUTES}]

    @pytest.mark.parametrize(
        "before", [{}, {"Quotas/fargate-vcpu": {"Ask": "quotas", "Needs": ["fargate-vcpu=4"]}}]
    )
    def test_an_update_does_not_count_what_the_stack_has_itself(
        self, world: World, before: Json
    ) -> None:
        world.found = [error("Quotas/fargate-vcpu")]

        answer = on_event(event("Update", QUOTA, before=before), None)

        assert answer["Data"] == {"Warnings": NO_WARNINGS}
        assert world.asked == []

    def test_an_update_asks_of_new_subnets_where_they_lead_to(self, world: World) -> None:
        before = {"Subnets": {**SUBNETS, "SubnetIds": ["subnet-9"]}}

        on_event(event("Update", {"Subnets": SUBNETS}, before=before), None)

        assert world.asked == [{"Subnets": ROUTES}]

    def test_an_update_to_more_tasks_in_the_same_subnets_asks_nothing(self, world: World) -> None:
        before = {"Subnets": {**SUBNETS, "Addresses": "4"}}

        on_event(event("Update", {"Subnets": SUBNETS}, before=before), None)

        assert world.asked == []

    def test_an_update_asks_what_changed(self, world: World) -> None:
        before = {**QUESTIONS, "Backend/Image": {**IMAGE, "Image": "another"}, "Gone": IMAGE}

        answer = on_event(event("Update", before=before), None)

        assert answer["PhysicalResourceId"] == "Preflight-0a1b2c3d-0000"
        assert world.asked == [{"Backend/Image": IMAGE}]

    def test_an_update_asks_what_is_new(self, world: World) -> None:
        on_event(event("Update", before={"Backend/Image": IMAGE}), None)

        assert world.asked == [{"Backend/Secrets": SECRET}]

    def test_an_update_notices_a_list_that_changed(self, world: World) -> None:
        before = {**QUESTIONS, "Backend/Secrets": {**SECRET, "Keys": ["A"]}}

        on_event(event("Update", before=before), None)

        assert world.asked == [{"Backend/Secrets": SECRET}]

    def test_an_update_that_changed_no_question_asks_nothing(self, world: World) -> None:
        world.fault = AssertionError("nobody has to know the stack's status")

        answer = on_event(event("Update", before=QUESTIONS), None)

        assert answer["Data"] == {"Warnings": NO_WARNINGS}
        assert world.asked == []

    def test_an_update_of_what_had_no_questions_asks_all(self, world: World) -> None:
        request = event("Update")
        request["OldResourceProperties"] = {}

        on_event(request, None)

        assert world.asked == [QUESTIONS]

    def test_no_question_is_no_error(self, world: World) -> None:
        request = event("Create")
        del request["ResourceProperties"]["Questions"]

        assert on_event(request, None)["Data"] == {"Warnings": NO_WARNINGS}
        assert world.asked == []

    @pytest.mark.parametrize(
        "status", ["UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_FAILED_ROLLBACK_REQUESTED"]
    )
    def test_a_rollback_asks_nothing(self, world: World, status: str) -> None:
        world.status = status
        world.found = [error()]

        answer = on_event(event("Update", before={}), None)

        assert answer["Data"] == {"Warnings": NO_WARNINGS}
        assert world.asked == []

    @pytest.mark.parametrize(
        "fault",
        [
            aws.ClientError({"Error": {"Code": "Throttling", "Message": "slow"}}, "DescribeStacks"),
            aws.ReadTimeoutError(endpoint_url="cloudformation"),
        ],
    )
    def test_what_may_be_a_rollback_asks_nothing_and_says_so(
        self, world: World, fault: Exception, caplog: pytest.LogCaptureFixture
    ) -> None:
        world.fault = fault
        world.found = [error()]

        assert on_event(event("Update", before={}), None)["Data"] == {"Warnings": NOT_ASKED}

        assert world.asked == []
        assert NOT_ASKED in caplog.text

    def test_a_deletion_asks_nothing(self, world: World) -> None:
        world.found = [error()]

        answer = on_event(event("Delete"), None)

        assert answer["PhysicalResourceId"] == "Preflight-0a1b2c3d-0000"
        assert world.asked == []

    def test_a_deletion_of_what_was_never_created_asks_nothing(self, world: World) -> None:
        request = event("Delete")
        request["PhysicalResourceId"] = "could-not-be-created"

        assert on_event(request, None)["PhysicalResourceId"] == "could-not-be-created"
        assert world.asked == []


class TestAnUpgradeOfTheLibrary:
    """It asks in other words, and more, of what works."""

    @pytest.fixture(autouse=True)
    def fails(self, world: World) -> None:
        world.found = [error("Backend/Image")]

    @pytest.mark.parametrize("before", [{}, {"Backend/Image": {**IMAGE, "Gone": "x"}}])
    @pytest.mark.parametrize("upgraded", [True, False])
    def test_warns_of_what_is_only_asked_anew(
        self, world: World, before: Json, upgraded: bool
    ) -> None:
        request = event("Update", {"Backend/Image": IMAGE}, before=before, upgraded=upgraded)

        if upgraded:
            assert on_event(request, None)["Data"]["Warnings"].startswith("Backend/Image: ")
        else:
            with pytest.raises(PreflightError):
                on_event(request, None)
        assert world.asked == [{"Backend/Image": IMAGE}]

    def test_is_stopped_by_what_the_user_changed_with_it(self, world: World) -> None:
        before = {"Backend/Image": {**IMAGE, "Image": "another", "Gone": "x"}}

        with pytest.raises(PreflightError):
            on_event(event("Update", {"Backend/Image": IMAGE}, before=before, upgraded=True), None)

    def test_of_what_was_before_there_were_versions_is_one(self, world: World) -> None:
        request = event("Update", before={})
        del request["OldResourceProperties"]["Version"]

        assert "Backend/Image" in on_event(request, None)["Data"]["Warnings"]


class TestCredentials:
    """Whoever may invoke the function can name any host and any secret."""

    ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:registry-AbCdEf"

    def test_go_to_the_registry_of_an_image_of_the_stack_alone(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pairs = [["ghcr.io/galv-team/galv-backend:v2.11.4", self.ARN], ["user/app:1", "other"]]
        monkeypatch.setenv("CREDENTIALS", json.dumps(pairs))
        on_event(event("Create"), None)

        assert world.world.may_send("ghcr.io", self.ARN)
        assert world.world.may_send("registry-1.docker.io", "other")
        assert not world.world.may_send("attacker.example", self.ARN)
        assert not world.world.may_send("ghcr.io", "other")

    def test_go_nowhere_where_the_stack_has_none(self, world: World) -> None:
        on_event(event("Create"), None)

        assert not world.world.may_send("ghcr.io", self.ARN)


class TestWarnings:
    def test_are_an_attribute_and_lines_of_the_log(
        self, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        world.found = [
            finding(
                "Mail/Sandbox", "warning", wrong="mail reaches nobody", found="", fix="ask AWS"
            ),
            finding("Backend/Zone", "warning", wrong="slow.", found="no answer", fix="wait."),
        ]

        answer = on_event(event("Create"), None)

        lines = [
            "Mail/Sandbox: mail reaches nobody. To do: ask AWS.",
            "Backend/Zone: slow. Found: no answer. To do: wait.",
        ]
        assert answer["Data"] == {"Warnings": "\n".join(lines)}
        warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
        assert warnings == lines

    def test_fit_into_an_answer(self, world: World) -> None:
        world.found = [finding("A", "warning", found="語 " * 800), finding("B", "warning")]

        (text,) = on_event(event("Create"), None)["Data"].values()

        # CloudFormation takes 4096 bytes from a custom resource, and more than this is in it.
        assert 1000 < len(text.encode()) <= 2000
        assert text.endswith("…")

    def test_are_logged_beside_errors(self, world: World, caplog: pytest.LogCaptureFixture) -> None:
        reason = refusal(world, finding("Mail/Sandbox", "warning", wrong="sandbox"), error())

        assert "sandbox" not in reason
        assert "Mail/Sandbox: sandbox" in caplog.text


class TestReason:
    def test_says_what_is_wrong_what_was_found_and_what_to_do(self, world: World) -> None:
        assert refusal(world, error()) == (
            "Preflight found an error before anything costly was created.\n"
            "- Backend/Image: the registry has no tag v2.11.4. Found: v2.11.3. To do: set "
            "backendVersion to v2.11.3.\n"
            'To leave such checks out, pass preflight=["Backend/Image"], or set "preflight" to '
            "it in cdk.json.\n"
            "All of it: galv-ops preflight"
        )

    def test_of_an_update_has_a_link_to_the_log_which_stays(self, world: World) -> None:
        world.found = [error()]
        with pytest.raises(PreflightError) as caught:
            on_event(event("Update", before={}), None)

        assert str(caught.value).endswith(
            "\nAll of it: https://console.aws.amazon.com/cloudwatch/home?region=eu-central-1"
            "#logsV2:log-groups/log-group/galv-PreflightLogs"
        )

    def test_of_five_with_real_names_says_of_each_what_to_do(self, world: World) -> None:
        secret = "arn:aws:secretsmanager:eu-west-2:123456789012:secret:galv-backend-secrets-AbCdEf"
        certificate = (
            "arn:aws:acm:eu-west-2:123456789012:certificate/12345678-1234-1234-1234-123456789012"
        )
        image = "ghcr.io/galv-team/galv-backend:v2.11.40"
        errors = [
            error(
                wrong=f"the image {image} does not exist",
                found="404 MANIFEST_UNKNOWN: manifest unknown; tags that there are: v2.11.4",
                fix="push it, or correct its tag or digest",
            ),
            error(
                "Backend/Secrets/galv-backend-secrets",
                wrong=f"the secret {secret} lacks SENTRY_DSN",
                found="its keys are DJANGO_SUPERUSER_EMAIL, DJANGO_SECRET_KEY",
                fix="add the missing to its JSON, which needs DJANGO_SECRET_KEY, SENTRY_DSN",
            ),
            error(
                "Backend/Certificate",
                wrong=f"the certificate {certificate} is not issued",
                found="its status is PENDING_VALIDATION",
                fix="wait until it is issued, for which its DNS records must exist",
            ),
            error(
                "Backend/Records",
                wrong="api.galv.example.com has a record in the hosted zone Z0123456789ABCDEFGHIJ "
                "already",
                found="A 192.0.2.1",
                fix="delete the record where nothing needs it, or choose another name",
            ),
            error(
                "Mail/Identity",
                wrong="the SES identity galv.example.com exists already, so that it cannot be "
                "created",
                found="it belongs to the account, or to another stack of it",
                fix="share it by passing it as identity, or delete it where nothing needs it",
            ),
        ]

        lines = refusal(world, *errors).split("\n")

        assert [line.partition(":")[0] for line in lines[1:6]] == [f"- {e.check}" for e in errors]
        assert all(" To do: " in line for line in lines[1:6]), lines
        assert lines[1].endswith("To do: push it, or correct its tag or digest.")
        assert "the secret galv-backend-secrets-AbCdEf lacks SENTRY_DSN" in lines[2]
        assert "the certificate 12345678-1234-1234-1234-123456789012 is not issued" in lines[3]

    def test_says_once_how_to_go_on_without_the_checks_of_the_errors(self, world: World) -> None:
        """And names none that the application itself added, or that nobody knows."""
        mine = error("Backend/Secrets"), error(), error("Unknown"), error("Reports/Image")

        own = {"Reports/Image": {**IMAGE, "Own": "true"}}
        world.found = [*mine, finding("Mail/Sandbox", "warning")]
        with pytest.raises(PreflightError) as caught:
            on_event(event("Create", questions={**QUESTIONS, **own}), None)
        reason = str(caught.value)

        assert reason.count("out, pass") == 1
        assert 'out, pass preflight=["Backend/Image", "Backend/Secrets"], or set' in reason

    def test_of_an_update_says_that_nothing_changed(self, world: World) -> None:
        world.status = "UPDATE_IN_PROGRESS"
        world.found = [error()]
        with pytest.raises(PreflightError, match="before anything costly was changed"):
            on_event(event("Update", before={}), None)

    def test_has_every_error(self, world: World, caplog: pytest.LogCaptureFixture) -> None:
        errors = [
            error(f"Backend/Check{number}", found="found " * 20, wrong=f"wrong {number}", fix="do")
            for number in range(5)
        ]

        reason = refusal(world, *errors)

        assert reason.startswith("Preflight found 5 errors before")
        for number in range(5):
            assert f"\n- Backend/Check{number}: wrong {number}. To do: do.\n" in reason
            assert f"Backend/Check{number}: wrong {number}. Found: found" in caplog.text

    @pytest.mark.parametrize("letter", ["x", "ß", "語", "🙈", "\ud800"])
    def test_the_longest_gives_way(self, world: World, letter: str) -> None:
        long = error("Long", wrong=letter * 900, fix="no room")

        *_, first, second, third, link = refusal(
            world, error("A", wrong="one", fix="two"), long, error("B", wrong="three", fix="four")
        ).split("\n")

        assert first == "- A: one. To do: two."
        assert second.startswith("- Long: ")
        assert second.endswith("…")
        assert len(second.encode(errors="replace")) > 400
        assert third == "- B: three. To do: four."
        assert link == "All of it: galv-ops preflight"

    def test_the_long_share_the_room(self, world: World) -> None:
        lines = refusal(world, *(error(f"C{n}", wrong="y" * 400) for n in range(6))).split("\n")

        sizes = [len(line) for line in lines[1:-1]]
        assert len(sizes) == 6
        assert max(sizes) - min(sizes) < 8
        assert [line[:4] for line in lines[1:-1]] == [f"- C{n}" for n in range(6)]

    def test_more_than_fits_is_still_a_reason_with_a_link(self, world: World) -> None:
        lines = refusal(world, *(error(f"Check{number}") for number in range(40))).split("\n")

        assert lines[0].startswith("Preflight found 40 errors")
        told = len(lines) - 3
        assert [line.partition(":")[0] for line in lines[1:-2]] == [
            f"- Check{number}" for number in range(told)
        ]
        assert lines[-2] == f"- and {40 - told} more"
        assert lines[-1] == "All of it: galv-ops preflight"

    def test_a_link_may_leave_no_room(self, world: World) -> None:
        request = event("Update", before={})
        request["ResourceProperties"]["LogGroup"] = "g" * 512
        world.found = [error(f"Check{number}", wrong="y" * 200) for number in range(9)]

        with pytest.raises(PreflightError) as caught:
            on_event(request, None)

        assert len(str(caught.value).encode()) <= _aws.REASON_LIMIT
        assert "- Check0: y" in str(caught.value)
        assert str(caught.value).endswith("ggg")

    def test_errors_go_before_the_way_out(self, world: World) -> None:
        request = event("Update", before={})
        request["ResourceProperties"]["LogGroup"] = "g" * 470
        world.found = [error(wrong="y" * 300)]

        with pytest.raises(PreflightError) as caught:
            on_event(request, None)

        assert "y" * 100 in str(caught.value)
        assert "out, pass" not in str(caught.value)

    def test_no_secret_is_in_the_reason(
        self, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        reason = refusal(
            world,
            error(found="https://me:hunter2@registry/x", wrong="PASSWORD=hunter2 is wrong", fix=""),
            finding("W", "warning", found="Authorization: Bearer hunter2hunter2"),
        )

        assert "hunter2" not in reason
        assert "hunter2" not in caplog.text
        assert "https://me:[redacted]@registry/x" in reason


def test_the_attribute_has_no_secret(world: World) -> None:
    world.found = [finding("W", "warning", found="https://me:hunter2@registry/x")]

    assert "hunter2" not in on_event(event("Create"), None)["Data"]["Warnings"]
