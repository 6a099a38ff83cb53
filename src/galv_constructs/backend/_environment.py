"""The variables that the Galv backend reads.

Only those that a released image reads, and none that is empty: some stop the application then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import Size
from aws_cdk import aws_ecs as ecs

from galv_constructs._core.validation import check_domain_name, check_list
from galv_constructs.backend._container import DIRECTORY
from galv_constructs.mail.mail import IGalvMail
from galv_constructs.network import GalvNetwork, IGalvNetwork

SUPERUSER_PASSWORD = "DJANGO_SUPERUSER_PASSWORD"  # noqa: S105 - the name of a variable

_MAIL = "pass mail=GalvMail(…) or GalvMail.from_secret(…)"
_STORAGE = "pass media_bucket, or let the construct create one"
_DATABASE = "pass database=GalvDatabase.from_instance(…)"
AUTHORITY = "GALV_DATABASE_CA"
DEFAULT_LAB_STORAGE_QUOTA = Size.gibibytes(5)

_WRITABLE = "it lies where tasks may write"

RESERVED_VARIABLES: Mapping[str, str] = {
    "AWS_DEFAULT_REGION": "it is the region of the stack",
    "DJANGO_ALLOWED_CIDR_NETS": "it follows from the subnets of the tasks; pass network",
    "DJANGO_AWS_S3_REGION_NAME": _STORAGE,
    "DJANGO_AWS_STORAGE_BUCKET_NAME": _STORAGE,
    "DJANGO_DEFAULT_FROM_EMAIL": _MAIL,
    "DJANGO_EMAIL_HOST": _MAIL,
    "DJANGO_EMAIL_HOST_PASSWORD": _MAIL,
    "DJANGO_EMAIL_HOST_USER": _MAIL,
    "DJANGO_EMAIL_PORT": _MAIL,
    "DJANGO_EMAIL_USE_SSL": _MAIL,
    "DJANGO_EMAIL_USE_TLS": _MAIL,
    "DJANGO_LABS_USE_OUR_S3_STORAGE": _STORAGE,
    "DJANGO_LAB_STORAGE_QUOTA_BYTES": "pass lab_storage_quota",
    "DJANGO_SECRET_KEY": "it is generated in Secrets Manager",
    "DJANGO_STATIC_FILES_BUCKET_NAME": "the construct creates the bucket for static files",
    "DJANGO_STATIC_FILES_CDN_DOMAIN": "the construct creates the distribution for static files",
    "DJANGO_STORE_MEDIA_FILES_ON_S3": _STORAGE,
    "DJANGO_STORE_STATIC_FILES_ON_S3": _STORAGE,
    "TMPDIR": _WRITABLE,
    SUPERUSER_PASSWORD: "it is generated in Secrets Manager, and only the setup task gets it",
    "FRONTEND_VIRTUAL_HOST": "pass frontend_domain_names",
    AUTHORITY: "pass ca_file to GalvDatabase",
    "GALV_ALLOW_DESTRUCTIVE": "pass allow_destructive_migrations",
    "GALV_DATABASE_MASTER_PASSWORD": "only the setup task gets it",
    "GALV_DATABASE_MASTER_USER": "only the setup task gets it",
    "GALV_DATABASE_OWNER": "setup creates that role; pass owner_role=False to GalvDatabase",
    "GALV_DATABASE_NEW": "database.add_database(…) sets it",
    "GALV_HARVESTER_LOG_FILE": _WRITABLE,
    "GALV_RELEASE_EVENT": "a release task sets it",
    "HOME": _WRITABLE,
    "MPLCONFIGDIR": _WRITABLE,
    "NUMBA_CACHE_DIR": _WRITABLE,
    "POSTGRES_DB": _DATABASE,
    "POSTGRES_HOST": _DATABASE,
    "POSTGRES_PASSWORD": _DATABASE,
    "POSTGRES_PORT": _DATABASE,
    "POSTGRES_USER": _DATABASE,
    "VIRTUAL_HOST": "pass domain_name",
    "VIRTUAL_HOST_ROOT": "pass root_domain_name",
    "WEB_CONCURRENCY": "pass workers",
}


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
    check_list("frontend_domain_names", frontend_domain_names, "a list of host names")
    for index, name in enumerate(frontend_domain_names):
        check_domain_name(f"frontend_domain_names[{index}]", name)


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
            "lab_storage_quota must be known at synthesis, got a token: pass a plain Size"
        )


def check_secret_sources(
    secrets: Mapping[str, ecs.Secret] | None, network: IGalvNetwork | None
) -> None:
    """Refuse parameters of Systems Manager, which an ENDPOINTS network has no endpoint for.

    ECS reads them by the task's network:
    https://docs.aws.amazon.com/systems-manager/latest/userguide/setup-create-vpc.html
    """
    # Other networks without internet may have endpoints of their own.
    if not isinstance(network, GalvNetwork) or network.has_internet:
        return
    for name, secret in (secrets or {}).items():
        if ":ssm:" in secret.arn:
            raise ValueError(
                f"secrets[{name!r}] is a parameter of Systems Manager, and network has no internet "
                "and no endpoint for that: use ecs.Secret.from_secrets_manager(…), or choose "
                "another NetworkPreset"
            )


@dataclass(frozen=True, kw_only=True)
class BackendVariables:
    """The values that the environment variables come from."""

    region: str
    s3_endpoint: str | None
    domain_name: str
    root_domain_name: str
    frontend_domain_names: Sequence[str]
    health_check_cidrs: Sequence[str]
    media_bucket_name: str
    static_bucket_name: str
    static_domain_name: str
    database_host: str
    database_port: str
    database_name: str
    database_authority: str | None
    database_user: ecs.Secret
    database_password: ecs.Secret
    secret_key: ecs.Secret
    mail: IGalvMail | None
    lab_storage_quota: Size

    @property
    def environment(self) -> dict[str, str]:
        """Plain variables."""
        variables = {
            # botocore reads no AWS_REGION, and every process asks STS who it is.
            "AWS_DEFAULT_REGION": self.region,
            # The endpoint of the region is the one that a VPC endpoint stands for.
            "AWS_STS_REGIONAL_ENDPOINTS": "regional",
            "DJANGO_ALLOWED_CIDR_NETS": ",".join(self.health_check_cidrs),
            "DJANGO_AWS_S3_REGION_NAME": self.region,
            "DJANGO_AWS_STORAGE_BUCKET_NAME": self.media_bucket_name,
            "DJANGO_LABS_USE_OUR_S3_STORAGE": "True",
            "DJANGO_LAB_STORAGE_QUOTA_BYTES": str(round(self.lab_storage_quota.to_bytes())),
            "DJANGO_STATIC_FILES_BUCKET_NAME": self.static_bucket_name,
            "DJANGO_STATIC_FILES_CDN_DOMAIN": self.static_domain_name,
            "DJANGO_STORE_MEDIA_FILES_ON_S3": "True",
            "DJANGO_STORE_STATIC_FILES_ON_S3": "True",
            "FRONTEND_VIRTUAL_HOST": ",".join(
                f"https://{name}" for name in self.frontend_domain_names
            ),
            "GALV_HARVESTER_LOG_FILE": "/var/log/galv/harvester.log",
            # Importing Galv compiles functions of datashader, for which numba has to find a
            # directory that it may write: without one every process ends at its first import.
            "HOME": f"{DIRECTORY}/home",
            "MPLCONFIGDIR": f"{DIRECTORY}/matplotlib",
            "NUMBA_CACHE_DIR": f"{DIRECTORY}/numba",
            "PGSSLMODE": "require",
            # Galv leaves files there: the web task removes what is old in this directory alone.
            "TMPDIR": f"{DIRECTORY}/temporary",
            "POSTGRES_DB": self.database_name,
            "POSTGRES_HOST": self.database_host,
            "POSTGRES_PORT": self.database_port,
            "VIRTUAL_HOST": self.domain_name,
            "VIRTUAL_HOST_ROOT": self.root_domain_name,
        }
        if self.database_authority is not None:
            variables |= {
                # The entry point writes it to the file.
                AUTHORITY: self.database_authority,
                # https://www.postgresql.org/docs/current/libpq-ssl.html
                "PGSSLMODE": "verify-full",
                "PGSSLROOTCERT": f"{DIRECTORY}/database-ca.pem",
            }
        if self.s3_endpoint is not None:
            variables["AWS_ENDPOINT_URL_S3"] = self.s3_endpoint
        return variables

    @property
    def secrets(self) -> dict[str, ecs.Secret]:
        """Variables that come from Secrets Manager when a task starts."""
        return {
            "DJANGO_SECRET_KEY": self.secret_key,
            "POSTGRES_PASSWORD": self.database_password,
            "POSTGRES_USER": self.database_user,
        }

    @property
    def mail_environment(self) -> dict[str, str]:
        """Plain variables of tasks that send mail: without them Galv has its defaults."""
        if self.mail is None:
            return {}
        # Only the exact text "True" is true, and both at once is an error.
        encryption = "DJANGO_EMAIL_USE_SSL" if self.mail.port == 465 else "DJANGO_EMAIL_USE_TLS"
        return {
            "DJANGO_DEFAULT_FROM_EMAIL": self.mail.sender,
            "DJANGO_EMAIL_HOST": self.mail.host,
            "DJANGO_EMAIL_PORT": str(self.mail.port),
            encryption: "True",
        }

    @property
    def mail_secrets(self) -> dict[str, ecs.Secret]:
        """Variables from Secrets Manager of tasks that send mail."""
        if self.mail is None:
            return {}
        return {
            "DJANGO_EMAIL_HOST_PASSWORD": self.mail.password,
            "DJANGO_EMAIL_HOST_USER": self.mail.user,
        }
