"""Questions that preflight asks, and what its role has to be allowed for each."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from aws_cdk import Aws, CfnResource, Stack
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import IConstruct

from galv_constructs._core.validation import check_boolean, check_given, check_range, check_type
from galv_constructs.preflight._arguments import (
    check_amount,
    check_json,
    check_one_of,
    check_optional_text,
    check_text,
    check_texts,
)
from galv_constructs.preflight._permission import READ_SECRET, Permission

KINDS = (
    "certificate",
    "cluster",
    "database",
    "function",
    "hosted-zone",
    "image",
    "mail-identity",
    "mail-sandbox",
    "quotas",
    "records",
    "secret",
    "service-linked-roles",
    "site-source",
    "snapshot",
    "subnets",
)
"""The kinds of questions, which `preflight=[…]` can leave out."""
TOKEN = r"\$\{Token\[[^\]]*\]\}"  # noqa: S105 - of CDK's
# The registry of ECR in the name of an image, as the question knows it, but that account, region
# and suffix may be tokens.
_REGION = rf"[a-z0-9-]+|{TOKEN}"
_ECR = re.compile(
    rf"(?P<account>\d{{12}}|{TOKEN})\."
    rf"(?:dkr\.ecr(?:-fips)?\.(?P<v4>{_REGION})\.(?:amazonaws\.com(?:\.cn)?|{TOKEN})"
    rf"|dkr-ecr(?:-fips)?\.(?P<both>{_REGION})\.on\.aws)"
    r"/(?P<repository>[^:@]+)"
)
# That of an instance, or of the writer or the readers of a cluster. A custom endpoint of a cluster
# and a proxy have names of their own:
# https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.Overview.Endpoints.html
_RDS_ENDPOINT = re.compile(
    r"(?P<name>[a-z0-9-]+)\.(?P<cluster>cluster-(?:ro-)?)?[a-z0-9]+\.(?P<region>[a-z0-9-]+)"
    r"\.rds\.amazonaws\.com(?:\.cn)?",
    re.IGNORECASE,
)

_READS_ALL = (
    "What preflight reads here knows no resource-level permissions, and it changes nothing."
)
_LISTING_STACK = Permission(actions=["cloudformation:ListStackResources"], resources=[Aws.STACK_ID])
# What counts what a quota is for; where there is nothing, the quota itself is all that is asked.
_COUNTED_BY = {
    "cache-policy": "cloudfront:ListCachePolicies",
    "cloudfront": "cloudfront:ListDistributions",
    "codebuild": "",
    "db-instance": "rds:DescribeDBInstances",
    "eip": "ec2:DescribeAddresses",
    "fargate-spot-vcpu": "cloudwatch:GetMetricStatistics",
    "fargate-vcpu": "cloudwatch:GetMetricStatistics",
    "internet-gateway": "ec2:DescribeInternetGateways",
    "response-headers-policy": "cloudfront:ListResponseHeadersPolicies",
    "vpc": "ec2:DescribeVpcs",
}
_READING_QUOTAS = Permission(
    actions=["servicequotas:GetAWSDefaultServiceQuota", "servicequotas:GetServiceQuota"],
    resources=["*"],
    reason=_READS_ALL,
)
# More than a VPC has.
_MOST_ADDRESSES = 1_000_000
# Of these EC2 also lists what other accounts share, and the quota is not for.
_SHARED = ("internet-gateway", "vpc")


@dataclass(frozen=True, kw_only=True)
class PreflightCheck:
    """A question for `GalvPreflight.add_check`.

    Use a static method, such as `PreflightCheck.secret(…)`.

    Example:
        ```python
        check = PreflightCheck.image("registry.example.com/reports:v3", architecture="ARM64")
        ```
    """

    kind: str
    """The kind of the question, which `preflight=[…]` can leave out."""

    arguments: Mapping[str, str | Sequence[str] | Mapping[str, str]]
    """The arguments of the question, as the handler reads them."""

    permissions: Sequence[Permission] = ()
    """The permissions that asking needs. Default: none."""

    waits_for: IConstruct | None = None
    """A resource of the application that has to be there when it is asked. Default: none, and a
    question about what the application creates is left out."""

    is_own: bool = True
    """Whether the application asks by itself, and `preflight=[…]` cannot leave it out. Default:
    true."""

    @staticmethod
    def image(
        name: str,
        *,
        architecture: Literal["X86_64", "ARM64"] = "X86_64",
        credentials: str | None = None,
    ) -> "PreflightCheck":
        """Ask whether an image exists at its registry, for an architecture.

        Args:
            name: The image with its registry and its tag or digest, such as
                `ghcr.io/galv-team/galv-backend:v2.11.4`.
            architecture: The architecture of the task. Default: `X86_64`.
            credentials: ARN of a secret with `username` and `password` for the registry. Default:
                none are used; for Amazon ECR none are needed.

        Raises:
            ValueError: If an argument is malformed.
        """
        check_text("name", name, "the name of an image")
        check_one_of("architecture", architecture, ("X86_64", "ARM64"))
        check_optional_text("credentials", credentials, "the ARN of a secret")
        arguments: dict[str, str] = {"Image": name, "Architecture": architecture}
        permissions = []
        found = _ECR.match(name)
        if found is not None:
            repository = (
                f"arn:{Aws.PARTITION}:ecr:{found['v4'] or found['both']}:{found['account']}"
                f":repository/{found['repository']}"
            )
            permissions.append(
                Permission(
                    actions=["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
                    resources=[repository],
                )
            )
            # Where the image is missing, whether ECR would take it from elsewhere.
            permissions.append(
                Permission(
                    actions=["ecr:DescribePullThroughCacheRules"],
                    resources=["*"],
                    reason=_READS_ALL,
                )
            )
        if credentials is not None:
            arguments["CredentialsArn"] = credentials
            permissions.append(_reading_secret(credentials))
        return PreflightCheck(kind="image", arguments=arguments, permissions=permissions)

    @staticmethod
    def secret(
        secret: secretsmanager.ISecret | str, *, keys: Sequence[str] = ()
    ) -> "PreflightCheck":
        """Ask whether a secret exists, and is JSON with some keys.

        Preflight reads the secret for that, and shows no value of it.

        Args:
            secret: The secret, or its ARN.
            keys: Keys that it must have. Default: none, and it may be any text.

        Raises:
            ValueError: If an argument is malformed.
        """
        check_texts("keys", keys, "keys", may_be_empty=True)
        if isinstance(secret, str):
            check_text("secret", secret, "a secret or its ARN")
            arn, key_arn = secret, None
        else:
            check_given(
                "secret",
                secret,
                "secret_arn",
                "aws_secretsmanager.ISecret",
                "secretsmanager.Secret.from_secret_name_v2(scope, id, name)",
            )
            arn = secret.secret_arn
            key_arn = None if secret.encryption_key is None else secret.encryption_key.key_arn
        permissions = [_reading_secret(arn)]
        if key_arn is not None:
            permissions.append(_decrypting(arn, key_arn))
        return PreflightCheck(
            kind="secret",
            arguments={"SecretArn": arn, "Keys": sorted(keys)},
            permissions=permissions,
        )

    @staticmethod
    def hosted_zone(
        zone: route53.IHostedZone, domain_names: Sequence[str], *, certificate: bool = False
    ) -> "PreflightCheck":
        """Ask whether a zone is public, and whether the world asks its name servers.

        Args:
            zone: The zone.
            domain_names: Names in it.
            certificate: Whether Amazon has to issue a certificate for the names, which CAA records
                can forbid. Default: false.

        Raises:
            ValueError: If an argument is malformed.
        """
        _check_zone(zone)
        check_texts("domain_names", domain_names, "names")
        check_boolean("certificate", certificate)
        return PreflightCheck(
            kind="hosted-zone",
            arguments={
                "HostedZoneId": zone.hosted_zone_id,
                "DomainNames": list(domain_names),
                "CertificateWanted": str(certificate).lower(),
            },
            permissions=[
                Permission(
                    actions=["route53:GetHostedZone", "route53:ListResourceRecordSets"],
                    resources=[_zone_arn(zone)],
                )
            ],
        )

    @staticmethod
    def records(zone: route53.IHostedZone, names: Sequence[str]) -> "PreflightCheck":
        """Ask whether names are free in a zone. Those that the stack has already are.

        Args:
            zone: The zone.
            names: Names that get addresses, or `TXT name` for another type of record.

        Raises:
            ValueError: If an argument is malformed.
        """
        _check_zone(zone)
        check_texts("names", names, "names")
        return PreflightCheck(
            kind="records",
            arguments={
                "HostedZoneId": zone.hosted_zone_id,
                "Names": list(names),
                "Stack": Aws.STACK_ID,
            },
            permissions=[
                _LISTING_STACK,
                Permission(actions=["route53:ListResourceRecordSets"], resources=[_zone_arn(zone)]),
            ],
        )

    @staticmethod
    def certificate(
        certificate: acm.ICertificate, domain_names: Sequence[str], *, region: str | None = None
    ) -> "PreflightCheck":
        """Ask whether a certificate is issued, covers names, and is in a region.

        Args:
            certificate: The certificate.
            domain_names: The names.
            region: Where it has to be: us-east-1 for CloudFront. Default: in the region of the
                stack.

        Raises:
            ValueError: If an argument is malformed.
        """
        check_given(
            "certificate",
            certificate,
            "certificate_arn",
            "aws_certificatemanager.ICertificate",
            "acm.Certificate.from_certificate_arn(scope, id, arn)",
        )
        check_texts("domain_names", domain_names, "names")
        check_optional_text("region", region, "a region such as 'us-east-1'")
        arn = certificate.certificate_arn
        return PreflightCheck(
            kind="certificate",
            arguments={
                "CertificateArn": arn,
                "DomainNames": list(domain_names),
                "Region": Aws.REGION if region is None else region,
            },
            permissions=[Permission(actions=["acm:DescribeCertificate"], resources=[arn])],
        )

    @staticmethod
    def mail_identity(domain: str, *, exists: bool = False) -> "PreflightCheck":
        """Ask whether Amazon SES has no identity of a domain, or has a verified one.

        Args:
            domain: The domain.
            exists: Whether it must be there. Otherwise it must not, unless it is the stack's own.
                Default: false.

        Raises:
            ValueError: If an argument is malformed.
        """
        check_text("domain", domain, "a domain such as 'mail.example.com'")
        check_boolean("exists", exists)
        arn = f"arn:{Aws.PARTITION}:ses:{Aws.REGION}:{Aws.ACCOUNT_ID}:identity/{domain}"
        return PreflightCheck(
            kind="mail-identity",
            arguments={
                "Domain": domain,
                "Shared": str(exists).lower(),
                "Stack": Aws.STACK_ID,
            },
            permissions=[
                _LISTING_STACK,
                Permission(actions=["ses:GetEmailIdentity"], resources=[arn]),
            ],
        )

    @staticmethod
    def mail_sandbox() -> "PreflightCheck":
        """Ask whether Amazon SES may send to everybody, and warn if it may not."""
        return PreflightCheck(
            kind="mail-sandbox",
            arguments={},
            permissions=[
                Permission(actions=["ses:GetAccount"], resources=["*"], reason=_READS_ALL)
            ],
        )

    @staticmethod
    def quota(name: str, amount: float = 1) -> "PreflightCheck":
        """Ask whether a quota of the account leaves room.

        Only the first deployment of a stack asks it, because later ones would count its own
        resources.

        Args:
            name: `cache-policy`, `cloudfront`, `codebuild`, `db-instance`, `eip`,
                `fargate-spot-vcpu`, `fargate-vcpu`, `internet-gateway`, `response-headers-policy`
                or `vpc`.
            amount: How much of it the stack needs. Default: 1.

        Raises:
            ValueError: If there is no quota of that name here, or `amount` is no number above 0.
        """
        check_one_of("name", name, _COUNTED_BY)
        check_amount("amount", amount)
        arguments: dict[str, str | Sequence[str]] = {"Needs": [f"{name}={amount:g}"]}
        if name in _SHARED:
            arguments["Account"] = Aws.ACCOUNT_ID
        return PreflightCheck(
            kind="quotas",
            arguments=arguments,
            permissions=[*_counting(name), _READING_QUOTAS],
        )

    @staticmethod
    def subnets(
        vpc_id: str,
        subnet_ids: Sequence[str],
        *,
        route: Literal["nat", "internet", "none"],
        addresses: int = 1,
        addresses_each: int = 0,
    ) -> "PreflightCheck":
        """Ask whether subnets are in a VPC, lead to the internet, and have addresses left.

        Only the first deployment of a stack asks for addresses, because its own take some.

        Args:
            vpc_id: The VPC.
            subnet_ids: The subnets.
            route: What their default routes have to lead to: an internet gateway (`internet`),
                something else that leads out (`nat`), or whatever it is (`none`).
            addresses: How many addresses all subnets together need. Default: 1.
            addresses_each: How many addresses each subnet needs. Default: none.

        Raises:
            ValueError: If an argument is malformed.
        """
        check_text("vpc_id", vpc_id, "the id of a VPC")
        check_texts("subnet_ids", subnet_ids, "subnets")
        check_one_of("route", route, ("nat", "internet", "none"))
        check_range("addresses", addresses, 0, _MOST_ADDRESSES)
        check_range("addresses_each", addresses_each, 0, _MOST_ADDRESSES)
        return PreflightCheck(
            kind="subnets",
            arguments={
                "VpcId": vpc_id,
                "SubnetIds": list(subnet_ids),
                "Route": route,
                "Addresses": str(addresses),
                "AddressesEach": str(addresses_each),
            },
            permissions=[
                Permission(
                    actions=["ec2:DescribeRouteTables", "ec2:DescribeSubnets"],
                    resources=["*"],
                    reason=_READS_ALL,
                )
            ],
        )

    @staticmethod
    def database(
        instance_identifier: str | None = None,
        *,
        cluster_identifier: str | None = None,
        endpoint: str | None = None,
        engine_version: str | None = None,
        security_group_ids: Sequence[str] = (),
    ) -> "PreflightCheck":
        """Ask whether a database of RDS is there, available, and PostgreSQL.

        Args:
            instance_identifier: The instance.
            cluster_identifier: The cluster, in place of an instance.
            endpoint: The name that tasks connect to. Where it is one of RDS, the identifier in it
                counts, because that of an imported database may be invented. Where RDS does not
                know the database, that is a warning then, unless there is no such name.
                Default: the identifier is believed.
            engine_version: The least version, such as `14` or `16.3`. Default: any.
            security_group_ids: Security groups that it must have. Default: any.

        Raises:
            ValueError: If an argument is malformed, or not one of instance and cluster is given.
        """
        check_texts("security_group_ids", security_group_ids, "security groups", may_be_empty=True)
        check_optional_text("instance_identifier", instance_identifier, "the name of an instance")
        check_optional_text("cluster_identifier", cluster_identifier, "the name of a cluster")
        check_optional_text("endpoint", endpoint, "the host name of a database")
        check_optional_text("engine_version", engine_version, "a version such as '16.3'")
        if (instance_identifier is None) == (cluster_identifier is None):
            raise ValueError(
                "database takes instance_identifier or cluster_identifier, one of both, got "
                f"{instance_identifier!r} and {cluster_identifier!r}"
            )
        name, is_cluster, region = instance_identifier, False, ""
        if cluster_identifier is not None:
            name, is_cluster = cluster_identifier, True
        found = None if endpoint is None else _RDS_ENDPOINT.fullmatch(endpoint)
        if found is not None:
            name, is_cluster, region = found["name"], bool(found["cluster"]), found["region"]
        kind, action = ("cluster", "Clusters") if is_cluster else ("db", "Instances")
        arn = f"arn:{Aws.PARTITION}:rds:{region or Aws.REGION}:{Aws.ACCOUNT_ID}:{kind}:{name}"
        arguments: dict[str, str | Sequence[str]] = {
            f"{'Cluster' if is_cluster else 'Instance'}Identifier": str(name),
            "SecurityGroupIds": list(security_group_ids),
        }
        told = {"Endpoint": endpoint, "EngineVersion": engine_version, "Region": region}
        arguments |= {argument: value for argument, value in told.items() if value}
        return PreflightCheck(
            kind="database",
            arguments=arguments,
            permissions=[Permission(actions=[f"rds:DescribeDB{action}"], resources=[arn])],
        )

    @staticmethod
    def cluster(cluster: ecs.ICluster, *, capacity_providers: Sequence[str]) -> "PreflightCheck":
        """Ask whether an ECS cluster is there, and offers capacity providers.

        Args:
            cluster: The cluster.
            capacity_providers: Their names, such as `FARGATE_SPOT`.

        Raises:
            ValueError: If an argument has the wrong type.
        """
        check_given(
            "cluster",
            cluster,
            "cluster_name",
            "aws_ecs.ICluster",
            "ecs.Cluster.from_cluster_arn(scope, id, arn)",
        )
        check_texts("capacity_providers", capacity_providers, "capacity providers")
        return PreflightCheck(
            kind="cluster",
            arguments={
                "Cluster": cluster.cluster_name,
                "CapacityProviders": list(capacity_providers),
            },
            permissions=[
                Permission(actions=["ecs:DescribeClusters"], resources=[cluster.cluster_arn])
            ],
        )

    @staticmethod
    def orderable_database(
        engine: Literal["postgres", "aurora-postgresql"],
        engine_version: str,
        instance_class: str,
        *,
        created: CfnResource | None = None,
    ) -> "PreflightCheck":
        """Ask whether RDS can create a database of a version and a size in the region.

        Args:
            engine: The engine.
            engine_version: The version, such as `17`, of which any minor one will do, or `17.9`.
            instance_class: The size, such as `db.t4g.micro`.
            created: The instance or the cluster of the stack. Where that is there already, it is a
                warning. Default: it is an error.

        Raises:
            ValueError: If an argument is empty or has the wrong type.
        """
        check_one_of("engine", engine, ("postgres", "aurora-postgresql"))
        check_text("engine_version", engine_version, "a version such as '17'")
        check_text("instance_class", instance_class, "a size such as 'db.t4g.micro'")
        arguments: dict[str, str] = {
            "Engine": engine,
            "EngineVersion": engine_version,
            "InstanceClass": instance_class,
        }
        permissions = [
            Permission(
                actions=["rds:DescribeOrderableDBInstanceOptions"],
                resources=["*"],
                reason=_READS_ALL,
            )
        ]
        if created is not None:
            arguments |= {"Resource": created.logical_id, "Stack": Aws.STACK_ID}
            permissions.append(_LISTING_STACK)
        return PreflightCheck(kind="database", arguments=arguments, permissions=permissions)

    @staticmethod
    def snapshot(
        arn: str, *, encrypts: bool = False, restored: CfnResource | None = None
    ) -> "PreflightCheck":
        """Ask whether a snapshot of RDS is there, and can be restored.

        Args:
            arn: Its ARN, of an instance or of a cluster.
            encrypts: Whether a cluster is restored with a KMS key, which encrypts it even where the
                snapshot is not encrypted. Default: false, and such a snapshot is an error.
            restored: The instance or the cluster of the stack that is restored. Where that is there
                already, a snapshot that is gone is a warning. Default: it is an error.

        Raises:
            ValueError: If an argument is malformed.
        """
        check_text("arn", arn, "the ARN of a snapshot")
        check_boolean("encrypts", encrypts)
        arguments: dict[str, str] = {"SnapshotArn": arn}
        permissions = [
            Permission(
                actions=["rds:DescribeDBClusterSnapshots", "rds:DescribeDBSnapshots"],
                resources=[arn],
            )
        ]
        if encrypts:
            arguments["Encrypts"] = "true"
        if restored is not None:
            arguments |= {"Resource": restored.logical_id, "Stack": Aws.STACK_ID}
            permissions.append(_LISTING_STACK)
        return PreflightCheck(kind="snapshot", arguments=arguments, permissions=permissions)

    @staticmethod
    def service_linked_roles(
        services: Sequence[str], *, created_by: str | None = None
    ) -> "PreflightCheck":
        """Ask whether services have the roles that they act with, or can create them.

        Args:
            services: The services, such as `ecs.amazonaws.com`.
            created_by: ARN of the role that the deployment creates resources with; where that may
                not create a missing role, it is an error. Default: a missing role is a warning.

        Raises:
            ValueError: If an argument is malformed.
        """
        check_texts("services", services, "services")
        check_optional_text("created_by", created_by, "the ARN of a role")
        roles = f"arn:{Aws.PARTITION}:iam::{Aws.ACCOUNT_ID}:role/"
        arguments: dict[str, str | Sequence[str]] = {"Services": list(services)}
        permissions = [
            Permission(
                actions=["iam:GetRole"],
                resources=[
                    *(f"{roles}aws-service-role/{service}/*" for service in services),
                    # A role that is not there has no path, and IAM says so only to who may ask.
                    f"{roles}AWSServiceRoleFor*",
                ],
                reason="The name of a service's own role is the service's to choose.",
            )
        ]
        if created_by is not None:
            arguments["RoleArn"] = created_by
            permissions.append(
                Permission(actions=["iam:SimulatePrincipalPolicy"], resources=[created_by])
            )
        return PreflightCheck(
            kind="service-linked-roles", arguments=arguments, permissions=permissions
        )

    @staticmethod
    def site_source(source: Mapping[str, str]) -> "PreflightCheck":
        """Ask whether the release, the tag or the image of a site is there.

        Args:
            source: `Type` (`release`, `git` or `image`), `Repository`, `Tag` and, where they are
                pinned, `Commit` and `Digest`.

        Raises:
            ValueError: If it is no mapping of texts, or an empty one.
        """
        if not isinstance(source, Mapping) or not source:
            raise ValueError(
                "source must be a mapping, such as {'Type': 'release', 'Repository': …, 'Tag': …}, "
                f"got {source!r}"
            )
        for name, value in source.items():
            # An empty one is as good as none.
            check_type(f"source[{name!r}]", value, str, "text")
        return PreflightCheck(kind="site-source", arguments={"Source": dict(source)})

    @staticmethod
    def function(
        function: lambda_.IFunction, question: Mapping[str, Any] | None = None
    ) -> "PreflightCheck":
        """Ask a Lambda function of your own, which answers with what it finds wrong.

        It is invoked with `{"version": 1, "check": "…", "question": {…}}`, where `check` is the id
        of the check, and answers with `{"findings": […]}`. A finding is
        `{"wrong": "…", "found": "…", "fix": "…"}`: the fault, the evidence (which may be left out),
        and the way out, each a sentence without a full stop; with `"severity": "warning"` it does
        not fail the deployment. It has the minute that all questions have. It must change nothing,
        because `galv-ops preflight` asks it too. One that fails or answers something else is like
        any question without an answer: see `when_needed`.

        A function of the same application is created before preflight asks, so it may need nothing
        that waits for the answers, such as the VPC of a new `GalvNetwork`. A deployment asks again
        when the question changes, not when the code does: pass `function.current_version` for that.

        Example:
            ```python
            check = PreflightCheck.function(licences, {"seats": 5})
            GalvPreflight.of(self).add_check("Licence", check)
            ```

        Args:
            function: The function, its alias or its version. Preflight may invoke it.
            question: What it is asked, as JSON has it. Default: nothing but the id of the check.

        Raises:
            ValueError: If an argument has the wrong type, or `question` holds what is no JSON.
        """
        check_given(
            "function",
            function,
            "function_arn",
            "aws_lambda.IFunction",
            "lambda_.Function.from_function_arn(scope, id, arn)",
        )
        if question is not None and not isinstance(question, Mapping):
            raise ValueError(
                f"question must be a mapping, such as {{'seats': 5}}, got {question!r}"
            )
        check_json("question", question or {})
        return PreflightCheck(
            kind="function",
            arguments={
                "FunctionArn": function.function_arn,
                "Question": Stack.of(function).to_json_string(dict(question or {})),
            },
            permissions=[
                Permission(actions=["lambda:InvokeFunction"], resources=[function.function_arn])
            ],
            waits_for=function,
        )

    def when_needed(self) -> "PreflightCheck":
        """Return the same question, whose missing answer fails the deployment."""
        return replace(self, arguments={**self.arguments, "Needed": "true"})


def _counting(quota: str) -> Sequence[Permission]:
    """Return what counts what an account has of a quota."""
    action = _COUNTED_BY[quota]
    if not action:
        return []
    if action.startswith("rds:"):
        # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonrds.html
        all_instances = f"arn:{Aws.PARTITION}:rds:{Aws.REGION}:{Aws.ACCOUNT_ID}:db:*"
        reason = "Preflight counts the instances of the account, and changes nothing."
        return [Permission(actions=[action], resources=[all_instances], reason=reason)]
    return [Permission(actions=[action], resources=["*"], reason=_READS_ALL)]


def _check_zone(zone: route53.IHostedZone) -> None:
    check_given(
        "zone",
        zone,
        "hosted_zone_id",
        "aws_route53.IHostedZone",
        "route53.HostedZone.from_lookup(scope, id, domain_name=…)",
    )


def _zone_arn(zone: route53.IHostedZone) -> str:
    return f"arn:{Aws.PARTITION}:route53:::hostedzone/{zone.hosted_zone_id}"


def _decrypting(secret_arn: str, key_arn: str) -> Permission:
    """Return what lets Secrets Manager decrypt one secret, and nothing else, with a key.

    https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
    """
    service = f"secretsmanager.{Aws.REGION}.amazonaws.com"
    return Permission(
        actions=["kms:Decrypt"],
        resources=[key_arn],
        conditions={
            "StringEquals": {"kms:ViaService": service},
            "StringLike": {"kms:EncryptionContext:SecretARN": [secret_arn, f"{secret_arn}-??????"]},
        },
    )


def _reading_secret(arn: str) -> Permission:
    # Without what Secrets Manager adds to a name, where it was imported by its name.
    return Permission(actions=[READ_SECRET], resources=[arn, f"{arn}-??????"])
