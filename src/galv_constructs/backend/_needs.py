"""The resources that have to exist before a deployment creates a backend."""

from collections.abc import Mapping

from aws_cdk import Aws, DefaultStackSynthesizer, Stack
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_rds as rds
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from galv_constructs._core.validation import is_token
from galv_constructs.images._galv_image import GalvImage
from galv_constructs.images._image import Architecture, image_check
from galv_constructs.mail.mail import GalvMail, IGalvMail
from galv_constructs.network import GalvNetwork, IGalvNetwork, ask_for_subnets
from galv_constructs.preflight._needs import Needs, secret_checks
from galv_constructs.preflight.check import PreflightCheck

# What setup runs with, before the first web task.
_SETUP_CPU = 512
_VCPU = 1024
# "Django supports PostgreSQL 12 and higher", of Django 5.0, with which Galv runs:
# https://docs.djangoproject.com/en/5.0/ref/databases/#postgresql-notes
_LEAST_POSTGRESQL = "12"
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


def ask_for_database(
    needs: Needs,
    database: rds.IDatabaseInstance | None,
    secret: secretsmanager.ISecret | None,
) -> None:
    """Ask for the database that was given, and for its secret."""
    if database is not None:
        groups = [group.security_group_id for group in database.connections.security_groups]
        needs.ask(
            "Database",
            PreflightCheck.database(
                database.instance_identifier,
                endpoint=database.db_instance_endpoint_address,
                engine_version=_LEAST_POSTGRESQL,
                security_group_ids=groups,
            ),
        )
    if secret is not None:
        needs.ask("DatabaseSecret", PreflightCheck.secret(secret, keys=["username", "password"]))


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
    makes_database: bool,
    internet_facing: bool | None,
) -> None:
    """Ask for room in the account and in the subnets, and for the roles of services."""
    if not (is_token(cpu) or is_token(min_tasks)):
        needs.ask(
            "Quotas/fargate-vcpu",
            PreflightCheck.quota("fargate-vcpu", max(min_tasks * cpu, _SETUP_CPU) / _VCPU),
        )
        if not isinstance(network, GalvNetwork):
            # Old and new tasks run side by side while a deployment replaces them.
            ask_for_subnets(needs, network, tasks=2 * min_tasks, internet_facing=internet_facing)
    services = [*_SERVICES]
    needs.ask("Quotas/cloudfront", PreflightCheck.quota("cloudfront"))
    if makes_database:
        services.append("rds.amazonaws.com")
        needs.ask("Quotas/db-instance", PreflightCheck.quota("db-instance"))
    needs.ask(
        "ServiceLinkedRoles",
        PreflightCheck.service_linked_roles(services, created_by=_creates(scope)),
    )


def _creates(scope: Construct) -> str | None:
    """The role that CloudFormation creates resources with, where CDK's bootstrap made it."""
    synthesizer = Stack.of(scope).synthesizer
    if not isinstance(synthesizer, DefaultStackSynthesizer):
        return None
    tokens = {"Partition": Aws.PARTITION, "AccountId": Aws.ACCOUNT_ID, "Region": Aws.REGION}
    arn = synthesizer.cloud_formation_execution_role_arn
    for name, token in tokens.items():
        arn = arn.replace(f"${{AWS::{name}}}", token)
    return arn
