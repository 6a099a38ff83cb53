"""The context keys of `cdk.json`, typed and checked."""

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from constructs import Node

from galv_constructs._core.regions import EDGE_REGION
from galv_constructs.config._keys import CERTIFICATE_ARN, KEYS, secret_name_from
from galv_constructs.network import NetworkPreset

# Context that is CDK's own: feature flags, answers to look-ups, settings of the CLI.
_CDKS_OWN = re.compile(r"@|.*:|cdk|aws-cdk|acknowledged-issue-numbers$|tree-metadata$")
# A word that other applications' context often has, and that is no mistyped key of ours.
_OTHERS = {"environment", "project"}
# How alike two names are when one of them is mistyped, and how much is left of one cut short.
_NEAR = 0.75
_SHORTEST_START = 5
_FRONTEND = "app"
# https://www.rfc-editor.org/rfc/rfc6761: nobody can have these.
_RESERVED_DOMAIN = re.compile(
    r"(?:.*\.)?(?:example\.(?:com|net|org)|example|test|invalid|localhost)"
)


@dataclass(frozen=True, kw_only=True)
class GalvConfig:
    """Configuration of the documented deployment.

    Example:
        ```python
        config = GalvConfig.from_context(app.node)
        ```
    """

    name: str
    """`name`: a short name that the names of stacks start with."""

    project_name_tag: str
    """`projectNameTag`: value of the tag `project-name`."""

    domain_name: str
    """`domainName`: domain of the application."""

    backend_subdomain: str
    """`backendSubdomain`: subdomain of the API; empty for the domain itself."""

    frontend_subdomain: str
    """`frontendSubdomain`: subdomain of the frontend; empty for the domain itself."""

    is_route53_domain: bool
    """`isRoute53Domain`: whether the domain is managed by Route 53."""

    hosted_zone_name: str
    """`hostedZoneName`: name of the Route 53 zone that the host names are in."""

    hosted_zone_id: str | None
    """`hostedZoneId`: id of that zone. `None`: it is looked up by its name."""

    certificate_arn: str | None
    """`certificateArn`: ARN of a certificate in us-east-1 for a domain outside Route 53."""

    backend_certificate_arn: str | None
    """`backendCertificateArn`: ARN of the API's certificate in the region of the backend; where
    that is us-east-1, `certificateArn` if it is not set."""

    backend_version: str
    """`backendVersion`: tag of the backend's image, a release's with its `v`."""

    frontend_version: str
    """`frontendVersion`: tag of the frontend's release, with its `v`."""

    is_production: bool
    """`isProduction`: controls retention and protection, debugging, ECS Exec."""

    removal_protection: bool | None
    """`removalProtection`: overrides retention and protection. `None`: as `is_production`."""

    deletion_protection: bool
    """`deletionProtection`: whether the deployment refuses to be destroyed."""

    enable_container_insights: bool | None
    """`enableContainerInsights`: Container Insights for ECS. `None`: as `is_production`."""

    mail_from_user: str
    """`mailFromUser`: part before the @ of the address that mail comes from."""

    mail_from_domain: str
    """`mailFromDomain`: domain of the address that mail comes from."""

    creates_mail_identity: bool
    """`mailIdentity`: whether the SES identity of `mail_from_domain` is created, or exists."""

    smtp_secret_name: str | None
    """`smtpSecretName`: secret with SMTP credentials to use. `None`: they are made."""

    smtp_rotation: int
    """`smtpRotation`: number of the SMTP credentials that are made."""

    database_rotation: int
    """`databaseRotation`: number of the password that tasks sign in to the database with."""

    database_ca_file: str | None
    """`databaseCaFile`: certificates that tasks check the database by. `None`: they do not."""

    backend_environment: Mapping[str, str]
    """`backendEnvironment`: variables for the backend, without null and empty ones."""

    backend_secrets_name: str
    """`backendSecretsName`: secret with secrets for the backend."""

    backend_secrets_keys: Sequence[str]
    """`backendSecretsKeys`: keys of that secret to pass on as variables."""

    frontend_environment: Mapping[str, str]
    """`frontendEnvironment`: variables for the frontend, without null and empty ones."""

    frontend_analytics_url: str | None
    """`frontendAnalyticsUrl`: where a counter of visits is loaded from. `None`: nowhere."""

    frontend_storage_urls: Sequence[str]
    """`frontendStorageUrls`: storage of laboratories that the site may load files from."""

    frontend_secrets_name: str
    """`frontendSecretsName`: secret with secrets for the build of the frontend."""

    frontend_secrets_keys: Sequence[str]
    """`frontendSecretsKeys`: keys of that secret to pass on."""

    monitor_interval_minutes: int
    """`monitorIntervalMinutes`: how often validations run, in minutes; 0 for never."""

    network_preset: NetworkPreset
    """`networkPreset`: how tasks reach the internet."""

    vpc_id: str | None
    """`vpcId`: VPC to use. `None`: a new one."""

    vpc_subnets: Mapping[str, Sequence[str]]
    """`vpcSubnets`: ids of subnets for `loadBalancer`, `tasks` and `database`, where given."""

    min_tasks: int
    """`minTasks`: how many tasks of the web service run at least."""

    lab_storage_quota_gib: int
    """`labStorageQuotaGib`: how many GiB each new laboratory may store."""

    waf_counted_rules: Mapping[str, Sequence[str]]
    """`wafCountedRules`: rules of the WAF's managed groups that only count."""

    waf_credential_paths: Sequence[str] | None
    """`wafCredentialPaths`: paths that take passwords and codes. `None`: Galv's."""

    admin_cidrs: Sequence[str] | None
    """`adminCidrs`: ranges that may use Django's admin. `None`: all addresses."""

    alarm_email: str | None
    """`alarmEmail`: address that alarms are sent to. `None`: nobody is told."""

    warnings: Sequence[str]
    """What is allowed and probably not meant, each with the key and the way out."""

    notes: Sequence[str]
    """What to do by hand, such as DNS records, and context that is not Galv's and is ignored, such
    as that of `~/.cdk.json`."""

    @property
    def backend_domain_name(self) -> str:
        """Host name of the API."""
        return _host(self.backend_subdomain, self.domain_name)

    @property
    def frontend_domain_name(self) -> str:
        """Host name of the frontend."""
        return _host(self.frontend_subdomain, self.domain_name)

    @property
    def mail_sender(self) -> str:
        """Address that mail comes from."""
        return f"{self.mail_from_user}@{self.mail_from_domain}"

    @property
    def default_smtp_secret_name(self) -> str:
        """Name of the secret that SMTP credentials are put in when they are made.

        A tag may hold what the name of a secret may not: it is made from the tag's letters.
        """
        return f"{secret_name_from(self.project_name_tag, self.name)}-smtp"

    def in_hosted_zone(self, name: str) -> bool:
        """Whether a domain or host name is in the zone of Route 53.

        Args:
            name: The domain or host name.
        """
        return self.is_route53_domain and _is_in(name, self.hosted_zone_name)

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
        they mean. Null means "not set", and so does an empty text, but for subdomains. Keys that
        are CDK's own are ignored. Others that are not known are a mistake if one of ours may be
        meant, and otherwise somebody else's, from `~/.cdk.json` or the command line: these are
        ignored, and in `notes`.

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
        mistakes, notes = _unknown(context)
        mistakes += _beside_context(cdk_json)
        values: dict[str, Any] = {}
        for key in KEYS:
            value = context.get(key.name)
            if value is None or (value == "" and key.kind.empty_is_unset):
                if key.required:
                    mistakes.append(f"{key.name}: is missing, and must be {key.kind.words}")
                continue
            try:
                values[key.name] = key.kind.read(value)
            except ValueError as error:
                mistakes.append(f"{key.name}: {error}")
        config = cls._from_values(values)
        mistakes += _contradictions(values)
        mistakes += _domain_mistakes(config, values)
        mistakes += _network_mistakes(values)
        mistakes += _certificate_mistakes(config, values, account, region)
        if mistakes:
            count = "a mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
            listed = "".join(f"\n  - {mistake}" for mistake in mistakes)
            raise ValueError(f"{count} in the context (cdk.json or --context):{listed}")
        return replace(config, warnings=_doubts(config), notes=[*notes, *_to_do(config)])

    @classmethod
    def _from_values(cls, values: Mapping[str, Any]) -> "GalvConfig":
        name = values.get("name", "galv")
        domain_name = values.get("domainName", "example.com")
        certificate_arn = values.get("certificateArn")
        frontend_subdomain = values.get("frontendSubdomain", _FRONTEND)
        # Deployments side by side have another one each, and SES one identity per domain.
        mail_below = _host(
            "" if frontend_subdomain == _FRONTEND else frontend_subdomain, domain_name
        )
        return cls(
            name=name,
            project_name_tag=values.get("projectNameTag", name),
            domain_name=domain_name,
            backend_subdomain=values.get("backendSubdomain", "api"),
            frontend_subdomain=frontend_subdomain,
            is_route53_domain=values.get("isRoute53Domain", certificate_arn is None),
            hosted_zone_name=values.get("hostedZoneName", domain_name),
            hosted_zone_id=values.get("hostedZoneId"),
            certificate_arn=certificate_arn,
            backend_certificate_arn=values.get("backendCertificateArn", certificate_arn),
            backend_version=values.get("backendVersion", "latest"),
            frontend_version=values.get("frontendVersion", "latest"),
            is_production=values.get("isProduction", True),
            removal_protection=values.get("removalProtection"),
            deletion_protection=values.get(
                "deletionProtection",
                values.get("removalProtection", values.get("isProduction", True)),
            ),
            enable_container_insights=values.get("enableContainerInsights"),
            mail_from_user=values.get("mailFromUser", "galv-no-reply"),
            mail_from_domain=values.get("mailFromDomain", f"mail.{mail_below}"),
            creates_mail_identity=values.get("mailIdentity", "create") == "create",
            smtp_secret_name=values.get("smtpSecretName"),
            smtp_rotation=values.get("smtpRotation", 1),
            database_rotation=values.get("databaseRotation", 1),
            database_ca_file=values.get("databaseCaFile"),
            backend_environment=values.get("backendEnvironment", {}),
            backend_secrets_name=values.get("backendSecretsName", f"{name}-backend-secrets"),
            backend_secrets_keys=values.get("backendSecretsKeys", []),
            frontend_environment=values.get("frontendEnvironment", {}),
            frontend_analytics_url=values.get("frontendAnalyticsUrl"),
            frontend_storage_urls=values.get("frontendStorageUrls", ()),
            frontend_secrets_name=values.get("frontendSecretsName", f"{name}-frontend-secrets"),
            frontend_secrets_keys=values.get("frontendSecretsKeys", []),
            monitor_interval_minutes=values.get("monitorIntervalMinutes", 5),
            network_preset=values.get("networkPreset", NetworkPreset.NAT_GATEWAY),
            vpc_id=values.get("vpcId"),
            vpc_subnets=values.get("vpcSubnets", {}),
            min_tasks=values.get("minTasks", 1),
            lab_storage_quota_gib=values.get("labStorageQuotaGib", 5),
            waf_counted_rules=values.get("wafCountedRules", {}),
            waf_credential_paths=values.get("wafCredentialPaths"),
            admin_cidrs=values.get("adminCidrs"),
            alarm_email=values.get("alarmEmail"),
            warnings=[],
            notes=[],
        )


def _host(subdomain: str, domain_name: str) -> str:
    return f"{subdomain}.{domain_name}" if subdomain else domain_name


def _is_in(name: str, domain: str) -> bool:
    return name == domain or name.endswith(f".{domain}")


def _near(name: str) -> str | None:
    """The key of ours that may be meant by a name that is none."""
    if name in _OTHERS:
        return None
    # Compared without case, which is what is most often wrong.
    lower = {key.name.lower(): key.name for key in KEYS}
    near = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=_NEAR)
    if len(name) >= _SHORTEST_START:
        near += [key for key in lower if key.startswith(name.lower())]
    return lower[near[0]] if near else None


def _unknown(context: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    known = {key.name for key in KEYS}
    mistakes, notes = [], []
    for name in context:
        if name in known or _CDKS_OWN.match(name):
            continue
        near = _near(name)
        if near is None:
            notes.append(f"{name}: is not a key of Galv's, and nothing here reads it")
        else:
            mistakes.append(f"{name}: is not a key of this application; did you mean {near}?")
    return mistakes, notes


def _beside_context(cdk_json: Path | None) -> list[str]:
    if cdk_json is None or not cdk_json.is_file():
        return []
    # The CLI has read it before: it is JSON.
    beside = json.loads(cdk_json.read_text())
    near = {name: _near(name) for name in beside if name != "context"}
    return [
        f'{key}: stands beside "context" in cdk.json'
        + ("" if name == key else f" (as {name})")
        + ", where CDK passes nothing on; move it into it"
        for name, key in near.items()
        if key is not None
    ]


def _domain_mistakes(config: GalvConfig, values: Mapping[str, Any]) -> list[str]:
    mistakes = []
    domain = config.domain_name
    for key in ("backendSubdomain", "frontendSubdomain"):
        value = str(values.get(key, ""))
        if _is_in(value, domain):
            before = value.removesuffix(domain).rstrip(".")
            mistakes.append(
                f"{key}: must be what comes before {domain}, got {value!r}: write {before!r}"
            )
    given = [key for key in ("hostedZoneName", "hostedZoneId") if key in values]
    if not config.is_route53_domain:
        return mistakes + [
            f"{key}: is set, and the domain is not in Route 53, as isRoute53Domain or "
            "certificateArn says; drop this key, or those"
            for key in given
        ]
    hosts = [config.frontend_domain_name, config.backend_domain_name]
    zone = config.hosted_zone_name
    if not all(_is_in(host, zone) for host in hosts):
        mistakes.append(
            f"hostedZoneName: must be the domain of {' and '.join(hosts)}, or one above it, got "
            f"{zone!r}"
        )
    return mistakes


def _network_mistakes(values: Mapping[str, Any]) -> list[str]:
    if "vpcId" not in values:
        if "vpcSubnets" in values:
            return ["vpcSubnets: is set without vpcId, the VPC that the subnets are in; set it too"]
        return []
    preset = values.get("networkPreset", NetworkPreset.PUBLIC)
    if preset is NetworkPreset.PUBLIC:
        return []
    mistake = (
        f"vpcId, networkPreset: are both set, and {preset.value!r} is how to build a new VPC; drop "
        "networkPreset for tasks in the private subnets of your VPC, or set it to 'public' for "
        "tasks in the public ones"
    )
    return [mistake]


def _doubts(config: GalvConfig) -> list[str]:
    """What is allowed and probably not meant."""
    doubts = []
    domain, mail = config.domain_name, config.mail_from_domain
    ours = (domain, config.hosted_zone_name)
    if _RESERVED_DOMAIN.fullmatch(domain):
        doubts.append(
            f"domainName: {domain} is reserved for examples and nobody can have it; set a domain "
            "that you have before you deploy"
        )
    elif config.smtp_secret_name is not None:
        # Who sends with credentials of one's own knows what they may send.
        if config.smtp_secret_name == config.default_smtp_secret_name:
            doubts.append(
                f"smtpSecretName: {config.smtp_secret_name} is the secret that this deployment "
                "creates where the key is not set. If it did, setting the key deletes that secret "
                "and its credentials: drop the key, or put credentials of yours into a secret of "
                "another name"
            )
    elif _RESERVED_DOMAIN.fullmatch(mail):
        doubts.append(
            f"mailFromDomain: {mail} is reserved for examples, so no mail can be sent from it; "
            f"drop the key for mail.{domain}, or set a domain that you have"
        )
    elif not any(_is_in(mail, own) or _is_in(own, mail) for own in ours):
        doubts.append(
            f"mailFromDomain: {mail} is not a domain of {domain}; mail is sent from it once its "
            "DNS has the records of the outputs MailDnsRecord…. If domainName was another one "
            "before, those that were created in its zone are deleted, without removalProtection. "
            "Drop the key if it was left over"
        )
    if not config.is_route53_domain:
        doubts += [
            f"{key}: is empty, and isRoute53Domain is false: if {domain} is the top of its zone, "
            "it cannot have the CNAME record that this host name needs. Ways out: a subdomain; a "
            "DNS provider with ALIAS, ANAME or flattened CNAME records; or the domain in Route 53"
            for key, value in (
                ("backendSubdomain", config.backend_subdomain),
                ("frontendSubdomain", config.frontend_subdomain),
            )
            if value == ""
        ]
    return doubts


def _to_do(config: GalvConfig) -> list[str]:
    """What nobody but the owner of the DNS can do, told before the deployment needs it."""
    if config.is_route53_domain:
        return []
    hosts = f"{config.frontend_domain_name} and {config.backend_domain_name}"
    has_records = config.smtp_secret_name is None and config.creates_mail_identity
    mail = ", and what MailDnsRecord… say" if has_records else ""
    note = (
        "isRoute53Domain: is false, so DNS is yours. Before you deploy: the CNAME records that "
        "validate the certificates. After it, before you sign in or run galv-ops check: records "
        f"from {hosts} to the outputs FrontendCnameTarget and BackendCnameTarget{mail}"
    )
    return [note]


def _contradictions(values: Mapping[str, Any]) -> list[str]:
    mistakes = []
    subdomains = [values.get("backendSubdomain", "api"), values.get("frontendSubdomain", _FRONTEND)]
    if subdomains[0] == subdomains[1]:
        mistakes.append(
            f"backendSubdomain, frontendSubdomain: are both {subdomains[0]!r}; API and frontend "
            "need a host name each"
        )
    for part in ("backend", "frontend"):
        both = sorted(
            set(values.get(f"{part}Environment", ())) & set(values.get(f"{part}SecretsKeys", ()))
        )
        if both:
            mistakes.append(
                f"{part}Environment, {part}SecretsKeys: both have {', '.join(both)}; keep each "
                "name in one of them"
            )
    if "smtpSecretName" in values and "smtpRotation" in values:
        mistakes.append(
            "smtpSecretName, smtpRotation: are both set, and credentials that are given cannot be "
            "made anew; drop smtpRotation, and put new ones in the secret"
        )
    if "smtpSecretName" in values and "mailIdentity" in values:
        mistakes.append(
            "smtpSecretName, mailIdentity: are both set, and with credentials that are given this "
            "deployment has nothing to do with the identity; drop mailIdentity"
        )
    if values.get("isRoute53Domain"):
        mistakes += [
            f"{key}: is set, and isRoute53Domain is true, so that certificates are made; drop "
            "this key, or set isRoute53Domain to false"
            for key in ("certificateArn", "backendCertificateArn")
            if key in values
        ]
    return mistakes


def _certificate_mistakes(
    config: GalvConfig, values: Mapping[str, Any], account: str | None, region: str | None
) -> list[str]:
    if config.is_route53_domain:
        return []
    frontend, backend = [config.frontend_domain_name], [config.backend_domain_name]
    # One certificate serves both where the load balancer is in CloudFront's region.
    shared = "backendCertificateArn" not in values and region in (EDGE_REGION, None)
    if shared:
        return _mistakes_of("certificateArn", frontend + backend, values, account, EDGE_REGION)
    return [
        *_mistakes_of("certificateArn", frontend, values, account, EDGE_REGION),
        *_mistakes_of("backendCertificateArn", backend, values, account, region),
    ]


def _mistakes_of(
    key: str,
    hosts: Sequence[str],
    values: Mapping[str, Any],
    account: str | None,
    region: str | None,
) -> list[str]:
    arn = values.get(key)
    if arn is None:
        return [f"{key}: is missing. {_instructions(key, hosts, region)}"]
    match = CERTIFICATE_ARN.fullmatch(arn)
    mistakes = []
    if match and region is not None and match["region"] != region:
        mistakes.append(
            f"{key}: must be in {region}, got one in {match['region']}. "
            f"{_instructions(key, hosts, region)}"
        )
    if match and account is not None and match["account"] != account:
        mistakes.append(
            f"{key}: must be in the account of the deployment, {account}, got one in "
            f"{match['account']}"
        )
    return mistakes


def _instructions(key: str, hosts: Sequence[str], region: str | None) -> str:
    where = region or "<region of the backend>"
    host, *others = hosts
    also = f" --subject-alternative-names {' '.join(others)}" if others else ""
    return (
        f"The domain is not in Route 53, so {' and '.join(hosts)} need{'' if others else 's'} a "
        f"certificate in {where}:\n"
        f"      aws acm request-certificate --region {where} --domain-name {host}{also} "
        "--validation-method DNS\n"
        f"      aws acm describe-certificate --region {where} --certificate-arn ARN "
        "--query 'Certificate.DomainValidationOptions[].ResourceRecord'\n"
        "    Create the CNAME records that the second command shows, wait until the certificate is "
        f"issued, and set {key} to its ARN"
    )
