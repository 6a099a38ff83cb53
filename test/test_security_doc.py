"""docs/security.md against the code."""

import re

import pytest
import security_doc
from aws_cdk import Acknowledgment, Stack, Validations
from backends import new_app
from constructs import Construct


@pytest.fixture(scope="module")
def reasons() -> security_doc.Reasons:
    return security_doc.all_reasons()


@pytest.mark.slow
def test_the_page_is_up_to_date(reasons: security_doc.Reasons) -> None:
    page = security_doc.PAGE.read_text()

    assert security_doc.updated(page, reasons) == page


@pytest.mark.slow
def test_every_reason_says_something(reasons: security_doc.Reasons) -> None:
    for rule, reason in reasons:
        assert len(reason.split()) >= 5, rule
        assert reason.endswith("."), rule


@pytest.mark.slow
def test_every_rule_that_the_code_names_is_on_the_page(reasons: security_doc.Reasons) -> None:
    """A shape that is not synthesized would be missing."""
    source = "".join(path.read_text() for path in (security_doc.ROOT / "src").rglob("*.py"))

    assert set(re.findall(r"AwsSolutions-[A-Z]+\d+", source)) <= {rule for rule, _ in reasons}


def test_names_rule_place_and_reason() -> None:
    stack = Stack(new_app(), "Stack")
    part = Construct(Construct(stack, "Part"), "Resource")
    Validations.of(part).acknowledge(
        Acknowledgment(id="AwsSolutions-IAM5[Resource::*]", reason="It is so."),
        Acknowledgment(id="HIPAA.Security-LambdaDLQ", reason="It is so."),
    )

    found = sorted(security_doc.acknowledged(stack))

    assert found == [
        ("AwsSolutions-IAM5", "It is so.", "Part"),
        ("LambdaDLQ", "It is so.", "Part"),
    ]
    places = {(rule, reason): {place} for rule, reason, place in found}
    assert security_doc.table(places).splitlines()[2:] == [
        "| `AwsSolutions-IAM5`<br>`LambdaDLQ` | `Part` | It is so. |"
    ]
