"""What ran when, as ECS, ECR, CloudFormation, CloudTrail and the site's log tell together."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from ops.recorded import (
    ACCOUNT,
    LATER,
    REGION,
    Json,
    Recorded,
    definition,
    event,
    resource,
    stack,
)
from ops.transcript import transcript

BACKEND = "galv-BackendStack"
SETUP = "BackendSetupRun905D97AC"
REPOSITORY = "galv-backendstack-image-x1"
ECR = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{REPOSITORY}"
OLD, NEW, BROKEN = (f"sha256:{sign * 64}" for sign in "abc")
FAMILY = definition("web").rpartition(":")[0]
PAGE = Path(__file__).parents[2] / "docs" / "galv-ops.md"


def day(number: int, hour: int = 9, minute: int = 0) -> datetime:
    return datetime(2026, 5, number, hour, minute, tzinfo=timezone.utc)


def deployed(at: datetime) -> str:
    return f"deployed-{at:%Y%m%dT%H%M%S.%fZ}"


class World:
    """A backend of which three versions were deployed: the second one was rolled back."""

    def __init__(self, recorded: Recorded) -> None:
        self.recorded = recorded
        self.revisions: dict[str, Json] = {}
        self.revision(1, day(1), "v2.11.3", OLD)
        self.revision(2, day(2), "v2.11.4", BROKEN)
        self.revision(3, day(3), "v2.11.5", NEW)
        self.images = [
            self.image(OLD, "v2.11.3-amd64-0a1b2c3d", deployed(day(1))),
            self.image(BROKEN, "v2.11.4-amd64-0a1b2c3d", deployed(day(2)), CRITICAL=2, LOW=7),
            self.image(NEW, "v2.11.5-amd64-0a1b2c3d", deployed(day(3))),
        ]
        self.calls = [self.call(day(3, 8, 59), "aws-cdk-grace"), self.call(day(2), "aws-cdk-ada")]
        recorded.events[BACKEND] = [
            *self.change(day(3), "UPDATE_COMPLETE", "UPDATE_COMPLETE"),
            *self.change(day(2), "UPDATE_ROLLBACK_COMPLETE", "UPDATE_FAILED"),
        ]
        described = recorded.answers["ecs.DescribeTaskDefinition"]

        def describe(request: Json, region: str) -> Json:
            found = self.revisions.get(request["taskDefinition"])
            if found is None or request.get("include") != ["TAGS"]:
                assert callable(described)
                return described(request, region)
            return found

        def list_revisions(request: Json, _region: str) -> Json:
            assert request["familyPrefix"] == "galvBackendWebTask"
            # CloudFormation takes back the revisions that it replaced.
            is_active = request["status"] == "ACTIVE"
            arns = [arn for arn in self.revisions if arn.endswith(":3") == is_active]
            return {"taskDefinitionArns": sorted(arns, reverse=True)}

        def look_up(request: Json, _region: str) -> Json:
            (wanted,) = request["LookupAttributes"]
            is_cdk = wanted["AttributeValue"] == "ExecuteChangeSet"
            return {"Events": self.calls if is_cdk else []}

        recorded.answers |= {
            "ecs.DescribeTaskDefinition": describe,
            "ecs.ListTaskDefinitions": list_revisions,
            "ecr.DescribeImages": lambda *_: {"imageDetails": self.images},
            "cloudtrail.LookupEvents": look_up,
        }

    def revision(
        self, number: int, at: datetime, version: str, digest: str, image: str = ""
    ) -> None:
        tags = {"galv-version": version, "galv-image-digest": digest} if digest else {}
        container = {"name": "web", "image": image or f"{ECR}@{digest}", "logConfiguration": {}}
        container["logConfiguration"] = {
            "logDriver": "awslogs",
            "options": {"awslogs-group": "web", "awslogs-stream-prefix": "web"},
        }
        self.revisions[f"{FAMILY}:{number}"] = {
            "taskDefinition": {"containerDefinitions": [container], "registeredAt": at},
            "tags": [{"key": key, "value": value} for key, value in tags.items()],
        }

    @staticmethod
    def image(digest: str, *tags: str, **findings: int) -> Json:
        scan = {"imageScanFindingsSummary": {"findingSeverityCounts": findings}}
        return {"imageDigest": digest, "imageTags": list(tags), **(scan if findings else {})}

    @staticmethod
    def call(at: datetime, who: str, name: str = BACKEND) -> Json:
        said = {"requestParameters": {"stackName": name, "changeSetName": "cdk-deploy-change-set"}}
        return {"EventTime": at, "Username": who, "CloudTrailEvent": json.dumps(said)}

    @staticmethod
    def change(at: datetime, status: str, setup: str) -> list[Json]:
        """The events of a change that began a minute before the image was there."""
        kind = "AWS::CloudFormation::Stack"

        def one(logical_id: str, status: str, minutes: int) -> Json:
            of = kind if logical_id == BACKEND else "Custom::GalvReleaseTask"
            return event(BACKEND, logical_id, of, status, "", at + timedelta(minutes=minutes))

        return [one(BACKEND, status, 9), one(SETUP, setup, 5), one(BACKEND, STARTED, -1)]

    def json(self, *arguments: str, code: int = 0) -> Json:
        result = self.recorded.run("releases", "--json", *arguments)
        assert result.exit_code == code, result.output
        found: Json = json.loads(result.stdout)
        return found

    def column(self, name: str, *arguments: str) -> list[Any]:
        return [one[name] for one in self.json(*arguments)["backend"]]


STARTED = "UPDATE_IN_PROGRESS"


@pytest.fixture
def world(recorded: Recorded) -> World:
    return World(recorded)


def test_tells_what_ran_when(world: World) -> None:
    assert world.column("version") == ["v2.11.5", "v2.11.4", "v2.11.3"]
    assert world.column("digest") == [NEW, BROKEN, OLD]
    assert world.column("state") == ["runs", "rolled back", "ran"]
    # Of the oldest one there are no events any more.
    assert world.column("setup") == ["succeeded", "failed", "not known"]
    assert world.column("by") == ["aws-cdk-grace", "aws-cdk-ada", None]
    assert world.column("findings") == [None, {"CRITICAL": 2, "LOW": 7}, None]


def test_an_old_version_that_was_gone_back_to_is_told_again(world: World) -> None:
    world.images[0]["imageTags"].append(deployed(day(4)))

    assert world.column("version") == ["v2.11.3", "v2.11.5", "v2.11.4", "v2.11.3"]
    assert world.column("state") == ["runs", "ran", "rolled back", "ran"]


def test_a_revision_with_the_same_image_is_no_release(world: World) -> None:
    world.revision(3, day(3), "v2.11.3", OLD)
    world.revision(2, day(2), "v2.11.3", OLD)
    world.images = world.images[:1]

    assert world.column("at") == ["2026-05-01T09:00:00+00:00"]


def test_a_revision_that_ecs_forgot_is_known_from_ecr(world: World) -> None:
    del world.revisions[f"{FAMILY}:1"]

    assert world.column("version") == ["v2.11.5", "v2.11.4", "v2.11.3"]
    assert world.column("image")[-1] == f"{ECR}@{OLD}"


def test_a_deployment_that_goes_on(world: World) -> None:
    events = world.recorded.events[BACKEND]
    events[:] = [one for one in events if one["ResourceStatus"] != "UPDATE_COMPLETE"]

    assert world.column("state") == ["deploying", "rolled back", "runs"]
    assert world.column("setup")[0] == "not run"


def test_tells_tags_alone_where_images_are_not_mirrored(world: World) -> None:
    name = "ghcr.io/galv-team/galv-backend"
    for number in (1, 2, 3):
        world.revision(number, day(number), "", "", f"{name}:v2.11.{number}")
    answer = world.recorded.answers["ecs.DescribeTaskDefinition"]

    assert callable(answer)
    assert world.column("version") == ["v2.11.3", "v2.11.2", "v2.11.1"]
    assert world.column("digest") == [None, None, None]
    assert "ecr.DescribeImages" not in world.recorded.calls


def test_shows_so_many_as_asked(world: World) -> None:
    assert world.column("version", "--limit", "2") == ["v2.11.5", "v2.11.4"]


@pytest.mark.parametrize("number", ["0", "101", "all"])
def test_refuses_a_limit_out_of_range(world: World, number: str) -> None:
    result = world.recorded.run("releases", "--limit", number)

    assert result.exit_code == 2
    assert "--limit" in result.stderr


def test_who_deployed_another_stack_is_nobody(world: World) -> None:
    world.calls = [world.call(day(3), "aws-cdk-eve", "other"), world.call(day(2), "x", "")]
    world.calls[1]["CloudTrailEvent"] = "no JSON"

    assert world.column("by") == [None, None, None]


@pytest.mark.parametrize(
    ("call", "part", "left"),
    [
        ("cloudtrail.LookupEvents", "who", ["v2.11.5", "v2.11.4", "v2.11.3"]),
        ("ecs.ListTaskDefinitions", "images", []),
        ("ecr.DescribeImages", "images", []),
        ("cloudwatch-logs.FilterLogEvents", "site", ["v2.11.5", "v2.11.4", "v2.11.3"]),
    ],
)
def test_says_what_it_may_not_read_and_tells_the_rest(
    world: World, call: str, part: str, left: list[str]
) -> None:
    with_site(world)
    world.recorded.refuse(call, "AccessDeniedException", "User is not authorized")

    found = world.json(code=125)

    assert [one["version"] for one in found["backend"]] == left
    (gap,) = found["notRead"]
    assert gap.startswith(f"{part}: not allowed to call {call.partition('.')[2]}: ")


def test_a_repository_that_was_deleted_hides_nothing(world: World) -> None:
    world.recorded.refuse("ecr.DescribeImages", "RepositoryNotFoundException", "no such one")

    assert world.column("version") == ["v2.11.5", "v2.11.4", "v2.11.3"]


def test_throttled_is_told_at_once(world: World) -> None:
    world.recorded.refuse("cloudtrail.LookupEvents", "ThrottlingException", "Rate exceeded")

    result = world.recorded.run("releases")

    assert result.exit_code == 125
    assert "AWS throttles LookupEvents" in result.stderr


def with_site(world: World) -> None:
    recorded = world.recorded
    recorded.stacks[REGION].append(stack("galv-FrontendStack"))
    recorded.resources["galv-FrontendStack"] = [
        resource("FrontendReleaseF29AC28F", "Custom::GalvSiteRelease", "site"),
        resource("FrontendReleaseLogGroup11C2FBD9", "AWS::Logs::LogGroup", "releases"),
    ]

    def read(request: Json, _region: str) -> Json:
        assert request["logGroupName"] == "releases"
        lines = (
            (day(1), "published 0a1b: version v2.3.0, commit 1111111111111111, 312 files"),
            (day(3), "published 2c3d: version v2.3.1, commit 2222222222222222, 312 files"),
            (day(4), "published 4e5f: version , commit , 3 files"),
            (day(5), "release 6a7b was altered: version unknown"),
        )
        return {
            "events": [
                {
                    "timestamp": round(at.timestamp() * 1000),
                    "message": f"[INFO]\t2026\tid\t{text}\n",
                    "eventId": str(at),
                }
                for at, text in lines
            ]
        }

    recorded.answers["cloudwatch-logs.FilterLogEvents"] = read


def test_tells_what_was_published_of_the_site(world: World) -> None:
    with_site(world)

    found = world.json()["site"]
    # A folder of files has neither.
    assert [one["version"] for one in found] == [None, "v2.3.1", "v2.3.0"]
    assert [one["commit"] for one in found] == [None, "2" * 16, "1" * 16]
    assert found[1]["at"] == "2026-05-03T09:00:00+00:00"


def test_a_site_alone(world: World) -> None:
    with_site(world)
    world.recorded.stacks[REGION] = [stack("galv-FrontendStack")]

    found = world.json()

    assert found["backend"] == []
    assert len(found["site"]) == 3


def test_fits_a_terminal(world: World) -> None:
    with_site(world)
    world.calls[0]["Username"] = "aws-cdk-" + "a" * 100

    result = world.recorded.run("releases")

    assert result.exit_code == 0
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "…" in result.stdout


def test_what_is_said(world: World) -> None:
    with_site(world)

    transcript("releases", world.recorded.run("releases").stdout)
    transcript("releases-json", world.recorded.run("releases", "--json").stdout)


def test_says_that_nothing_is_known(recorded: Recorded) -> None:
    recorded.resources[BACKEND] = [resource(SETUP, "Custom::GalvReleaseTask", "setup")]

    result = recorded.run("releases")

    assert result.exit_code == 0
    assert result.stdout.count("none that is known") == 2


def test_its_calls_are_among_the_documented_permissions(world: World) -> None:
    with_site(world)
    assert world.recorded.run("releases").exit_code == 0

    policy = re.search(r"policy: begin -->\n```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert policy is not None
    (look,) = (one for one in json.loads(policy[1])["Statement"] if one["Sid"] == "Look")
    called = {call.replace("cloudwatch-logs.", "logs.") for call in world.recorded.calls}
    assert {call.replace(".", ":") for call in called} <= set(look["Action"])


@pytest.mark.parametrize("denied", [False, True])
def test_status_tells_of_tags_that_were_moved(world: World, denied: bool) -> None:
    recorded = world.recorded
    with_site(world)
    recorded.resources[BACKEND] += [
        resource("BackendImage9D742C96", "Custom::GalvMirroredImage", "image"),
        resource("BackendImageLogGroup6EB105D4", "AWS::Logs::LogGroup", "mirror"),
    ]
    said = {
        "mirror": f"ghcr.io/a/b:v2.11.5 is {OLD} at its registry by now, and {NEW} runs",
        "releases": "v2.3.1 of https://example.com/r is 1111 by now, and 2222 is published",
    }

    def read(request: Json, _region: str) -> Json:
        # Of the last deployment, whose function may have run for a quarter of an hour.
        assert request["startTime"] == round((LATER - timedelta(minutes=20)).timestamp() * 1000)
        text = said[request["logGroupName"]]
        return {"events": [{"timestamp": 1, "message": f"[WARNING]\t2026\tid\t{text}\n"}]}

    recorded.answers["cloudwatch-logs.FilterLogEvents"] = read
    if denied:
        recorded.refuse("cloudwatch-logs.FilterLogEvents", "AccessDeniedException", "no")

    out = recorded.run("status").stdout

    for line in said.values():
        assert (line in out) is not denied
    assert out.count("whether its tag was moved is not known: not allowed") == 2 * denied
    assert f"version v2.11.5 sha256:{NEW[7:19]}" in out
