"""The resources that CloudFront needs in us-east-1, in a stack of any region."""

from collections.abc import Sequence

import jsii
from aws_cdk import (
    Annotations,
    Aspects,
    CfnDeletionPolicy,
    CrossStackReferences,
    Environment,
    IAspect,
    IStackSynthesizer,
    PermissionsBoundary,
    ReferenceStrength,
    RemoveTag,
    Stack,
    Stage,
    Tag,
)
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_route53 as route53
from constructs import Construct, IConstruct

from galv_constructs._core.regions import EDGE_REGION
from galv_constructs._core.validation import arn_pattern, is_list, is_token

# Python has no constant for what `Stack(permissions_boundary=…)` leaves in the context.
_BOUNDARY = "@aws-cdk/core:permissionsBoundary"
_TOPIC = arn_pattern("sns", "[A-Za-z0-9_-]{1,256}", region=EDGE_REGION)


def needs_edge_stack(scope: Construct) -> bool:
    """Whether what is for CloudFront has to be in another stack."""
    region = Stack.of(scope).region
    return not is_token(region) and region != EDGE_REGION


def check_edge_certificate(certificate: acm.ICertificate | None) -> None:
    """Check that CloudFront can use a given certificate, where its region is known."""
    if certificate is None:
        return
    arn = certificate.certificate_arn
    region = certificate.env.region if is_token(arn) else arn.split(":")[3]
    if not is_token(region) and region != EDGE_REGION:
        raise ValueError(
            f"certificate is in {region}, and CloudFront takes certificates from {EDGE_REGION} "
            f"only: request one there, with `aws acm request-certificate --region {EDGE_REGION}`"
        )


def check_edge_zone(scope: Construct, hosted_zone: route53.IHostedZone | None) -> None:
    """Refuse a zone that a stack deployed before this one cannot know."""
    if hosted_zone is None or not needs_edge_stack(scope):
        return
    if is_token(hosted_zone.hosted_zone_id) or is_token(hosted_zone.zone_name):
        raise ValueError(
            f"hosted_zone {hosted_zone.node.path} is not known at synthesis, and the "
            f"certificate for CloudFront is created in {EDGE_REGION} before this stack: import the "
            "zone with HostedZone.from_lookup(…) or from_hosted_zone_attributes(…), or pass "
            f"certificate, one in {EDGE_REGION}"
        )


def check_edge_notifications(
    scope: Construct, hosted_zone: route53.IHostedZone | None, arns: object
) -> None:
    """Refuse topics that the stack in us-east-1 cannot use, or that there is no such stack for."""
    if arns is None:
        return
    if hosted_zone is None or not needs_edge_stack(scope):
        raise ValueError(
            "edge_notification_arns are given, and there is no stack for them: it is there where "
            f"the certificate is created with hosted_zone, outside {EDGE_REGION}"
        )
    listed = arns if is_list(arns) else [None]
    if not all(is_token(arn) or _TOPIC.fullmatch(str(arn)) for arn in listed):
        raise ValueError(
            f"edge_notification_arns must be a list of ARNs of SNS topics in {EDGE_REGION}, such "
            f"as ['arn:aws:sns:{EDGE_REGION}:123456789012:stacks'], got {arns!r}"
        )


def edge_certificate(
    scope: Construct,
    id: str,
    *,
    domain_name: str,
    alternative_domain_names: Sequence[str],
    hosted_zone: route53.IHostedZone,
    notification_arns: Sequence[str] | None,
) -> acm.Certificate:
    """Define the certificate for a distribution of `scope`, in us-east-1."""
    elsewhere = needs_edge_stack(scope)
    if is_token(Stack.of(scope).region):
        Annotations.of(scope).add_warning_v2(
            "galv-constructs:regionUnknown",
            "the region of the stack is not known, so its certificate is created in the stack: "
            f"that works in {EDGE_REGION} only. Give the stack an env with a region, or pass "
            f"certificate, one in {EDGE_REGION}.",
        )
    certificate = acm.Certificate(
        _edge_stack(scope, notification_arns) if elsewhere else scope,
        # Several frontends of a stack share its edge stack.
        scope.node.path.replace("/", "-") if elsewhere else id,
        domain_name=domain_name,
        subject_alternative_names=list(alternative_domain_names) or None,
        validation=acm.CertificateValidation.from_dns(hosted_zone),
    )
    resource = certificate.node.default_child
    assert isinstance(resource, acm.CfnCertificate)  # noqa: S101 - what an L2 certificate is created of
    # Other names need another certificate, and the distribution uses the old one until its own
    # stack is updated: deleting it before that fails. The old one stays, unused and for free.
    resource.cfn_options.update_replace_policy = CfnDeletionPolicy.RETAIN
    resource.cfn_options.deletion_policy = CfnDeletionPolicy.DELETE
    if elsewhere:
        # The stacks stay apart: no custom resource, and no export that blocks a change.
        CrossStackReferences.of(certificate).produce(ReferenceStrength.WEAK)
    return certificate


@jsii.implements(IAspect)
class _TagsOf:
    """The tags that a stack has by `Tags.of(stack)`, before or after, for its edge stack too."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def visit(self, node: IConstruct) -> None:
        for aspect in Aspects.of(self._stack).all:
            if isinstance(aspect, Tag | RemoveTag):
                aspect.visit(node)


def _edge_stack(scope: Construct, notification_arns: Sequence[str] | None) -> Stack:
    """The stack in us-east-1 that belongs to the stack of `scope`."""
    stack = Stack.of(scope)
    while stack.nested_stack_parent is not None:
        stack = stack.nested_stack_parent
    stage = Stage.of(stack)
    id = f"{stack.node.id}-Edge"
    assert stage is not None  # noqa: S101 - CDK creates an app where none is given
    existing = stage.node.try_find_child(id)
    if isinstance(existing, Stack):
        if notification_arns is not None:
            raise ValueError(
                f"edge_notification_arns: the stack {existing.stack_name} is shared with a "
                "frontend that was defined before: pass them to that one alone"
            )
        return existing
    edge = Stack(
        stage,
        id,
        stack_name=f"{stack.stack_name}-Edge",
        env=Environment(
            account=None if is_token(stack.account) else stack.account, region=EDGE_REGION
        ),
        description=f"What CloudFront needs in {EDGE_REGION} for {stack.stack_name}",
        termination_protection=stack.termination_protection,
        synthesizer=_given_synthesizer(stack),
        permissions_boundary=_given_boundary(stack),
        tags=stack.tags.tag_values(),
        # Those of the stack cannot be used: CloudFormation finds topics in the region of a stack
        # alone (aws-cdk#20603).
        notification_arns=None if notification_arns is None else list(notification_arns),
    )
    Aspects.of(edge).add(_TagsOf(stack))
    Annotations.of(edge).add_info_v2(
        "galv-constructs:bootstrapEdge",
        f"this stack is in {EDGE_REGION} because CloudFront takes certificates from there only: "
        f"bootstrap that region of the account too, with `cdk bootstrap aws://"
        f"{'ACCOUNT' if is_token(stack.account) else stack.account}/{EDGE_REGION}`, once. "
        f"Topics of {stack.stack_name} are not told of it; edge_notification_arns are",
    )
    return edge


def _given_synthesizer(stack: Stack) -> IStackSynthesizer | None:
    """The synthesizer that a stack was given, with its qualifier and roles, to use it once more.

    CDK copies it for each stack, and what is not bound to one has no qualifier. Without one the
    stack has that of the application, as every stack in it has.
    """
    synthesizer = stack.synthesizer
    return synthesizer if synthesizer.bootstrap_qualifier is None else None


def _given_boundary(stack: Stack) -> PermissionsBoundary | None:
    """The permissions boundary that a stack was given for its roles."""
    given = stack.node.try_get_context(_BOUNDARY)
    if not isinstance(given, dict):
        return None
    if "arn" in given:
        return PermissionsBoundary.from_arn(given["arn"])
    return PermissionsBoundary.from_name(given["name"])
