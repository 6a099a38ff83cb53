"""The variables that tasks get: those that the application reads, and the user's own."""

import pytest
from aws_cdk import Size, Stack
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_secretsmanager as secretsmanager
from backends import RefusedBackend, Synth
from templates import Json, environment, of_type, secrets

from galv_constructs.backend._environment import RESERVED_VARIABLES

TASKS = ["web", "setup-db", "check-status"]
# What no released image reads, although other deployments set it.
UNREAD = {"AWS_REGION", "ENVIRONMENT", "S3_BUCKET", "POSTGRES_SSLMODE", "SECURE_PROXY_SSL_HEADER"}


@pytest.fixture
def secret(stack: Stack) -> secretsmanager.ISecret:
    return secretsmanager.Secret.from_secret_name_v2(stack, "Own", "own")


class TestSet:
    @pytest.mark.parametrize("name", TASKS)
    def test_every_task_gets_the_variables_of_the_application(
        self, default: Json, name: str
    ) -> None:
        variables = environment(default, name)

        assert set(variables) == {
            "AWS_DEFAULT_REGION",
            "AWS_STS_REGIONAL_ENDPOINTS",
            "DJANGO_ALLOWED_CIDR_NETS",
            "DJANGO_AWS_S3_REGION_NAME",
            "DJANGO_AWS_STORAGE_BUCKET_NAME",
            "DJANGO_LABS_USE_OUR_S3_STORAGE",
            "DJANGO_LAB_STORAGE_QUOTA_BYTES",
            "DJANGO_STATIC_FILES_BUCKET_NAME",
            "DJANGO_STATIC_FILES_CDN_DOMAIN",
            "DJANGO_STORE_MEDIA_FILES_ON_S3",
            "DJANGO_STORE_STATIC_FILES_ON_S3",
            "FRONTEND_VIRTUAL_HOST",
            "GALV_HARVESTER_LOG_FILE",
            "HOME",
            "MPLCONFIGDIR",
            "NUMBA_CACHE_DIR",
            "PGSSLMODE",
            "POSTGRES_DB",
            "POSTGRES_HOST",
            "POSTGRES_PORT",
            "TMPDIR",
            "VIRTUAL_HOST",
            "VIRTUAL_HOST_ROOT",
            *(["GALV_DATABASE_OWNER"] if name == "setup-db" else []),
        }
        assert "" not in variables.values()
        for switch in (
            "DJANGO_LABS_USE_OUR_S3_STORAGE",
            "DJANGO_STORE_MEDIA_FILES_ON_S3",
            "DJANGO_STORE_STATIC_FILES_ON_S3",
        ):
            assert variables[switch] == "True"

    @pytest.mark.parametrize("name", TASKS)
    def test_no_task_gets_a_variable_that_nothing_reads(self, default: Json, name: str) -> None:
        assert not UNREAD & (set(environment(default, name)) | set(secrets(default, name)))

    def test_variables_of_the_construct_are_reserved(self, mailing: Json) -> None:
        names = set(environment(mailing, "web")) | set(secrets(mailing, "setup-db"))
        assert names - set(RESERVED_VARIABLES) == {"AWS_STS_REGIONAL_ENDPOINTS", "PGSSLMODE"}

    def test_the_region_is_that_of_the_stack(self, default: Json) -> None:
        variables = environment(default, "web")

        assert variables["AWS_DEFAULT_REGION"] == {"Ref": "AWS::Region"}
        assert variables["DJANGO_AWS_S3_REGION_NAME"] == {"Ref": "AWS::Region"}

    def test_health_checks_are_allowed_from_the_subnets_of_the_tasks(self, default: Json) -> None:
        cidrs = {
            resource["Properties"]["CidrBlock"]
            for logical_id, resource in of_type(default, "AWS::EC2::Subnet").items()
            if "TasksSubnet" in logical_id
        }

        allowed = environment(default, "web")["DJANGO_ALLOWED_CIDR_NETS"]
        assert set(allowed.split(",")) == cidrs

    def test_uses_the_given_names(self, tuned: Json) -> None:
        variables = environment(tuned, "web")

        assert variables["VIRTUAL_HOST"] == "api.lab.example.com"
        assert variables["VIRTUAL_HOST_ROOT"] == "example.net"
        assert variables["FRONTEND_VIRTUAL_HOST"] == (
            "https://app.example.com,https://lab.example.org"
        )

    def test_takes_names_from_zone_and_domain_when_none_are_given(self, default: Json) -> None:
        variables = environment(default, "web")

        assert variables["VIRTUAL_HOST"] == "api.example.com"
        assert variables["VIRTUAL_HOST_ROOT"] == "example.com"
        assert variables["FRONTEND_VIRTUAL_HOST"] == "https://api.example.com"

    @pytest.mark.parametrize(
        ("domain_name", "root"),
        [("api.example.com", "example.com"), ("example.com", "example.com")],
    )
    def test_takes_the_root_from_the_domain_when_there_is_no_zone(
        self, synth: Synth, certificate: acm.ICertificate, domain_name: str, root: str
    ) -> None:
        template = synth(domain_name=domain_name, hosted_zone=None, certificate=certificate)

        assert environment(template, "web")["VIRTUAL_HOST_ROOT"] == root

    def test_a_laboratory_may_store_5_gib_when_no_quota_is_given(self, default: Json) -> None:
        assert environment(default, "web")["DJANGO_LAB_STORAGE_QUOTA_BYTES"] == "5368709120"

    def test_a_laboratory_may_store_the_given_quota(self, tuned: Json) -> None:
        for name in TASKS:
            variables = environment(tuned, name)
            assert variables["DJANGO_LAB_STORAGE_QUOTA_BYTES"] == "53687091200"

    def test_a_quota_of_zero_is_a_quota(self, synth: Synth) -> None:
        template = synth(lab_storage_quota=Size.bytes(0))

        assert environment(template, "web")["DJANGO_LAB_STORAGE_QUOTA_BYTES"] == "0"


class TestGiven:
    def test_every_task_gets_the_given_variables(self, tuned: Json) -> None:
        for name in TASKS:
            assert environment(tuned, name)["DJANGO_LOG_LEVEL"] == "INFO"
            reference = secrets(tuned, name)["SENTRY_DSN"]["Fn::Join"][1]
            assert reference[-1].endswith("secret:own:dsn::")

    def test_a_variable_may_be_given_instead_of_a_default(self, tuned: Json) -> None:
        assert environment(tuned, "web")["PGSSLMODE"] == "verify-full"
        assert "PGSSLMODE" not in secrets(tuned, "web")

    def test_a_secret_may_be_given_instead_of_a_default(
        self, synth: Synth, secret: secretsmanager.ISecret
    ) -> None:
        template = synth(secrets={"PGSSLMODE": ecs.Secret.from_secrets_manager(secret)})

        assert "PGSSLMODE" not in environment(template, "web")
        assert "PGSSLMODE" in secrets(template, "web")

    def test_accepts_a_value_that_is_not_known_at_synthesis(self, deferred: Json) -> None:
        assert environment(deferred, "web")["DJANGO_LOG_LEVEL"] == {"Ref": "Level"}

    @pytest.mark.parametrize("name", sorted(RESERVED_VARIABLES))
    def test_refuses_reserved_names(self, refused_backend: RefusedBackend, name: str) -> None:
        text = refused_backend(environment={name: "x"})

        instead = RESERVED_VARIABLES[name]
        assert text.startswith(
            f"environment sets {name}, which is set from other arguments: {instead}. "
        )
        assert text.endswith(f"Reserved names: {', '.join(sorted(RESERVED_VARIABLES))}")

    def test_refuses_reserved_names_in_secrets(
        self, refused_backend: RefusedBackend, secret: secretsmanager.ISecret
    ) -> None:
        own = ecs.Secret.from_secrets_manager(secret)

        assert refused_backend(secrets={"DJANGO_SECRET_KEY": own}).startswith(
            "secrets sets DJANGO_SECRET_KEY, which is set from other arguments: it is generated"
        )

    def test_refuses_a_name_in_both(
        self, refused_backend: RefusedBackend, secret: secretsmanager.ISecret
    ) -> None:
        own = ecs.Secret.from_secrets_manager(secret)

        assert refused_backend(environment={"A": "x"}, secrets={"A": own}) == (
            "A in both environment and secrets: keep each name in one of them"
        )

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"environment": {"DJANGO_LOG_LEVEL": ""}}, "environment['DJANGO_LOG_LEVEL'] is empty"),
            ({"environment": {"WORKERS": 2}}, "environment['WORKERS'] must be text, got 2 (int)"),
            ({"environment": [("A", "x")]}, "environment must be a mapping of names to values"),
            ({"secrets": {"TOKEN": "hunter2"}}, "secrets['TOKEN'] must be an aws_ecs.Secret"),
            ({"lab_storage_quota": 5}, "lab_storage_quota must be a Size, got 5: use Size.gib"),
            ({"frontend_domain_names": "app.example.com"}, "must be a list of host names, got 'a"),
            (
                {"frontend_domain_names": ["app.example.com", "https://x.org"]},
                "frontend_domain_names[1] must be a bare host name in lower case",
            ),
        ],
    )
    def test_refuses_invalid_arguments(
        self, refused_backend: RefusedBackend, arguments: Json, message: str
    ) -> None:
        assert message in refused_backend(**arguments)
