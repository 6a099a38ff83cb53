"""Checks of the context keys against each other and against the deployment.

Each mistake starts with the key, or the keys, that it is about.
"""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from galv_constructs._core.policy import DeploymentPolicy
from galv_constructs._core.regions import EDGE_REGION
from galv_constructs._core.release_tag import LATEST
from galv_constructs._core.today import today
from galv_constructs._core.validation import is_in_domain
from galv_constructs.config._kinds import CERTIFICATE_ARN, VAULT_ARN
from galv_constructs.database._checks import LEAST_STORAGE, least_maximum, snapshot_region
from galv_constructs.network import NetworkPreset

if TYPE_CHECKING:
    from galv_constructs.config.config import GalvConfig

# https://www.rfc-editor.org/rfc/rfc6761: nobody can have these.
_RESERVED_DOMAIN = re.compile(
    r"(?:.*\.)?(?:example\.(?:com|net|org)|example|test|invalid|localhost)"
)


def check_together(
    config: "GalvConfig", given: Mapping[str, Any], *, account: str | None, region: str | None
) -> list[str]:
    """Return the mistakes that only several keys together show.

    Args:
        config: The configuration, with defaults for what is not given or wrong.
        given: The values that are given, by name of the key.
        account: Account of the deployment, if it is known.
        region: Region of the backend, if it is known.
    """
    return [
        *_contradictions(config, given),
        *_domain_mistakes(config, given),
        *_network_mistakes(given),
        *_image_mistakes(config),
        *_sleep_mistakes(config, given),
        *_database_mistakes(config, region),
        *_backup_mistakes(config, account, region),
        *_certificate_mistakes(config, given, account, region),
    ]


def doubts(config: "GalvConfig") -> list[str]:
    """Return warnings of what is allowed and probably not meant."""
    found = []
    domain, mail = config.domain_name, config.mail_from_domain
    ours = (domain, config.hosted_zone_name)
    if _RESERVED_DOMAIN.fullmatch(domain):
        found.append(
            f"domainName: {domain} is reserved for examples and nobody can have it; set a domain "
            "that you have before you deploy"
        )
    elif config.smtp_secret_name is not None:
        # Who sends with credentials of one's own knows what they may send.
        if config.smtp_secret_name == config.default_smtp_secret_name:
            found.append(
                f"smtpSecretName: {config.smtp_secret_name} is the secret that this deployment "
                "creates where the key is not set. If it did, setting the key deletes that secret "
                "and its credentials: drop the key, or put credentials of yours into a secret of "
                "another name"
            )
    elif _RESERVED_DOMAIN.fullmatch(mail):
        found.append(
            f"mailFromDomain: {mail} is reserved for examples, so no mail can be sent from it; "
            f"drop the key for mail.{domain}, or set a domain that you have"
        )
    elif not any(is_in_domain(mail, own) or is_in_domain(own, mail) for own in ours):
        found.append(
            f"mailFromDomain: {mail} is not a domain of {domain}; mail is sent from it once its "
            "DNS has the records of the outputs MailDnsRecord…. If domainName was another one "
            "before, those that were created in its zone are deleted, without removalProtection. "
            "Drop the key if it was left over"
        )
    if not config.is_route53_domain:
        found += [
            f"{key}: is empty, and isRoute53Domain is false: if {domain} is the top of its zone, "
            "it cannot have the CNAME record that this host name needs. Ways out: a subdomain; a "
            "DNS provider with ALIAS, ANAME or flattened CNAME records; or the domain in Route 53"
            for key, value in (
                ("backendSubdomain", config.backend_subdomain),
                ("frontendSubdomain", config.frontend_subdomain),
            )
            if value == ""
        ]
    return found


def limited(config: "GalvConfig") -> list[str]:
    """Return notes on keys that apply to a part of the deployment alone."""
    if not (config.fargate_spot and config.is_production):
        return []
    note = (
        "fargateSpot: is true, and isProduction too, so that validations run on Fargate Spot and "
        "the web service does not, which AWS would stop with two minutes' notice"
    )
    return [note]


def to_do(config: "GalvConfig") -> list[str]:
    """Return notes on what only the owner of the DNS can do, before the deployment needs it."""
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


def _contradictions(config: "GalvConfig", given: Mapping[str, Any]) -> list[str]:
    mistakes = []
    if config.backend_subdomain == config.frontend_subdomain:
        mistakes.append(
            f"backendSubdomain, frontendSubdomain: are both {config.backend_subdomain!r}; API and "
            "frontend need a host name each"
        )
    for part in ("backend", "frontend"):
        both = sorted(
            set(given.get(f"{part}Environment", ())) & set(given.get(f"{part}SecretsKeys", ()))
        )
        if both:
            mistakes.append(
                f"{part}Environment, {part}SecretsKeys: both have {', '.join(both)}; keep each "
                "name in one of them"
            )
    if "smtpSecretName" in given and "smtpRotation" in given:
        mistakes.append(
            "smtpSecretName, smtpRotation: are both set, and credentials that are given cannot be "
            "created anew; drop smtpRotation, and put new ones in the secret"
        )
    if "smtpSecretName" in given and "mailIdentity" in given:
        mistakes.append(
            "smtpSecretName, mailIdentity: are both set, and with credentials that are given this "
            "deployment has nothing to do with the identity; drop mailIdentity"
        )
    kept = DeploymentPolicy.of(production=config.is_production).log_expiration_days
    if (config.log_lock_days or 0) > kept:
        mistakes.append(
            f"logLockDays: must be at most {kept}, the days that logs are kept for with "
            f"isProduction {str(config.is_production).lower()}, got {config.log_lock_days}"
        )
    if config.fargate_spot and config.is_production and config.monitor_interval_minutes == 0:
        mistakes.append(
            "fargateSpot, isProduction, monitorIntervalMinutes: are true, true and 0, and there is "
            "nothing to run on Fargate Spot: the web service of production is not interrupted, and "
            "validations are off. Drop fargateSpot, or set isProduction to false or "
            "monitorIntervalMinutes to a number of minutes"
        )
    if given.get("isRoute53Domain"):
        mistakes += [
            f"{key}: is set, and isRoute53Domain is true, so that certificates are created; drop "
            "this key, or set isRoute53Domain to false"
            for key in ("certificateArn", "backendCertificateArn")
            if key in given
        ]
    return mistakes


def _domain_mistakes(config: "GalvConfig", given: Mapping[str, Any]) -> list[str]:
    mistakes = []
    domain = config.domain_name
    for key in ("backendSubdomain", "frontendSubdomain"):
        value = str(given.get(key, ""))
        if is_in_domain(value, domain):
            before = value.removesuffix(domain).rstrip(".")
            mistakes.append(
                f"{key}: must be what comes before {domain}, got {value!r}: write {before!r}"
            )
    if not config.is_route53_domain:
        return mistakes + [
            f"{key}: is set, and the domain is not in Route 53, as isRoute53Domain or "
            "certificateArn says; drop this key, or those"
            for key in ("hostedZoneName", "hostedZoneId")
            if key in given
        ]
    hosts = [config.frontend_domain_name, config.backend_domain_name]
    zone = config.hosted_zone_name
    if not all(is_in_domain(host, zone) for host in hosts):
        mistakes.append(
            f"hostedZoneName: must be the domain of {' and '.join(hosts)}, or one above it, got "
            f"{zone!r}"
        )
    return mistakes


def _network_mistakes(given: Mapping[str, Any]) -> list[str]:
    if "vpcId" not in given:
        if "vpcSubnets" in given:
            return ["vpcSubnets: is set without vpcId, the VPC that the subnets are in; set it too"]
        return []
    preset = given.get("networkPreset", NetworkPreset.PUBLIC)
    if preset is NetworkPreset.PUBLIC:
        return []
    mistake = (
        f"vpcId, networkPreset: are both set, and {preset.value!r} is how to build a new VPC; drop "
        "networkPreset for tasks in the private subnets of your VPC, or set it to 'public' for "
        "tasks in the public ones"
    )
    return [mistake]


def _image_mistakes(config: "GalvConfig") -> list[str]:
    mistakes = []
    if not config.mirror_image and config.network_preset is NetworkPreset.ENDPOINTS:
        mistakes.append(
            "mirrorImage, networkPreset: are false and 'endpoints', and tasks without the internet "
            "cannot pull the image from GHCR; drop mirrorImage, or choose another networkPreset"
        )
    if config.latest_as_of is None:
        return mistakes
    now = today()
    if config.latest_as_of > now:
        mistakes.append(
            f"latestAsOf: must be a day that has come, got {config.latest_as_of}, and in UTC it is "
            f"{now}; set it to that or an earlier one"
        )
    versions = (config.backend_version, config.frontend_version)
    if LATEST not in versions:
        mistakes.append(
            "latestAsOf: is set, and backendVersion and frontendVersion, "
            f"{' and '.join(versions)}, are the same on each day; drop latestAsOf"
        )
    elif config.backend_version == LATEST and not config.mirror_image:
        mistakes.append(
            "latestAsOf, mirrorImage: are both set, and tasks that pull from GHCR run what "
            "'latest' is when they start; drop one of them"
        )
    return mistakes


def _database_mistakes(config: "GalvConfig", region: str | None) -> list[str]:
    mistakes = []
    allocated, most = config.database_storage_gib, config.database_max_storage_gib
    least = least_maximum(LEAST_STORAGE if allocated is None else allocated)
    if most is not None and most < least:
        mistakes.append(
            f"databaseMaxStorageGib: must be at least a tenth above databaseStorageGib, got "
            f"{most}; set it to {least} or more, or drop it"
        )
    place = None if config.database_snapshot is None else snapshot_region(config.database_snapshot)
    if None not in (place, region) and place != region:
        mistakes.append(
            f"databaseSnapshot: must be in {region}, got one in {place}; copy it, with `aws rds "
            f"copy-db-snapshot --region {region}`, and set this to the copy"
        )
    return mistakes


def _sleep_mistakes(config: "GalvConfig", given: Mapping[str, Any]) -> list[str]:
    if config.awake_hours is None:
        if "timeZone" in given:
            return ["timeZone: is set without awakeHours, which it is the time zone of; set it too"]
        return []
    if config.is_production:
        mistake = (
            "awakeHours, isProduction: are set and true, and people rely on production at any "
            "time; drop awakeHours, or set isProduction to false"
        )
        return [mistake]
    return []


def _backup_mistakes(config: "GalvConfig", account: str | None, region: str | None) -> list[str]:
    days, locked = config.backup_days, config.backup_lock_days
    if days is None:
        return [
            f"{key}: is set without backupDays, the days that backups are kept for; set it too"
            for key, value in (
                ("backupLockDays", locked),
                ("backupCopyTo", config.backup_copy_to),
            )
            if value is not None
        ]
    mistakes = []
    if config.awake_hours is not None:
        mistakes.append(
            "backupDays, awakeHours: are both set, and AWS Backup backs up no database that is "
            "stopped; drop one of them"
        )
    policy = DeploymentPolicy.of(
        production=config.is_production, removal_protection=config.removal_protection
    )
    if not policy.versioned:
        mistakes.append(
            "backupDays: is set, and uploads have no versions without removalProtection, which AWS "
            "Backup needs; set removalProtection to true, or drop backupDays"
        )
    if locked is not None and locked > days:
        mistakes.append(
            f"backupLockDays: must be at most backupDays, {days}, got {locked}: AWS Backup takes "
            "no backup that expires before its lock"
        )
    return mistakes + _copy_mistakes(config, account, region)


def _copy_mistakes(config: "GalvConfig", account: str | None, region: str | None) -> list[str]:
    match = VAULT_ARN.fullmatch(config.backup_copy_to or "")
    if match is None or account is None:
        return []
    if match["account"] == account:
        if match["region"] != region:
            return []
        mistake = (
            f"backupCopyTo: must be in another region or another account, got one in {region} of "
            f"{account}, where it would be lost with the backups; create a vault elsewhere"
        )
        return [mistake]
    mistakes = []
    if match["name"] == "Default":
        mistakes.append(
            f"backupCopyTo: must not be the default vault of the account {match['account']}, whose "
            "key is not shared; create a vault there with a KMS key of your own"
        )
    if not config.database_key and config.database_snapshot is None:
        mistakes.append(
            f"backupCopyTo: is in the account {match['account']}, and the database has the key of "
            "RDS, which no other account can use; set databaseKey to true before the first "
            f"deployment, or this to a vault in another region of {account}"
        )
    return mistakes


def _certificate_mistakes(
    config: "GalvConfig", given: Mapping[str, Any], account: str | None, region: str | None
) -> list[str]:
    if config.is_route53_domain:
        return []
    frontend, backend = [config.frontend_domain_name], [config.backend_domain_name]
    # One certificate serves both where the load balancer is in CloudFront's region.
    shared = "backendCertificateArn" not in given and region in (EDGE_REGION, None)
    if shared:
        return _arn_mistakes("certificateArn", frontend + backend, given, account, EDGE_REGION)
    return [
        *_arn_mistakes("certificateArn", frontend, given, account, EDGE_REGION),
        *_arn_mistakes("backendCertificateArn", backend, given, account, region),
    ]


def _arn_mistakes(
    key: str,
    hosts: Sequence[str],
    given: Mapping[str, Any],
    account: str | None,
    region: str | None,
) -> list[str]:
    arn = given.get(key)
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
