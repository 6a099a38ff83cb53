"""The model of how long a deployment takes, on templates that are small enough to check by hand."""

from collections.abc import Mapping
from typing import Any

import deploy_time
import pytest
from deploy_time import CriticalPath, Duration, Step, deployment_path, stack_path
from example import EXAMPLE
from shapes import SHAPES, StackTemplate, synthesize

Resource = dict[str, Any]
Template = dict[str, dict[str, Resource]]

SLOW, QUICK, UPDATED = 600, 30, 90


@pytest.fixture(autouse=True)
def _durations(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("slow"):
        return
    monkeypatch.setattr(deploy_time, "STACK", 0)
    figures = {
        "Slow": Duration("slow", SLOW, UPDATED, "a test"),
        "Quick": Duration("quick", QUICK, QUICK, "a test"),
        "AWS::ECS::TaskDefinition": Duration("task definition", QUICK, 1, "a test"),
        "AWS::ECS::Service": deploy_time.DURATIONS["AWS::ECS::Service"],
    }
    monkeypatch.setattr(deploy_time, "DURATIONS", figures)


def resource(kind: str = "Quick", after: str | list[str] | None = None, **properties: Any) -> Any:
    return {
        "Type": kind,
        "Properties": properties,
        **({} if after is None else {"DependsOn": after}),
    }


def template(**resources: Resource) -> Template:
    return {"Resources": resources}


def labels(path: CriticalPath) -> list[str]:
    return [step.label for step in path.steps if step.seconds]


class TestOrder:
    def test_what_does_not_depend_on_each_other_is_created_side_by_side(self) -> None:
        path = stack_path(template(A=resource("Slow"), B=resource("Slow"), C=resource()))

        assert path.seconds == SLOW
        assert labels(path) == ["slow"]

    def test_the_longer_of_two_branches_counts(self) -> None:
        path = stack_path(
            template(
                Short=resource(),
                Long=resource("Slow"),
                Both=resource(Of=[{"Ref": "Short"}, {"Ref": "Long"}]),
            )
        )

        assert path.seconds == SLOW + QUICK
        assert labels(path) == ["slow", "quick"]

    @pytest.mark.parametrize(
        "reference",
        [
            {"Ref": "First"},
            {"Fn::GetAtt": ["First", "Arn"]},
            {"Fn::GetAtt": "First.Arn"},
            {"Fn::Sub": "name-${First}"},
            {"Fn::Sub": "name-${First.Arn}"},
            {"Fn::Sub": ["name-${Given}", {"Given": {"Ref": "First"}}]},
            {"Fn::Join": ["", ["arn:", {"Ref": "First"}]]},
        ],
    )
    def test_a_reference_is_waited_for(self, reference: object) -> None:
        found = template(First=resource("Slow"), Second=resource(Name=[{"Deep": reference}]))

        assert stack_path(found).seconds == SLOW + QUICK

    @pytest.mark.parametrize(
        "value",
        [
            "First",
            {"Fn::Sub": "a literal ${!First}"},
            {"Fn::Sub": ["${First}", {"First": "a variable of the same name"}]},
            {"Fn::Sub": "${AWS::StackName}"},
            {"Ref": "AWS::Region"},
            {"Fn::ImportValue": "First"},
        ],
    )
    def test_what_only_looks_like_a_reference_is_not(self, value: object) -> None:
        found = template(First=resource("Slow"), Second=resource(Name=value))

        assert stack_path(found).seconds == SLOW

    @pytest.mark.parametrize("depends_on", ["First", ["Other", "First"]])
    def test_what_a_resource_depends_on_is_waited_for(self, depends_on: str | list[str]) -> None:
        found = template(
            First=resource("Slow"), Other=resource(), Second=resource(after=depends_on)
        )

        assert stack_path(found).seconds == SLOW + QUICK

    def test_a_cycle_is_refused(self) -> None:
        found = template(A=resource(after="B"), B=resource(Of={"Ref": "A"}))

        with pytest.raises(ValueError, match="a cycle: A → B → A"):
            stack_path(found)

    def test_a_type_without_a_duration_is_refused(self) -> None:
        with pytest.raises(ValueError, match="no AWS::New::Thing: add it, with its source"):
            stack_path(template(A=resource("AWS::New::Thing")))


class TestUpdates:
    def test_takes_no_time_without_a_change(self) -> None:
        same = template(A=resource("Slow"), B=resource(Of={"Ref": "A"}))

        assert stack_path(same, same) == CriticalPath()

    def test_takes_a_stack_s_own_time_with_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(deploy_time, "STACK", 7)

        path = stack_path(template(A=resource("Slow", Size=2)), template(A=resource("Slow")))

        assert path.steps == (Step("stack", 7), Step("slow", UPDATED))

    def test_an_update_in_place_leaves_what_refers_to_it_alone(self) -> None:
        user = resource(Of={"Ref": "A"})

        path = stack_path(
            template(A=resource("Slow", Size=2), B=user), template(A=resource("Slow"), B=user)
        )

        assert labels(path) == ["slow"]
        assert path.seconds == UPDATED

    def test_what_is_added_is_created(self) -> None:
        path = stack_path(template(A=resource(), B=resource("Slow")), template(A=resource()))

        assert path.seconds == SLOW

    def test_a_task_definition_is_replaced_and_what_refers_to_it_changes(self) -> None:
        def found(image: str) -> Template:
            return template(
                Task=resource("AWS::ECS::TaskDefinition", Image=image),
                Setup=resource("Slow", Task={"Ref": "Task"}),
                Service=resource("Slow", after="Setup", Task={"Fn::GetAtt": ["Task", "Arn"]}),
                Beside=resource("Slow", after="Task"),
            )

        path = stack_path(found("v2"), found("v1"))

        assert deploy_time.changes(found("v1"), found("v2")) == {
            "Task": True,
            "Setup": False,
            "Service": False,
        }
        assert labels(path) == ["task definition", "slow", "slow"]
        # A new task definition is created, what refers to it is updated.
        assert path.seconds == QUICK + UPDATED + UPDATED


class TestService:
    @staticmethod
    def found(
        count: int = 1, interval: int = 15, threshold: int = 2, drain: str = "900"
    ) -> Template:
        return template(
            Targets=resource(
                "Quick",
                HealthCheckIntervalSeconds=interval,
                HealthyThresholdCount=threshold,
                TargetGroupAttributes=[
                    {"Key": "deregistration_delay.timeout_seconds", "Value": drain}
                ],
            ),
            Service=resource(
                "AWS::ECS::Service",
                Count=count,
                LoadBalancers=[{"TargetGroupArn": {"Ref": "Targets"}}],
            ),
        )

    def test_a_new_one_waits_for_its_task_and_health_checks(self) -> None:
        path = stack_path(self.found(interval=20, threshold=3))

        assert path.seconds == QUICK + deploy_time.TASK_START + 60

    def test_an_updated_one_waits_for_the_old_task_too(self) -> None:
        path = stack_path(self.found(2), self.found(1))

        assert path.seconds == deploy_time.TASK_START + 30 + deploy_time.TASK_STOP

    def test_the_page_says_how_long_it_may_drain(self) -> None:
        found = self.found(drain="1200")["Resources"]

        assert "up to 20 more" in deploy_time.duration(found["Service"], found).at_most


class TestStacks:
    @staticmethod
    def stack(name: str, *dependencies: str, kind: str = "Slow") -> StackTemplate:
        return StackTemplate(name, template(**{name: resource(kind)}), dependencies)

    def test_one_begins_when_those_it_depends_on_are_complete(self) -> None:
        stacks = [self.stack("A"), self.stack("B", kind="Quick"), self.stack("C", "A", "B")]

        assert deployment_path(stacks, concurrency=9).seconds == SLOW + SLOW

    @pytest.mark.parametrize(("concurrency", "seconds"), [(1, 3 * SLOW), (2, 2 * SLOW), (3, SLOW)])
    def test_as_many_are_deployed_side_by_side_as_there_are_places(
        self, concurrency: int, seconds: int
    ) -> None:
        stacks = [self.stack(name) for name in "ABC"]

        assert deployment_path(stacks, concurrency=concurrency).seconds == seconds

    def test_a_place_is_taken_again_as_soon_as_it_is_free(self) -> None:
        stacks = [self.stack("A"), self.stack("B", kind="Quick"), self.stack("C", kind="Quick")]

        path = deployment_path(stacks, concurrency=2)

        assert path.seconds == SLOW
        assert labels(path) == ["slow"]

    def test_one_without_changes_holds_up_nothing(self) -> None:
        old = [self.stack("A"), self.stack("B", "A")]
        new = [old[0], StackTemplate("B", template(B=resource("Slow", Size=2)), ("A",))]

        assert deployment_path(new, old).seconds == UPDATED

    def test_stacks_that_depend_on_each_other_are_refused(self) -> None:
        stacks = [self.stack("A", "B"), self.stack("B", "A")]

        with pytest.raises(ValueError, match=r"a cycle among the stacks \['A', 'B'\]"):
            deployment_path(stacks)


@pytest.mark.parametrize("file", [".github/workflows/deploy.yml", "README.md"])
def test_the_example_deploys_as_many_stacks_side_by_side(file: str) -> None:
    assert f"--concurrency {deploy_time.CONCURRENCY}" in (EXAMPLE / file).read_text()


def test_a_path_in_words_adds_up_short_steps() -> None:
    path = CriticalPath((Step("role", 20), Step("database", 600), Step("rule", 10)))

    assert deploy_time.in_words(path) == "database 10.0; the rest 0.5"


def test_shapes_with_the_same_path_share_a_row() -> None:
    def shape(seconds: int) -> Mapping[str, CriticalPath]:
        return {"first": CriticalPath((Step("database", seconds),)), "next": CriticalPath()}

    *_, one, two, same = deploy_time.paths_table(
        {"a": shape(600), "b": shape(300), "c": shape(600)}
    ).splitlines()

    assert one.startswith("| first | a<br>c | 10.0 | database 10.0;")
    assert two.startswith("| first | b | 5.0 | database 5.0;")
    assert same.startswith("| next | all | 0.0 |")


@pytest.fixture(scope="module")
def shapes() -> dict[str, dict[str, CriticalPath]]:
    return deploy_time.all_paths()


# They synthesize the example for each shape and kind of deployment.
@pytest.mark.slow
class TestPage:
    def test_is_up_to_date(self, shapes: Mapping[str, Mapping[str, CriticalPath]]) -> None:
        page = deploy_time.PAGE.read_text()
        durations = deploy_time.durations_table(deploy_time.example_service())

        assert deploy_time.updated(page, durations, deploy_time.paths_table(shapes)) == page

    def test_only_a_first_deployment_waits_for_the_slowest(
        self, shapes: Mapping[str, Mapping[str, CriticalPath]]
    ) -> None:
        slowest = {"database", "database, Multi-AZ", "distribution", "certificate"}
        for paths in shapes.values():
            assert slowest & set(labels(paths[deploy_time.FIRST]))
            for kind in deploy_time.CHANGES:
                assert paths[kind].seconds
                assert not slowest & set(labels(paths[kind]))

    def test_a_new_site_does_not_touch_the_backend_nor_the_other_way_round(
        self, shapes: Mapping[str, Mapping[str, CriticalPath]]
    ) -> None:
        backend, frontend, _ = deploy_time.CHANGES
        for paths in shapes.values():
            # Preflight asks whether the release is there.
            assert labels(paths[frontend]) == ["stack", "custom resource", "site's build"]
            assert "site's build" not in labels(paths[backend])


@pytest.mark.slow
def test_everything_that_the_keys_of_cdk_json_add_has_a_duration() -> None:
    more: dict[str, object] = {
        "mediaKey": True,
        "alarmEmail": "ops@example.com",
        "wafCountedRules": {"AWSManagedRulesCommonRuleSet": ["NoUserAgent_HEADER"]},
        "logLockDays": 30,
    }
    for context in ({**SHAPES["natInstance, not production"], **more}, more):
        stacks = synthesize(context)

        assert deployment_path(stacks).seconds > 0
