"""The alarm on sign-ins of superusers."""

import pytest
from aws_cdk import Stack
from aws_cdk import aws_sns as sns
from backends import RefusedBackend, backend_in, new_app
from templates import Json, of_type, only, synthesize

FILTER = "AWS::Logs::MetricFilter"


@pytest.fixture(scope="module")
def template() -> Json:
    stack = Stack(new_app(), "Stack")
    backend_in(stack, alarm_topic=sns.Topic(stack, "Topic"), alarm_on_superuser_sign_in=True)
    return synthesize(stack)


def test_counts_the_lines_of_the_web_service(template: Json) -> None:
    counted = only(template, FILTER)

    assert counted["FilterPattern"] == '"galv_task: a superuser signed in"'
    group = template["Resources"][counted["LogGroupName"]["Ref"]]["Properties"]
    assert str(group["LogGroupName"]).endswith("/web']]}")


def test_an_alarm_goes_off_at_the_first_sign_in(template: Json) -> None:
    (alarm,) = of_type(template, "AWS::CloudWatch::Alarm", "BackendSignIns").values()
    (transformation,) = only(template, FILTER)["MetricTransformations"]
    properties = alarm["Properties"]

    assert properties["MetricName"] == transformation["MetricName"]
    assert properties["Namespace"] == transformation["MetricNamespace"] == "Galv"
    assert properties["Threshold"] == 1
    assert properties["AlarmActions"]


def test_the_web_service_logs_sign_ins_of_superusers(template: Json) -> None:
    assert "a superuser signed in" in str(of_type(template, "AWS::ECS::TaskDefinition"))


def test_nothing_is_counted_by_default() -> None:
    stack = Stack(new_app(), "Stack")
    backend_in(stack, alarm_topic=sns.Topic(stack, "Topic"))
    template = synthesize(stack)

    assert of_type(template, FILTER) == {}
    assert "a superuser signed in" not in str(template)


def test_refuses_an_alarm_that_nobody_gets(refused_backend: RefusedBackend) -> None:
    assert refused_backend(alarm_on_superuser_sign_in=True) == (
        "alarm_on_superuser_sign_in is given without alarm_topic, and nobody would be told: pass "
        "alarm_topic=sns.Topic(…) with it"
    )


def test_refuses_a_flag_that_is_not_a_boolean(refused_backend: RefusedBackend) -> None:
    refused = refused_backend(alarm_on_superuser_sign_in="yes")

    assert refused.startswith("alarm_on_superuser_sign_in must be true or false")
