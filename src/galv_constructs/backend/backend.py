"""The Galv backend: the Django API and everything that it stands on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Literal

import jsii
from aws_cdk import Annotations, Duration, Size, Stack
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from constructs import Construct

from galv_constructs._core.alarms import check_told
from galv_constructs._core.content_policy import api_policy, check_policy_additions
from galv_constructs._core.host_names import claim_host_names
from galv_constructs._core.logs import log_group_prefix
from galv_constructs._core.placement import check_key, check_place, check_secrets_place
from galv_constructs._core.policy import DeploymentPolicy, check_switches
from galv_constructs._core.protection import Protection
from galv_constructs._core.regions import CLOUDFRONT, check_services, known_region, s3_endpoint
from galv_constructs._core.release_tag import LATEST
from galv_constructs._core.validation import (
    check_duration,
    check_fargate_size,
    check_user,
    check_variables,
)
from galv_constructs.backend._cluster import Cluster, check_network
from galv_constructs.backend._container import entry_point
from galv_constructs.backend._data_bucket import (
    check_media_bucket,
    data_bucket,
    grant_data_access,
    grant_read_access,
)
from galv_constructs.backend._environment import (
    DEFAULT_LAB_STORAGE_QUOTA,
    RESERVED_VARIABLES,
    SUPERUSER_PASSWORD,
    BackendVariables,
    check_names,
    check_quota,
    check_secret_sources,
)
from galv_constructs.backend._host import own_host, shared_host
from galv_constructs.backend._media_key import check_media_key, uploads_key
from galv_constructs.backend._migrations import (
    PLAN_STEP,
    check_destructive,
    destructive_variable,
)
from galv_constructs.backend._needs import (
    ask_for_account,
    ask_for_database,
    ask_for_names,
    ask_for_tasks,
)
from galv_constructs.backend._rollback_alarms import add_rollback_alarms
from galv_constructs.backend._secret_reads import SecretReads
from galv_constructs.backend._secrets import ApplicationSecrets
from galv_constructs.backend._shared import check_load_balancer, check_same_vpc, network_beside
from galv_constructs.backend._sign_ins import SignIns
from galv_constructs.backend._static_assets import StaticAssets
from galv_constructs.backend._web_service import (
    WebService,
    check_capacity,
    default_drain,
    default_workers,
)
from galv_constructs.database._access import (
    check_database,
    has_certificates,
    provide_database,
)
from galv_constructs.database._authority import check_authority
from galv_constructs.database._connections import warn_of_connections
from galv_constructs.database._owner import DatabaseOwner
from galv_constructs.database._owner import setup_steps as owner_steps
from galv_constructs.database._restore_point import add_restore_point, check_restore_point
from galv_constructs.database.database import GalvDatabase
from galv_constructs.database.interface import IGalvDatabase
from galv_constructs.images._galv_image import galv_image
from galv_constructs.images._image import Architecture, check_architecture, check_image
from galv_constructs.images.mirrored_image import MirroredImage
from galv_constructs.load_balancer._access import check_access, check_vpc_range
from galv_constructs.load_balancer._resource import LoadBalancer
from galv_constructs.load_balancer.load_balancer import IGalvLoadBalancer
from galv_constructs.log_bucket._delivery import check_access_logs
from galv_constructs.log_bucket.log_bucket import GalvLogBucket
from galv_constructs.mail.mail import GalvMail, IGalvMail, check_mail
from galv_constructs.network import GalvNetwork, IGalvNetwork, selected_task_subnets
from galv_constructs.preflight._needs import Needs, check_preflight
from galv_constructs.tasks._release_run import LONGEST_TIMEOUT
from galv_constructs.tasks._status_check import StatusCheck, check_status_check
from galv_constructs.tasks.release_steps import ReleaseStep, check_steps
from galv_constructs.tasks.release_task import GalvReleaseTask
from galv_constructs.tasks.runtime import TaskRuntime
from galv_constructs.web_acl.web_acl import GalvWebAcl, check_web_acl

_MANAGE = ("python", "manage.py")

DEFAULT_SETUP_STEPS: Sequence[ReleaseStep] = (
    PLAN_STEP,
    ReleaseStep(name="migrate", command=[*_MANAGE, "migrate", "--no-input"]),
    ReleaseStep(name="create_superuser", command=[*_MANAGE, "create_superuser", "--no-input"]),
    ReleaseStep(
        name="loaddata",
        command=[*_MANAGE, "loaddata", "galv/fixtures/*"],
        first_release_only=True,
    ),
    ReleaseStep(name="collectstatic", command=[*_MANAGE, "collectstatic", "--no-input"]),
)
"""The steps of `GalvBackend`'s setup task unless others are given."""


@jsii.implements(iam.IGrantable, ec2.IConnectable)
class GalvBackend(Construct):
    """The Galv API on ECS Fargate, with load balancer, database, buckets and secrets.

    Defines, unless given: a VPC (`GalvNetwork`); an ECS cluster; a Fargate service behind an
    Application Load Balancer that answers HTTPS for `domain_name`, and other names with 421, with a
    web ACL (`GalvWebAcl`); its certificate and DNS record; RDS for PostgreSQL (`GalvDatabase`); a
    bucket for uploads; a bucket for static files and the CloudFront distribution that serves them;
    a bucket for access logs (`GalvLogBucket`); generated secrets; a log group for each task; and a
    copy of Galv's image in Amazon ECR (`MirroredImage`), which all tasks run by its digest.

    Where defaults differ from CDK's: everything is encrypted and only TLS is spoken; the database
    is PostgreSQL 17 on db.t4g.micro with gp3 storage; deployments that fail roll back; root file
    systems are read-only; and in production (the default) the database has a standby, refuses to
    be deleted and leaves a last snapshot, and buckets, secrets and logs outlive the stack.

    What costs money while idle: the network, the load balancer with its two addresses, its web
    ACL, the tasks and the database. The sums are in the project's `docs/costs.md`.

    As an `iam.IGrantable` it is the web service's task role, as an `ec2.IConnectable` the web
    service's security group.

    Example:
        ```python
        backend = GalvBackend(
            self,
            "Backend",
            domain_name="api.example.com",
            hosted_zone=zone,
            frontend_domain_names=["app.example.com"],
            version="v2.11.4",
        )
        reports_bucket.grant_read(backend)
        ```
    """

    # `Protection` closes that of the database with that of the load balancer.
    _protects_databases = True

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        domain_name: str,
        hosted_zone: route53.IHostedZone | None = None,
        certificate: acm.ICertificate | None = None,
        root_domain_name: str | None = None,
        frontend_domain_names: Sequence[str] | None = None,
        mail: IGalvMail | None = None,
        version: str | None = None,
        image: ecs.ContainerImage | None = None,
        mirror_image: bool = True,
        latest_as_of: date | None = None,
        architecture: Architecture = "X86_64",
        user: str | None = None,
        registry_credentials: secretsmanager.ISecret | None = None,
        environment: Mapping[str, str] | None = None,
        secrets: Mapping[str, ecs.Secret] | None = None,
        cpu: int = 512,
        memory_limit_mib: int = 1024,
        ephemeral_storage_gib: int | None = None,
        spot: bool = False,
        workers: int | None = None,
        threads: int = 4,
        min_tasks: int = 1,
        max_tasks: int = 4,
        request_timeout: Duration | None = None,
        deregistration_delay: Duration | None = None,
        lab_storage_quota: Size | None = None,
        setup_steps: Sequence[ReleaseStep] | None = None,
        allow_destructive_migrations: bool | Sequence[str] = True,
        snapshot_before_setup: bool | None = None,
        rollback_alarms: bool = False,
        setup_timeout: Duration | None = None,
        setup_cpu: int = 512,
        setup_memory_limit_mib: int = 1024,
        check_status_command: Sequence[str] | None = None,
        check_status: Literal["off", "warn", "fail"] = "off",
        network: IGalvNetwork | None = None,
        cluster: ecs.ICluster | None = None,
        load_balancer: IGalvLoadBalancer | None = None,
        rule_priority: int | None = None,
        internet_facing: bool = True,
        allowed_cidrs: Sequence[str] | None = None,
        database: IGalvDatabase | Callable[..., IGalvDatabase] | None = None,
        media_bucket: s3.IBucket | None = None,
        media_key: kms.IKey | bool | None = None,
        log_bucket: s3.IBucket | None = None,
        access_logs: bool = True,
        web_acl_arn: str | None = None,
        web_acl: bool = True,
        admin_cidrs: Sequence[str] | None = None,
        alarm_topic: sns.ITopic | None = None,
        alarm_on_secret_reads: bool = False,
        alarm_on_superuser_sign_in: bool = False,
        content_security_policy: Mapping[str, Sequence[str]] | None = None,
        encryption_key: kms.IKey | None = None,
        production: bool = True,
        removal_protection: bool | None = None,
        deletion_protection: bool | None = None,
        execute_command: bool | None = None,
        container_insights: bool | None = None,
        preflight: bool | Sequence[str] = True,
    ) -> None:
        """Define the backend.

        Args:
            scope: Parent of this construct.
            id: Id of this construct in its parent.
            domain_name: Host name of the API, such as `api.example.com`.
            hosted_zone: Route 53 zone that `domain_name` is in: the certificate is validated and
                the alias record created there. Give either this or `certificate`.
            certificate: Certificate for `domain_name` in the region of the stack, for a domain
                outside Route 53. You create a CNAME from `domain_name` to
                `load_balancer_dns_name` yourself.
            root_domain_name: Domain that identifiers in RDF output are under. Default: the name
                of `hosted_zone`, otherwise `domain_name` without its first label.
            frontend_domain_names: Host names of the frontends that may call the API and read
                uploads from the browser. Default: none but the API's own pages.
            mail: How mail is sent: a `GalvMail` in the stack of the backend, or
                `GalvMail.from_secret(…)`. Default: not at all, with a warning.
            version: Tag of the image `ghcr.io/galv-team/galv-backend`, such as `v2.11.4`, from
                `v2.11.3`. The `v` of a release may be left out. With its digest,
                `v2.11.4@sha256:…`, a deployment runs that very image or fails. Default: `latest`,
                the newest one on the day of the deployment, with a warning in production.
            image: Image to run instead, from ECR, another registry or a local build. Tasks pull it
                from where it is. Give either this or `version`.
            mirror_image: Whether a deployment copies the image of `version` to an ECR repository of
                its own, which tasks pull it from. When it is false, each task that starts pulls it
                from GHCR, and runs what the tag is then. Default: true.
            latest_as_of: The day that `latest` is of. Deployments of one day run the same image,
                which is found once, by the first of them; the day of an earlier deployment is how
                to run its image again. Default: the day of the synthesis, in UTC.
            architecture: Processor architecture that `image` is built for: `X86_64`, which is all
                that Galv publishes, or `ARM64`. Default: `X86_64`.
            user: User, or `user:group`, that runs the containers, for an `image` whose `USER` is
                not root: a container of the same image first lets any user write to `/tmp` and
                `/var/log/galv`, as root with `chmod`. Default: the image's own.
            registry_credentials: Secret with `username` and `password` for GHCR, where the image
                is not public. The function that copies the image reads it, or with
                `mirror_image=False` each task. Default: none are used.
            environment: Variables for every task, in addition to those that this construct sets.
                Names that it sets are refused. Default: none.
            secrets: Variables from Secrets Manager for every task. Default: none.
            cpu: CPU units of a web task; 1024 is one vCPU. Default: 512.
            memory_limit_mib: Memory of a web task in MiB. Default: 1024.
            ephemeral_storage_gib: Disk of a web task in GiB, from 21 to 200, on which uploads are
                while they come in. Default: 20 GiB, which Fargate charges nothing for.
            spot: Whether web tasks are on Fargate Spot, for up to 70% less, which takes
                `production=False`: AWS may stop one with two minutes' notice, and start another
                only when it has room. Changing it replaces the service. A `cluster` that was
                imported has to offer it. Setup and the check are never on Spot. Default: false.
            workers: gunicorn workers in a web task. Default: as many as it has room for, two with
                the default size.
            threads: Threads of a worker, each of which answers one request at a time and may hold
                a connection to the database. nginx, where the image has it, takes uploads whole
                before a thread sees them. Default: 4.
            min_tasks: Minimum number of web tasks. With one, the API is away for a minute or two
                when the task or its Availability Zone fails. Default: 1.
            max_tasks: Maximum number of web tasks. A warning says so when they may open more
                connections than the database allows. Default: 4.
            request_timeout: How long Galv may take to answer, and a client may be silent, in whole
                seconds from 30 to 3600: the idle timeout of the load balancer, and the timeouts of
                nginx and gunicorn. An upload that goes on may take longer. Default: 2 minutes.
            deregistration_delay: How long requests may go on when a deployment or scaling stops
                their task, in whole seconds from `request_timeout` to 3600; it stops as soon as
                there are none. It gets 120 seconds more to end. Default: 15 minutes, or
                `request_timeout` if that is longer.
            lab_storage_quota: How much each new laboratory may store in the media bucket; beyond
                it uploads are refused with 507. A laboratory that exists keeps its quota.
                Default: 5 GiB.
            setup_steps: Commands of the setup task. It runs them before the web service changes, in
                every deployment that changes its image or environment. Default:
                `DEFAULT_SETUP_STEPS`: tell which migrations lose data, migrate, create the
                superuser, load the fixtures (until the first deployment has succeeded, as that
                resets demonstration rows), collect static files.
            allow_destructive_migrations: Whether setup carries out migrations that lose data: they
                drop tables or columns, narrow types, or change data without a way back. With
                `False` it refuses them before it changes anything, and the deployment fails and
                says which and why. A list allows those alone that it names, such as
                `["galv.0043_remove_note"]`. Default: `True`; the log of setup names them.
            snapshot_before_setup: Whether a deployment with another image makes a snapshot of the
                database before setup runs, and fails before anything has changed where there is
                none within `setup_timeout`. The newest five are kept, also when the stack is
                deleted. Default: the same as `production`; none for a database that is known by
                its host name alone (`GalvDatabase.from_attributes`).
            rollback_alarms: Whether ECS takes a deployment of the web service back while many
                answers are 5xx or a task is unhealthy. Migrations stay applied, and the first
                deployment has nothing to go back to. Costs two alarms. Default: `False`; a
                deployment is taken back only where new tasks do not become healthy.
            setup_timeout: How long setup may take, from 1 to 55 minutes. Default: 15 minutes.
            setup_cpu: CPU units of the setup task. Default: 512.
            setup_memory_limit_mib: Memory of the setup task in MiB, for a migration that needs
                more. Default: 1024.
            check_status_command: Command of the task that checks connections.
                Default: `python manage.py check_status`, Galv's own or, in an image that has
                none, this library's.
            check_status: Whether that task runs at the end of each deployment that changes
                something in the stack: `fail` fails the deployment with it, `warn` only says so in
                the log of the run. A change made with `add_override` or `add_property_override`
                alone is not noticed, nor one in another stack. Default: `off`; the task definition
                is there to be run by hand.
            network: VPC and subnets: a `GalvNetwork`, or `GalvNetwork.from_vpc(…)`. Default: the
                VPC of `cluster`, otherwise a new `GalvNetwork` with one NAT gateway.
            cluster: ECS cluster. Default: a new one.
            load_balancer: Load balancer to share with other backends and services: a
                `GalvLoadBalancer`, or `GalvLoadBalancer.from_listener(…)`. A certificate for
                `domain_name` is added to it unless it has one. Default: one of its own. Changing
                between the two creates the one before it deletes the other.
            rule_priority: Number of the rule for `domain_name` at `load_balancer`, from 1 to
                50000, which no other rule of its listener has. Default: one from 1000 to 49999
                that is worked out from `domain_name`.
            internet_facing: Whether the new load balancer has public addresses. If not, it is in
                the subnets of the tasks, and `domain_name` leads to private addresses: browsers
                need a way into the VPC, such as a VPN. Changing it replaces the load balancer,
                for which `deletion_protection` has to be off. Default: true.
            allowed_cidrs: IPv4 and IPv6 ranges that may reach the new load balancer, 30 of each at
                most; `[]` is nobody but what you allow in `load_balancer_security_group`.
                Default: everybody, or where it is not internet-facing the VPC.
            database: A `GalvDatabase`, or what its `from_instance`, `from_cluster`,
                `from_attributes` or `add_database` returns. Or how to create one at the path of the
                backend, with its network, `encryption_key`, policy and `preflight`:
                `functools.partial(GalvDatabase, instance_type=ec2.InstanceType("t4g.small"))`, or
                `GalvDatabaseCluster`. Default: a `GalvDatabase` with its defaults. Changing between
                these three moves no data.
            media_bucket: Bucket for uploads. Its object ownership must be
                `BUCKET_OWNER_PREFERRED` and its CORS rules must allow GET and HEAD from the
                frontends. Default: a new one.
            media_key: KMS key for the uploads in the new media bucket alone, before
                `encryption_key`. True creates one, which rotates once a year, is kept as long as
                the bucket, and which CDK's lookup role may not use; it costs $1 a month. The
                policy of a key that you give is yours to write. Default: `encryption_key`,
                otherwise keys that S3 owns.
            log_bucket: Bucket for access logs, such as `GalvLogBucket.bucket`. Another one needs
                the same policy, access control lists, and a name that starts with `aws-waf-logs-`.
                Default: that of a new `GalvLogBucket`.
            access_logs: Whether requests are logged: to the load balancer and the web ACL, to new
                buckets, to the distribution of static files, and flows in a new VPC. A `network`
                that is given logs to the bucket that it was given. Default: true.
            web_acl_arn: ARN of a regional WAFv2 web ACL for the load balancer, such as
                `GalvWebAcl.web_acl_arn`. Default: that of a new `GalvWebAcl`.
            web_acl: Whether the load balancer has a web ACL. Default: true.
            admin_cidrs: IPv4 and IPv6 ranges that may use Django's admin, everything below
                `/admin/`; `[]` is nobody. The new web ACL blocks others. Default: all addresses.
            alarm_topic: SNS topic that is told when the new web ACL blocks requests with passwords
                or codes; CloudWatch must be allowed to use the key of an encrypted one.
                Default: nobody is told.
            alarm_on_secret_reads: Whether `alarm_topic` is also told when somebody else than
                tasks of this stack reads the credentials of the database, Django's secret key, the
                superuser's password or the credentials of a `GalvMail`, who it is, and from where.
                The account needs a trail in CloudTrail; EventBridge must be allowed to publish to
                an imported topic. Reads by CloudFormation are not told. Default: nobody is told.
            alarm_on_superuser_sign_in: Whether `alarm_topic` is also told when a superuser of Galv
                signs in, in the admin or for a token of the API: an alarm on the web service's
                log, for $0.40 a month. Default: nobody is told.
            content_security_policy: Sources to add to the directives of the content security
                policy of the API's pages, such as `{"img-src": ["https://tiles.example.org"]}`.
                Default: what Django's admin, the browsable API, Swagger and Redoc need.
            encryption_key: KMS key for the database, the new media bucket, the image's copy,
                generated secrets and logs. The policy of an imported key must let CloudWatch Logs
                use it. Setting or changing it later replaces the database. Default: keys that AWS
                owns or manages, which cost nothing.
            production: Whether people rely on this deployment: a standby for the database, longer
                backups and logs, Container Insights, no ECS Exec. Default: true.
            removal_protection: Whether data outlives the stack: buckets, secrets and logs are
                kept, and the database leaves a snapshot. Default: the same as `production`.
            deletion_protection: Whether the new database and the new load balancer refuse to be
                deleted, and with them the stack, once a deployment has succeeded. Turn it off and
                deploy before you delete the stack. Default: the same as `removal_protection`.
            execute_command: Whether ECS Exec can open a shell in the web container, which makes
                its root file system writable. Default: only outside production.
            container_insights: Whether the new cluster reports Container Insights. Default: only
                in production.
            preflight: Whether a deployment first asks for what the backend needs, and creates
                nothing that takes minutes before it has the answers: see `GalvPreflight`. A
                list leaves out checks, by their kinds or ids, such as
                `["quotas", "Backend/Image"]`. Default: true.

        Raises:
            ValueError: If an argument is malformed, out of range, or contradicts another one.
        """
        check_names(domain_name, root_domain_name, frontend_domain_names)
        check_load_balancer(
            scope,
            load_balancer,
            domain_name=domain_name,
            hosted_zone=hosted_zone,
            certificate=certificate,
            rule_priority=rule_priority,
            request_timeout=request_timeout,
            its_own={
                "internet_facing": None if internet_facing is True else internet_facing,
                "allowed_cidrs": allowed_cidrs,
                "web_acl_arn": web_acl_arn,
                "web_acl": None if web_acl is True else web_acl,
                "admin_cidrs": admin_cidrs,
                "content_security_policy": content_security_policy,
                "alarm_topic": None
                if alarm_on_secret_reads or alarm_on_superuser_sign_in
                else alarm_topic,
            },
        )
        check_access(internet_facing, allowed_cidrs)
        check_place(scope, "certificate", certificate)
        factory = GalvDatabase if database is None else database
        creates_database = callable(factory)
        network = network_beside(load_balancer, network, cluster)
        vpc = check_network(
            scope,
            network,
            cluster,
            creates_database=creates_database,
            internet_facing=internet_facing if load_balancer is None else None,
        )
        check_vpc_range(
            "cluster" if network is None else "network",
            vpc,
            internet_facing=internet_facing if load_balancer is None else None,
            allowed_cidrs=allowed_cidrs,
        )
        check_same_vpc(load_balancer, vpc)
        check_image(
            scope,
            version,
            image,
            mirror_image=mirror_image,
            latest_as_of=latest_as_of,
            registry_credentials=registry_credentials,
            network=network,
        )
        check_architecture(image, architecture)
        check_user("user", user)
        check_variables(environment or {}, secrets or {}, RESERVED_VARIABLES)
        check_secrets_place(scope, secrets)
        check_secret_sources(secrets, network)
        check_capacity(
            cpu=cpu,
            memory_limit_mib=memory_limit_mib,
            ephemeral_storage_gib=ephemeral_storage_gib,
            spot=spot,
            production=production,
            workers=workers,
            threads=threads,
            min_tasks=min_tasks,
            max_tasks=max_tasks,
            request_timeout=request_timeout,
            deregistration_delay=deregistration_delay,
        )
        check_quota(lab_storage_quota)
        if setup_steps is not None:
            check_steps("setup_steps", setup_steps)
        steps = DEFAULT_SETUP_STEPS if setup_steps is None else setup_steps
        check_destructive(allow_destructive_migrations, steps)
        check_duration("setup_timeout", setup_timeout, timedelta(minutes=1), LONGEST_TIMEOUT)
        check_fargate_size(setup_cpu, setup_memory_limit_mib, "setup_")
        check_status_check(check_status, check_status_command)
        check_authority(
            has_certificates=has_certificates(factory),
            environment=environment or {},
            secrets=secrets or {},
        )
        check_restore_point(factory, wanted=snapshot_before_setup)
        check_database(scope, id, factory, vpc=vpc)
        check_media_bucket(scope, media_bucket)
        check_media_key(scope, media_key=media_key, media_bucket=media_bucket)
        check_key(scope, encryption_key)
        check_access_logs(
            scope,
            log_bucket,
            access_logs,
            for_web_acl=web_acl is True and web_acl_arn is None and load_balancer is None,
        )
        check_told("alarm_on_secret_reads", alarm_on_secret_reads, alarm_topic)
        check_told("alarm_on_superuser_sign_in", alarm_on_superuser_sign_in, alarm_topic)
        check_web_acl(
            scope,
            web_acl_arn,
            web_acl=web_acl,
            admin_cidrs=admin_cidrs,
            alarm_topic=alarm_topic,
            topic_has_other_use=alarm_on_secret_reads or alarm_on_superuser_sign_in,
        )
        check_policy_additions(content_security_policy)
        check_mail(scope, mail, network)
        check_services(
            scope,
            [(CLOUDFRONT, "the API's static files need it; deploy to another region")],
        )
        check_switches(
            production,
            removal_protection=removal_protection,
            deletion_protection=deletion_protection,
            snapshot_before_setup=snapshot_before_setup,
            rollback_alarms=rollback_alarms,
            execute_command=execute_command,
            container_insights=container_insights,
        )
        check_preflight(preflight)
        claim_host_names(scope, id, [("domain_name", domain_name)], hosted_zone=hosted_zone)
        super().__init__(scope, id)
        needs = Needs(
            self,
            preflight=preflight,
            production=production,
            removal_protection=removal_protection,
            encryption_key=encryption_key,
        )
        policy = DeploymentPolicy.of(
            production=production,
            removal_protection=removal_protection,
            deletion_protection=deletion_protection,
            snapshot_before_setup=snapshot_before_setup,
            execute_command=execute_command,
            container_insights=container_insights,
        )
        timeout = Duration.minutes(2) if request_timeout is None else request_timeout
        self._domain_name = domain_name
        self._production = production
        self._warn(
            production=production,
            version=version,
            image=image,
            mirror_image=mirror_image,
            mail=mail,
        )

        if access_logs and log_bucket is None:
            log_bucket = GalvLogBucket(
                self, "LogBucket", production=production, removal_protection=removal_protection
            ).bucket
        self._log_bucket = log_bucket
        if network is None:
            network = (
                GalvNetwork(self, "Network", log_bucket=log_bucket, preflight=preflight)
                if cluster is None
                else GalvNetwork.from_vpc(cluster.vpc)
            )
        self._network = network
        _add_endpoints(network, execute_command=policy.execute_command, mail=mail is not None)
        prefix = log_group_prefix(self)
        if cluster is None:
            cluster = Cluster(
                self,
                "Cluster",
                vpc=network.vpc,
                policy=policy,
                encryption_key=encryption_key,
            ).resource
        self._cluster = cluster

        workers = default_workers(cpu, memory_limit_mib) if workers is None else workers
        database, databases = provide_database(
            self,
            factory,
            network=network,
            encryption_key=encryption_key,
            production=production,
            removal_protection=removal_protection,
            deletion_protection=deletion_protection,
            preflight=preflight,
        )
        warn_of_connections(self, database, max_tasks=max_tasks, workers=workers, threads=threads)
        self._database = database
        self._creates_database = bool(databases)
        owner = self._database_owner(encryption_key)
        login = self._database_login_secret

        frontends = list(frontend_domain_names or [domain_name])
        if media_bucket is None:
            media_bucket = data_bucket(
                self,
                "MediaBucket",
                policy=policy,
                log_bucket=log_bucket,
                encryption_key=uploads_key(self, media_key=media_key, policy=policy)
                or encryption_key,
                cors_origins=[f"https://{name}" for name in frontends],
            )
        self._media_bucket = media_bucket
        self._static_assets = StaticAssets(
            self, "StaticAssets", policy=policy, log_bucket=log_bucket
        )
        self._secrets = ApplicationSecrets(
            self, "Secrets", policy=policy, encryption_key=encryption_key
        )

        variables = BackendVariables(
            region=Stack.of(self).region,
            s3_endpoint=s3_endpoint(known_region(self)),
            domain_name=domain_name,
            root_domain_name=root_domain_name or _root_domain_name(domain_name, hosted_zone),
            frontend_domain_names=frontends,
            health_check_cidrs=[
                subnet.ipv4_cidr_block for subnet in selected_task_subnets(network).subnets
            ],
            media_bucket_name=media_bucket.bucket_name,
            static_bucket_name=self._static_assets.bucket.bucket_name,
            static_domain_name=self._static_assets.distribution.distribution_domain_name,
            database_host=database.host,
            database_port=database.port,
            database_name=database.database_name,
            database_authority=database.certificates,
            database_user=ecs.Secret.from_secrets_manager(login, "username"),
            database_password=ecs.Secret.from_secrets_manager(login, "password"),
            secret_key=ecs.Secret.from_secrets_manager(self._secrets.secret_key),
            mail=mail,
            lab_storage_quota=lab_storage_quota or DEFAULT_LAB_STORAGE_QUOTA,
        )
        self._image = galv_image(
            self,
            version=version,
            image=image,
            mirror_image=mirror_image,
            latest_as_of=latest_as_of,
            registry_credentials=registry_credentials,
            encryption_key=encryption_key,
            production=production,
            removal_protection=removal_protection,
            preflight=preflight,
        )
        runtime = TaskRuntime(
            cluster=cluster,
            network=network,
            image=self._image.image,
            tags=self._image.tags,
            architecture=architecture,
            user=user,
            entry_point=entry_point(sign_ins=alarm_on_superuser_sign_in),
            writable_paths=["/tmp", "/var/log/galv"],  # noqa: S108 - in the container
            log_group_prefix=prefix,
            environment={
                # A default that is not reserved may be a secret instead, but not both.
                **{n: v for n, v in variables.environment.items() if n not in (secrets or {})},
                **(environment or {}),
            },
            secrets={**variables.secrets, **(secrets or {})},
            connects_to=[database.connections],
            grants=[self._grant_reading],
            depends_on=[
                *network.connectivity,
                *database.depends_on,
                database.secret,
                login,
            ],
            log_retention=policy.log_retention,
            log_removal_policy=policy.data_removal,
            encryption_key=encryption_key,
        )

        # Galv sends mail when it answers a request, and the check signs in to the server: setup
        # and tasks beside the web service get no SMTP credentials, and reach no SMTP port.
        mailing = replace(
            runtime,
            environment={**runtime.environment, **variables.mail_environment},
            secrets={**runtime.secrets, **variables.mail_secrets},
            egress_ports=[443] if mail is None else sorted({443, mail.port}),
        )
        # The check and scheduled tasks change no upload.
        writing = replace(runtime, grants=[self._grant_writing])
        drain = deregistration_delay or default_drain(timeout)
        self._setup_steps = steps
        self._setup = self._setup_task(
            writing,
            owner,
            steps,
            environment=destructive_variable(allowed=allow_destructive_migrations),
            cpu=setup_cpu,
            memory_limit_mib=setup_memory_limit_mib,
            timeout=setup_timeout,
            drain=drain,
        )
        if policy.snapshot_before_setup and database.resource is not None:
            add_restore_point(self._setup, database.resource, self._image.version)
        # Only collectstatic writes what browsers run.
        grant_data_access(self._setup.task_role, self._static_assets.bucket, within=self._network)
        runtime = replace(runtime, gates=[self._setup])
        mailing = replace(mailing, gates=[self._setup])
        self._runtime = runtime
        self._mail_runtime = mailing
        self._new_web_acl: GalvWebAcl | None = None
        self._web_acl_arn = web_acl_arn
        if web_acl and web_acl_arn is None and load_balancer is None:
            self._new_web_acl = GalvWebAcl(
                self,
                "WebAcl",
                admin_cidrs=admin_cidrs,
                log_bucket=log_bucket,
                alarm_topic=alarm_topic,
            )
            self._web_acl_arn = self._new_web_acl.web_acl_arn
        if load_balancer is None:
            self._host = own_host(
                LoadBalancer(
                    self,
                    "LoadBalancer",
                    network=network,
                    policy=policy,
                    internet_facing=internet_facing,
                    allowed_cidrs=allowed_cidrs,
                    domain_name=domain_name,
                    hosted_zone=hosted_zone,
                    certificate=certificate,
                    request_timeout=timeout,
                    log_bucket=log_bucket,
                    web_acl_arn=self._web_acl_arn,
                    content_security_policy=api_policy(
                        f"https://{self._static_assets.distribution.distribution_domain_name}",
                        content_security_policy or {},
                    ),
                ),
                domain_name=domain_name,
                hosted_zone=hosted_zone,
                has_ipv6=network.has_ipv6,
                internet_facing=internet_facing,
            )
        else:
            self._host = shared_host(
                self,
                "LoadBalancer",
                load_balancer,
                domain_name=domain_name,
                hosted_zone=hosted_zone,
                certificate=certificate,
                priority=rule_priority,
            )
        own = self._host.own
        self._web = WebService(
            self,
            "Web",
            runtime=replace(mailing, grants=[self._grant_writing]),
            host=self._host,
            cpu=cpu,
            memory_limit_mib=memory_limit_mib,
            ephemeral_storage_gib=ephemeral_storage_gib,
            spot=spot,
            workers=workers,
            threads=threads,
            min_tasks=min_tasks,
            max_tasks=max_tasks,
            request_timeout=timeout,
            deregistration_delay=drain,
            execute_command=policy.execute_command,
        )
        if rollback_alarms:
            add_rollback_alarms(self._web, self._web.service, self._web.target_group)
        self._check_status = StatusCheck(
            self,
            "CheckStatus",
            runtime=replace(mailing, entry_point=entry_point(check_status=True)),
            command=check_status_command or ["python", "manage.py", "check_status"],
            run=check_status,
            after=[self._web, self._host.place, self._static_assets],
        )
        ask_for_tasks(
            needs,
            container=self._web.task.container,
            image=self._image,
            architecture=architecture,
            secrets=secrets or {},
            mail=mail,
        )
        ask_for_database(needs, database)
        ask_for_names(needs, domain_name, hosted_zone, certificate)
        ask_for_account(
            needs,
            self,
            network=network,
            cpu=cpu,
            min_tasks=min_tasks,
            spot=spot,
            # One of CDK's offers it by itself.
            cluster=None if isinstance(self._cluster, ecs.Cluster) else self._cluster,
            internet_facing=None if own is None else internet_facing,
        )
        needs.hold(
            *([network.vpc] if isinstance(network, GalvNetwork) else []),
            self._setup.resource,
            *([] if own is None else [own.resource]),
            *([self._host.certificate] if certificate is None else []),
            self._static_assets.distribution,
        )
        self._watch_secrets(alarm_topic, mail, asked_for=alarm_on_secret_reads)
        self._watch_sign_ins(alarm_topic, asked_for=alarm_on_superuser_sign_in)
        # Deleted before all that it waits for: what refuses to be deleted refuses before anything
        # that people use is gone.
        Protection(
            self,
            "Protection",
            policy=policy,
            databases=databases,
            load_balancers=[] if own is None else [own.resource],
            encryption_key=encryption_key,
            after=[
                self._web,
                self._host.place,
                self._static_assets,
                self._check_status,
                *([mail] if isinstance(mail, GalvMail) else []),
            ],
        )

    @property
    def grant_principal(self) -> iam.IPrincipal:
        """The web service's task role."""
        return self._web.task.task_role.grant_principal

    @property
    def connections(self) -> ec2.Connections:
        """Network connections of the web service."""
        return self._web.task.connections

    @property
    def runtime(self) -> TaskRuntime:
        """Image, environment, secrets, network and logs, for tasks of your own.

        They may read uploads; `media_bucket.grant_read_write(task)` lets one write them too. They
        have no SMTP credentials: see `mail_runtime`.
        """
        return self._runtime

    @property
    def mail_runtime(self) -> TaskRuntime:
        """As `runtime`, for tasks that send mail: with SMTP credentials and the server's port."""
        return self._mail_runtime

    @property
    def url(self) -> str:
        """URL of the API, without a slash at the end."""
        return f"https://{self._domain_name}"

    @property
    def domain_name(self) -> str:
        """Host name of the API."""
        return self._domain_name

    @property
    def load_balancer_dns_name(self) -> str:
        """Host name of the load balancer: where a CNAME for `domain_name` points."""
        return self._host.load_balancer.load_balancer_dns_name

    @property
    def network(self) -> IGalvNetwork:
        """VPC and subnets."""
        return self._network

    @property
    def vpc(self) -> ec2.IVpc:
        """VPC that everything is in."""
        return self._network.vpc

    @property
    def cluster(self) -> ecs.ICluster:
        """ECS cluster that all tasks run in."""
        return self._cluster

    @property
    def service(self) -> ecs.FargateService:
        """The web service."""
        return self._web.service

    @property
    def task_definition(self) -> ecs.FargateTaskDefinition:
        """Task definition of the web service."""
        return self._web.task.task_definition

    @property
    def setup(self) -> GalvReleaseTask:
        """The setup task: what depends on it waits until setup has succeeded."""
        return self._setup

    @property
    def check_status_task_definition(self) -> ecs.FargateTaskDefinition:
        """Task definition that checks the connections to database, S3 and mail."""
        return self._check_status.task.task_definition

    @property
    def check_status_run_command(self) -> str:
        """Shell command, of the AWS CLI, that runs the check once and follows its log."""
        return self._check_status.task.run_command

    @property
    def mirrored_image(self) -> MirroredImage | None:
        """The copy of Galv's image; none for a given image, or with `mirror_image=False`."""
        return self._image.mirrored

    @property
    def image_digest(self) -> str | None:
        """Digest of the image that all tasks run, `sha256:…`; none where only a tag is known."""
        return self._image.digest

    @property
    def load_balancer(self) -> elbv2.IApplicationLoadBalancer:
        """The load balancer, its own or the given one."""
        return self._host.load_balancer

    @property
    def listener(self) -> elbv2.IApplicationListener:
        """The load balancer's HTTPS listener.

        Its rule with priority 100, or at a shared one `rule_priority`, forwards requests for
        `domain_name`; add rules with a lower number for what comes before it, such as sign-in with
        an identity provider.
        """
        return self._host.listener

    @property
    def target_group(self) -> elbv2.ApplicationTargetGroup:
        """Target group of the web service."""
        return self._web.target_group

    @property
    def certificate(self) -> acm.ICertificate | None:
        """Certificate for `domain_name`; none where that of a shared load balancer covers it."""
        return self._host.certificate

    @property
    def database(self) -> IGalvDatabase:
        """The database: its address, and its master's credentials."""
        return self._database

    @property
    def database_login_secret(self) -> secretsmanager.ISecret:
        """Credentials that tasks sign in to the database with.

        Each `rotation` of the database has a secret of its own. Tasks of `runtime` get its values
        anyway.
        """
        return self._database_login_secret

    @property
    def media_bucket(self) -> s3.IBucket:
        """Bucket for uploads."""
        return self._media_bucket

    @property
    def static_bucket(self) -> s3.IBucket:
        """Bucket for the API's static files."""
        return self._static_assets.bucket

    @property
    def static_distribution(self) -> cloudfront.Distribution:
        """Distribution that serves the API's static files."""
        return self._static_assets.distribution

    @property
    def log_bucket(self) -> s3.IBucket | None:
        """Bucket for access logs, if there are any."""
        return self._log_bucket

    @property
    def web_acl_arn(self) -> str | None:
        """ARN of the web ACL of its own load balancer, if it has one."""
        return self._web_acl_arn

    @property
    def secret_key(self) -> secretsmanager.ISecret:
        """Django's secret key."""
        return self._secrets.secret_key

    @property
    def superuser_password(self) -> secretsmanager.ISecret:
        """First password of Galv's superuser."""
        return self._secrets.superuser_password

    @property
    def http_listener(self) -> elbv2.ApplicationListener | None:
        """The HTTP listener of its own load balancer, which redirects to HTTPS."""
        return None if self._host.own is None else self._host.own.http

    @property
    def load_balancer_security_group(self) -> ec2.ISecurityGroup:
        """Security group of the load balancer."""
        return self._host.security_group

    @property
    def record(self) -> route53.ARecord | None:
        """DNS record of `domain_name`; none without `hosted_zone`."""
        return self._host.record

    @property
    def scaling(self) -> ecs.ScalableTaskCount:
        """Scaling of the web service, for rules and schedules of your own."""
        return self._web.scaling

    @property
    def security_group(self) -> ec2.ISecurityGroup:
        """Security group of the web service."""
        return self._web.task.security_group

    @property
    def task_role(self) -> iam.IRole:
        """Role that the web service runs with."""
        return self._web.task.task_role

    @property
    def log_group(self) -> logs.ILogGroup:
        """Log group of the web service; that of setup is `setup.log_group`."""
        return self._web.task.log_group

    @property
    def check_status_log_group(self) -> logs.ILogGroup:
        """Log group of the check."""
        return self._check_status.task.log_group

    @property
    def web_acl(self) -> GalvWebAcl | None:
        """The web ACL that was created; none for a given one, or without one."""
        return self._new_web_acl

    def _database_owner(self, encryption_key: kms.IKey | None) -> DatabaseOwner | None:
        self._database_login_secret = self._database.secret
        if not self._database.owner_role:
            return None
        owner = DatabaseOwner(self, "Login", database=self._database, encryption_key=encryption_key)
        self._database_login_secret = owner.secret
        return owner

    def _watch_sign_ins(self, topic: sns.ITopic | None, *, asked_for: bool) -> None:
        if asked_for and topic is not None:
            SignIns(self, "SignIns", log_group=self.log_group, topic=topic)

    def _watch_secrets(
        self, topic: sns.ITopic | None, mail: IGalvMail | None, *, asked_for: bool
    ) -> None:
        if topic is None or not asked_for:
            return
        secrets = {
            "Database": self._database.secret,
            "SecretKey": self._secrets.secret_key,
            "SuperuserPassword": self._secrets.superuser_password,
        }
        if self._database.owner_role:
            secrets["DatabaseLogin"] = self._database_login_secret
        if isinstance(mail, GalvMail):
            secrets["Mail"] = mail.secret
        SecretReads(self, "SecretReads", secrets=secrets, topic=topic)

    def _setup_task(
        self,
        runtime: TaskRuntime,
        owner: DatabaseOwner | None,
        steps: Sequence[ReleaseStep],
        *,
        environment: Mapping[str, str],
        cpu: int,
        memory_limit_mib: int,
        timeout: Duration | None,
        drain: Duration,
    ) -> GalvReleaseTask:
        secrets = {
            SUPERUSER_PASSWORD: ecs.Secret.from_secrets_manager(self._secrets.superuser_password)
        }
        if owner is not None:
            steps = owner_steps(steps)
            environment = {**environment, **owner.environment}
            # No other task is the database's master.
            secrets |= owner.secrets
        setup = GalvReleaseTask(
            self,
            "Setup",
            runtime=replace(
                runtime, entry_point=entry_point(setup=True, own_database=owner is not None)
            ),
            name="setup-db",
            steps=steps,
            environment=environment,
            secrets=secrets,
            cpu=cpu,
            memory_limit_mib=memory_limit_mib,
            timeout=timeout,
        )
        if owner is not None:
            owner.retire_old(setup, drain)
        return setup

    def _grant_reading(self, role: iam.IRole) -> None:
        grant_read_access(role, self._media_bucket, within=self._network)
        grant_read_access(role, self._static_assets.bucket, within=self._network)

    def _grant_writing(self, role: iam.IRole) -> None:
        grant_data_access(role, self._media_bucket, within=self._network)
        grant_read_access(role, self._static_assets.bucket, within=self._network)

    def _warn(
        self,
        *,
        production: bool,
        version: str | None,
        image: ecs.ContainerImage | None,
        mirror_image: bool,
        mail: IGalvMail | None,
    ) -> None:
        annotations = Annotations.of(self)
        if production and image is None and version in (None, LATEST):
            annotations.add_warning_v2(
                "galv-constructs:latestInProduction",
                f"version is 'latest'. {_LATEST_COPIED if mirror_image else _LATEST_PULLED} Pass "
                "the tag of a release, with its digest if nothing may change it, such as "
                "version='v2.11.4' (backendVersion in cdk.json).",
            )
        if mail is None:
            annotations.add_warning_v2(
                "galv-constructs:noMail",
                "mail is not given: Galv cannot send the mail that activates accounts and resets "
                "passwords. Pass mail=GalvMail(…), or GalvMail.from_secret(…).",
            )


_LATEST_COPIED = (
    "Each deployment on another day (in UTC) runs the newest release there is: it migrates the "
    "database although nothing else changed, and migrations are not undone. Between two "
    "deployments nothing changes."
)
# "Amazon ECS now resolves container image tags to the image digest (SHA256 hash of the image
# manifest) when you deploy an update to your Amazon ECS service":
# https://aws.amazon.com/about-aws/whats-new/2024/07/amazon-ecs-software-version-consistency-containerized-applications
# Tasks without a service have no such deployment.
_LATEST_PULLED = (
    "It is another image with time. The web service runs the one that had the tag when ECS last "
    "deployed it, and a deployment of an unchanged template starts none. Setup, scheduled and "
    "one-off tasks run the one that has the tag when they start, which may be newer than the web "
    "service and the last migrations."
)


def _add_endpoints(network: IGalvNetwork, *, execute_command: bool, mail: bool) -> None:
    """Give a network without the internet the endpoints that not every backend needs."""
    if not isinstance(network, GalvNetwork):
        return
    if execute_command:
        network.add_execute_command_endpoint()
    if mail:
        network.add_smtp_endpoint()


def _root_domain_name(domain_name: str, hosted_zone: route53.IHostedZone | None) -> str:
    if hosted_zone is not None:
        return hosted_zone.zone_name
    parent = domain_name.partition(".")[2]
    return parent if "." in parent else domain_name
