"""The handlers that wake what sleeps before a deployment, every branch, with faked services."""

import io
import json
from typing import Any

import pytest
from handlers.services import FakeServices, client_error, clients

from galv_constructs.handlers import _aws, wake
from galv_constructs.handlers.wake import WakeError, is_complete, on_event

Json = dict[str, Any]

STACK = "arn:aws:cloudformation:eu-central-1:123456789012:stack/galv/0a1b2c3d-0000"


class FakeAws(FakeServices):
    """A stack with a function that wakes it after some steps."""

    def __init__(self) -> None:
        super().__init__()
        self.status = "UPDATE_IN_PROGRESS"
        self.now = 1000.0
        self.steps = ["the database db, which is starting", ""]

    def describe_stacks(self, **query: str) -> Json:
        self._called("describe_stacks", query)
        return {"Stacks": [{"StackStatus": self.status}]}

    def describe_stack_resource(self, **query: str) -> Json:
        self._called("describe_stack_resource", query)
        assert query == {"StackName": STACK, "LogicalResourceId": "SleepFunction"}
        return {"StackResourceDetail": {"PhysicalResourceId": "galv-sleep"}}

    def invoke(self, **query: Any) -> Json:
        answer = self._called("invoke", query)
        assert query["FunctionName"] == "galv-sleep"
        assert json.loads(query["Payload"]) == {"do": "wake", "step": True}
        said = answer.pop("said", None) or {"waits_for": self.steps.pop(0)}
        return {"Payload": io.BytesIO(json.dumps(said).encode()), **answer}

    def time(self) -> float:
        return self.now


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> FakeAws:
    fake = FakeAws()
    monkeypatch.setattr(wake, "client", clients(fake))
    monkeypatch.setattr(_aws, "client", clients(fake))
    monkeypatch.setattr(wake, "time", fake.time)
    return fake


def first(request: str = "Update") -> Json:
    """An event of the resource that comes before all others."""
    properties = {"LogicalId": "SleepFunction", "Deployment": "0a1b", "TimeoutSeconds": "2400"}
    return _event(request, properties)


def last(request: str = "Delete") -> Json:
    """An event of the resource that comes after all others."""
    return _event(request, {"Function": "galv-sleep", "TimeoutSeconds": "2400"})


def _event(request: str, properties: Json) -> Json:
    return {
        "RequestType": request,
        "StackId": STACK,
        "LogicalResourceId": "Wake",
        "PhysicalResourceId": "wake",
        "ResourceProperties": properties,
    }


def started(event: Json) -> Json:
    """The event as the framework passes it on."""
    return {**event, **on_event(event, None)}


class TestDeployment:
    """What comes before all that a deployment changes."""

    def test_it_goes_on_when_all_is_awake(self, aws: FakeAws) -> None:
        event = started(first())

        answers = [is_complete(event, None) for _ in range(2)]

        assert answers == [{"IsComplete": False}, {"IsComplete": True}]
        assert event["PhysicalResourceId"] == "wake"

    @pytest.mark.parametrize("request_type", ["Create", "Delete"])
    def test_nothing_sleeps_before_it_is_there_or_when_it_goes(
        self, aws: FakeAws, request_type: str
    ) -> None:
        event = started(first(request_type))

        assert is_complete(event, None) == {"IsComplete": True}
        assert "invoke" not in aws.names()

    def test_a_rollback_wakes_nothing(self, aws: FakeAws) -> None:
        aws.status = "UPDATE_ROLLBACK_IN_PROGRESS"

        assert is_complete(started(first()), None) == {"IsComplete": True}
        assert "invoke" not in aws.names()

    def test_what_the_last_deployment_did_not_have_is_not_called(self, aws: FakeAws) -> None:
        aws.faults["describe_stack_resource"] = [client_error("ValidationError")]

        assert is_complete(started(first()), None) == {"IsComplete": True}

    def test_cloudformation_that_does_not_answer_fails_it(self, aws: FakeAws) -> None:
        aws.faults["describe_stack_resource"] = [client_error("AccessDenied")]

        with pytest.raises(WakeError, match=r"Cannot find what wakes the stack: .*AccessDenied"):
            on_event(first(), None)

    def test_the_reason_of_the_function_is_told(self, aws: FakeAws) -> None:
        fault = {"errorMessage": "still waits for the scaling of galv/web"}
        event = started(first())
        aws.now += 2401
        aws.faults["invoke"] = [{"FunctionError": "Unhandled", "said": fault}]

        with pytest.raises(WakeError) as caught:
            is_complete(event, None)

        assert "it still waits for galv-sleep, which fails: still waits for the scaling" in str(
            caught.value
        )
        assert "galv-ops wake" in str(caught.value)

    def test_a_function_that_fails_is_asked_again(self, aws: FakeAws) -> None:
        fault = {"errorMessage": "ThrottlingException"}
        aws.faults["invoke"] = [{"FunctionError": "Unhandled", "said": fault}]
        aws.steps = [""]
        event = started(first())

        assert is_complete(event, None) == {"IsComplete": False}
        assert is_complete(event, None) == {"IsComplete": True}

    def test_what_passes_is_tried_again(self, aws: FakeAws) -> None:
        aws.faults["invoke"] = [client_error("TooManyRequestsException")]
        event = started(first())

        assert is_complete(event, None) == {"IsComplete": False}
        assert is_complete(event, None) == {"IsComplete": False}
        assert is_complete(event, None) == {"IsComplete": True}

    def test_what_lasts_fails_it(self, aws: FakeAws) -> None:
        aws.faults["invoke"] = [client_error("AccessDeniedException")]

        with pytest.raises(WakeError, match="AccessDeniedException"):
            is_complete(started(first()), None)

    @pytest.mark.parametrize("fault", [None, client_error("ServiceUnavailable", 503)])
    def test_it_ends_when_time_is_over(self, aws: FakeAws, fault: Exception | None) -> None:
        event = started(first())
        aws.now += 2401
        aws.faults["invoke"] = [fault]

        with pytest.raises(WakeError, match=r"still waits for the database db|ServiceUnavailable"):
            is_complete(event, None)

    def test_it_goes_on_when_all_was_awake_at_the_last_moment(self, aws: FakeAws) -> None:
        event = started(first())
        aws.now += 2401
        aws.steps = [""]

        assert is_complete(event, None) == {"IsComplete": True}


class TestEnd:
    """What goes first when the stack is deleted, or nothing is to sleep any more."""

    @pytest.mark.parametrize(
        "status", ["DELETE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"]
    )
    def test_what_sleeps_is_woken(self, aws: FakeAws, status: str) -> None:
        aws.status = status
        event = started(last())

        assert is_complete(event, None) == {"IsComplete": False}
        assert is_complete(event, None) == {"IsComplete": True}

    @pytest.mark.parametrize("request_type", ["Create", "Update"])
    def test_nothing_is_woken_before(self, aws: FakeAws, request_type: str) -> None:
        assert is_complete(started(last(request_type)), None) == {"IsComplete": True}
        assert "invoke" not in aws.names()

    def test_a_rollback_wakes_nothing(self, aws: FakeAws) -> None:
        aws.status = "ROLLBACK_IN_PROGRESS"

        assert is_complete(started(last()), None) == {"IsComplete": True}
        assert "invoke" not in aws.names()

    @pytest.mark.parametrize("late", [False, True])
    def test_a_deletion_goes_on_whatever_happens(self, aws: FakeAws, *, late: bool) -> None:
        event = started(last())
        aws.now += 2401 * late
        if not late:
            aws.faults["invoke"] = [client_error("ResourceNotFoundException")]

        assert is_complete(event, None) == {"IsComplete": True}
