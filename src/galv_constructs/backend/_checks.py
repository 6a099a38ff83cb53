"""What `GalvBackend` refuses before it defines anything."""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from aws_cdk import Aws, Duration, Size, Stack
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_kms as kms
from aws_cdk import aws_rds as rds
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from constructs import Construct

from galv_constructs._core.alarms import check_alarm_topic
from galv_constructs._core.placement import (
    check_place,
    check_public_zone,
    check_secrets_place,
    check_vpc,
    vpc_of,
)
from galv_constructs._core.regions import SES, check_services
from galv_constructs._core.release_tag import check_backend_tag
from galv_constructs._core.validation import (
    check_construct,
    check_domain_name,
    check_duration,
    check_fargate_size,
    check_known,
    check_range,
    check_type,
    is_token,
)
from galv_constructs.images._image import check_reachable
from galv_constructs.log_bucket._delivery import check_log_bucket
from galv_constructs.mail.mail import SES_HOST, SMTP_PORT, GalvMail, IGalvMail
from galv_constructs.network import GalvNetwork, IGalvNetwork, check_layout
from galv_constructs.web_acl.web_acl import by_version, check_web_acl_arn

# https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS
_LONGEST_ROLE = 63
_DATABASE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


def check_names(
    domain_name: str,
    root_domain_name: str | None,
    frontend_domain_names: Sequence[str] | None,
) -> None:
    """Check the host names."""
    check_domain_name("domain_name", domain_name)
    if root_domain_name is not None:
        check_domain_name("root_domain_name", root_domain_name)
    if frontend_domain_names is None:
        return
    if isinstance(frontend_domain_names, str) or not isinstance(frontend_domain_names, Sequence):
        raise ValueError(
            f"frontend_domain_names must be a list of host names, got {frontend_domain_names!r}"
        )
    for index, name in enumerate(frontend_domain_names):
        check_domain_name(f"frontend_domain_names[{index}]", name)


def check_certificate_source(
    domain_name: str,
    hosted_zone: route53.IHostedZone | None,
    certificate: acm.ICertificate | None,
) -> None:
    """Check that there is one way, and only one, to a certificate."""
    check_construct(
        "hosted_zone",
        hosted_zone,
        "aws_route53.IHostedZone",
        "route53.HostedZone.from_lookup(scope, id, domain_name=…)",
    )
    check_construct(
        "certificate",
        certificate,
        "aws_certificatemanager.ICertificate",
        "acm.Certificate.from_certificate_arn(scope, id, arn)",
    )
    check_public_zone(hosted_zone)
    if hosted_zone is not None and certificate is not None:
        raise ValueError(
            "hosted_zone and certificate are both given: pass hosted_zone alone for a domain in "
            "Route 53, where the certificate and the record are made for you, or certificate "
            "alone for a domain elsewhere"
        )
    if hosted_zone is None and certificate is None:
        raise ValueError(
            f"neither hosted_zone nor certificate is given, and {domain_name!r} needs a "
            "certificate: pass hosted_zone for a domain in Route 53, where the certificate and "
            "the record are made for you, or certificate for a domain elsewhere"
        )
    if hosted_zone is not None:
        zone_name = hosted_zone.zone_name
        known = not (is_token(zone_name) or is_token(domain_name))
        if known and domain_name != zone_name and not domain_name.endswith(f".{zone_name}"):
            raise ValueError(
                f"domain_name {domain_name!r} is not in hosted_zone {zone_name!r}: pass the zone "
                "that it is in"
            )


def check_image(
    version: str | None,
    image: ecs.ContainerImage | None,
    registry_credentials: secretsmanager.ISecret | None,
    network: IGalvNetwork | None,
) -> None:
    """Check that there is one image, that it is not too old, and that tasks can pull it."""
    check_construct(
        "image", image, "aws_ecs.ContainerImage", "ecs.ContainerImage.from_registry(name)"
    )
    check_construct(
        "registry_credentials",
        registry_credentials,
        "aws_secretsmanager.ISecret",
        "secretsmanager.Secret.from_secret_name_v2(scope, id, name)",
    )
    if image is not None:
        for name, value in (("version", version), ("registry_credentials", registry_credentials)):
            if value is not None:
                raise ValueError(
                    f"image and {name} are both given, and {name} is only for the default image "
                    "on GHCR: drop one of them"
                )
        if network is not None:
            check_reachable(image, network)
        return
    if version is not None:
        check_backend_tag("version", version)
    if network is not None and not network.has_internet:
        raise ValueError(
            "network has no internet, and the default image is on GHCR, which no VPC endpoint "
            "reaches: pass image=ecs.ContainerImage.from_ecr_repository(…) (a copy of "
            "it), or choose another NetworkPreset"
        )


def check_capacity(
    *,
    cpu: int,
    memory_limit_mib: int,
    workers: int | None,
    threads: int,
    min_tasks: int,
    max_tasks: int,
    request_timeout: Duration | None,
    deregistration_delay: Duration | None,
) -> None:
    """Check sizes, counts and times."""
    check_fargate_size(cpu, memory_limit_mib)
    if workers is not None:
        check_range("workers", workers, 1, 64)
        check_known("workers", workers)
    check_range("threads", threads, 1, 64)
    check_known("threads", threads)
    check_range("min_tasks", min_tasks, 1, 100)
    check_range("max_tasks", max_tasks, 1, 100)
    counts_known = not (is_token(min_tasks) or is_token(max_tasks))
    if counts_known and max_tasks < min_tasks:
        raise ValueError(
            f"max_tasks must be at least min_tasks, got min_tasks={min_tasks} and "
            f"max_tasks={max_tasks}"
        )
    hour = timedelta(hours=1)
    check_duration("request_timeout", request_timeout, timedelta(seconds=30), hour)
    least = 120 if request_timeout is None else request_timeout.to_seconds()
    check_duration("deregistration_delay", deregistration_delay, timedelta(seconds=least), hour)


def check_quota(lab_storage_quota: Size | None) -> None:
    """Check that the quota is a size that is known; 0 leaves laboratories to their own storage."""
    if lab_storage_quota is None:
        return
    if not isinstance(lab_storage_quota, Size):
        raise ValueError(
            f"lab_storage_quota must be a Size, got {lab_storage_quota!r}: use Size.gibibytes(…)"
        )
    if lab_storage_quota.is_unresolved():
        raise ValueError(
            "lab_storage_quota must be known when the template is made, got a token: pass a plain "
            "Size"
        )


def _check_instance_type(instance_type: ec2.InstanceType | None) -> None:
    written = "" if instance_type is None else instance_type.to_string()
    if written.startswith("db."):
        raise ValueError(
            "database_instance_type must be written without 'db.', which RDS adds itself: pass "
            f"ec2.InstanceType({written.removeprefix('db.')!r}), got {written!r}"
        )


def check_database(
    database: rds.IDatabaseInstance | None,
    database_secret: secretsmanager.ISecret | None,
    database_name: str | None,
    database_instance_type: ec2.InstanceType | None,
) -> None:
    """Check that a given database comes with its credentials."""
    check_construct(
        "database",
        database,
        "aws_rds.IDatabaseInstance",
        "rds.DatabaseInstance.from_database_instance_attributes(…)",
    )
    check_construct(
        "database_secret",
        database_secret,
        "aws_secretsmanager.ISecret",
        "secretsmanager.Secret.from_secret_name_v2(scope, id, name)",
    )
    check_construct(
        "database_instance_type",
        database_instance_type,
        "aws_ec2.InstanceType",
        "ec2.InstanceType('t4g.small')",
    )
    _check_instance_type(database_instance_type)
    if database_name is not None:
        check_type("database_name", database_name, str, "text")
        known = not is_token(database_name)
        if known and not _DATABASE_NAME.fullmatch(database_name):
            raise ValueError(
                "database_name must be letters, digits and '_', at most 63, not starting with a "
                f"digit, got {database_name!r}"
            )
    if database is None:
        for name, value in (
            ("database_secret", database_secret),
            ("database_name", database_name),
        ):
            if value is not None:
                raise ValueError(f"{name} is only for a given database: pass database too")
        return
    if database_instance_type is not None:
        raise ValueError(
            "database and database_instance_type are both given: a given database has its size"
        )
    engine = database.engine
    kind = None if engine is None else engine.engine_type
    if kind is not None and not kind.startswith("postgres"):
        raise ValueError(
            f"database must be PostgreSQL, which is all that Galv knows, got {kind!r}: use "
            "rds.DatabaseInstanceEngine.postgres(…)"
        )
    if database_secret is None and getattr(database, "secret", None) is None:
        raise ValueError(
            "database is given without its credentials: pass database_secret, a secret with the "
            "keys username and password"
        )


def check_database_owner(
    owner_role: object,
    rotation: int,
    database_secret: secretsmanager.ISecret | None,
    database_name: str | None,
) -> bool:
    """Check what is about the owner of the database, and return whether setup makes one."""
    if owner_role is not None:
        check_type("database_owner_role", owner_role, bool, "true or false")
    check_range("database_rotation", rotation, 1, 1_000_000)
    check_known("database_rotation", rotation)
    if owner_role is False or (owner_role is None and database_secret is not None):
        if rotation != 1:
            raise ValueError(
                f"database_rotation is {rotation}, and tasks sign in with credentials that are not "
                "made here: drop it, or pass database_owner_role=True and the credentials of the "
                "database's master"
            )
        return False
    if database_name is not None and not is_token(database_name):
        longest = _LONGEST_ROLE - len(f"_tasks_{rotation}")
        if len(database_name) > longest:
            raise ValueError(
                f"database_name must have at most {longest} characters, got {len(database_name)}: "
                "roles are named after it; pass a shorter one, or database_owner_role=False"
            )
    return True


def check_network(
    network: IGalvNetwork | None, cluster: ecs.ICluster | None, *, makes_database: bool
) -> None:
    """Check that network and cluster are in one VPC, and have the subnets that are needed."""
    check_construct("network", network, "IGalvNetwork", "GalvNetwork.from_vpc(vpc)")
    if network is not None and not hasattr(network, "task_subnets"):
        raise ValueError(
            f"network must be a GalvNetwork, got {type(network).__name__}: use "
            "GalvNetwork.from_vpc(vpc) for a VPC"
        )
    check_construct(
        "cluster",
        cluster,
        "aws_ecs.ICluster",
        "ecs.Cluster.from_cluster_attributes(scope, id, cluster_name=…, vpc=…)",
    )
    cluster_vpc = None if cluster is None else vpc_of(cluster)
    if cluster is not None and cluster_vpc is None:
        raise ValueError(
            f"cluster ({cluster.node.path}) does not tell its VPC: import it with "
            "ecs.Cluster.from_cluster_attributes(scope, id, cluster_name=…, vpc=…)"
        )
    if network is not None:
        check_layout("network", network, makes_database=makes_database)
    elif cluster_vpc is not None:
        layout = GalvNetwork.from_vpc(cluster_vpc)
        check_layout("cluster", layout, makes_database=makes_database)
    if network is None or cluster_vpc is None:
        return
    ids = (network.vpc.vpc_id, cluster_vpc.vpc_id)
    # A token and a literal may be the same VPC.
    comparable = is_token(ids[0]) == is_token(ids[1])
    if comparable and ids[0] != ids[1]:
        raise ValueError(
            f"network ({network.vpc.node.path}) and cluster ({cluster_vpc.node.path}) are in "
            "different VPCs: pass one of them alone, or a cluster in the network's VPC"
        )


def check_given(**resources: Any) -> None:
    """Check other resources that may be given; the keyword is the argument's name."""
    hints = {
        "encryption_key": ("aws_kms.IKey", "kms.Key.from_key_arn(scope, id, arn)"),
        "media_bucket": ("aws_s3.IBucket", "s3.Bucket.from_bucket_name(scope, id, name)"),
    }
    for name, value in resources.items():
        check_construct(name, value, *hints[name])


def check_access_logs(
    log_bucket: s3.IBucket | None, access_logs: object, web_acl_arn: str | None, web_acl: object
) -> None:
    """Check that what is given is not switched off, and that all logs find a place."""
    check_type("access_logs", access_logs, bool, "true or false")
    check_log_bucket(log_bucket, for_web_acl=web_acl is True and web_acl_arn is None)
    if log_bucket is not None and access_logs is False:
        raise ValueError("log_bucket is given with access_logs=False: drop one of them")


def check_web_acl(
    web_acl_arn: str | None,
    *,
    web_acl: object,
    admin_cidrs: Sequence[str] | None,
    alarm_topic: sns.ITopic | None,
) -> None:
    """Check the web ACL, and that there is a new one for what is asked of it."""
    check_type("web_acl", web_acl, bool, "true or false")
    if web_acl_arn is not None:
        check_web_acl_arn("web_acl_arn", web_acl_arn)
        if web_acl is False:
            raise ValueError("web_acl_arn is given with web_acl=False: drop one of them")
    check_alarm_topic(alarm_topic)
    if admin_cidrs is not None:
        by_version("admin_cidrs", admin_cidrs)
    for name, value in (("admin_cidrs", admin_cidrs), ("alarm_topic", alarm_topic)):
        if value is not None and web_acl_arn is not None:
            raise ValueError(
                f"{name} is given with web_acl_arn, and is for a new web ACL: pass "
                f"GalvWebAcl(…, {name}=…).web_acl_arn, or drop one of them"
            )
        if value is not None and web_acl is False:
            raise ValueError(
                f"{name} is given with web_acl=False, and is for the web ACL: drop one of them"
            )


def check_places(
    scope: Construct,
    *,
    certificate: acm.ICertificate | None,
    registry_credentials: secretsmanager.ISecret | None,
    secrets: Mapping[str, ecs.Secret] | None,
    mail: IGalvMail | None,
    network: IGalvNetwork | None,
    cluster: ecs.ICluster | None,
    database: rds.IDatabaseInstance | None,
    database_secret: secretsmanager.ISecret | None,
    media_bucket: s3.IBucket | None,
    log_bucket: s3.IBucket | None,
    web_acl_arn: str | None,
    alarm_topic: sns.ITopic | None,
    encryption_key: kms.IKey | None,
) -> None:
    """Check that what is given is where the stack can use it."""
    for name, given in {
        "certificate": certificate,
        "registry_credentials": registry_credentials,
        "network": None if network is None else network.vpc,
        "cluster": cluster,
        "database": database,
        "database_secret": database_secret,
        "media_bucket": media_bucket,
        "log_bucket": log_bucket,
        "web_acl_arn": web_acl_arn,
        "alarm_topic": alarm_topic,
        "encryption_key": encryption_key,
    }.items():
        check_place(scope, name, given)
    check_secrets_place(scope, secrets)
    if mail is not None:
        check_place(scope, "mail, its secret", mail.password.arn)
    if database is None:
        return
    vpc = network.vpc if network is not None else getattr(cluster, "vpc", None)
    database_vpc = getattr(database, "vpc", None)
    if database_vpc is not None and vpc is None:
        raise ValueError(
            f"database ({database.node.path}) is in the VPC {database_vpc.node.path}, and a new "
            "network would be another one: pass network=GalvNetwork.from_vpc(…) with that VPC"
        )
    if vpc is not None:
        check_vpc("database", database_vpc, vpc)


def check_mail(scope: Construct, mail: IGalvMail | None, network: IGalvNetwork | None) -> None:
    """Check that tasks can reach the mail server, and that new credentials reach tasks."""
    check_construct("mail", mail, "IGalvMail", "GalvMail.from_secret(secret, sender=…)")
    if mail is None:
        return
    if isinstance(mail, GalvMail) and Stack.of(mail).node.path != Stack.of(scope).node.path:
        raise ValueError(
            f"mail ({mail.node.path}) must be in the stack of the backend, "
            f"{Stack.of(scope).node.path!r}: in another one old credentials are deleted before "
            "tasks have got new ones"
        )
    if mail.host == SES_HOST:
        check_services(
            scope, [(SES, "pass host='email-smtp.<another region>.amazonaws.com' to from_secret")]
        )
    # Other networks without internet may have endpoints of their own.
    if isinstance(network, GalvNetwork) and not network.has_internet:
        regions = (Aws.REGION, Stack.of(scope).region)
        at_ses = [f"email-smtp.{region}.amazonaws.com" for region in regions]
        elsewhere = mail.host not in at_ses and not is_token(mail.host)
        if elsewhere or mail.port != SMTP_PORT:
            raise ValueError(
                "network has no internet, and its only way to send mail is Amazon SES in the "
                f"region of the stack on port {SMTP_PORT}, not {mail.host}:{mail.port}: use that, "
                "or choose another NetworkPreset"
            )


def check_switches(production: object, **overrides: object) -> None:
    """Check arguments that are true or false; the keyword is the argument's name."""
    check_type("production", production, bool, "true or false")
    for name, value in overrides.items():
        if value is not None:
            check_type(name, value, bool, "true or false")
