"""The handler of sleep, every branch, with faked services."""

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from handlers.services import FakeServices, client_error, clients

from galv_constructs.handlers import sleep as sleep_module
from galv_constructs.handlers.sleep import MARK, PATIENCE, PAUSE, NotYetError, handle

Json = dict[str, Any]

STACK = "arn:aws:cloudformation:eu-central-1:123456789012:stack/galv/0a1b2c3d-0000"
WEB, WORKER = "galv/web", "galv/worker"
SCHEDULE = "runs/monitor"
PLAN = {
    "stack": STACK,
    "services": [WEB, WORKER],
    "tasks": ["galv/web", "galv/worker", "galv/monitor"],
    "databases": ["db"],
    "clusters": ["aurora"],
    "schedules": [SCHEDULE],
    "alarms": ["no-task"],
}
AWAKE = {
    "DynamicScalingInSuspended": False,
    "DynamicScalingOutSuspended": False,
    "ScheduledScalingSuspended": False,
}
ASLEEP = dict.fromkeys(AWAKE, True)
WAKING = {**ASLEEP, "ScheduledScalingSuspended": False}


class FakeAws(FakeServices):
    """Two services, a task of a schedule, an instance, a cluster of Aurora, and time that passes.

    A database changes its status with time; tasks end when their service wants none.
    """

    def __init__(self) -> None:
        super().__init__()
        self.status = "UPDATE_COMPLETE"
        self.now = 0.0
        self.suspended = {WEB: dict(AWAKE), WORKER: dict(AWAKE)}
        self.count = {WEB: 1, WORKER: 2}
        self.least = {WEB: 1, WORKER: 1}
        self.drains_until = 0.0
        self.database = {"db": "available", "aurora": "available"}
        self.ready_at = dict.fromkeys(self.database, 0.0)
        self.schedule: Json = {
            "Name": "monitor",
            "GroupName": "runs",
            "State": "ENABLED",
            "ScheduleExpression": "rate(5 minutes)",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {"Arn": "arn:function", "RoleArn": "arn:role", "Input": "{}"},
        }
        self.members = {"aurora-1": "available"}
        self.quiet: set[str] = set()
        self.failed: list[Json] = []
        self.meanwhile: dict[float, Callable[[], object]] = {}

    # Time

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for moment in [at for at in self.meanwhile if at <= self.now]:
            self.meanwhile.pop(moment)()

    # Lambda, which tries again what fails

    def invoke(self, **query: Any) -> None:
        event = json.loads(query["Payload"])
        self._called("invoke", event)
        assert (query["FunctionName"], query["InvocationType"]) == ("sleep", "Event")
        try:
            handle(event, None)
        except Exception:
            self.failed.append(event)
            raise

    # CloudFormation, ECS and scaling

    def describe_stacks(self, **query: str) -> Json:
        self._called("describe_stacks", query)
        assert query == {"StackName": STACK}
        return {"Stacks": [{"StackStatus": self.status}]}

    def describe_scalable_targets(self, **query: Any) -> Json:
        answer = self._called("describe_scalable_targets", query)
        (name,) = query["ResourceIds"]
        service = name.removeprefix("service/")
        target = {"MinCapacity": self.least[service], "SuspendedState": self.suspended[service]}
        return answer or {"ScalableTargets": [target]}

    def register_scalable_target(self, **query: Any) -> None:
        self._called("register_scalable_target", query)
        # The bounds are those of the template.
        assert query.keys() == {
            "ServiceNamespace",
            "ResourceId",
            "ScalableDimension",
            "SuspendedState",
        }
        self.suspended[query["ResourceId"].removeprefix("service/")] = query["SuspendedState"]

    def describe_services(self, **query: Any) -> Json:
        self._called("describe_services", query)
        (name,) = query["services"]
        return {"services": [{"desiredCount": self.count[f"{query['cluster']}/{name}"]}]}

    def update_service(self, **query: Any) -> None:
        self._called("update_service", query)
        assert query.keys() == {"cluster", "service", "desiredCount"}
        self.count[f"{query['cluster']}/{query['service']}"] = query["desiredCount"]

    def get_paginator(self, name: str) -> "FakeAws":
        assert name == "list_tasks"
        return self

    def paginate(self, **query: Any) -> Iterator[Json]:
        family = f"{query['cluster']}/{query['family']}"
        ending = query["desiredStatus"] == "STOPPED"
        count = int(self.now < self.drains_until) if ending else self.count.get(family, 0)
        yield {"taskArns": [f"{family}-{query['desiredStatus']}-{n}" for n in range(count)]}

    def describe_tasks(self, **query: Any) -> Json:
        gone = {"lastStatus": "STOPPED"}
        return {"tasks": [{"lastStatus": "DEACTIVATING"} for _ in query["tasks"]] + [gone]}

    # RDS

    def _status(self, id: str) -> str:
        becomes = {"starting": "available", "stopping": "stopped"}
        if self.now >= self.ready_at[id]:
            self.database[id] = becomes.get(self.database[id], self.database[id])
        return self.database[id]

    def describe_db_instances(self, **query: str) -> Json:
        self._called("describe_db_instances", query)
        id = query["DBInstanceIdentifier"]
        status = self.members[id] if id in self.members else self._status(id)
        return {"DBInstances": [{"DBInstanceStatus": status}]}

    def describe_db_clusters(self, **query: str) -> Json:
        self._called("describe_db_clusters", query)
        members = [{"DBInstanceIdentifier": id} for id in self.members]
        status = self._status(query["DBClusterIdentifier"])
        return {"DBClusters": [{"Status": status, "DBClusterMembers": members}]}

    def stop_db_instance(self, **query: str) -> None:
        self._change("stop_db_instance", query["DBInstanceIdentifier"], "available", "stopping")

    def stop_db_cluster(self, **query: str) -> None:
        self._change("stop_db_cluster", query["DBClusterIdentifier"], "available", "stopping")

    def start_db_instance(self, **query: str) -> None:
        self._change("start_db_instance", query["DBInstanceIdentifier"], "stopped", "starting")

    def start_db_cluster(self, **query: str) -> None:
        self._change("start_db_cluster", query["DBClusterIdentifier"], "stopped", "starting")

    def _change(self, call: str, id: str, before: str, after: str) -> None:
        self._called(call, {"id": id})
        if self._status(id) != before:
            cluster = call.endswith("cluster")
            raise client_error(
                "InvalidDBClusterStateFault" if cluster else "InvalidDBInstanceState"
            )
        self.database[id], self.ready_at[id] = after, self.now + 300

    # Schedules and alarms

    def get_schedule(self, **query: str) -> Json:
        self._called("get_schedule", query)
        assert query == {"GroupName": "runs", "Name": "monitor"}
        return {**self.schedule, "Arn": "arn", "CreationDate": 1, "ResponseMetadata": {}}

    def update_schedule(self, **schedule: Any) -> None:
        self._called("update_schedule", schedule)
        self.schedule = schedule

    def disable_alarm_actions(self, **query: Any) -> None:
        self._called("disable_alarm_actions", query)
        self.quiet |= set(query["AlarmNames"])

    def enable_alarm_actions(self, **query: Any) -> None:
        self._called("enable_alarm_actions", query)
        self.quiet -= set(query["AlarmNames"])


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> FakeAws:
    fake = FakeAws()
    monkeypatch.setenv("PLAN", json.dumps(PLAN))
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "sleep")
    monkeypatch.setattr(sleep_module, "client", clients(fake))
    monkeypatch.setattr(sleep_module, "sleep", fake.sleep)
    monkeypatch.setattr(sleep_module, "monotonic", fake.monotonic)
    monkeypatch.setattr(
        sleep_module,
        "stack_status",
        lambda id: fake.describe_stacks(StackName=id)["Stacks"][0]["StackStatus"],
    )
    return fake


def act(do: str, **more: Any) -> Json:
    return handle({"do": do, **more}, None)


class TestSleep:
    """In the evening."""

    def test_everything_rests(self, aws: FakeAws) -> None:
        act("sleep")

        assert aws.count == {WEB: 0, WORKER: 0}
        assert aws.suspended == {WEB: ASLEEP, WORKER: ASLEEP}
        assert aws.database == {"db": "stopping", "aurora": "stopping"}
        assert aws.schedule["State"] == "DISABLED"
        assert aws.quiet == {"no-task"}

    def test_nothing_is_started_before_tasks_go(self, aws: FakeAws) -> None:
        act("sleep")

        names = aws.names()
        assert names.index("update_schedule") < names.index("register_scalable_target")
        assert names.index("register_scalable_target") < names.index("update_service")

    def test_databases_are_stopped_when_the_last_task_has_ended(self, aws: FakeAws) -> None:
        aws.drains_until = 100

        act("sleep")

        assert aws.now == 105
        assert aws.database["db"] == "stopping"

    def test_a_run_is_not_cut_off(self, aws: FakeAws) -> None:
        aws.count["galv/monitor"] = 1

        with pytest.raises(NotYetError, match=r"still waits for the end of 1 task$"):
            act("sleep")

        assert aws.now > PATIENCE
        assert aws.database["db"] == "available"
        assert aws.suspended[WEB] == ASLEEP

    def test_a_deployment_is_waited_for(self, aws: FakeAws) -> None:
        aws.status = "UPDATE_IN_PROGRESS"
        aws.meanwhile[200] = lambda: setattr(aws, "status", "UPDATE_COMPLETE")

        act("sleep")

        assert aws.now == 210
        assert aws.database["db"] == "stopping"

    def test_a_stack_that_nobody_knows_of_is_left_alone(self, aws: FakeAws) -> None:
        aws.status = ""

        with pytest.raises(NotYetError, match="CloudFormation does not tell"):
            act("sleep")

        assert aws.count == {WEB: 1, WORKER: 2}

    @pytest.mark.parametrize(
        "status", ["UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_FAILED", "UPDATE_ROLLBACK_FAILED"]
    )
    def test_a_deployment_that_has_not_ended_is_left_alone(self, aws: FakeAws, status: str) -> None:
        aws.status = status

        with pytest.raises(NotYetError, match=f"the stack is {status}"):
            act("sleep")

        assert aws.count == {WEB: 1, WORKER: 2}
        assert aws.suspended[WEB] == AWAKE

    def test_twice_is_as_good_as_once(self, aws: FakeAws) -> None:
        act("sleep")
        before = (aws.schedule, dict(aws.database), aws.count)

        act("sleep")

        assert (aws.schedule, aws.database, aws.count) == before

    def test_who_wakes_it_meanwhile_keeps_it_awake(self, aws: FakeAws) -> None:
        aws.drains_until = 100
        aws.meanwhile[60] = lambda: act("wake", step=True)

        act("sleep")

        assert aws.database["db"] == "available"
        assert aws.count == {WEB: 1, WORKER: 1}
        assert aws.schedule["State"] == "ENABLED"

    def test_who_wakes_it_while_a_database_starts_keeps_it_awake(self, aws: FakeAws) -> None:
        aws.drains_until = 100
        aws.database["aurora"], aws.ready_at["aurora"] = "starting", 900

        aws.meanwhile[60] = lambda: act("wake", step=True)
        act("sleep")

        assert aws.suspended == {WEB: WAKING, WORKER: WAKING}
        assert aws.database["db"] == "available"

    @pytest.mark.parametrize("status", ["backing-up", "modifying", "starting"])
    def test_a_database_that_is_busy_is_waited_for(self, aws: FakeAws, status: str) -> None:
        aws.database["db"] = status
        aws.ready_at["db"] = 100
        aws.meanwhile[100] = lambda: aws.database.update(db="available")

        act("sleep")

        assert aws.now == 105
        assert aws.database == {"db": "stopping", "aurora": "stopping"}

    @pytest.mark.parametrize(
        "call",
        [
            "disable_alarm_actions",
            "get_schedule",
            "update_schedule",
            "register_scalable_target",
            "update_service",
            "stop_db_instance",
            "stop_db_cluster",
        ],
    )
    def test_a_second_attempt_does_what_is_left(self, aws: FakeAws, call: str) -> None:
        aws.faults[call] = [client_error("AccessDeniedException")]

        with pytest.raises(Exception, match="AccessDeniedException"):
            act("sleep")
        act("sleep")

        assert aws.count == {WEB: 0, WORKER: 0}
        assert aws.suspended == {WEB: ASLEEP, WORKER: ASLEEP}
        assert aws.schedule["State"] == "DISABLED"
        assert aws.database == {"db": "stopping", "aurora": "stopping"}

    def test_a_second_attempt_does_not_undo_a_waking_in_between(self, aws: FakeAws) -> None:
        aws.count["galv/monitor"] = 1
        with pytest.raises(NotYetError, match="the end of 1 task"):
            act("sleep")
        act("wake")

        (event,) = aws.failed
        handle(event, None)

        assert aws.suspended == {WEB: AWAKE, WORKER: AWAKE}
        assert aws.database == {"db": "available", "aurora": "available"}

    def test_a_second_attempt_stops_what_the_first_waited_for(self, aws: FakeAws) -> None:
        aws.count["galv/monitor"] = 1
        with pytest.raises(NotYetError, match="the end of 1 task"):
            act("sleep")
        aws.count["galv/monitor"] = 0

        (event,) = aws.failed
        handle(event, None)

        assert aws.database == {"db": "stopping", "aurora": "stopping"}

    def test_no_database_is_stopped_that_a_deployment_is_about_to_change(
        self, aws: FakeAws
    ) -> None:
        aws.drains_until = 100
        aws.meanwhile[60] = lambda: setattr(aws, "status", "UPDATE_IN_PROGRESS")

        with pytest.raises(NotYetError, match="the deployment: the stack is UPDATE_IN_PROGRESS"):
            act("sleep")

        assert aws.database == {"db": "available", "aurora": "available"}

    def test_a_database_that_is_gone_is_told(self, aws: FakeAws) -> None:
        aws.faults["describe_db_instances"] = [client_error("DBInstanceNotFound")]

        with pytest.raises(NotYetError, match="the database db, which is not there: restore it"):
            act("sleep")

    def test_a_service_without_scaling_is_told(self, aws: FakeAws) -> None:
        aws.faults["describe_scalable_targets"] = [{"ScalableTargets": []}]

        with pytest.raises(NotYetError, match="the scaling of galv/web, which is not there"):
            act("sleep")

    def test_a_step_says_what_it_waits_for(self, aws: FakeAws) -> None:
        aws.status = "UPDATE_IN_PROGRESS"
        waits = act("sleep", step=True)
        aws.status = "UPDATE_COMPLETE"
        done = act("sleep", step=True)

        assert waits == {"waits_for": "the deployment: the stack is UPDATE_IN_PROGRESS"}
        assert done == {"waits_for": ""}
        assert aws.database["db"] == "available"


class TestWake:
    """In the morning."""

    @pytest.fixture(autouse=True)
    def night(self, aws: FakeAws) -> None:
        act("sleep")
        aws.now += 12 * 3600
        aws.calls.clear()

    def test_everything_is_as_before(self, aws: FakeAws) -> None:
        schedule = aws.schedule

        act("wake")

        assert aws.count == {WEB: 1, WORKER: 1}
        assert aws.suspended == {WEB: AWAKE, WORKER: AWAKE}
        assert aws.database == {"db": "available", "aurora": "available"}
        assert aws.schedule["State"] == "ENABLED"
        assert aws.schedule["Target"] == schedule["Target"]
        assert "Description" not in aws.schedule
        assert aws.quiet == set()

    def test_tasks_start_when_the_databases_answer(self, aws: FakeAws) -> None:
        aws.meanwhile[aws.now + 200] = lambda: aws.calls.append(("halfway", {}))

        act("wake")

        names = aws.names()
        assert names.count("start_db_instance") == names.count("start_db_cluster") == 1
        assert names.index("start_db_instance") < names.index("halfway")
        assert names.index("halfway") < names.index("update_service")
        assert names.index("halfway") < names.index("update_schedule")

    def test_the_members_of_a_cluster_are_waited_for(self, aws: FakeAws) -> None:
        act("sleep")
        aws.now += 3600
        aws.members["aurora-1"] = "starting"
        aws.meanwhile[aws.now + 600] = lambda: aws.members.update({"aurora-1": "available"})
        begins = aws.now

        act("wake")

        assert aws.now - begins == 600
        assert aws.count == {WEB: 1, WORKER: 1}

    @pytest.mark.parametrize(
        ("call", "answer", "told"),
        [
            (
                "describe_db_clusters",
                client_error("DBClusterNotFoundFault"),
                "the database aurora, which is not there: restore it",
            ),
            (
                "describe_scalable_targets",
                {"ScalableTargets": []},
                "the scaling of galv/web, which is not there: restore it",
            ),
        ],
    )
    def test_a_step_waits_for_what_is_gone(
        self, aws: FakeAws, call: str, answer: Any, told: str
    ) -> None:
        aws.faults[call] = [answer]

        assert act("wake", step=True)["waits_for"].startswith(told)

    def test_a_database_that_still_stops_is_started_after_that(self, aws: FakeAws) -> None:
        aws.database["db"], aws.ready_at["db"] = "stopping", aws.now + 120

        act("wake")

        assert aws.database["db"] == "available"

    def test_more_tasks_than_the_minimum_stay(self, aws: FakeAws) -> None:
        aws.count[WORKER] = 3

        act("wake")

        assert aws.count[WORKER] == 3

    def test_twice_is_as_good_as_once(self, aws: FakeAws) -> None:
        act("wake")
        aws.count[WEB] = 3
        aws.calls.clear()

        act("wake")

        assert aws.count[WEB] == 3
        changes = {"start_db_instance", "register_scalable_target", "update_service"}
        assert not (changes | {"update_schedule"}) & set(aws.names())

    def test_who_lets_it_sleep_meanwhile_does(self, aws: FakeAws) -> None:
        aws.meanwhile[aws.now + 60] = lambda: act("sleep", step=True)

        act("wake")

        assert aws.suspended == {WEB: ASLEEP, WORKER: ASLEEP}
        assert aws.count == {WEB: 0, WORKER: 0}
        assert aws.schedule["State"] == "DISABLED"

    def test_a_region_without_room_is_asked_again(self, aws: FakeAws) -> None:
        aws.faults["start_db_instance"] = [client_error("InsufficientDBInstanceCapacity")] * 3

        act("wake")

        assert aws.database["db"] == "available"

    def test_a_region_without_room_is_told(self, aws: FakeAws) -> None:
        aws.faults["start_db_instance"] = [client_error("InsufficientDBInstanceCapacity")] * 99

        with pytest.raises(
            NotYetError, match=r"the database db, which cannot be started yet: .*Cap"
        ):
            act("wake")

        assert aws.now > PATIENCE

    @pytest.mark.parametrize(
        "call", ["start_db_instance", "start_db_cluster", "update_service", "update_schedule"]
    )
    def test_a_second_attempt_does_what_is_left(self, aws: FakeAws, call: str) -> None:
        aws.faults[call] = [client_error("AccessDeniedException")]

        with pytest.raises(Exception, match="AccessDeniedException"):
            act("wake")
        act("wake")

        assert aws.suspended == {WEB: AWAKE, WORKER: AWAKE}
        assert aws.count == {WEB: 1, WORKER: 1}
        assert aws.database == {"db": "available", "aurora": "available"}
        assert aws.schedule["State"] == "ENABLED"

    @pytest.mark.parametrize("call", ["update_service", "register_scalable_target"])
    @pytest.mark.parametrize("done", [1, 2, 3])
    def test_a_second_attempt_wakes_the_service_that_the_first_did_not(
        self, aws: FakeAws, call: str, done: int
    ) -> None:
        aws.faults[call] = [None] * done + [client_error("ConcurrentUpdateException")]

        with contextlib.suppress(ClientError):
            act("wake")
        act("wake")

        assert aws.suspended == {WEB: AWAKE, WORKER: AWAKE}
        assert aws.count == {WEB: 1, WORKER: 1}

    def test_a_database_that_somebody_stopped_is_started(self, aws: FakeAws) -> None:
        act("wake")
        aws.database["db"] = "stopped"

        act("wake")

        assert aws.database["db"] == "available"

    @pytest.mark.parametrize("status", ["storage-full", "modifying", "inaccessible-encryption"])
    def test_what_sleep_did_not_do_is_not_waited_for(self, aws: FakeAws, status: str) -> None:
        aws.database.update(db=status, aurora="available")

        assert act("wake", step=True) == {"waits_for": ""}

    def test_a_step_says_what_it_waits_for(self, aws: FakeAws) -> None:
        answer = act("wake", step=True)

        assert answer == {
            "waits_for": "the database db, which is starting, "
            "and the database aurora, which is starting"
        }
        assert aws.suspended == {WEB: WAKING, WORKER: WAKING}


class TestSchedules:
    """One that is turned off and on."""

    def test_all_of_it_stays_but_its_state(self, aws: FakeAws) -> None:
        aws.schedule["Description"] = "Validates"
        before = dict(aws.schedule)

        act("sleep")
        asleep = aws.schedule
        act("wake")

        assert asleep == {**before, "State": "DISABLED", "Description": f"Validates {MARK}"}
        assert aws.schedule == before

    def test_one_that_was_off_stays_off(self, aws: FakeAws) -> None:
        aws.schedule["State"] = "DISABLED"

        act("sleep")
        act("wake")

        assert aws.schedule["State"] == "DISABLED"
        assert "update_schedule" not in aws.names()

    def test_a_long_description_has_room_for_the_mark(self, aws: FakeAws) -> None:
        aws.schedule["Description"] = "x" * 512

        act("sleep")

        assert len(aws.schedule["Description"]) == 512
        assert aws.schedule["Description"].endswith(MARK)


class TestRestart:
    """AWS starts a database that has been stopped for seven days."""

    def test_it_is_stopped_again(self, aws: FakeAws) -> None:
        act("sleep")
        aws.now += 7 * 24 * 3600
        aws.database["db"], aws.ready_at["db"] = "starting", aws.now + 400

        act("restarted")

        assert aws.database["db"] == "stopping"

    def test_it_is_waited_for_where_the_event_comes_first(self, aws: FakeAws) -> None:
        act("sleep")
        aws.now += 7 * 24 * 3600
        aws.database.update(db="stopped", aurora="stopped")
        begins = aws.now + 100
        aws.meanwhile[begins] = lambda: aws.database.update(db="starting")
        aws.ready_at["db"] = begins + 400

        act("restarted", database="db")

        assert aws.database == {"db": "stopping", "aurora": "stopped"}

    def test_it_is_not_waited_for_where_it_was_stopped_already(self, aws: FakeAws) -> None:
        act("sleep")
        aws.now += 7 * 24 * 3600
        aws.database.update(db="stopped", aurora="stopped")
        begins = aws.now

        act("restarted", database="db")

        assert aws.now - begins < PATIENCE / 2
        assert aws.database == {"db": "stopped", "aurora": "stopped"}

    def test_it_is_left_to_who_wakes_it_before_it_has_started(self, aws: FakeAws) -> None:
        act("sleep")
        aws.now += 7 * 24 * 3600
        aws.database.update(db="stopped", aurora="stopped")
        aws.meanwhile[aws.now + 30] = lambda: act("wake", step=True)

        act("restarted", database="db")

        assert aws.database == {"db": "starting", "aurora": "starting"}

    def test_it_stays_where_all_is_awake(self, aws: FakeAws) -> None:
        act("restarted")

        assert aws.database == {"db": "available", "aurora": "available"}

    def test_it_is_stopped_again_after_a_long_start(self, aws: FakeAws) -> None:
        act("sleep")
        aws.now += 7 * 24 * 3600
        aws.database["db"], aws.ready_at["db"] = "starting", aws.now + PATIENCE + 3 * PAUSE

        with pytest.raises(NotYetError, match="the database db, which is starting"):
            act("restarted")
        act("restarted")

        assert aws.database["db"] == "stopping"


def test_looking_changes_nothing(aws: FakeAws) -> None:
    before = act("look")
    act("sleep")
    aws.calls.clear()
    after = act("look")

    assert before == {
        "state": "awake",
        "databases": {"db": "available", "aurora": "available", "aurora-1": "available"},
        "tasks": 3,
    }
    assert after == {
        "state": "asleep",
        "databases": {"db": "stopping", "aurora": "stopping", "aurora-1": "available"},
        "tasks": 0,
    }
    assert not [name for name in aws.names() if not name.startswith("describe_")]


def test_refuses_an_unknown_event() -> None:
    with pytest.raises(ValueError, match="unknown event"):
        handle({"do": "dance"}, None)
