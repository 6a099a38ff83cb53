"""Several deployments in one account, region and hosted zone, with the keys of the Galv team."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from example_app import Assembly, example_app, run_example
from templates import Json, of_type, only, references

REGION = "eu-west-2"
ZONE = "lab.org"
IDENTITY = "AWS::SES::EmailIdentity"

# Top-level properties that hold a name, and those that end so and are none of the resource's own.
NAMES = {"Name", "EmailIdentity", "Family"}
NO_NAMES = {
    ("AWS::CloudWatch::Alarm", "MetricName"),
    ("AWS::IAM::Policy", "PolicyName"),  # unique in its role
    ("AWS::RDS::DBInstance", "DBName"),  # unique in its instance
    ("AWS::RDS::DBParameterGroup", "Family"),
    ("AWS::EC2::VPCEndpoint", "ServiceName"),
}


def deployment(folder: Path, name: str, **context: Any) -> dict[str, Json]:
    """The templates of one of the deployments, by the names of their stacks."""
    assembly: Assembly = run_example(
        example_app(
            folder / name,
            name=name,
            domainName=ZONE,
            **{
                "backendSubdomain": name.replace("galv", "api"),
                "frontendSubdomain": name.replace("galv", "app"),
                **context,
            },
        ),
        REGION,
    )
    return {stack: assembly.template(stack) for stack in assembly.stacks}


def names(properties: Json) -> Iterator[tuple[str, str]]:
    """The names that a resource has in its account, with the properties that hold them."""
    for key, value in properties.items():
        # What is made from another resource of the stack is as much its own as that one.
        own = any(not name.startswith("AWS::") for name in references(value))
        if (key.endswith("Name") or key in NAMES) and not own:
            yield key, str(value)
        if key.endswith("Config") and isinstance(value, dict):
            yield from names(value)
        if key == "Aliases":
            yield from ((key, str(alias)) for alias in value)


def taken(templates: dict[str, Json]) -> set[tuple[str, str, str]]:
    """The names of a deployment that no other in the account can have."""
    found = {("stack", "name", stack) for stack in templates}
    for template in templates.values():
        found |= {
            ("export", "name", str(output["Export"]["Name"]))
            for output in template.get("Outputs", {}).values()
            if "Export" in output
        }
        for resource in template["Resources"].values():
            kind = resource["Type"]
            if kind.startswith("Custom::"):
                continue
            found |= {
                (kind, key, name)
                for key, name in names(resource.get("Properties", {}))
                if (kind, key) not in NO_NAMES
            }
    return found


def collisions(deployments: list[dict[str, Json]]) -> set[tuple[str, str, str]]:
    pairs = itertools.combinations(map(taken, deployments), 2)
    return set().union(*(one & other for one, other in pairs))


@pytest.mark.slow
def test_three_deployments_share_the_zone_and_the_domain_that_mail_comes_from(
    tmp_path: Path,
) -> None:
    shared: Json = {"mailFromDomain": ZONE, "smtpSecretName": ""}
    production = deployment(tmp_path, "galv", **shared)
    others = [
        deployment(tmp_path, name, **shared, mailIdentity="existing", removalProtection=False)
        for name in ("galv-stage", "galv-demo")
    ]

    assert collisions([production, *others]) == set()
    # The first one owns the identity. Deleting another one cannot delete what it does not have.
    assert len(of_type(production["galv-BackendStack"], IDENTITY)) == 1
    for templates in others:
        for template in templates.values():
            assert of_type(template, IDENTITY) == {}
            assert "_dmarc" not in str(template)


@pytest.mark.slow
def test_two_deployments_with_mail_of_their_own_need_no_key_for_it(tmp_path: Path) -> None:
    both = [deployment(tmp_path, name) for name in ("galv", "galv-stage")]

    assert collisions(both) == set()
    assert {
        only(templates[f"{name}-BackendStack"], IDENTITY)["EmailIdentity"]
        for name, templates in zip(("galv", "galv-stage"), both, strict=True)
    } == {"mail.lab.org", "mail.app-stage.lab.org"}


@pytest.mark.slow
def test_two_that_create_one_identity_would_collide(tmp_path: Path) -> None:
    """The comparison above notices a shared identity."""
    both = [
        deployment(tmp_path, name, mailFromDomain=ZONE, projectNameTag="lab")
        for name in ("galv", "galv-stage")
    ]

    assert {(kind, name) for kind, _, name in collisions(both)} == {
        (IDENTITY, ZONE),
        ("AWS::Route53::RecordSet", f"_dmarc.{ZONE}."),
        ("AWS::Route53::RecordSet", f"bounce.{ZONE}."),
        ("AWS::SecretsManager::Secret", "lab-smtp"),
    }
