"""The services around a task: names, addresses, a database, storage, mail, a load balancer."""

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from containers import Container, Image, container_of

from proof import certificates
from proof.cloud import CREDENTIALS_ADDRESS, CREDENTIALS_PATH, Credentials, start_cloud
from proof.isolation import add_address, isolate, set_hosts
from proof.mail import MailServer
from proof.postgres import Postgres
from proof.proxy import DOCUMENTATION_HOSTS, Proxy, Routes
from proof.templates import CDN_OF_API, CDN_OF_SITE, DATABASE, LOAD_BALANCER, Assembly

_PROXY, _POSTGRES, _MAIL = "127.0.0.2", "127.0.0.3", "127.0.0.4"
_AUTHORITY = "/etc/proof/ca.pem"
# Names by which each library knows whom to trust.
TRUST = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
_SERVICES = ("s3", "sts", "secretsmanager", "ses")
_WEB_PORT = 8000


class World:
    """An AWS of one machine, with what the templates name."""

    def __init__(
        self,
        assembly: Assembly,
        *,
        application: Path,
        python: Path,
        folder: Path,
        documentation: Path | None = None,
    ) -> None:
        """Prepare it; nothing runs before it is entered.

        Args:
            assembly: The deployment.
            application: Folder of the application, with its `manage.py`.
            python: Interpreter of an environment with what it needs.
            folder: Folder for all files.
            documentation: Folder with what jsDelivr has for the application's pages.
        """
        self.assembly = assembly
        self.folder = folder
        self.documentation = documentation
        # The folders that the Dockerfile of galv-backend creates, as far as tasks see them.
        self.image = Image(
            python=python,
            application=application,
            files={_AUTHORITY: folder / "tls" / "ca.pem"},
            environment={
                "PYTHONDONTWRITEBYTECODE": "1",
                "PYTHONUNBUFFERED": "1",
                "DJANGO_SETTINGS_MODULE": "config.settings",
            },
        )
        self.api = str(assembly.variable("web", "VIRTUAL_HOST"))
        self.site = str(assembly.variable("web", "FRONTEND_VIRTUAL_HOST")).split(",")[0]
        self.task_address = f"{assembly.task_address()}:{_WEB_PORT}"
        self.user = assembly.variable("setup-db", "DJANGO_SUPERUSER_USERNAME") or "admin"
        self._stack = ExitStack()
        self._runs = 0

    def __enter__(self) -> "World":  # noqa: PYI034 - typing.Self came with Python 3.11
        """Start everything."""
        with self._stack:
            self._start()
            # Only what was started whole is left for later.
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _value: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """End everything."""
        self._stack.close()

    def _start(self) -> None:
        isolate()
        for address in (self.assembly.task_address(), CREDENTIALS_ADDRESS):
            add_address(address)
        self.hosts = self._names()
        set_hosts(self.hosts, self.folder)
        self.certificates = certificates.create(self.folder / "tls", list(self.hosts))
        self.cloud = start_cloud(self.folder / "cloud")
        self._stack.callback(self.cloud.stop)
        self.s3: Any = self.cloud.client("s3", "us-east-1")
        for bucket in self.assembly.buckets:
            self.s3.create_bucket(Bucket=bucket)
        self.secrets = self._secrets()
        self.database = Postgres(self.folder / "postgres", _POSTGRES, self.certificates)
        self._stack.callback(self.database.stop)
        self.database.start(
            user=self.assembly.database_user,
            password=self.secrets[self.master_password],
            database=self.assembly.variable("web", "POSTGRES_DB") or "galv",
        )
        self.mail = MailServer(
            _MAIL,
            self.certificates,
            user=self.secrets.get("DJANGO_EMAIL_HOST_USER", ""),
            password=self.secrets.get("DJANGO_EMAIL_HOST_PASSWORD", ""),
        )
        routes = Routes(
            api=self.api,
            task=self.task_address,
            idle=self._idle_timeout(),
            cdn=CDN_OF_API,
            static_bucket=self.static_bucket or "none",
            emulator=self.cloud.port,
            headers=self.assembly.listener_headers(),
            documentation=self.documentation or self.folder / "none",
            site=f"{self.site.partition('://')[2]} {CDN_OF_SITE}",
        )
        self.proxy = Proxy(self.folder / "nginx", _PROXY, self.certificates, routes)
        for server in (self.mail, Credentials(), self.proxy):
            server.start()
            self._stack.callback(server.stop)

    def _names(self) -> dict[str, str]:
        region = self.assembly.region
        hosts = {f"{service}.{region}.amazonaws.com": _PROXY for service in _SERVICES}
        hosts |= {f"{service}.amazonaws.com": _PROXY for service in _SERVICES}
        for bucket in self.assembly.buckets:
            hosts |= {f"{bucket}.s3.{name}amazonaws.com": _PROXY for name in ("", f"{region}.")}
        site = self.site.partition("://")[2]
        hosts |= dict.fromkeys(DOCUMENTATION_HOSTS, _PROXY)
        hosts |= dict.fromkeys([self.api, site, CDN_OF_API, CDN_OF_SITE, LOAD_BALANCER], _PROXY)
        mail = self.assembly.variable("web", "DJANGO_EMAIL_HOST")
        return {**hosts, DATABASE: _POSTGRES, **({mail: _MAIL} if mail else {})}

    def _secrets(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for name in ("web", "setup-db", "check-status"):
            if task := self.assembly.task(name):
                found |= self.assembly.secrets_of(task)
        return found

    def _idle_timeout(self) -> int:
        for _, one in self.assembly.of_type("AWS::ElasticLoadBalancingV2::LoadBalancer"):
            for attribute in one.get("LoadBalancerAttributes", []):
                if attribute["Key"] == "idle_timeout.timeout_seconds":
                    return int(attribute["Value"])
        return 60

    @property
    def password(self) -> str:
        """The superuser's."""
        return self.secrets["DJANGO_SUPERUSER_PASSWORD"]

    @property
    def master_password(self) -> str:
        """The variable with the password of the database's master."""
        own = "GALV_DATABASE_MASTER_PASSWORD"
        return own if own in self.secrets else "POSTGRES_PASSWORD"

    @property
    def static_bucket(self) -> str | None:
        """The bucket with the API's static files."""
        return self.assembly.variable("web", "DJANGO_STATIC_FILES_BUCKET_NAME")

    @property
    def media_bucket(self) -> str | None:
        """The bucket with what users upload."""
        return self.assembly.variable("web", "DJANGO_AWS_STORAGE_BUCKET_NAME")

    def container(
        self,
        name: str,
        *,
        command: list[str] | None = None,
        environment: dict[str, str] | None = None,
        secrets: dict[str, str] | None = None,
    ) -> Container:
        """Return a container of the task with this name, not started.

        Args:
            name: The container's name in the templates.
            command: Command in place of the template's.
            environment: Variables beside the template's.
            secrets: Values in place of the secrets'.
        """
        task = self.assembly.task(name)
        if task is None:
            raise LookupError(f"the templates have no task with a container {name!r}")
        self._runs += 1
        folder = self.folder / "tasks" / f"{self._runs}-{name}"
        folder.mkdir(parents=True)
        return Container(
            self.image,
            container_of(task, name),
            secrets={**self.assembly.secrets_of(task), **(secrets or {})},
            environment={
                # As ECS sets it for a task with a role.
                "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": CREDENTIALS_PATH,
                **dict.fromkeys(TRUST, _AUTHORITY),
                **(environment or {}),
            },
            command=command,
            hosts=self.hosts,
            folder=folder,
        )
