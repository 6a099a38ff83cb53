"""The context keys of `cdk.json`, typed and checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from constructs import Node

from galv_constructs._core.validation import is_in_domain
from galv_constructs.config._checks import check_together, doubts, limited, to_do
from galv_constructs.config._keys import (
    DERIVED,
    Key,
    keys_beside_context,
    keys_of,
    read_keys,
    unknown_keys,
)
from galv_constructs.config._kinds import (
    ALLOWED_RANGES,
    ANALYTICS_URL,
    AUTHORITY_FILE,
    AWAKE_HOURS,
    BACKEND_SECRET_KEYS,
    BACKEND_TAG,
    BACKEND_VARIABLES,
    BACKUP_DAYS,
    BACKUP_VAULT,
    BOOLEAN,
    CERTIFICATE,
    COUNTED_RULES,
    CREDENTIAL_PATHS,
    DATABASE_INSTANCE_TYPE,
    DATABASE_SNAPSHOT,
    DATABASE_STORAGE,
    DATABASE_VERSION,
    DAY,
    DESTRUCTIVE,
    DOMAIN,
    EMAIL,
    FRONTEND_SECRET_KEYS,
    FRONTEND_TAG,
    FRONTEND_VARIABLES,
    GIBIBYTES,
    IP_RANGES,
    LOCK_DAYS,
    MAIL_IDENTITY,
    MAIL_USER,
    MINUTES,
    NETWORK_PRESET,
    PREFLIGHT,
    ROTATION,
    SECRET_NAME,
    STACK_NAME,
    STORAGE_URLS,
    SUBDOMAIN,
    SUBNETS,
    TAG_VALUE,
    TASKS,
    TIME_ZONE,
    VPC_ID,
    ZONE_ID,
    secret_name_from,
)
from galv_constructs.network import NetworkPreset

_FRONTEND = "app"


def _mail_domain(config: "GalvConfig") -> str:
    # Deployments side by side have another frontend each, and SES one identity per domain.
    is_usual = config.frontend_subdomain == _FRONTEND
    return f"mail.{config.domain_name if is_usual else config.frontend_domain_name}"


def _deletion_protection(config: "GalvConfig") -> bool:
    protected = config.removal_protection
    return config.is_production if protected is None else protected


@dataclass(frozen=True, kw_only=True)
class GalvConfig:
    """Configuration of the documented deployment.

    Each attribute is a context key of the same name, in camel case in `cdk.json`: `min_tasks` is
    `minTasks`. Only `creates_mail_identity` is named differently, `mailIdentity`. An attribute that
    is `None` was not given.

    Example:
        ```python
        config = GalvConfig.from_context(app.node)
        ```
    """

    name: Annotated[str, Key("name", STACK_NAME, stand_in="galv")]
    """A short name that the names of stacks start with."""

    backend_version: Annotated[str, Key("backendVersion", BACKEND_TAG)] = "latest"
    """Tag of the backend's image on GHCR, such as `v2.11.4`, or with its digest,
    `v2.11.4@sha256:…`. Default: `latest`: the newest one on the day of the deployment."""

    frontend_version: Annotated[str, Key("frontendVersion", FRONTEND_TAG)] = "latest"
    """Tag of the frontend's release, such as `v2.2.0`, or with the SHA-256 of its attached files,
    `v2.2.0@sha256:…`. Default: `latest`: the newest release."""

    project_name_tag: Annotated[
        str, Key("projectNameTag", TAG_VALUE, derive=lambda config: config.name)
    ] = DERIVED
    """Value of the tag `project-name` on everything. Default: the same as `name`."""

    is_production: Annotated[bool, Key("isProduction", BOOLEAN)] = True
    """Controls retention and protection, debugging, ECS Exec. Default: `true`."""

    removal_protection: Annotated[bool | None, Key("removalProtection", BOOLEAN)] = None
    """Overrides retention and protection, such as deletion protection. Default: the same as
    `isProduction`."""

    deletion_protection: Annotated[
        bool, Key("deletionProtection", BOOLEAN, derive=_deletion_protection, added=True)
    ] = DERIVED
    """Whether the deployment refuses to be destroyed; set it to `false` and deploy before you
    destroy one whose data is kept. Default: the same as `removalProtection`."""

    mail_from_user: Annotated[str, Key("mailFromUser", MAIL_USER)] = "galv-no-reply"
    """Part before the @ of the address that mail comes from. Default: `galv-no-reply`."""

    mail_from_domain: Annotated[str, Key("mailFromDomain", DOMAIN, derive=_mail_domain)] = DERIVED
    """Domain of the address that mail comes from. Default: `mail.` and `domainName`; with another
    `frontendSubdomain` than `app`, `mail.` and the frontend's host name."""

    frontend_environment: Annotated[
        Mapping[str, str], Key("frontendEnvironment", FRONTEND_VARIABLES)
    ] = field(default_factory=dict)
    """Variables for the frontend: for its build, and for its `env.template.js`. Default: none."""

    backend_environment: Annotated[
        Mapping[str, str], Key("backendEnvironment", BACKEND_VARIABLES)
    ] = field(default_factory=dict)
    """Variables for the backend; null and empty ones are left out. Default: none."""

    frontend_secrets_name: Annotated[
        str,
        Key(
            "frontendSecretsName",
            SECRET_NAME,
            derive=lambda config: f"{config.name}-frontend-secrets",
        ),
    ] = DERIVED
    """Secrets Manager secret with secrets for the build of the frontend. Default: `name` and
    `-frontend-secrets`."""

    frontend_secrets_keys: Annotated[
        Sequence[str], Key("frontendSecretsKeys", FRONTEND_SECRET_KEYS)
    ] = field(default_factory=list)
    """Keys of that secret to pass on; what a site is built from is public. Default: none."""

    backend_secrets_name: Annotated[
        str,
        Key(
            "backendSecretsName",
            SECRET_NAME,
            derive=lambda config: f"{config.name}-backend-secrets",
        ),
    ] = DERIVED
    """Secrets Manager secret with secrets for the backend. Default: `name` and
    `-backend-secrets`."""

    backend_secrets_keys: Annotated[
        Sequence[str], Key("backendSecretsKeys", BACKEND_SECRET_KEYS)
    ] = field(default_factory=list)
    """Keys of that secret to pass on as variables. Default: none."""

    monitor_interval_minutes: Annotated[int, Key("monitorIntervalMinutes", MINUTES)] = 5
    """How often validations run, in minutes; 0 turns them off. Default: `5`."""

    frontend_subdomain: Annotated[str, Key("frontendSubdomain", SUBDOMAIN)] = _FRONTEND
    """Subdomain of the frontend; empty for the domain itself. Default: `app`."""

    backend_subdomain: Annotated[str, Key("backendSubdomain", SUBDOMAIN)] = "api"
    """Subdomain of the API; empty for the domain itself. Default: `api`."""

    domain_name: Annotated[str, Key("domainName", DOMAIN, stand_in="example.com")]
    """Domain of the application, such as `example.com`."""

    is_route53_domain: Annotated[
        bool, Key("isRoute53Domain", BOOLEAN, derive=lambda config: config.certificate_arn is None)
    ] = DERIVED
    """Whether the domain is managed by Route 53. Default: `true`, or `false` if `certificateArn` is
    set."""

    enable_container_insights: Annotated[bool | None, Key("enableContainerInsights", BOOLEAN)] = (
        None
    )
    """Container Insights for ECS. Default: the same as `isProduction`."""

    certificate_arn: Annotated[str | None, Key("certificateArn", CERTIFICATE)] = None
    """ARN of a certificate in us-east-1 for a domain outside Route 53. Default: none."""

    smtp_secret_name: Annotated[str | None, Key("smtpSecretName", SECRET_NAME)] = None
    """Secrets Manager secret with SMTP credentials to use. Default: credentials are created, in a
    secret named `projectNameTag` and `-smtp`."""

    backend_certificate_arn: Annotated[
        str | None,
        Key(
            "backendCertificateArn",
            CERTIFICATE,
            derive=lambda config: config.certificate_arn,
            added=True,
        ),
    ] = DERIVED
    """ARN of a certificate for the API in the region of the backend, needed outside us-east-1 when
    the domain is not in Route 53. Default: `certificateArn`."""

    hosted_zone_name: Annotated[
        str, Key("hostedZoneName", DOMAIN, derive=lambda config: config.domain_name, added=True)
    ] = DERIVED
    """Name of the Route 53 zone that the host names are in, such as a domain above `domainName`.
    Default: the same as `domainName`."""

    hosted_zone_id: Annotated[str | None, Key("hostedZoneId", ZONE_ID, added=True)] = None
    """Id of that zone, where its name alone does not find it. Default: the public zone of that name
    in the account."""

    network_preset: Annotated[NetworkPreset, Key("networkPreset", NETWORK_PRESET, added=True)] = (
        NetworkPreset.NAT_GATEWAY
    )
    """How tasks reach the internet: `natGateway`, `natInstance`, `public`, or not at all:
    `endpoints`. Default: `natGateway`."""

    mirror_image: Annotated[bool, Key("mirrorImage", BOOLEAN, added=True)] = True
    """Whether a deployment copies the backend's image to Amazon ECR, which tasks pull it from;
    otherwise each task that starts pulls it from GHCR. Default: `true`."""

    latest_as_of: Annotated[date | None, Key("latestAsOf", DAY, added=True)] = None
    """The day, such as `2026-11-23`, that `latest` is of, as `backendVersion` and as
    `frontendVersion`: that of an earlier deployment runs its image and its site again. Default: the
    day of the synthesis, in UTC."""

    vpc_id: Annotated[str | None, Key("vpcId", VPC_ID, added=True)] = None
    """Id of a VPC to use. With `networkPreset` `public` tasks run in its public subnets, otherwise
    in its private ones. Default: a new VPC."""

    vpc_subnets: Annotated[Mapping[str, Sequence[str]], Key("vpcSubnets", SUBNETS, added=True)] = (
        field(default_factory=dict)
    )
    """Ids of subnets of that VPC, where its types of subnets do not say it: an object with any of
    `loadBalancer`, `tasks` and `database`. Default: public subnets for the load balancer, private
    ones for tasks, isolated or private ones for the database."""

    min_tasks: Annotated[int, Key("minTasks", TASKS, added=True)] = 1
    """How many tasks of the web service run at least. With `2` the API stays up when a task or an
    Availability Zone fails. Default: `1`."""

    fargate_spot: Annotated[bool, Key("fargateSpot", BOOLEAN, added=True)] = False
    """Whether validations run on Fargate Spot, for up to 70% less, and the web service too
    where `isProduction` is `false`: AWS may stop a task with two minutes' notice. In production it
    needs validations, so a `monitorIntervalMinutes` above 0. Default: `false`."""

    awake_hours: Annotated[str | None, Key("awakeHours", AWAKE_HOURS, added=True)] = None
    """Days and hours outside of which a trial or a stage rests, such as `Mon-Fri 07:00-19:00`: it
    has no tasks, its database is stopped, and the API answers 503. Not with `isProduction` `true`.
    Default: it is always awake."""

    time_zone: Annotated[str, Key("timeZone", TIME_ZONE, added=True)] = "Etc/UTC"
    """Time zone of `awakeHours`, such as `Europe/London`. Default: `Etc/UTC`."""

    lab_storage_quota_gib: Annotated[int, Key("labStorageQuotaGib", GIBIBYTES, added=True)] = 5
    """How many GiB each new laboratory may store; beyond it uploads are refused (507). Default:
    `5`."""

    media_key: Annotated[bool, Key("mediaKey", BOOLEAN, added=True)] = False
    """Whether uploads get a KMS key of their own, which CDK's lookup role may not use; $1 a month.
    Default: `false`."""

    alarm_email: Annotated[str | None, Key("alarmEmail", EMAIL, added=True)] = None
    """Address that is told when a run of the validations fails or cannot start, or the WAF blocks
    attempts at passwords; it has to confirm a mail of AWS's. Default: nobody is told."""

    waf_counted_rules: Annotated[
        Mapping[str, Sequence[str]], Key("wafCountedRules", COUNTED_RULES, added=True)
    ] = field(default_factory=dict)
    """Rules of AWS's groups that the WAF only counts requests with, such as
    `{"AWSManagedRulesCommonRuleSet": ["NoUserAgent_HEADER"]}`. Default: those that search bodies:
    uploads pass, other bodies are blocked."""

    waf_credential_paths: Annotated[
        Sequence[str] | None, Key("wafCredentialPaths", CREDENTIAL_PATHS, added=True)
    ] = None
    """Starts of the paths that take passwords and codes, where the WAF lets 30 requests of an
    address pass in five minutes, such as `/login/` or `POST /users/`. Default: those of Galv's API
    and admin."""

    internet_facing: Annotated[bool, Key("internetFacing", BOOLEAN, added=True)] = True
    """Whether the API has public addresses. With `false` it is reached from the VPC alone, and
    browsers need a way into it, such as a VPN; changing it replaces the load balancer. Default:
    `true`."""

    allowed_cidrs: Annotated[
        Sequence[str] | None, Key("allowedCidrs", ALLOWED_RANGES, added=True)
    ] = None
    """IPv4 and IPv6 ranges that may reach the API, such as those of a laboratory and its VPN. The
    site's files stay public. Default: everybody, or with `internetFacing` `false` the VPC."""

    admin_cidrs: Annotated[Sequence[str] | None, Key("adminCidrs", IP_RANGES, added=True)] = None
    """IPv4 and IPv6 ranges that may use Django's admin, below `/admin/`; `[]` is nobody. Default:
    all addresses."""

    creates_mail_identity: Annotated[bool, Key("mailIdentity", MAIL_IDENTITY, added=True)] = True
    """Whether this deployment creates the SES identity of `mailFromDomain`, or uses the `existing`
    one: there is one per domain, account and region. Default: `create`."""

    frontend_analytics_url: Annotated[
        str | None, Key("frontendAnalyticsUrl", ANALYTICS_URL, added=True)
    ] = None
    """URL that the frontend loads a counter of visits from. Default: visits are not counted."""

    frontend_storage_urls: Annotated[
        Sequence[str], Key("frontendStorageUrls", STORAGE_URLS, added=True)
    ] = field(default_factory=list)
    """URLs of storage that laboratories brought themselves, for the site to load from. Default:
    none."""

    database_instance_type: Annotated[
        str, Key("databaseInstanceType", DATABASE_INSTANCE_TYPE, added=True)
    ] = "t4g.micro"
    """Size of the database, such as `t4g.medium`; another one later is an outage of some minutes,
    with a standby of one. Default: `t4g.micro`."""

    database_engine_version: Annotated[
        str | None, Key("databaseEngineVersion", DATABASE_VERSION, added=True)
    ] = None
    """Major version of PostgreSQL, from `14` to `18`. A higher one later upgrades the database: an
    outage of minutes that cannot be taken back, so create a snapshot first. Default:
    PostgreSQL 17."""

    database_storage_gib: Annotated[
        int | None, Key("databaseStorageGib", DATABASE_STORAGE, added=True)
    ] = None
    """Storage of the database at the start, in GiB; it can be raised later, and not lowered.
    Default: 20, or that of the snapshot."""

    database_max_storage_gib: Annotated[
        int | None, Key("databaseMaxStorageGib", DATABASE_STORAGE, added=True)
    ] = None
    """How far that storage grows by itself, in GiB. Default: 200, or twice `databaseStorageGib`
    if that is more."""

    database_snapshot: Annotated[
        str | None, Key("databaseSnapshot", DATABASE_SNAPSHOT, added=True)
    ] = None
    """Name or ARN of an RDS snapshot to restore, of the same major version. Set it before the first
    deployment, and leave it as it is: **to set, change or drop it later replaces the database**, by
    what is in that snapshot or by an empty one. Default: an empty database."""

    database_key: Annotated[bool, Key("databaseKey", BOOLEAN, added=True)] = False
    """Whether the database gets a KMS key of its own, which backups in another account need; $1 a
    month. Set it before the first deployment: **to change it later replaces the database** by an
    empty one. Default: `false`."""

    database_rotation: Annotated[int, Key("databaseRotation", ROTATION, added=True)] = 1
    """Number of the password that tasks sign in to the database with; raise it by one for a new
    one. Default: `1`."""

    database_ca_file: Annotated[str | None, Key("databaseCaFile", AUTHORITY_FILE, added=True)] = (
        None
    )
    """File with the certificates that tasks check the database by: for Amazon RDS the bundle of the
    region. Default: connections are encrypted, whoever the server is."""

    smtp_rotation: Annotated[int, Key("smtpRotation", ROTATION, added=True)] = 1
    """Number of the SMTP credentials that are created; raise it by one for new ones. Default:
    `1`."""

    log_lock_days: Annotated[int | None, Key("logLockDays", LOCK_DAYS, added=True)] = None
    """How many days access logs cannot be deleted or overwritten (Object Lock in governance mode,
    which administrators can bypass); it cannot be turned off again. Default: logs are not
    locked."""

    backup_days: Annotated[int | None, Key("backupDays", BACKUP_DAYS, added=True)] = None
    """How many days AWS Backup keeps a backup of each day, of database and uploads, in a vault that
    outlives both. Default: RDS's own backups, and versions in the bucket, which go with them."""

    backup_lock_days: Annotated[int | None, Key("backupLockDays", BACKUP_DAYS, added=True)] = None
    """How many days such a backup cannot be deleted (Vault Lock in governance mode, which
    administrators can take off); at most `backupDays`. Default: backups are not locked."""

    backup_copy_to: Annotated[str | None, Key("backupCopyTo", BACKUP_VAULT, added=True)] = None
    """ARN of a vault in another region or another account that each backup is copied to; another
    account needs `databaseKey`. Default: none."""

    allow_destructive_migrations: Annotated[
        bool | Sequence[str], Key("allowDestructiveMigrations", DESTRUCTIVE, added=True)
    ] = True
    """Whether setup carries out migrations that lose data; a list allows those alone that it names,
    such as `["galv.0043_remove_note"]`. With `false` the deployment fails before anything is
    changed, and says which lose what. Default: `true`, and the log of setup names them."""

    snapshot_before_setup: Annotated[
        bool | None, Key("snapshotBeforeSetup", BOOLEAN, added=True)
    ] = None
    """Whether a deployment with another version makes a snapshot of the database before setup runs;
    the newest five are kept. Default: the same as `isProduction`."""

    preflight: Annotated[bool | Sequence[str], Key("preflight", PREFLIGHT, added=True)] = True
    """Whether a deployment first asks for what it needs, such as the image and the hosted zone, and
    creates nothing costly before it has the answers; a list leaves out checks by their kinds or
    ids, such as `["quotas", "Backend/Image"]`. Default: `true`."""

    warnings: Sequence[str] = field(default_factory=list)
    """Values that are allowed but probably wrong, each with its key and the fix. Default: none."""

    notes: Sequence[str] = field(default_factory=list)
    """Steps to do by hand, such as DNS records, keys that apply to a part of the deployment alone,
    and context that is ignored because it is not Galv's, such as that of `~/.cdk.json`. Default:
    none."""

    def __post_init__(self) -> None:
        """Set the attributes whose default follows others."""
        for attribute, key in keys_of(type(self)).items():
            if getattr(self, attribute) is DERIVED and key.derive is not None:
                object.__setattr__(self, attribute, key.derive(self))

    @property
    def backend_domain_name(self) -> str:
        """Host name of the API."""
        return _host_name(self.backend_subdomain, self.domain_name)

    @property
    def frontend_domain_name(self) -> str:
        """Host name of the frontend."""
        return _host_name(self.frontend_subdomain, self.domain_name)

    @property
    def mail_sender(self) -> str:
        """Address that mail comes from."""
        return f"{self.mail_from_user}@{self.mail_from_domain}"

    @property
    def default_smtp_secret_name(self) -> str:
        """Name of the secret that SMTP credentials are put in when they are created.

        A tag may hold what the name of a secret may not: it is made from the tag's letters.
        """
        return f"{secret_name_from(self.project_name_tag, self.name)}-smtp"

    def in_hosted_zone(self, name: str) -> bool:
        """Whether a domain or host name is in the zone of Route 53.

        Args:
            name: The domain or host name.
        """
        return self.is_route53_domain and is_in_domain(name, self.hosted_zone_name)

    @classmethod
    def from_context(
        cls,
        node: Node,
        *,
        account: str | None = None,
        region: str | None = None,
        cdk_json: Path | None = None,
    ) -> "GalvConfig":
        """Read the configuration from the context of a construct tree.

        Values from `--context` are always text, so `"false"`, `"5"` and JSON text are read as what
        they mean, and the versions `2.11.4` and `v2.11.4` as the same tag. Null means "not set",
        and so does an empty text, but for subdomains. Keys that are CDK's own are ignored. Others
        that are not known are a mistake if one of ours may be meant, and otherwise somebody else's,
        from `~/.cdk.json` or the command line: these are ignored, and in `notes`.

        Args:
            node: Node whose context is read, such as `app.node`.
            account: Account of the deployment, to check certificates against. Default: they are
                not checked against an account.
            region: Region of the backend, to check certificates against. Default: they are not
                checked against a region.
            cdk_json: The file `cdk.json`, to notice keys that stand beside its `"context"`, where
                CDK passes nothing on. Default: it is not looked at.

        Raises:
            ValueError: If anything is wrong; the message lists all mistakes.
        """
        context: Mapping[str, Any] = node.get_all_context() or {}
        keys = keys_of(cls)
        mistakes, notes = unknown_keys(keys, context)
        mistakes += keys_beside_context(keys, cdk_json)
        given, wrong = read_keys(keys, context)
        values = {
            attribute: given.get(key.name, key.stand_in)
            for attribute, key in keys.items()
            if key.name in given or key.required
        }
        config = cls(**values)
        mistakes += wrong + check_together(config, given, account=account, region=region)
        if mistakes:
            count = "a mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
            listed = "".join(f"\n  - {mistake}" for mistake in mistakes)
            raise ValueError(f"{count} in the context (cdk.json or --context):{listed}")
        return replace(
            config, warnings=doubts(config), notes=[*notes, *limited(config), *to_do(config)]
        )


def _host_name(subdomain: str, domain_name: str) -> str:
    return f"{subdomain}.{domain_name}" if subdomain else domain_name
