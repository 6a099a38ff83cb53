"""Faults of the world that a preflight finds: one for each kind of question, and some more."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from aws_cdk import CfnParameter, Stack, aws_ecs
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_route53 as route53
from e2e.app import DOMAIN, Application
from e2e.cloud import ACCOUNT, GHCR, REGION
from e2e.world import SITE, World

from galv_constructs import PreflightCheck

_PART = f"part.{DOMAIN}"


@dataclass(kw_only=True)
class Fault:
    """A question, and what makes its answer a bad one: at first everything is well."""

    kind: str

    check: Callable[[Stack], PreflightCheck]
    """The question, in a stack."""

    says: tuple[str, ...]
    """What the reason has to say."""

    make: Callable[[], object]

    mend: Callable[[], object]
    """Does what the reason says."""

    clean: Callable[[], object] = lambda: None
    """Removes what is left."""

    parameters: dict[str, str] = field(default_factory=dict)
    """Parameters of the stack, which `make` and `mend` may change."""


def _zone(stack: Stack, name: str, id: str) -> route53.IHostedZone:
    return route53.HostedZone.from_hosted_zone_attributes(
        stack, name, hosted_zone_id=id, zone_name=DOMAIN
    )


def _parameter(stack: Stack, name: str) -> str:
    return CfnParameter(stack, name).value_as_string


def _certificate(stack: Stack, name: str, region: str | None = None) -> PreflightCheck:
    imported = acm.Certificate.from_certificate_arn(stack, f"{name}It", _parameter(stack, name))
    return PreflightCheck.certificate(imported, [SITE], region=region)


def _image(world: World) -> Fault:
    repository, parameters = "galv-team/asked", {"Tag": "v1"}
    pusher = world.cloud.pusher()
    pusher.image(repository, "v1", "amd64")

    def clean() -> None:
        parameters.update(Tag="v1")

    return Fault(
        kind="image",
        check=lambda stack: PreflightCheck.image(f"{GHCR}/{repository}:{_parameter(stack, 'Tag')}"),
        says=(f"the image {GHCR}/{repository}:v2 does not exist",),
        make=lambda: parameters.update(Tag="v2"),
        mend=lambda: pusher.image(repository, "v2", "amd64"),
        clean=clean,
        parameters=parameters,
    )


def _secret(world: World) -> Fault:
    secrets = world.cloud.client("secretsmanager")
    arn = secrets.create_secret(Name="asked", SecretString='{"TOKEN": "x"}')["ARN"]

    def put(**values: str) -> None:
        secrets.put_secret_value(SecretId=arn, SecretString=json.dumps(values))

    return Fault(
        kind="secret",
        check=lambda _: PreflightCheck.secret(arn, keys=["TOKEN"]),
        says=("TOKEN",),
        make=lambda: put(OTHER="x"),
        mend=lambda: put(TOKEN="x"),
    )


def _private_zone(world: World) -> Fault:
    where = {"VPCRegion": REGION, "VPCId": world.vpc("10.19")}
    private, _ = world.new_zone(f"inside.{DOMAIN}", VPC=where)
    parameters = {"HostedZone": world.zone}
    return Fault(
        kind="hosted-zone",
        check=lambda stack: PreflightCheck.hosted_zone(
            _zone(stack, "Private", _parameter(stack, "HostedZone")),
            [f"www.inside.{DOMAIN}"],
            certificate=True,
        ),
        says=(f"the hosted zone inside.{DOMAIN} is private",),
        make=lambda: parameters.update(HostedZone=private),
        mend=lambda: parameters.update(HostedZone=world.zone),
        parameters=parameters,
    )


def _foreign_servers(world: World) -> Fault:
    id, own = world.new_zone(_PART)
    world.record("CREATE", _PART, "NS", *own)
    foreign = "ns1.elsewhere.example.", "ns2.elsewhere.example."
    return Fault(
        kind="hosted-zone",
        check=lambda stack: PreflightCheck.hosted_zone(
            _zone(stack, "Part", id), [f"www.{_PART}"], certificate=True
        ),
        says=(f"the world asks other name servers for {_PART}", foreign[0][:-1], own[0][:-1]),
        make=lambda: world.record("UPSERT", _PART, "NS", *foreign),
        mend=lambda: world.record("UPSERT", _PART, "NS", *own),
    )


def _authority(world: World) -> Fault:
    record = f"closed.{DOMAIN}", "CAA", '0 issue "letsencrypt.org"'
    return Fault(
        kind="hosted-zone",
        check=lambda stack: PreflightCheck.hosted_zone(
            _zone(stack, "Closed", world.zone), [f"www.closed.{DOMAIN}"], certificate=True
        ),
        says=("CAA records forbid Amazon", "0 issue letsencrypt.org"),
        make=lambda: world.record("CREATE", *record),
        mend=lambda: world.record("DELETE", *record),
    )


def _record(world: World) -> Fault:
    record = f"taken.{DOMAIN}", "A", "192.0.2.1"
    return Fault(
        kind="records",
        check=lambda stack: PreflightCheck.records(_zone(stack, "Taken", world.zone), [record[0]]),
        says=(f"{record[0]} has a record",),
        make=lambda: world.record("CREATE", *record),
        mend=lambda: world.record("DELETE", *record),
    )


def _pending_certificate(world: World) -> Fault:
    client, issued = world.cloud.client("acm"), world.certificate(REGION)
    parameters = {"Pending": issued}
    pending = world.certificate(REGION, ValidationMethod="DNS")
    found = client.describe_certificate(CertificateArn=pending)["Certificate"]
    option = found["DomainValidationOptions"][0]["ResourceRecord"]
    record = option["Name"], option["Type"], option["Value"]

    def clean() -> None:
        parameters.update(Pending=issued)
        world.record("DELETE", *record)

    return Fault(
        kind="certificate",
        check=lambda stack: _certificate(stack, "Pending"),
        says=(f"the certificate {pending} is not issued", "PENDING_VALIDATION"),
        make=lambda: parameters.update(Pending=pending),
        mend=lambda: world.record("CREATE", *record),
        clean=clean,
        parameters=parameters,
    )


def _certificate_elsewhere(world: World) -> Fault:
    here, there = world.certificate(REGION), world.certificate("us-east-1")
    parameters = {"Elsewhere": there}
    return Fault(
        kind="certificate",
        check=lambda stack: _certificate(stack, "Elsewhere", "us-east-1"),
        says=("is in another region", f"it is in {REGION}, and is used in us-east-1"),
        make=lambda: parameters.update(Elsewhere=here),
        mend=lambda: parameters.update(Elsewhere=there),
        parameters=parameters,
    )


def _tag(world: World) -> Fault:
    site = Application(world.cloud, "tagged")
    # Older than any other, for tests that deploy the newest.
    site.publish_frontend("v0.0.1")
    site.publish_frontend("v0.0.2")
    source = {
        "Type": "git",
        "Repository": "https://github.com/galv-team/galv-frontend",
        "Tag": "v0.0.2",
    }
    return Fault(
        kind="site-source",
        check=lambda _: PreflightCheck.site_source(source),
        says=("galv-frontend has no tag v0.0.2",),
        make=lambda: site.withdraw_frontend("v0.0.2"),
        mend=lambda: site.publish_frontend("v0.0.2"),
    )


def _identity(world: World) -> Fault:
    ses, domain = world.cloud.client("sesv2"), f"taken.{DOMAIN}"
    return Fault(
        kind="mail-identity",
        check=lambda _: PreflightCheck.mail_identity(domain),
        says=(f"the SES identity {domain} exists already",),
        make=lambda: ses.create_email_identity(EmailIdentity=domain),
        mend=lambda: ses.delete_email_identity(EmailIdentity=domain),
    )


def _quota(world: World) -> Fault:
    quotas = world.cloud.client("service-quotas")
    which = {"ServiceCode": "codebuild", "QuotaCode": "L-2DC20C30"}
    return Fault(
        kind="quotas",
        check=lambda _: PreflightCheck.quota("codebuild"),
        says=("the quota is 0", "codebuild --quota-code L-2DC20C30 --desired-value 1 "),
        make=lambda: quotas.request_service_quota_increase(**which, DesiredValue=0),
        mend=lambda: quotas.request_service_quota_increase(**which, DesiredValue=1),
    )


def _route(world: World) -> Fault:
    ec2, vpc = world.cloud.client("ec2"), world.vpc("10.20")
    subnet = world.subnet(vpc, "10.20.0.0/24")
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    (table,) = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])[
        "RouteTables"
    ]
    which = {"RouteTableId": table["RouteTableId"], "DestinationCidrBlock": "0.0.0.0/0"}
    ec2.create_route(**which, GatewayId=gateway)
    return Fault(
        kind="subnets",
        check=lambda _: PreflightCheck.subnets(vpc, [subnet], route="internet"),
        says=(f"the subnet {subnet} has no route to the internet",),
        make=lambda: ec2.delete_route(**which),
        mend=lambda: ec2.create_route(**which, GatewayId=gateway),
    )


def _addresses(world: World) -> Fault:
    vpc = world.vpc("10.21")
    small, large = world.subnet(vpc, "10.21.0.0/28"), world.subnet(vpc, "10.21.1.0/24")
    parameters = {"Subnet": large}
    return Fault(
        kind="subnets",
        check=lambda stack: PreflightCheck.subnets(
            vpc, [_parameter(stack, "Subnet")], route="none", addresses_each=20
        ),
        says=("fewer than 20 addresses left", f"{small} has 11"),
        make=lambda: parameters.update(Subnet=small),
        mend=lambda: parameters.update(Subnet=large),
        parameters=parameters,
    )


def _database(world: World) -> Fault:
    rds, which = world.database("asked"), {"DBInstanceIdentifier": "asked"}
    return Fault(
        kind="database",
        check=lambda _: PreflightCheck.database("asked"),
        says=("the database asked is not available", "its status is stopped"),
        make=lambda: rds.stop_db_instance(**which),
        mend=lambda: rds.start_db_instance(**which),
    )


def _snapshot(world: World) -> Fault:
    rds, which = world.database("saved"), {"DBSnapshotIdentifier": "kept"}
    arn = f"arn:aws:rds:{REGION}:{ACCOUNT}:snapshot:kept"

    def create() -> None:
        rds.create_db_snapshot(**which, DBInstanceIdentifier="saved")
        rds.get_waiter("db_snapshot_available").wait(**which, WaiterConfig={"Delay": 1})

    create()
    return Fault(
        kind="snapshot",
        check=lambda _: PreflightCheck.snapshot(arn),
        says=(f"the snapshot {arn} does not exist",),
        make=lambda: rds.delete_db_snapshot(**which),
        mend=create,
    )


def _cluster(world: World) -> Fault:
    ecs, offered = world.cloud.client("ecs"), ["FARGATE", "FARGATE_SPOT"]
    arn = ecs.create_cluster(clusterName="given", capacityProviders=offered)["cluster"][
        "clusterArn"
    ]

    def offer(*providers: str) -> None:
        ecs.put_cluster_capacity_providers(
            cluster="given", capacityProviders=providers, defaultCapacityProviderStrategy=[]
        )

    return Fault(
        kind="cluster",
        check=lambda stack: PreflightCheck.cluster(
            aws_ecs.Cluster.from_cluster_arn(stack, "GivenCluster", arn),
            capacity_providers=["FARGATE_SPOT"],
        ),
        says=("the cluster given does not offer FARGATE_SPOT", "it offers FARGATE"),
        make=lambda: offer("FARGATE"),
        mend=lambda: offer(*offered),
    )


def _role(world: World) -> Fault:
    iam, service = world.cloud.client("iam"), "rds.amazonaws.com"
    name = f"cdk-hnb659fds-cfn-exec-role-{ACCOUNT}-{REGION}"
    arn, policy = f"arn:aws:iam::{ACCOUNT}:role/{name}", {"RoleName": name, "PolicyName": "denied"}
    action = "iam:CreateServiceLinkedRole"
    statement = {"Effect": "Deny", "Action": action, "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})

    def clean() -> None:
        iam.delete_role_policy(**policy)
        iam.delete_service_linked_role(RoleName="AWSServiceRoleForRDS")

    return Fault(
        kind="service-linked-roles",
        check=lambda _: PreflightCheck.service_linked_roles([service], created_by=arn),
        says=("the role AWSServiceRoleForRDS does not exist, and cannot be created", action),
        make=lambda: iam.put_role_policy(**policy, PolicyDocument=document),
        mend=lambda: iam.create_service_linked_role(AWSServiceName=service),
        clean=clean,
    )


FAULTS: Mapping[str, Callable[[World], Fault]] = {
    "MissingImage": _image,
    "SecretWithoutKey": _secret,
    "PrivateZone": _private_zone,
    "ForeignServers": _foreign_servers,
    "ForbiddenAuthority": _authority,
    "TakenRecord": _record,
    "PendingCertificate": _pending_certificate,
    "CertificateElsewhere": _certificate_elsewhere,
    "MissingTag": _tag,
    "TakenIdentity": _identity,
    "NoQuota": _quota,
    "NoRoute": _route,
    "NoAddresses": _addresses,
    "StoppedDatabase": _database,
    "MissingSnapshot": _snapshot,
    "ClusterWithoutSpot": _cluster,
    "ForbiddenRole": _role,
}
