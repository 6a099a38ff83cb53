"""Two constructs of an application that would answer for one host name."""

import pytest
from aws_cdk import App, CfnParameter, Stack, Stage
from aws_cdk import aws_route53 as route53
from backends import Refusal, new_app, zone_in

from galv_constructs import GalvBackend, GalvFrontend
from galv_constructs._core.host_names import claim_host_names


@pytest.fixture
def app() -> App:
    return new_app()


def claim(
    stack: Stack,
    id: str,
    name: str = "api.example.com",
    *,
    zone: route53.IHostedZone | None,
    of_distribution: bool = False,
) -> None:
    claim_host_names(
        stack,
        id,
        [("domain_name", name)],
        hosted_zone=zone,
        of_distribution=of_distribution,
    )


def test_refuses_two_backends_with_one_host_name(refusal: Refusal, stack: Stack) -> None:
    zone = zone_in(stack)
    GalvBackend(stack, "One", domain_name="api.example.com", hosted_zone=zone)

    assert refusal(
        lambda: GalvBackend(stack, "Two", domain_name="api.example.com", hosted_zone=zone)
    ) == (
        "domain_name 'api.example.com' is a name of Stack/One already, and a name leads to one of "
        "them only: give each a name of its own"
    )
    assert "domain_name 'api.example.com' is a name of Stack/One already" in refusal(
        lambda: site(stack, "Site", zone, "api.example.com")
    )


def test_refuses_two_sites_with_one_host_name(refusal: Refusal, stack: Stack) -> None:
    zone = zone_in(stack)
    site(stack, "One", zone, "app.example.com", "www.example.com")

    assert "alternative_domain_names 'www.example.com' is a name of Stack/One already" in refusal(
        lambda: site(stack, "Two", zone, "new.example.com", "www.example.com")
    )


def test_refuses_one_host_name_in_two_stacks_with_the_same_zone(app: App) -> None:
    one, two = Stack(app, "One"), Stack(app, "Two")
    claim(one, "Backend", zone=zone_in(one))

    with pytest.raises(ValueError, match="is a name of One/Backend already"):
        claim(two, "Backend", zone=zone_in(two))


def test_two_stages_do_not_know_of_each_other(app: App) -> None:
    for id in ("Test", "Production"):
        stack = Stack(Stage(app, id), "Stack")
        claim(stack, "Backend", zone=zone_in(stack))


def test_without_a_zone_load_balancers_may_share_a_name_and_distributions_not(app: App) -> None:
    stack = Stack(app, "Stack")
    for id in ("One", "Two"):
        claim(stack, id, zone=None)
    claim(stack, "Three", zone=None, of_distribution=True)

    with pytest.raises(ValueError, match="is a name of Stack/Three already"):
        claim(stack, "Four", zone=None, of_distribution=True)


def test_accepts_host_names_that_are_not_known_at_synthesis(app: App) -> None:
    stack = Stack(app, "Stack")
    name, zone = CfnParameter(stack, "Name").value_as_string, zone_in(stack)

    for id in ("One", "Two"):
        claim(stack, id, name, zone=zone)


def site(stack: Stack, id: str, zone: route53.IHostedZone, name: str, *others: str) -> GalvFrontend:
    return GalvFrontend(
        stack,
        id,
        domain_name=name,
        alternative_domain_names=others,
        api_url="https://api.example.com",
        hosted_zone=zone,
    )
