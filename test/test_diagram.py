"""The picture of the architecture against the code."""

import re
from collections.abc import Iterator, Mapping
from xml.etree import ElementTree as ET

import diagram
import pytest
from backends import new_app

Stacks = Mapping[str, diagram.Resources]


@pytest.fixture(scope="module", autouse=True)
def app_without_validation() -> Iterator[None]:
    """CloudFormation-Validate takes most of the time, and the picture needs none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(diagram, "App", new_app)
        yield


@pytest.fixture(scope="module")
def stacks() -> Stacks:
    return diagram.templates()


def without(stacks: Stacks, kind: str) -> Stacks:
    """The stacks without resources of a type."""
    return {
        name: {id: one for id, one in resources.items() if one["Type"] != f"AWS::{kind}"}
        for name, resources in stacks.items()
    }


def test_it_is_up_to_date(stacks: Stacks) -> None:
    assert diagram.PICTURE.read_text() == diagram.picture(stacks)


def test_it_agrees_with_the_templates(stacks: Stacks) -> None:
    texts = {text.text for text in ET.fromstring(diagram.picture(stacks)).iter() if text.text}

    assert {"rate(5 minutes)", "app.example.com", "mail.example.com"} <= texts
    assert "17, db.t4g.micro, standby" in texts
    other = diagram.picture(diagram.templates({"isProduction": False}))
    assert "17, db.t4g.micro<" in other


def test_it_has_no_colour_but_those_of_the_two_schemes(stacks: Stacks) -> None:
    style, _, shapes = diagram.picture(stacks).partition("</style>")
    light, _, dark = style.partition("prefers-color-scheme: dark")

    names = re.compile(r"(--[a-z]+): #[0-9a-f]{6}")
    assert names.findall(light) == names.findall(dark.partition("text {")[0])
    assert re.search(r"#[0-9a-f]{3,6}|fill=|stroke=|style=", shapes) is None


def test_refuses_a_box_with_nothing_to_show(stacks: Stacks) -> None:
    with pytest.raises(ValueError, match=r"there is no EC2::NatGateway  for the box 'NAT gateway'"):
        diagram.picture(without(stacks, "EC2::NatGateway"))


def test_refuses_to_leave_a_resource_out(stacks: Stacks) -> None:
    more = {"Another": {"Type": "AWS::S3::Bucket", "Properties": {}}}

    with pytest.raises(ValueError, match=r"4 of 5 S3::Bucket are drawn"):
        diagram.picture({**stacks, "More": more})


def test_refuses_a_text_that_does_not_fit(stacks: Stacks, monkeypatch: pytest.MonkeyPatch) -> None:
    box = diagram.Box(
        kind="EC2::NatGateway",
        title="A title that is longer than its box",
        at=(0, 0),
        says=lambda _found, _all: "",
    )
    monkeypatch.setattr(diagram, "BOXES", [box])

    with pytest.raises(ValueError, match="is too narrow"):
        diagram.picture(stacks)
