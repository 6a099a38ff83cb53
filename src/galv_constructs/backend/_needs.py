"""The resources that have to exist before a deployment creates a backend."""

from collections.abc import Mapping

from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_route53 as route53
from constructs import Construct

from galv_constructs._core.validation import is_token
from galv_constructs.database.interface import IGalvDatabase
from galv_constructs.images._galv_image import GalvImage
from galv_constructs.images._image import Architecture, image_check
from galv_constructs.mail.mail import GalvMail, IGalvMail
from galv_constructs.network import GalvNetwork, IGalvNetwork, ask_for_subnets
from galv_constructs.preflight._needs import Needs, deployment_role, secret_checks
from galv_constructs.preflight.check import PreflightCheck

# What setup runs with, before the first web task.
_SETUP_CPU = 512
_VCPU = 1024
_SERVICES = (
    "ecs.amazonaws.com",
    "ecs.application-autoscaling.amazonaws.com",
    "elasticloadbalancing.amazonaws.com",
)


def ask_for_tasks(
    needs: Needs,
    *,
    container: ecs.ContainerDefinition,
    image: GalvImage,
    architecture: Architecture,
    secrets: Mapping[str, ecs.Secret],
    mail: IGalvMail | None,
) -> None:
    """Ask for what a task is started with: the image, and the secrets that were given."""
    # CDK pushes what it built before it deploys a template, and a copy asks for itself.
    if image.mirrored is None and not isinstance(image.image, ecs.AssetImage):
        needs.ask("Image", image_check(container, architecture))
    given = dict(secrets)
    if mail is not None and not isinstance(mail, GalvMail):
        given |= {"mail user": mail.user, "mail password": mail.password}
    for id, check in secret_checks(given):
        needs.ask(id, check)


def ask_for_database(needs: Needs, database: IGalvDatabase) -> None:
    """Ask for a database that was given, and for its secret."""
    for id, check in database.checks.items():
        needs.ask(id, check)


def ask_for_names(
    needs: Needs,
    domain_name: str,
    hosted_zone: route53.IHostedZone | None,
    certificate: acm.ICertificate | None,
) -> None:
    """Ask for the zone that the name is in, or for the certificate that was given."""
    if hosted_zone is not None:
        makes_certificate = certificate is None
        needs.ask(
            "HostedZone",
            PreflightCheck.hosted_zone(hosted_zone, [domain_name], certificate=makes_certificate),
        )
        needs.ask("Records", PreflightCheck.records(hosted_zone, [domain_name]))
    if certificate is not None:
        needs.ask("Certificate", PreflightCheck.certificate(certificate, [domain_name]))


def ask_for_account(
    needs: Needs,
    scope: Construct,
    *,
    network: IGalvNetwork,
    cpu: int,
    min_tasks: int,
    spot: bool,
    cluster: ecs.ICluster | None,
    internet_facing: bool | None,
) -> None:
    """Ask for room in the account and in the subnets, and for the roles of services."""
    if not (is_token(cpu) or is_token(min_tasks)):
        # Setup is never on Spot, whose quota is another one.
        web = min_tasks * cpu
        needs.ask(
            "Quotas/fargate-vcpu",
            PreflightCheck.quota("fargate-vcpu", max(0 if spot else web, _SETUP_CPU) / _VCPU),
        )
        if spot:
            needs.ask(
                "Quotas/fargate-spot-vcpu", PreflightCheck.quota("fargate-spot-vcpu", web / _VCPU)
            )
        if not isinstance(network, GalvNetwork):
            # Old and new tasks run side by side while a deployment replaces them.
            ask_for_subnets(needs, network, tasks=2 * min_tasks, internet_facing=internet_facing)
    if spot and cluster is not None:
        needs.ask("Cluster", PreflightCheck.cluster(cluster, capacity_providers=["FARGATE_SPOT"]))
    # For the static files.
    for quota in ("cloudfront", "cache-policy"):
        needs.ask(f"Quotas/{quota}", PreflightCheck.quota(quota))
    needs.ask(
        "ServiceLinkedRoles",
        PreflightCheck.service_linked_roles(_SERVICES, created_by=deployment_role(scope)),
    )
