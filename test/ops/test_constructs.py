"""The logical ids by which galv-ops knows what the constructs made, in a template of theirs."""

from __future__ import annotations

from templates import Json, of_type

from galv_ops.query import deployment


def stems(template: Json, kind: str) -> set[str]:
    """The logical ids of a type, without their hash."""
    return {logical_id[:-8] for logical_id in of_type(template, kind)}


def ending(template: Json, kind: str, end: str) -> set[str]:
    return {stem for stem in stems(template, kind) if stem.endswith(end)}


def test_there_is_one_web_service(default: Json) -> None:
    assert len(ending(default, deployment.SERVICE, deployment._SERVICE)) == 1


def test_a_backend_is_recognized_by_its_setup(development: Json) -> None:
    assert len(stems(development, deployment.RELEASE)) == 2, "setup and check_status"
    assert len(ending(development, deployment.RELEASE, deployment._SETUP)) == 1


def test_each_task_has_a_security_group(default: Json) -> None:
    definitions = stems(default, deployment.TASK_DEFINITION)
    assert definitions == ending(default, deployment.TASK_DEFINITION, deployment._TASK)
    assert len(definitions) == 3

    groups = stems(default, deployment.SECURITY_GROUP)
    assert {stem.removesuffix("TaskDefinition") + "SecurityGroup" for stem in definitions} <= groups
