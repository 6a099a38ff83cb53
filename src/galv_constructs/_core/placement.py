"""Refusing what is in another region, account or VPC than the stack that should use it.

Only what is known at synthesis can be compared: a stack for any region, and a thing
that is defined in the same application, pass.
"""

from collections.abc import Mapping
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_kms as kms
from aws_cdk import aws_route53 as route53
from constructs import Construct

from galv_constructs._core.validation import check_construct, is_token

_ARNS = (
    "alarm_arn",
    "certificate_arn",
    "cluster_arn",
    "email_identity_arn",
    "listener_arn",
    "load_balancer_arn",
    "oidc_provider_arn",
)


def check_place(
    scope: Construct,
    name: str,
    given: Any,
    *,
    region: str | None = None,
    any_region: bool = False,
    any_account: bool = False,
) -> None:
    """Refuse a thing, or the ARN of one, in a place that the stack cannot use it from.

    Args:
        scope: Construct in the stack that should use it.
        name: The argument that it was given with.
        given: The thing, its ARN, or nothing.
        region: Where it has to be. Default: in the region of the stack.
        any_region: Whether its region does not matter.
        any_account: Whether its account does not matter.

    Raises:
        ValueError: If it is in another region or account.
    """
    if given is None:
        return
    stack = Stack.of(scope)
    got_region, got_account, told_by = _place_of(given)
    wanted_region, why = (region, "there") if region else (stack.region, "in the stack's region")
    if not any_region and _differ(got_region, wanted_region):
        raise ValueError(
            f"{name} ({told_by}) is in region {got_region}, and has to be {why}, {wanted_region}: "
            "pass one that is there"
        )
    if not any_account and _differ(got_account, stack.account):
        raise ValueError(
            f"{name} ({told_by}) is in account {got_account}, and has to be in the stack's "
            f"account, {stack.account}: pass one that is there"
        )


def check_key(scope: Construct, encryption_key: kms.IKey | None) -> None:
    """Refuse what is no key, or one of another region or account."""
    check_construct(
        "encryption_key", encryption_key, "aws_kms.IKey", "kms.Key.from_key_arn(scope, id, arn)"
    )
    check_place(scope, "encryption_key", encryption_key)


def check_secrets_place(
    scope: Construct, secrets: Mapping[str, ecs.Secret] | None, name: str = "secrets"
) -> None:
    """Refuse secrets of another region or account."""
    for variable, secret in (secrets or {}).items():
        check_place(scope, f"{name}[{variable!r}]", secret.arn)


def if_told(thing: object, attribute: str) -> Any:
    """Return an attribute of a thing; None where it was imported without.

    CDK fails then, with the attribute's name in JavaScript.
    """
    first, *rest = attribute.split("_")
    try:
        return getattr(thing, attribute)
    except RuntimeError as error:
        if first + "".join(map(str.title, rest)) not in str(error):
            raise
        return None


def vpc_of(cluster: ecs.ICluster) -> ec2.IVpc | None:
    """The VPC of a cluster, where it is known."""
    vpc: ec2.IVpc | None = if_told(cluster, "vpc")
    return vpc


def check_vpc(name: str, vpc: ec2.IVpc | None, network_vpc: ec2.IVpc) -> None:
    """Refuse a thing in another VPC than the network's."""
    if vpc is None:
        return
    got, wanted = vpc.vpc_id, network_vpc.vpc_id
    # A token and a literal may be the same VPC.
    if is_token(got) == is_token(wanted) and got != wanted:
        raise ValueError(
            f"{name} is in the VPC {_spelled(got, vpc)}, and network in "
            f"{_spelled(wanted, network_vpc)}: pass network=GalvNetwork.from_vpc(…) with the VPC "
            f"of {name}, or another {name}"
        )


def check_public_zone(hosted_zone: route53.IHostedZone | None) -> None:
    """Refuse a private zone, and one without a name.

    A certificate and mail servers look for records in public ones. A zone that was looked up does
    not say which it is, but what was asked for is in the context, with the answer, except in the
    first pass, whose template is thrown away.
    """
    if hosted_zone is None:
        return
    # The class that jsii gave an imported zone says which interface it was returned as.
    kinds = [type(hosted_zone), *map(type, getattr(hosted_zone, "_delegates", ()))]
    resource = hosted_zone.node.default_child
    has_vpcs = isinstance(resource, route53.CfnHostedZone) and bool(
        Stack.of(resource).resolve(resource.vpcs)
    )
    looked_up = any(
        key.startswith("hosted-zone:")
        and ":privateZone=true" in key
        and str(answer.get("Id")).removeprefix("/hostedzone/") == hosted_zone.hosted_zone_id
        for key, answer in hosted_zone.node.get_all_context().items()
    )
    if has_vpcs or looked_up or any("PrivateHostedZone" in kind.__name__ for kind in kinds):
        raise ValueError(
            f"hosted_zone ({hosted_zone.node.path}) is a private zone, and its records have to be "
            "found from the internet: pass the public zone of the domain"
        )
    if if_told(hosted_zone, "zone_name") is None:
        raise ValueError(
            f"hosted_zone ({hosted_zone.node.path}) is known by its id alone, and names are "
            "compared with its own: import it with route53.HostedZone.from_lookup(…) or "
            "from_hosted_zone_attributes(…)"
        )


def _place_of(given: Any) -> tuple[str | None, str | None, str]:
    """Region, account, and how to call the thing in a message."""
    if isinstance(given, str):
        arn = given
    else:
        # CDK takes some for the stack's own whatever their ARN says.
        arn = next((getattr(given, name) for name in _ARNS if hasattr(given, name)), "")
        if is_token(arn) or arn.count(":") < 5:
            return given.env.region, given.env.account, given.node.path
    if is_token(arn) or arn.count(":") < 5:
        return None, None, arn
    parts = arn.split(":")
    return parts[3], parts[4], arn


def _differ(got: str | None, wanted: str) -> bool:
    return bool(got) and not is_token(got) and not is_token(wanted) and got != wanted


def _spelled(vpc_id: str, vpc: ec2.IVpc) -> str:
    return vpc.node.path if is_token(vpc_id) else repr(vpc_id)
