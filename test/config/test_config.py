import importlib.util
import json
import re
import shutil
import sys
from dataclasses import MISSING
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import api_doc
import config_docs
import jsonschema
import pytest
from aws_cdk import App
from proof import certificates

from galv_constructs import GalvConfig, NetworkPreset
from galv_constructs._core.today import today
from galv_constructs.config import config as declarations
from galv_constructs.config._keys import DERIVED, keys_of

SOURCE = Path(declarations.__file__)
CDK_JSON = Path(__file__).parents[2] / "examples" / "galv-app" / "cdk.json"
KEYS = list(keys_of(GalvConfig).values())
ARN = "arn:aws:acm:{region}:{account}:certificate/0a1b2c3d-0000-4000-8000-000000000000"
DOCUMENTED = [
    "name",
    "backendVersion",
    "frontendVersion",
    "projectNameTag",
    "isProduction",
    "removalProtection",
    "mailFromUser",
    "mailFromDomain",
    "frontendEnvironment",
    "backendEnvironment",
    "frontendSecretsName",
    "frontendSecretsKeys",
    "backendSecretsName",
    "backendSecretsKeys",
    "monitorIntervalMinutes",
    "frontendSubdomain",
    "backendSubdomain",
    "domainName",
    "isRoute53Domain",
    "enableContainerInsights",
    "certificateArn",
    "smtpSecretName",
]


def read(*, account: str | None = None, region: str | None = None, **context: Any) -> GalvConfig:
    context = {"name": "galv", "domainName": "example.com", **context}
    app = App(context={key: value for key, value in context.items() if value is not ...})
    return GalvConfig.from_context(app.node, account=account, region=region)


def refusal(**context: Any) -> str:
    with pytest.raises(ValueError, match="in the context") as error:
        read(**context)
    return str(error.value)


SNAPSHOT = "arn:aws:rds:eu-west-2:123456789012:{}:before"


def arn(region: str = "us-east-1", account: str = "123456789012") -> str:
    return ARN.format(region=region, account=account)


def test_knows_every_documented_key() -> None:
    assert [key.name for key in KEYS if not key.added] == DOCUMENTED
    assert len(DOCUMENTED) == 22


def test_every_key_is_read(tmp_path: Path) -> None:
    values: dict[str, Any] = {
        "backendVersion": "v2.11.4",
        "frontendVersion": "v2.2.0",
        "projectNameTag": "lab",
        "isProduction": False,
        "removalProtection": True,
        "deletionProtection": False,
        "mailFromUser": "noreply",
        "mailFromDomain": "example.org",
        "frontendEnvironment": {"VITE_X": "1"},
        "backendEnvironment": {"DJANGO_LOG_LEVEL": "INFO"},
        "frontendSecretsName": "f",
        "frontendSecretsKeys": ["VITE_KEY"],
        "backendSecretsName": "b",
        "backendSecretsKeys": ["SENTRY_DSN"],
        "monitorIntervalMinutes": 7,
        "frontendSubdomain": "www",
        "backendSubdomain": "rest",
        "isRoute53Domain": False,
        "enableContainerInsights": True,
        "certificateArn": arn(),
        "smtpSecretName": "smtp",
        "backendCertificateArn": arn("eu-west-2"),
        "networkPreset": "public",
        "mirrorImage": False,
        "minTasks": 2,
        "fargateSpot": True,
        "awakeHours": "Mon-Fri 07:00-19:00",
        "timeZone": "Europe/London",
        "labStorageQuotaGib": 1024,
        "mediaKey": True,
        "alarmEmail": "lab@example.com",
        "wafCountedRules": {"AWSManagedRulesSQLiRuleSet": ["SQLi_BODY"]},
        "wafCredentialPaths": ["/login/", "POST /users/"],
        "internetFacing": False,
        "allowedCidrs": ["10.0.0.0/8"],
        "adminCidrs": ["192.0.2.0/24", "2001:db8::/32"],
        "vpcId": VPC,
        "vpcSubnets": {"tasks": SUBNETS},
        "frontendAnalyticsUrl": "https://stats.example.com/script.js",
        "frontendStorageUrls": ["https://storage.example.org"],
        "databaseInstanceType": "t4g.small",
        "databaseEngineVersion": "18",
        "databaseStorageGib": 100,
        "databaseMaxStorageGib": 500,
        "databaseSnapshot": "galv-before-the-move",
        "databaseKey": True,
        "databaseRotation": 2,
        "logLockDays": 30,
        "preflight": ["image", "records"],
        "allowDestructiveMigrations": ["galv.0043_remove_note"],
        "snapshotBeforeSetup": False,
        "databaseCaFile": str(certificates.create(tmp_path / "tls", ["a"]).authority),
    }
    plain, changed = read(), read(region="eu-west-2", **values)

    unread = [name for name in vars(plain) if getattr(plain, name) == getattr(changed, name)]

    # Rotation goes with credentials that are created, not given; a zone with a domain in Route 53;
    # a day with the latest version; backups with a database that is always awake.
    assert unread == [
        "name",
        "domain_name",
        "hosted_zone_name",
        "hosted_zone_id",
        "latest_as_of",
        "creates_mail_identity",
        "smtp_rotation",
        "backup_days",
        "backup_lock_days",
        "backup_copy_to",
        "warnings",
    ]
    assert read(smtpRotation=2).smtp_rotation == 2
    assert not read(mailIdentity="existing").creates_mail_identity
    others = {"name", "domainName", "smtpRotation", "hostedZoneName", "hostedZoneId", "latestAsOf"}
    others |= {"mailIdentity", "backupDays", "backupLockDays", "backupCopyTo"}
    assert set(values) | others == {key.name for key in KEYS}


def test_a_configuration_in_python_has_the_same_defaults() -> None:
    config = GalvConfig(name="galv", domain_name="lab.org")

    assert config == read(domainName="lab.org")
    assert DERIVED not in vars(config).values()


def test_an_attribute_is_named_like_its_key() -> None:
    others = {
        attribute: key.name
        for attribute, key in keys_of(GalvConfig).items()
        if key.name.lower() != attribute.replace("_", "")
    }

    assert others == {"creates_mail_identity": "mailIdentity"}


@pytest.mark.parametrize("attribute", keys_of(GalvConfig))
def test_a_key_is_required_or_has_the_default_that_its_docstring_names(attribute: str) -> None:
    key, field = keys_of(GalvConfig)[attribute], GalvConfig.__dataclass_fields__[attribute]
    has_default = field.default is not MISSING or field.default_factory is not MISSING
    words = config_docs.Documents().default_of(attribute)

    assert has_default is bool(words) is (not key.required)
    assert (field.default is DERIVED) is (key.derive is not None)
    quoted = re.match("`([^`]*)`", words)
    if quoted and field.default is not DERIVED:
        assert key.kind.read(quoted[1]) == field.default


DECLARATION = '''
    lab_motto: Annotated[str | None, Key("labMotto", EMAIL, added=True)] = None
    """Address of the one
    who knows the motto. Default: nobody
    knows it."""
'''


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source of `GalvConfig` with one key more, in a copy of the package."""
    folder = tmp_path_factory.mktemp("src")
    package = SOURCE.parents[1]
    shutil.copytree(package, folder / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    copy = folder / SOURCE.relative_to(package.parent)
    before, warnings, after = SOURCE.read_text().partition("\n    warnings: ")
    copy.write_text(before + DECLARATION + warnings + after)
    return copy


@pytest.fixture(scope="module")
def config(source: Path) -> type[GalvConfig]:
    """`GalvConfig` with one key more."""
    specification = importlib.util.spec_from_file_location("declares_one_more", source)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[module.__name__] = module
    specification.loader.exec_module(module)
    config: type[GalvConfig] = module.GalvConfig
    return config


class TestOneDeclaration:
    """A key that is declared in `GalvConfig` is in all that is read and written by it."""

    @staticmethod
    def context(**more: Any) -> App:
        return App(context={"name": "galv", "domainName": "lab.org", **more})

    def test_is_read(self, config: type[GalvConfig]) -> None:
        given = config.from_context(self.context(labMotto="a@lab.org").node)

        assert vars(given)["lab_motto"] == "a@lab.org"
        assert vars(config.from_context(self.context().node))["lab_motto"] is None
        python: Any = config
        assert python(name="galv", domain_name="lab.org", lab_motto="a@lab.org") == given

    @pytest.mark.parametrize(
        ("context", "says"),
        [
            ({"labMotto": "nobody"}, "- labMotto: must be an address such as"),
            ({"labMoto": "a@lab.org"}, "- labMoto: is not a key of this application; did you mean"),
        ],
    )
    def test_is_checked(self, config: type[GalvConfig], context: dict[str, str], says: str) -> None:
        with pytest.raises(ValueError, match=re.escape(says)):
            config.from_context(self.context(**context).node)

    def test_is_in_the_schema_and_the_table(self, config: type[GalvConfig], source: Path) -> None:
        documents = config_docs.Documents(config, source)

        assert documents.schema()["properties"]["context"]["properties"]["labMotto"] == {
            "description": "Address of the one who knows the motto. Default: nobody knows it.",
            "anyOf": [{"type": "string"}, {"enum": [None, ""]}],
        }
        row = "| `labMotto` (added) | Address of the one who knows the motto | nobody knows it |"
        assert row in documents.table().splitlines()

    def test_is_in_the_reference(self, source: Path) -> None:
        module = api_doc.load(source.parents[2])

        assert api_doc.mistakes(module) == []
        page = api_doc.Reference(module).page()
        assert "\n    lab_motto: str | None = None,\n" in page
        assert (
            "| `lab_motto` | <code>str</code> | nobody knows it | Address of the one who knows the "
            "motto. |"
        ) in page


def test_defaults() -> None:
    config = read()

    assert config.backend_domain_name == "api.example.com"
    assert config.frontend_domain_name == "app.example.com"
    assert config.mail_sender == "galv-no-reply@mail.example.com"
    assert config.project_name_tag == "galv"
    assert config.default_smtp_secret_name == "galv-smtp"
    assert config.backend_secrets_name == "galv-backend-secrets"
    assert (config.backend_version, config.frontend_version) == ("latest", "latest")
    assert config.is_production
    assert config.min_tasks == 1
    assert not config.media_key
    assert config.lab_storage_quota_gib == 5
    assert config.removal_protection is None
    assert config.is_route53_domain
    assert config.monitor_interval_minutes == 5
    assert config.network_preset is NetworkPreset.NAT_GATEWAY


@pytest.mark.parametrize(
    ("given", "tag"),
    [
        ("2.11.4", "v2.11.4"),
        ("v2.11.4", "v2.11.4"),
        ("latest", "latest"),
        ("v3.0.0-rc1", "v3.0.0-rc1"),
        ("3.0.0-rc1", "3.0.0-rc1"),
        ("develop", "develop"),
        ("2024.11", "2024.11"),
    ],
)
def test_a_release_is_the_same_with_and_without_its_v(given: str, tag: str) -> None:
    config = read(backendVersion=given, frontendVersion=given)

    assert (config.backend_version, config.frontend_version) == (tag, tag)


def test_image_and_site_may_be_given_by_their_digests() -> None:
    digest = f"sha256:{'0' * 64}"

    assert read(backendVersion=f"2.11.4@{digest}").backend_version == f"v2.11.4@{digest}"
    assert read(frontendVersion=f"2.2.0@{digest}").frontend_version == f"v2.2.0@{digest}"
    assert "frontendVersion: must not have a digest" in refusal(frontendVersion=f"latest@{digest}")
    said = refusal(frontendVersion="v2.2.0@sha256:0a")
    assert "frontendVersion: must have the digest of frontend-build.tar.gz" in said


def test_refuses_a_backend_that_is_too_old() -> None:
    assert "backendVersion: must be v2.11.3 or later" in refusal(backendVersion="2.7.4")


def test_an_empty_subdomain_is_the_domain_itself() -> None:
    assert read(frontendSubdomain="").frontend_domain_name == "example.com"


@pytest.mark.parametrize("value", [False, "false", "False"])
def test_reads_booleans_as_text(value: object) -> None:
    assert not read(isProduction=value).is_production


@pytest.mark.parametrize("value", [0, "0", 0.0])
def test_reads_numbers_as_text(value: object) -> None:
    assert read(monitorIntervalMinutes=value).monitor_interval_minutes == 0


@pytest.mark.parametrize(
    ("value", "asks"),
    [
        (True, True),
        ("True", True),
        ("false", False),
        ('["image"]', ["image"]),
        (["quotas", "Backend/Image"], ["quotas", "Backend/Image"]),
        ([], []),
        (None, True),
        ("", True),
    ],
)
def test_reads_what_preflight_leaves_out(value: object, asks: object) -> None:
    assert read(preflight=value).preflight == asks


def test_reads_json_as_text() -> None:
    config = read(backendEnvironment='{"A": "b"}', backendSecretsKeys='["C"]')

    assert config.backend_environment == {"A": "b"}
    assert config.backend_secrets_keys == ["C"]


@pytest.mark.parametrize("value", [None, ""])
def test_null_and_empty_mean_not_set(value: object) -> None:
    config = read(backendVersion=value, backendEnvironment={"A": value}, smtpSecretName=value)

    assert config.backend_version == "latest"
    assert config.backend_environment == {}
    assert config.smtp_secret_name is None


@pytest.mark.parametrize(
    "key",
    ["@aws-cdk/core:x", "aws:cdk:y", "hosted-zone:account=1", "cdk-migrate", "aws-cdk:z"],
)
def test_ignores_context_of_cdk(key: str) -> None:
    context: Any = {key: "anything"}

    assert read(**context) == read()


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("name", ..., "is missing"),
        ("name", "a b", "letters, digits and '-'"),
        ("domainName", "Example.com", "got 'Example.com'"),
        ("domainName", "https://example.com", "leave out the scheme"),
        ("backendSubdomain", "a_b", "got 'a_b'"),
        ("backendVersion", "a b", "tag of an image"),
        ("isProduction", "yes", "must be true or false, got 'yes'"),
        ("isProduction", 1, "must be true or false, got 1"),
        ("removalProtection", "", "must be true or false"),
        ("mailFromUser", "a b", "before the @"),
        ("mailFromDomain", "mail", "bare host name"),
        ("monitorIntervalMinutes", -1, "from 0 (off) to 44640"),
        ("monitorIntervalMinutes", 2.5, "a whole number"),
        ("minTasks", 0, "from 1 to 4, which is the maximum of autoscaling, got 0"),
        ("minTasks", 5, "from 1 to 4"),
        ("minTasks", 1.5, "a whole number of tasks"),
        ("labStorageQuotaGib", -1, "from 0 (none) to 1048576 (1 PiB)"),
        ("labStorageQuotaGib", 0.5, "a whole number of GiB"),
        ("monitorIntervalMinutes", "soon", "a whole number"),
        ("monitorIntervalMinutes", True, "a whole number"),
        ("backendEnvironment", "A=b", "an object of names and values"),
        ("backendEnvironment", {"A": 1}, "put the value in quotes"),
        ("backendEnvironment", {"1A": "b"}, "do not start with a digit, got '1A'"),
        ("backendEnvironment", {"POSTGRES_HOST": "b"}, "must not set POSTGRES_HOST"),
        ("backendEnvironment", {"DB_PASSWORD": "b"}, "DB_PASSWORD looks like one"),
        ("backendSecretsKeys", ["DJANGO_SECRET_KEY"], "must not set DJANGO_SECRET_KEY"),
        ("backendSecretsKeys", ["A", "A"], "got A more than once"),
        ("backendSecretsKeys", "A", "a list of names"),
        ("frontendSecretsKeys", ["a b"], "got 'a b'"),
        ("backendSecretsName", "galv-AbC123", "must not end in a dash and six characters"),
        ("smtpSecretName", "a secret", "the name of a secret"),
        ("networkPreset", "nat", "natGateway, natInstance, public, endpoints, got 'nat'"),
        ("mirrorImage", "no", "must be true or false"),
        ("latestAsOf", "23.11.2026", "must be a day such as '2026-11-23'"),
        ("latestAsOf", "2026-02-30", "must be a day of the calendar"),
        ("latestAsOf", 20261123, "must be a day such as '2026-11-23'"),
        ("backendVersion", f"latest@sha256:{'0a1b' * 16}", "must not have a digest for 'latest'"),
        ("certificateArn", "arn:aws:iam::1:server-certificate/x", "ARN of a certificate in ACM"),
        ("backendversion", "1", "did you mean backendVersion?"),
        ("monitorInterval", "1", "did you mean monitorIntervalMinutes?"),
        ("alarmEmail", "nobody", "got 'nobody'"),
        ("frontendEnvironment", {"VITE_GALV_API_BASE_URL": "x"}, "must not set VITE_GALV_API_BASE"),
        ("frontendEnvironment", {"VITE_GALV_ANALYTICS_URL": "x"}, ": set frontendAnalyticsUrl"),
        ("frontendAnalyticsUrl", "http://stats.example.com", "must be an HTTPS URL"),
        ("frontendAnalyticsUrl", "https://a.example.com; script-src *", "must be an HTTPS URL"),
        ("frontendStorageUrls", "https://storage.example.org", "must be a list of URLs"),
        ("frontendStorageUrls", ["https://storage.example.org/a"], "end a path with a slash"),
        ("wafCountedRules", {"Ours": ["SQLi_BODY"]}, "has the group 'Ours': it must be one of"),
        ("wafCountedRules", ["SQLi_BODY"], "must be a mapping of groups to rules"),
        ("wafCredentialPaths", "/login/", "must be a list of paths, got '/login/'"),
        ("wafCredentialPaths", ["login"], "must be the start of a path such as '/login/' or"),
        ("adminCidrs", "192.0.2.0/24", "must be a list of IP ranges, got '192.0.2.0/24'"),
        ("adminCidrs", ["192.0.2.0/24", "192.0.2.9/24"], "host bits are zero, got '192.0.2.9/24'"),
        ("adminCidrs", ["0.0.0.0/0"], "must be an IP range such as '192.0.2.0/24'"),
        ("internetFacing", "maybe", "must be true or false"),
        ("allowedCidrs", "192.0.2.0/24", "must be a list of IP ranges, got '192.0.2.0/24'"),
        ("allowedCidrs", ["192.0.2.9/24"], "host bits are zero, got '192.0.2.9/24'"),
        ("allowedCidrs", [f"10.0.{n}.0/24" for n in range(31)], "has 31 IPv4 ranges, and a"),
        ("databaseInstanceType", "t4g.mirco", "'t4g.small', 't4g.medium', 't4g.large'"),
        ("databaseInstanceType", "m7g.small", "must be a size that RDS has for PostgreSQL"),
        ("databaseInstanceType", "serverless", "got 'serverless'"),
        ("databaseInstanceType", 4, "must be a size such as 't4g.medium', got 4"),
        ("databaseEngineVersion", "13", "one of 14, 15, 16, 17, 18, got '13'"),
        ("databaseEngineVersion", 17.4, "got 17.4: RDS installs minor ones itself"),
        ("databaseEngineVersion", True, "must be a major version of PostgreSQL"),
        ("databaseStorageGib", 10, "must be from 20 to 65536, got 10"),
        ("databaseStorageGib", 20.5, "a whole number of GiB"),
        ("databaseMaxStorageGib", 10, "must be from 20 to 65536, got 10"),
        ("databaseMaxStorageGib", 20, "databaseStorageGib, got 20; set it to 22 or more"),
        ("databaseSnapshot", "my snapshot", "must be the name or the ARN of a snapshot"),
        ("databaseSnapshot", SNAPSHOT.format("cluster-snapshot"), "snapshot of an instance, got"),
        ("databaseRotation", 0, "from 1 to 1000000, got 0"),
        ("logLockDays", 0, "from 1 to 365, got 0"),
        ("logLockDays", 366, "from 1 to 365, got 366"),
        ("logLockDays", 1.5, "a whole number of days"),
        ("databaseCaFile", "no-such.pem", "must be a file with certificates, and"),
        ("allowDestructiveMigrations", "some", "must be true, false, or a list of the migrations"),
        ("allowDestructiveMigrations", [], "such as ['galv.0043_remove_note'], got []"),
        ("allowDestructiveMigrations", ["0043"], "names '0043', which is no migration"),
        ("preflight", "off", "must be true, false, or a list of checks to leave out"),
        ("preflight", ["imgae"], "leaves out 'imgae', which is neither a kind of check"),
        ("smtpRotation", 0, "from 1 to 1000000, got 0"),
        ("smtpRotation", 1.5, "a whole number, got 1.5"),
    ],
)
def test_refuses_each_invalid_value(key: str, value: object, says: str) -> None:
    message = refusal(**{key: value})

    assert f"- {key}: " in message
    assert says in message


def test_an_admin_for_nobody_is_not_one_for_everybody() -> None:
    assert read(adminCidrs=[]).admin_cidrs == []
    assert read(adminCidrs="").admin_cidrs is read(adminCidrs=None).admin_cidrs is None


def test_refuses_all_mistakes_at_once() -> None:
    message = refusal(
        isProduction="maybe",
        backendVersoin="1",
        domainName=...,
        backendEnvironment={"A": "b", "POSTGRES_HOST": "x", "X_TOKEN": "y"},
        frontendEnvironment={"F": "1"},
        frontendSecretsKeys=["F"],
    )

    assert message.startswith("5 mistakes")
    for key in ("isProduction", "backendVersoin", "domainName", "POSTGRES_HOST", "X_TOKEN", "both"):
        assert key in message


def test_a_setting_that_only_sounds_like_a_secret_is_no_secret() -> None:
    name = "DJANGO_USER_ACTIVATION_TOKEN_EXPIRY_S"

    assert read(backendEnvironment={name: "60"}).backend_environment == {name: "60"}


def test_refuses_to_rotate_given_credentials() -> None:
    assert "drop smtpRotation" in refusal(smtpSecretName="ours", smtpRotation=2)


def test_refuses_a_lock_that_outlasts_the_logs() -> None:
    assert read(logLockDays=365).log_lock_days == 365
    assert read(logLockDays=30, isProduction=False).log_lock_days == 30
    assert (
        "- logLockDays: must be at most 30, the days that logs are kept for with isProduction "
        "false, got 31"
    ) in refusal(logLockDays=31, isProduction=False)


def test_refuses_an_identity_beside_credentials_that_are_given() -> None:
    assert "drop mailIdentity" in refusal(smtpSecretName="ours", mailIdentity="existing")


@pytest.mark.parametrize(
    ("subdomain", "domain"),
    [("app", "mail.lab.org"), ("", "mail.lab.org"), ("app-stage", "mail.app-stage.lab.org")],
)
def test_the_mail_domain_follows_the_host_of_the_frontend(subdomain: str, domain: str) -> None:
    """So that deployments side by side do not want the same identity of SES."""
    config = read(domainName="lab.org", frontendSubdomain=subdomain)

    assert config.mail_from_domain == domain


def test_refuses_one_host_name_for_both() -> None:
    assert "need a host name each" in refusal(backendSubdomain="", frontendSubdomain="")


class TestCertificates:
    def test_one_in_us_east_1_serves_both_there(self) -> None:
        config = read(region="us-east-1", isRoute53Domain=False, certificateArn=arn())

        assert config.backend_certificate_arn == arn()

    def test_a_certificate_says_that_the_domain_is_elsewhere(self) -> None:
        assert not read(certificateArn=arn()).is_route53_domain

    def test_elsewhere_the_api_needs_its_own(self) -> None:
        message = refusal(region="eu-west-2", certificateArn=arn())

        assert "- backendCertificateArn: is missing" in message
        assert "--region eu-west-2 --domain-name api.example.com" in message

    def test_without_any_the_error_is_the_instructions(self) -> None:
        message = refusal(region="eu-west-2", isRoute53Domain=False)

        assert "--region us-east-1 --domain-name app.example.com --validation" in message
        assert "set certificateArn to its ARN" in message
        assert "set backendCertificateArn to its ARN" in message

    def test_without_any_in_us_east_1_one_for_both_is_enough(self) -> None:
        message = refusal(region="us-east-1", isRoute53Domain=False)

        assert message.startswith("a mistake")
        assert "--subject-alternative-names api.example.com" in message

    def test_refuses_another_region(self) -> None:
        message = refusal(
            region="eu-west-2",
            certificateArn=arn("eu-west-2"),
            backendCertificateArn=arn("us-east-1"),
        )

        assert "- certificateArn: must be in us-east-1, got one in eu-west-2" in message
        assert "- backendCertificateArn: must be in eu-west-2, got one in us-east-1" in message

    def test_refuses_another_account(self) -> None:
        message = refusal(account="111122223333", region="us-east-1", certificateArn=arn())

        mistake = (
            "- certificateArn: must be in the account of the deployment, 111122223333, got one"
        )
        assert f"{mistake} in 123456789012" in message

    @pytest.mark.parametrize("key", ["certificateArn", "backendCertificateArn"])
    def test_refuses_one_beside_a_zone(self, key: str) -> None:
        message = refusal(isRoute53Domain=True, **{key: arn()})

        assert f"- {key}: is set, and isRoute53Domain is true" in message


def test_schema_and_table_are_up_to_date() -> None:
    for path, content in config_docs.Documents().pages().items():
        assert path.read_text() == content


def test_the_schema_knows_the_same_keys_and_takes_the_examples_own_file() -> None:
    document = json.loads(CDK_JSON.read_text())
    schema = config_docs.Documents().schema()
    validator = jsonschema.Draft202012Validator(schema)

    assert set(schema["properties"]["context"]["properties"]) == {key.name for key in KEYS}
    assert list(validator.iter_errors(document)) == []
    for key, value in (("isProduction", "yes"), ("colour", "red"), ("monitorIntervalMinutes", -1)):
        wrong = {**document, "context": {**document["context"], key: value}}
        assert list(validator.iter_errors(wrong)) != []


FOREIGN = ["env", "environment", "stage", "account", "region", "owner", "colour"]


@pytest.mark.parametrize("key", FOREIGN)
def test_other_peoples_context_passes_with_a_note(key: str) -> None:
    """`~/.cdk.json` and `--context` reach every application."""
    context = {"name": "galv", "domainName": "example.com", key: "prod"}

    config = GalvConfig.from_context(App(context=context).node)

    (note,) = config.notes
    assert note.startswith(f"{key}: ")
    assert "not a key of Galv's" in note


def test_without_foreign_context_there_is_no_note() -> None:
    assert read().notes == []


def test_says_which_records_to_create_and_before_what() -> None:
    arn = ARN.format(region="us-east-1", account="123456789012")
    (note,) = read(certificateArn=arn).notes

    steps = ["Before you deploy: the CNAME records that validate", "FrontendCnameTarget"]
    assert [step for step in steps if step not in note] == []
    assert note.index(steps[0]) < note.index(steps[1])
    assert "MailDnsRecord" in note
    (note,) = read(certificateArn=arn, smtpSecretName="ours").notes
    assert "MailDnsRecord" not in note


def test_the_walkthrough_creates_records_before_what_needs_them() -> None:
    text = (CDK_JSON.parent / "README.md").read_text()
    steps = ["CNAME records that validate", "**Deploy**", "create its records", "**Sign in**"]

    places = [text.index(step) for step in [*steps, "**Check**"]]
    assert places == sorted(places)


NEAR_MISSES = ["Name", "domain", "domainname", "isProd", "vpc", "backendVersoin", "hostedZone"]


@pytest.mark.parametrize("key", NEAR_MISSES)
def test_refuses_a_misspelled_key(key: str) -> None:
    assert f"- {key}: is not a key of this application; did you mean " in refusal(**{key: "x"})


# https://docs.aws.amazon.com/cdk/v2/guide/cli.html, and what `cdk init` writes.
CDKS_OWN = [
    "app", "assetMetadata", "build", "browser", "ci", "context", "debug", "language", "lookups",
    "notices", "output", "outputsFile", "pathMetadata", "plugin", "profile", "progress",
    "requireApproval", "role-arn", "rollback", "staging", "tags", "toolkitBucket",
    "toolkitStackName", "trace", "unstable", "versionReporting", "watch", "$schema",
]  # fmt: skip


class TestBesideContext:
    """Keys of ours that stand in `cdk.json` beside `"context"`, where CDK reads none of them."""

    def test_refuses_keys_beside_the_context(self, tmp_path: Path) -> None:
        path = tmp_path / "cdk.json"
        path.write_text(json.dumps({"app": "x", "isProduction": False, "domianName": "x.org"}))

        with pytest.raises(ValueError, match="in the context") as error:
            GalvConfig.from_context(
                App(context={"name": "galv", "domainName": "example.com"}).node, cdk_json=path
            )

        assert '- isProduction: stands beside "context" in cdk.json' in str(error.value)
        assert "domianName" in str(error.value)

    def test_takes_cdks_own_and_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        path = tmp_path / "cdk.json"
        node = App(context={"name": "galv", "domainName": "example.com"}).node
        assert GalvConfig.from_context(node, cdk_json=path) == read()
        path.write_text(json.dumps(dict.fromkeys(CDKS_OWN, "x")))

        assert GalvConfig.from_context(node, cdk_json=path) == read()


SECRET_NAMES = [
    "DB_PASSWORD", "DB_PASS", "SMTP_PW", "REDIS_PWD", "KEY_PASSPHRASE", "SENTRY_AUTH_TOKEN",
    "db_pass", "PASS", "STRIPE_APIKEY", "SIGNING_KEY", "ENCRYPTION_KEY", "LDAP_CREDS", "PASSWORDS",
]  # fmt: skip


@pytest.mark.parametrize("key", ["backendEnvironment", "frontendEnvironment"])
@pytest.mark.parametrize("name", SECRET_NAMES)
def test_refuses_a_variable_whose_name_sounds_like_a_secret(key: str, name: str) -> None:
    assert f"{name} looks like one" in refusal(**{key: {name: "x"}})


@pytest.mark.parametrize("key", ["backendEnvironment", "frontendEnvironment"])
def test_refuses_a_password_in_a_url(key: str) -> None:
    message = refusal(**{key: {"CACHE": "redis://galv:hunter2@cache.example.com/0"}})

    assert "CACHE looks like one" in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    "name", ["COMPASS", "BYPASS", "PW_RESET_S", "SITE_URL", "MONKEY", "TOKENS_PER_S"]
)
def test_accepts_a_name_that_only_ends_like_a_secret(name: str) -> None:
    assert read(backendEnvironment={name: "https://a.b/c?d=e@f:g"}).backend_environment


@pytest.mark.parametrize(
    "name", ["VITE_GALV_API_BASE_URL", "AWS_REGION", "CODEBUILD_X", "GALV_BUILD_X"]
)
@pytest.mark.parametrize("key", ["frontendEnvironment", "frontendSecretsKeys"])
def test_refuses_a_variable_that_the_build_sets_itself(key: str, name: str) -> None:
    message = refusal(**{key: {name: "x"} if key == "frontendEnvironment" else [name]})

    assert f"- {key}: must not set {name}" in message


@pytest.mark.parametrize("key", ["frontendSubdomain", "backendSubdomain"])
@pytest.mark.parametrize("value", ["here.example.com", "example.com"])
def test_refuses_a_subdomain_that_ends_in_the_domain(key: str, value: str) -> None:
    message = refusal(**{key: value})

    assert f"- {key}: must be what comes before example.com, got {value!r}" in message
    assert ("'here'" if value.startswith("here") else "''") in message


@pytest.mark.parametrize(
    ("tag", "secret"),
    [
        ("lab", "lab-smtp"),
        ("Oxford Battery Group", "Oxford-Battery-Group-smtp"),
        ("Zürich: 1", "Zurich-1-smtp"),
        ("cost-centre:42", "cost-centre-42-smtp"),
        ("电池", "galv-smtp"),
        ("a" * 256, "a" * 256 + "-smtp"),
    ],
)
def test_accepts_every_tag_that_aws_allows(tag: str, secret: str) -> None:
    config = read(projectNameTag=tag)

    assert config.project_name_tag == tag
    assert config.default_smtp_secret_name == secret


@pytest.mark.parametrize("tag", ["Galv & Co", "a" * 257, " galv", "aws:galv", "a\nb"])
def test_refuses_a_tag_that_aws_does_not_take(tag: str) -> None:
    assert "- projectNameTag: must be" in refusal(projectNameTag=tag)


class TestMailDomain:
    """A mail domain from which nothing can be sent is warned about."""

    @pytest.mark.parametrize(
        "domain", ["example.com", "mail.example.com", "lab.example", "lab.test", "x.invalid"]
    )
    def test_warns_of_a_reserved_one(self, domain: str) -> None:
        (warning,) = read(domainName="lab.org", mailFromDomain=domain).warnings

        assert warning.startswith(f"mailFromDomain: {domain} is reserved")

    def test_warns_of_the_reserved_default(self) -> None:
        (warning,) = read().warnings

        assert warning.startswith("domainName: example.com is reserved")

    def test_warns_of_a_foreign_one(self) -> None:
        (warning,) = read(domainName="lab.org", mailFromDomain="other.org").warnings

        assert warning.startswith("mailFromDomain: other.org is not a domain of lab.org")
        # Not a word of it comes from CloudFormation.
        assert "created in its zone are deleted, without removalProtection" in warning

    @pytest.mark.parametrize("domain", [None, "lab.org", "mail.lab.org", "org.uk.lab.org"])
    def test_says_nothing_of_its_own(self, domain: str | None) -> None:
        assert read(domainName="lab.org", mailFromDomain=domain).warnings == []

    def test_says_nothing_of_the_domain_above(self) -> None:
        assert read(domainName="galv.lab.org", mailFromDomain="lab.org").warnings == []

    def test_takes_any_domain_with_credentials_that_are_given(self) -> None:
        config = read(domainName="lab.org", mailFromDomain="other.org", smtpSecretName="ours")

        assert config.warnings == []


class TestApexElsewhere:
    """A CNAME record cannot stand at the top of a zone."""

    @pytest.mark.parametrize("key", ["frontendSubdomain", "backendSubdomain"])
    def test_is_warned_about(self, key: str) -> None:
        (warning,) = read(domainName="lab.org", certificateArn=arn(), **{key: ""}).warnings

        assert warning.startswith(f"{key}: is empty, and isRoute53Domain is false")
        for way_out in ("ALIAS", "a subdomain", "Route 53"):
            assert way_out in warning

    def test_is_fine_in_route_53(self) -> None:
        assert read(domainName="lab.org", frontendSubdomain="").warnings == []


class TestZone:
    def test_has_the_domains_name_unless_given(self) -> None:
        config = read()

        assert (config.hosted_zone_name, config.hosted_zone_id) == ("example.com", None)

    @pytest.mark.parametrize("domain", ["lab.org", "galv.lab.org", "a.galv.lab.org"])
    def test_may_be_above_the_domain(self, domain: str) -> None:
        config = read(domainName=domain, hostedZoneName="lab.org", hostedZoneId="Z0123456789ABC")

        assert (config.hosted_zone_name, config.hosted_zone_id) == ("lab.org", "Z0123456789ABC")

    def test_may_be_below_the_domain_when_it_has_the_hosts(self) -> None:
        config = read(
            domainName="lab.org",
            hostedZoneName="galv.lab.org",
            backendSubdomain="api.galv",
            frontendSubdomain="galv",
            mailFromDomain="galv.lab.org",
        )

        assert config.hosted_zone_name == "galv.lab.org"
        assert config.warnings == []

    def test_refuses_one_without_the_hosts(self) -> None:
        message = refusal(hostedZoneName="other.org")

        assert (
            "- hostedZoneName: must be the domain of app.example.com and api.example.com" in message
        )

    @pytest.mark.parametrize(
        ("key", "value"), [("hostedZoneName", "example.com"), ("hostedZoneId", "Z0123456789ABC")]
    )
    def test_refuses_one_for_a_domain_elsewhere(self, key: str, value: str) -> None:
        message = refusal(certificateArn=arn(), **{key: value})

        assert f"- {key}: is set, and the domain is not in Route 53" in message

    @pytest.mark.parametrize("value", ["/hostedzone/Z1", "zone", "z0123456789abc"])
    def test_refuses_an_invalid_id(self, value: str) -> None:
        assert "- hostedZoneId: must be the id of a hosted zone" in refusal(hostedZoneId=value)


class TestImage:
    def test_is_the_latest_of_the_day_and_copied_unless_told(self) -> None:
        config = read()

        assert (config.backend_version, config.latest_as_of) == ("latest", None)
        assert config.mirror_image is True

    def test_may_be_pulled_from_its_registry_or_be_of_another_day(self) -> None:
        assert read(mirrorImage="false").mirror_image is False
        assert read(latestAsOf="2026-11-23").latest_as_of == date(2026, 11, 23)

    def test_is_of_no_day_that_is_to_come(self) -> None:
        later = today() + timedelta(days=2)

        assert f"- latestAsOf: must be a day that has come, got {later}" in refusal(
            latestAsOf=later.isoformat()
        )

    def test_may_be_pinned_while_the_site_is_of_a_day(self) -> None:
        assert read(latestAsOf="2026-11-23", backendVersion="v2.11.4", mirrorImage=False)

    def test_is_copied_for_tasks_without_the_internet(self) -> None:
        assert read(networkPreset="endpoints").network_preset is NetworkPreset.ENDPOINTS

    @pytest.mark.parametrize(
        ("context", "says"),
        [
            (
                {"mirrorImage": False, "networkPreset": "endpoints"},
                "- mirrorImage, networkPreset: are false and 'endpoints'",
            ),
            (
                {
                    "latestAsOf": "2026-11-23",
                    "backendVersion": "v2.11.4",
                    "frontendVersion": "v2.2.0",
                },
                "- latestAsOf: is set, and backendVersion and frontendVersion, v2.11.4 and v2.2.0",
            ),
            (
                {"latestAsOf": "2026-11-23", "mirrorImage": False},
                "- latestAsOf, mirrorImage: are both set",
            ),
        ],
    )
    def test_refuses_what_does_not_go_together(self, context: dict[str, object], says: str) -> None:
        assert says in refusal(**context)


VPC = "vpc-0123456789abcdef0"
SUBNETS = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]


class TestSleep:
    def test_is_always_awake_by_default(self) -> None:
        assert (read().awake_hours, read().time_zone) == (None, "Etc/UTC")

    def test_takes_hours_and_a_time_zone(self) -> None:
        config = read(
            isProduction=False, awakeHours="Mon-Thu,Sat 08:00-18:30", timeZone="Europe/London"
        )

        assert config.awake_hours == "Mon-Thu,Sat 08:00-18:30"
        assert config.time_zone == "Europe/London"
        assert read(isProduction=False, awakeHours="Mon 08:00-18:30").time_zone == "Etc/UTC"

    @pytest.mark.parametrize(
        ("context", "says"),
        [
            ({"awakeHours": "at night"}, "awakeHours: must be days and from when to when, such as"),
            ({"awakeHours": 7}, "such as 'Mon-Fri 07:00-19:00', got 7\n"),
            ({"awakeHours": "Mon-Fry 07:00-19:00"}, "got 'Mon-Fry 07:00-19:00': days must be"),
            ({"awakeHours": "Mon 07:00-25:00"}, "end must be a time such as '07:00'"),
            ({"awakeHours": "Mon 19:00-07:00"}, "end must be later than start"),
            ({"timeZone": "Europe/Londn"}, "timeZone: must be the name of a time zone, such as"),
            ({"timeZone": "Europe/Londn"}, "did you mean 'Europe/London'?"),
        ],
    )
    def test_refuses_what_is_malformed(self, context: dict[str, Any], says: str) -> None:
        given: dict[str, Any] = {
            "isProduction": False,
            "awakeHours": "Mon-Fri 07:00-19:00",
            **context,
        }

        assert says in f"{refusal(**given)}\n"

    def test_refuses_production(self) -> None:
        message = refusal(awakeHours="Mon-Fri 07:00-19:00")

        assert "- awakeHours, isProduction: are set and true, and people rely on" in message
        assert "drop awakeHours, or set isProduction to false" in message

    def test_refuses_a_time_zone_of_nothing(self) -> None:
        message = refusal(isProduction=False, timeZone="Europe/London")

        assert "- timeZone: is set without awakeHours" in message


COPIES = "arn:aws:backup:{}:{}:backup-vault:{}"
ACCOUNT = "123456789012"


class TestBackups:
    def test_are_those_of_rds_by_default(self) -> None:
        config = read()

        assert (config.backup_days, config.backup_lock_days, config.backup_copy_to) == (None,) * 3
        assert config.database_key is False

    def test_are_kept_locked_and_copied(self) -> None:
        vault = COPIES.format("eu-central-1", ACCOUNT, "galv")
        config = read(backupDays=35, backupLockDays="35", backupCopyTo=vault)

        assert (config.backup_days, config.backup_lock_days) == (35, 35)
        assert config.backup_copy_to == vault

    @pytest.mark.parametrize(
        "more", [{"databaseKey": True}, {"databaseSnapshot": "galv-before-the-move"}]
    )
    def test_are_copied_to_another_account(self, more: dict[str, Any]) -> None:
        vault = COPIES.format("us-east-1", "444455556666", "galv")

        assert read(backupDays=35, backupCopyTo=vault, **more).backup_copy_to == vault

    @pytest.mark.parametrize(
        ("context", "says"),
        [
            ({"backupDays": 0}, "backupDays: must be from 1 to 36500, got 0"),
            ({"backupDays": 7, "backupLockDays": 8}, "must be at most backupDays, 7, got 8"),
            ({"backupLockDays": 8}, "backupLockDays: is set without backupDays"),
            (
                {"backupCopyTo": COPIES.format("us-east-1", "444455556666", "galv")},
                "backupCopyTo: is set without backupDays",
            ),
            (
                {"backupDays": 7, "backupCopyTo": "galv"},
                "backupCopyTo: must be the ARN of a vault of AWS Backup, such as 'arn:aws:backup:",
            ),
            (
                {"backupDays": 7, "isProduction": False},
                "backupDays: is set, and uploads have no versions without removalProtection",
            ),
            (
                {
                    "backupDays": 7,
                    "isProduction": False,
                    "removalProtection": True,
                    "awakeHours": "Mon-Fri 07:00-19:00",
                },
                "backupDays, awakeHours: are both set, and AWS Backup backs up no database that",
            ),
            (
                {"backupDays": 7, "backupCopyTo": COPIES.format("us-east-1", ACCOUNT, "galv")},
                f"must be in another region or another account, got one in us-east-1 of {ACCOUNT}",
            ),
            (
                {
                    "backupDays": 7,
                    "backupCopyTo": COPIES.format("us-east-1", "444455556666", "galv"),
                },
                f"first deployment, or this to a vault in another region of {ACCOUNT}",
            ),
            (
                {
                    "backupDays": 7,
                    "databaseKey": True,
                    "backupCopyTo": COPIES.format("us-east-1", "444455556666", "Default"),
                },
                "backupCopyTo: must not be the default vault of the account 444455556666",
            ),
        ],
    )
    def test_refuses_what_cannot_be_backed_up(self, context: dict[str, Any], says: str) -> None:
        assert says in refusal(account=ACCOUNT, region="us-east-1", **context)


class TestVpc:
    def test_is_created_unless_given(self) -> None:
        assert (read().vpc_id, read().vpc_subnets) == (None, {})

    def test_may_be_given_with_its_subnets(self) -> None:
        config = read(vpcId=VPC, vpcSubnets={"tasks": SUBNETS}, networkPreset="public")

        assert config.vpc_id == VPC
        assert config.vpc_subnets == {"tasks": SUBNETS}

    @pytest.mark.parametrize(
        ("context", "says"),
        [
            ({"vpcId": "my-vpc"}, "- vpcId: must be the id of a VPC"),
            ({"vpcSubnets": {"tasks": SUBNETS}}, "vpcSubnets: is set without vpcId"),
            ({"vpcId": VPC, "networkPreset": "natInstance"}, "vpcId, networkPreset: "),
            ({"vpcId": VPC, "networkPreset": "natGateway"}, "vpcId, networkPreset: "),
            ({"vpcId": VPC, "vpcSubnets": SUBNETS}, "- vpcSubnets: must be an object"),
            ({"vpcId": VPC, "vpcSubnets": {"task": SUBNETS}}, "loadBalancer, tasks, database"),
            ({"vpcId": VPC, "vpcSubnets": {"tasks": "subnet-1"}}, "list of ids of subnets"),
            ({"vpcId": VPC, "vpcSubnets": {"tasks": []}}, "list of ids of subnets"),
            ({"vpcId": VPC, "vpcSubnets": {"database": SUBNETS[:1]}}, "in two Availability Zones"),
        ],
    )
    def test_refuses_each_invalid_value(self, context: dict[str, object], says: str) -> None:
        assert says in refusal(**context)


class TestDatabase:
    def test_is_as_the_constructs_have_it_unless_told(self) -> None:
        config = read()

        assert config.database_instance_type == "t4g.micro"
        assert config.database_engine_version is None
        assert config.database_storage_gib is None
        assert config.database_max_storage_gib is None
        assert config.database_snapshot is None

    @pytest.mark.parametrize("written", ["db.t4g.medium", "t4g.medium"])
    def test_takes_a_size_as_rds_or_ec2_writes_it(self, written: str) -> None:
        assert read(databaseInstanceType=written).database_instance_type == "t4g.medium"

    @pytest.mark.parametrize("written", ["18", 18])
    def test_takes_a_version_as_text_or_number(self, written: object) -> None:
        assert read(databaseEngineVersion=written).database_engine_version == "18"

    @pytest.mark.parametrize(
        "snapshot",
        ["before", "rds:galv-2026-11-23-03-10", "awsbackup:job-1a", SNAPSHOT.format("snapshot")],
    )
    def test_takes_snapshots_of_all_makers(self, snapshot: str) -> None:
        assert read(databaseSnapshot=snapshot, region="eu-west-2").database_snapshot == snapshot

    def test_refuses_a_snapshot_of_another_region(self) -> None:
        with pytest.raises(ValueError, match="databaseSnapshot: must be in us-east-1, got one in"):
            read(databaseSnapshot=SNAPSHOT.format("snapshot"), region="us-east-1")

    def test_refuses_a_maximum_that_leaves_no_room_to_grow(self) -> None:
        message = refusal(databaseStorageGib=101, databaseMaxStorageGib=111)

        assert "got 111; set it to 112 or more" in message
        assert read(databaseStorageGib=101, databaseMaxStorageGib=112).database_storage_gib == 101


class TestSpot:
    def test_refuses_it_where_nothing_would_run_on_it(self) -> None:
        message = refusal(fargateSpot=True, monitorIntervalMinutes=0)

        assert (
            "- fargateSpot, isProduction, monitorIntervalMinutes: are true, true and 0" in message
        )

    @pytest.mark.parametrize(
        "context", [{"isProduction": False, "monitorIntervalMinutes": 0}, {"fargateSpot": False}]
    )
    def test_says_nothing_where_it_applies_or_is_not_asked_for(
        self, context: dict[str, Any]
    ) -> None:
        assert read(**{"fargateSpot": True, **context}).notes == []

    def test_says_that_the_web_service_of_production_does_not_run_on_it(self) -> None:
        (note,) = read(fargateSpot=True).notes

        assert note.startswith("fargateSpot: is true, and isProduction too")


WRONG: dict[str, Any] = {
    "vpcSubnets": "x",
    "backendEnvironment": "x",
    "frontendEnvironment": "x",
    "backendSecretsKeys": "x",
    "frontendSecretsKeys": "x",
}


@pytest.mark.parametrize("key", [key.name for key in KEYS])
def test_every_refusal_of_a_value_starts_with_the_key_and_has_no_python_in_it(key: str) -> None:
    message = refusal(**{key: WRONG.get(key, "not / a & value\n")})

    assert f"\n  - {key}: must be " in message
    # Arguments of the constructs are snake_case, or have an equals sign.
    assert not re.search(r"\b[a-z]+_[a-z]+\b|[a-z]=", message.replace("us-east-1", ""))


def test_the_examples_own_file_overrides_no_better_default() -> None:
    """With only `name` and `domainName` changed everything follows them."""
    shipped = json.loads(CDK_JSON.read_text())["context"]
    own: dict[str, Any] = {"name": "lab", "domainName": "lab.org"}
    changes: list[dict[str, Any]]
    for region in ("us-east-1", "eu-west-2"):
        changes = [
            {},
            {"certificateArn": arn(), "backendCertificateArn": arn(region)},
            {"isProduction": False},
            {"name": "lab-stage", "projectNameTag": "stage"},
        ]
        for more in changes:
            changed = read(region=region, **{**shipped, **own, **more})
            plain = read(region=region, **{**own, **more})

            adds = {name for name in vars(plain) if getattr(plain, name) != getattr(changed, name)}
            assert adds <= {"backend_environment"}, more


@pytest.mark.parametrize(
    ("context", "protected"),
    [
        ({}, True),
        ({"isProduction": False}, False),
        ({"isProduction": False, "removalProtection": True}, True),
        ({"removalProtection": False}, False),
        ({"removalProtection": False, "deletionProtection": True}, True),
        ({"deletionProtection": "false"}, False),
    ],
)
def test_deletion_protection_follows_removal_protection_unless_given(
    context: dict[str, Any], protected: bool
) -> None:
    assert read(**context).deletion_protection is protected


def test_doubts_a_secret_that_the_deployment_may_have_created() -> None:
    """To set the key to that name takes the secret away in the same deployment."""
    (doubt,) = read(domainName="lab.org", smtpSecretName="galv-smtp").warnings
    assert doubt.startswith("smtpSecretName: galv-smtp is the secret that this deployment creates")

    assert read(domainName="lab.org", smtpSecretName="our-smtp").warnings == []
