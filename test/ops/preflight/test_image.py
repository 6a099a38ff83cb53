"""Images at a registry as Debian has it, and in ECR as moto has it."""

from __future__ import annotations

import json

import boto3
import pytest
from botocore.stub import Stubber
from ops.preflight.conftest import session
from ops.preflight.servers import PASSWORD, USER, Handler, Identity, Pusher, https_server

from galv_constructs.preflight.check import PreflightCheck
from galv_ops.preflight.ask import ask
from galv_ops.preflight.finding import Finding
from galv_ops.preflight.image import _ECR
from galv_ops.preflight.registry import parse
from galv_ops.preflight.world import World


def asked(world: World, image: str, **more: str) -> list[Finding]:
    return ask({"Backend/Image": {"Ask": "image", "Image": image, **more}}, world, 20)


def credentials(password: str = PASSWORD, **more: str) -> str:
    content = {"username": USER, "password": password, **more}
    made = boto3.client("secretsmanager").create_secret(
        Name="registry", SecretString=json.dumps(content)
    )
    return str(made["ARN"])


@pytest.fixture(params=["basic", "token"])
def host(request: pytest.FixtureRequest, registries: dict[str, str]) -> str:
    return registries[request.param]


class TestAtARegistry:
    @pytest.mark.parametrize("tag", ["v1", "docker"])
    @pytest.mark.parametrize("architecture", ["X86_64", "ARM64"])
    def test_finds_an_image_for_both_platforms(
        self, world: World, host: str, tag: str, architecture: str
    ) -> None:
        found = asked(
            world,
            f"{host}/galv/backend:{tag}",
            Architecture=architecture,
            CredentialsArn=credentials(),
        )

        assert found == []

    @pytest.mark.parametrize(
        ("tag", "architecture", "other"),
        [("arm", "X86_64", "ARM64"), ("amd", "ARM64", "X86_64")],
    )
    def test_tells_an_image_for_another_platform(
        self, world: World, host: str, tag: str, architecture: str, other: str
    ) -> None:
        image, arn = f"{host}/galv/backend:{tag}", credentials()

        assert asked(world, image, Architecture=other, CredentialsArn=arn) == []
        (found,) = asked(world, image, Architecture=architecture, CredentialsArn=arn)
        assert found.severity == "error"
        assert found.wrong.startswith(f"the image {image} is not for linux/")
        assert f"set the architecture of the task to {other}" in found.fix

    def test_finds_an_image_by_its_digest(
        self, world: World, registries: dict[str, str], identity: Identity
    ) -> None:
        digest = Pusher(registries["basic"], identity).index("galv/backend", "v1", "amd64", "arm64")
        arn = credentials()

        image = f"{registries['basic']}/galv/backend@{digest}"
        assert asked(world, image, CredentialsArn=arn) == []
        (found,) = asked(world, f"{image[:-4]}0000", CredentialsArn=arn)
        assert found.wrong == f"the image {image[:-4]}0000 does not exist"

    def test_tells_which_tags_there_are(self, world: World, host: str) -> None:
        (found,) = asked(world, f"{host}/galv/backend:v2", CredentialsArn=credentials())

        assert found == Finding(
            check="Backend/Image",
            severity="error",
            wrong=f"the image {host}/galv/backend:v2 does not exist",
            found="404 MANIFEST_UNKNOWN: manifest unknown; tags that there are: "
            + found.found.partition("are: ")[2],
            fix="push it, or correct its tag or digest",
        )
        assert set(found.found.partition("are: ")[2].split(", ")) == {"v1", "docker", "arm", "amd"}

    def test_tells_an_image_that_wants_credentials(self, world: World, host: str) -> None:
        (found,) = asked(world, f"{host}/galv/backend:v1")

        assert found.severity == "error"
        assert found.wrong == f"{host} does not show the image {host}/galv/backend:v1"
        assert "without credentials" in found.found
        assert "pass a secret with username and password" in found.fix

    def test_finds_a_public_image(self, world: World, registries: dict[str, str]) -> None:
        assert asked(world, f"{registries['token']}/public/backend:v1") == []

    def test_names_only_real_platforms(self, world: World, registries: dict[str, str]) -> None:
        image = f"{registries['token']}/public/single:v1"

        (found,) = asked(world, image, Architecture="ARM64")

        assert found.found == "it is for linux/amd64"

    def test_tells_wrong_credentials_and_shows_none(self, world: World, host: str) -> None:
        arn = credentials("another-password-2")

        (found,) = asked(world, f"{host}/galv/backend:v1", CredentialsArn=arn)

        assert found.severity == "error"
        assert "with the credentials given" in found.found
        assert arn in found.fix
        assert "another-password-2" not in str(found)
        # The token server of the test says what it got, in base64.
        assert "Basic YW" not in str(found)
        assert "cHVsbGVyOmFub3" not in str(found)

    def test_tells_credentials_without_a_key(
        self, world: World, registries: dict[str, str]
    ) -> None:
        arn = boto3.client("secretsmanager").create_secret(
            Name="registry", SecretString=json.dumps({"username": USER, "token": "secret-token"})
        )["ARN"]

        (found,) = asked(world, f"{registries['basic']}/galv/backend:v1", CredentialsArn=arn)

        assert found.wrong == f"the secret {arn} lacks password"
        assert "secret-token" not in str(found)

    def test_tells_credentials_that_are_not_there(self, world: World) -> None:
        (found,) = asked(world, "example.com/a:1", CredentialsArn="nothing")

        assert found.wrong.startswith("the secret nothing cannot be read")

    @pytest.mark.parametrize("needed", ["true", "false"])
    def test_a_registry_that_cannot_be_reached_counts_where_it_is_needed(
        self, world: World, needed: str
    ) -> None:
        (found,) = asked(world, "127.0.0.1:1/galv/backend:v1", Needed=needed)

        # It may be in a network in which the tasks are.
        assert found.severity == ("error" if needed == "true" else "unanswered")
        assert "127.0.0.1:1" in found.wrong

    @pytest.mark.parametrize(
        ("status", "severity"), [(429, "unanswered"), (500, "error"), (503, "error")]
    )
    def test_a_registry_that_fails_fails_tasks_too_unless_it_is_busy(
        self, world: World, identity: Identity, status: int, severity: str
    ) -> None:
        def busy(request: Handler) -> None:
            request.answer(status, b'{"errors": [{"code": "TOOMANYREQUESTS"}]}')

        with https_server(identity, busy) as host:
            (found,) = asked(world, f"{host}/galv/backend:v1")

        assert found.severity == severity
        assert found.found == f"it answers {status} TOOMANYREQUESTS"

    def test_no_credentials_go_where_a_registry_redirects_to(
        self, world: World, identity: Identity
    ) -> None:
        got: list[str | None] = []

        def other(request: Handler) -> None:
            got.append(request.headers.get("Authorization"))
            request.answer(404)

        with https_server(identity, other) as elsewhere:

            def redirect(request: Handler) -> None:
                if request.headers.get("Authorization"):
                    request.answer(302, headers={"Location": f"https://{elsewhere}/"})
                else:
                    request.answer(401, headers={"WWW-Authenticate": 'Basic realm="a"'})

            with https_server(identity, redirect) as host:
                (found,) = asked(world, f"{host}/a:v1", CredentialsArn=credentials())

        assert found.wrong.endswith("does not exist")
        assert set(got) == {None}

    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_asks_where_it_is_redirected_to_in_the_same_way(
        self, world: World, identity: Identity, method: str
    ) -> None:
        asked_by: list[str] = []

        def respond(request: Handler) -> None:
            asked_by.append(request.command)
            if request.path == "/":
                request.answer(302, headers={"Location": "/there"})
            else:
                request.answer(200, b"the file")

        with https_server(identity, respond) as host:
            reply = world.get(f"https://{host}/", method=method)

        assert asked_by == [method, method]
        assert (reply.status, reply.url) == (200, f"https://{host}/there")

    def test_no_credentials_go_to_a_registry_that_they_are_not_for(
        self, world: World, identity: Identity
    ) -> None:
        got: list[str | None] = []

        def thief(request: Handler) -> None:
            got.append(request.headers.get("Authorization"))
            request.answer(401, headers={"WWW-Authenticate": 'Basic realm="a"'})

        arn = credentials()
        with https_server(identity, thief) as host:
            for allowed in ([], [("ghcr.io", arn)], [(host, f"{arn}x")]):
                careful = World(region="eu-west-1", session=session(), credentials=allowed)
                (found,) = asked(careful, f"{host}/a:v1", CredentialsArn=arn)

        assert found.severity == "error"
        assert f"does not use the credentials {arn} for {host}" in found.found
        assert got == []

    def test_credentials_go_to_the_registry_that_they_are_for(
        self, world: World, host: str
    ) -> None:
        arn = credentials()
        careful = World(region="eu-west-1", session=session(), credentials={(host, arn)})

        assert asked(careful, f"{host}/galv/backend:v1", CredentialsArn=arn) == []

    def test_follows_no_redirect_to_plain_http(self, world: World, identity: Identity) -> None:
        def redirect(request: Handler) -> None:
            request.answer(302, headers={"Location": "http://127.0.0.1:1/"})

        with https_server(identity, redirect) as host:
            (found,) = asked(world, f"{host}/a:v1")

        assert "not HTTPS" in found.found


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("ghcr.io/galv-team/galv:v1", ("ghcr.io", "galv-team/galv", "v1")),
        ("localhost:5000/a/b", ("localhost:5000", "a/b", "latest")),
        ("nginx", ("registry-1.docker.io", "library/nginx", "latest")),
        ("nginx:1.27", ("registry-1.docker.io", "library/nginx", "1.27")),
        ("user/app:1", ("registry-1.docker.io", "user/app", "1")),
        ("docker.io/nginx", ("registry-1.docker.io", "library/nginx", "latest")),
        ("ghcr.io/a/b:v1@sha256:00", ("ghcr.io", "a/b", "sha256:00")),
        ("ghcr.io/a/b@sha256:00", ("ghcr.io", "a/b", "sha256:00")),
    ],
)
def test_takes_a_name_apart(image: str, parts: tuple[str, str, str]) -> None:
    assert parse(image) == parts


class TestInEcr:
    HOST = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"

    @pytest.fixture(autouse=True)
    def images(self, world: World) -> None:
        ecr = boto3.client("ecr")
        ecr.create_repository(repositoryName="galv")
        index = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [
                {
                    "mediaType": "application/vnd.oci.image.manifest.v1+json",
                    "digest": "sha256:" + "0" * 64,
                    "size": 1,
                    "platform": {"os": "linux", "architecture": "arm64"},
                }
            ],
        }
        ecr.put_image(
            repositoryName="galv",
            imageManifest=json.dumps(index),
            imageManifestMediaType=index["mediaType"],
            imageTag="v1",
        )

    def test_finds_an_image(self, world: World) -> None:
        assert asked(world, f"{self.HOST}/galv:v1", Architecture="ARM64") == []

    def test_tells_an_image_for_another_platform(self, world: World) -> None:
        (found,) = asked(world, f"{self.HOST}/galv:v1", Architecture="X86_64")

        assert found.found == "it is for linux/arm64"

    @pytest.mark.parametrize(("built", "count"), [("amd64", 0), ("arm64", 1)])
    def test_reads_the_platform_of_a_single_image(
        self, world: World, identity: Identity, built: str, count: int
    ) -> None:
        """moto has no GetDownloadUrlForLayer."""
        config = json.dumps({"os": "linux", "architecture": built}).encode()
        digest = "sha256:" + "1" * 64
        manifest = json.dumps({"schemaVersion": 2, "config": {"digest": digest}, "layers": []})
        which = {"registryId": "123456789012", "repositoryName": "galv"}

        def respond(request: Handler) -> None:
            request.answer(200, config)

        with (
            https_server(identity, respond) as host,
            Stubber(world.client("ecr", "eu-west-1")) as stub,
        ):
            stub.add_response("batch_get_image", {"images": [{"imageManifest": manifest}]})
            stub.add_response(
                "get_download_url_for_layer",
                {"downloadUrl": f"https://{host}/config"},
                {**which, "layerDigest": digest},
            )
            found = asked(world, f"{self.HOST}/galv:v3", Architecture="X86_64")

        assert len(found) == count
        assert all(finding.found == "it is for linux/arm64" for finding in found)

    def test_asks_for_a_digest(self, world: World) -> None:
        digest = "sha256:" + "2" * 64
        with Stubber(world.client("ecr", "eu-west-1")) as stub:
            stub.add_response("batch_get_image", {"images": []})
            stub.add_response("describe_pull_through_cache_rules", {"pullThroughCacheRules": []})
            (found,) = asked(world, f"{self.HOST}/galv@{digest}")

        assert found.wrong == f"the image {self.HOST}/galv@{digest} does not exist"

    def asked_with_caches(self, world: World, image: str, *prefixes: str) -> Finding:
        """What is found, by ECR as moto has it, and rules of caches, which moto has not."""
        real = boto3.client("ecr")
        reference = parse(image)
        rules = [{"ecrRepositoryPrefix": prefix} for prefix in prefixes]
        with Stubber(world.client("ecr", "eu-west-1")) as stub:
            try:
                answer = real.batch_get_image(
                    repositoryName=reference.repository, imageIds=[{"imageTag": reference.version}]
                )
                stub.add_response("batch_get_image", {"images": [], "failures": answer["failures"]})
            except real.exceptions.RepositoryNotFoundException as error:
                stub.add_client_error(
                    "batch_get_image",
                    error.response["Error"]["Code"],
                    error.response["Error"]["Message"],
                )
            stub.add_response(
                "describe_pull_through_cache_rules",
                {"pullThroughCacheRules": rules},
                {"registryId": "123456789012"},
            )
            (found,) = asked(world, image)
        return found

    def test_tells_a_tag_that_is_not_there(self, world: World) -> None:
        found = self.asked_with_caches(world, f"{self.HOST}/galv:v2")

        assert found.severity == "error"
        assert found.wrong == f"the image {self.HOST}/galv:v2 does not exist"
        assert "ImageNotFound" in found.found

    def test_tells_a_repository_that_is_not_there(self, world: World) -> None:
        found = self.asked_with_caches(world, f"{self.HOST}/other:v2", "oth", "other/more")

        assert "repository" in found.wrong
        assert found.severity == "error"

    @pytest.mark.parametrize(
        ("image", "prefix"), [("ghcr/a/b:v2", "ghcr"), ("ab:v2", "ROOT"), ("galv:v2", "ROOT")]
    )
    def test_warns_of_an_image_that_a_cache_may_take_from_elsewhere(
        self, world: World, image: str, prefix: str
    ) -> None:
        found = self.asked_with_caches(world, f"{self.HOST}/{image}", "quay", prefix)

        assert found.severity == "warning"
        assert found.found.endswith(
            f"the pull through cache {prefix} may take it from another registry"
        )

    def test_warns_where_nobody_tells_of_caches(self, world: World) -> None:
        with Stubber(world.client("ecr", "eu-west-1")) as stub:
            stub.add_client_error("batch_get_image", "RepositoryNotFoundException")
            stub.add_client_error("describe_pull_through_cache_rules", "AccessDeniedException")
            (found,) = asked(world, f"{self.HOST}/other:v2")

        assert found.severity == "warning"
        assert "is not known" in found.found


ECR_HOSTS = (
    "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
    "123456789012.dkr.ecr-fips.us-east-1.amazonaws.com",
    "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
    "123456789012.dkr-ecr.eu-west-1.on.aws",
    "123456789012.dkr-ecr-fips.us-east-1.on.aws",
    "1.dkr.ecr.eu-west-1.amazonaws.com",
    "123456789012.dkr.ecr.eu-west-1.example.com",
    "public.ecr.aws",
    "ghcr.io",
)


@pytest.mark.parametrize("host", ECR_HOSTS)
def test_the_construct_allows_what_the_question_asks_of_ecr(host: str) -> None:
    """Both read the name of an image by a pattern of their own."""
    match = _ECR.fullmatch(host)
    permissions = PreflightCheck.image(f"{host}/galv:v1").permissions

    assert bool(permissions) is bool(match)
    if match:
        region, account = match["v4"] or match["both"], match["account"]
        (repository,) = permissions[0].resources
        assert repository.endswith(f":ecr:{region}:{account}:repository/galv")


def test_refuses_an_architecture_that_there_is_not(world: World) -> None:
    (found,) = asked(world, "nginx", Architecture="amd64")

    assert found.severity == "error"
    assert found.found == "Architecture must be one of X86_64, ARM64, got 'amd64'"
