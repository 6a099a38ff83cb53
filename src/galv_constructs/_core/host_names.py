"""Refusing a host name that another construct of the application answers for already."""

from collections.abc import Iterable

from aws_cdk import aws_route53 as route53
from constructs import Construct

from galv_constructs._core.stage_records import name_of, record, records
from galv_constructs._core.validation import is_token

_CLOUDFRONT = "CloudFront"
# Kind of the records that say which construct has which name.
_TAKEN = "galv-constructs:hostName"


def claim_host_names(
    scope: Construct,
    id: str,
    names: Iterable[tuple[str, str]],
    *,
    hosted_zone: route53.IHostedZone | None,
    of_distribution: bool = False,
) -> None:
    """Refuse a name that has a record in the zone already, or that another distribution has.

    "You cannot add an alternate domain name to a CloudFront distribution if the same alternate
    domain name already exists in another CloudFront distribution":
    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/CNAMEs.html
    With a certificate of one's own several load balancers may have one name: the records are not
    created here.

    Args:
        scope: Parent of the construct that answers for the names.
        id: Id of the construct.
        names: Each with the argument that it was given in.
        hosted_zone: Where a record is created for each, if it is.
        of_distribution: Whether a CloudFront distribution answers.

    Raises:
        ValueError: If a construct of the same stage has one of the names.
    """
    taken = {(one["place"], one["name"]): one["path"] for one in records(scope, _TAKEN)}
    places = [_CLOUDFRONT] if of_distribution else []
    if hosted_zone is not None:
        places.append(name_of(hosted_zone, hosted_zone.hosted_zone_id))
    path = f"{scope.node.path}/{id}".lstrip("/")
    claimed: list[dict[str, str]] = []
    for argument, name in names:
        if is_token(name):
            continue
        for place in places:
            other = taken.get((place, name))
            if other is not None:
                raise ValueError(
                    f"{argument} {name!r} is a name of {other} already, and a name leads to one "
                    "of them only: give each a name of its own"
                )
            claimed.append({"place": place, "name": name, "path": path})
    for claim in claimed:
        record(scope, _TAKEN, claim)
