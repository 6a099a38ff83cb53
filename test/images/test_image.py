"""The image that tasks run, and whether they can pull it."""

import json
import os
import sys
from dataclasses import replace
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest
from aws_cdk import CfnParameter, Duration, Stack
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_ssm as ssm
from aws_cdk.assertions import Annotations, Match
from aws_cdk.aws_scheduler import ScheduleExpression
from backends import MakeBackend, Refusal, RefusedBackend, Synth, backend_in, new_app
from containers import Container, Image, container_of, why_not
from runtimes import given_runtime
from templates import (
    Json,
    as_list,
    container,
    key_arn,
    needs,
    of_type,
    only,
    only_id,
    statements,
    synthesize,
    task_definition,
)

from galv_constructs import GalvNetwork, GalvScheduledTask, MirroredImage, NetworkPreset
from galv_constructs.images import mirrored_image
from galv_constructs.images._image import ARCHITECTURES, GALV_REPOSITORY, check_image

DIGEST = f"sha256:{'0a1b' * 16}"


TASKS = ("web", "setup-db", "check-status")
COPY = "Custom::GalvMirroredImage"


def is_copy(template: Json, image: object) -> bool:
    """Whether an image is the repository's one with the digest that was copied."""
    name = json.dumps(image)
    digest = json.dumps({"Fn::GetAtt": [only_id(template, COPY), "DigestHex"]})
    repository = json.dumps({"Ref": only_id(template, "AWS::ECR::Repository")})
    return name.index(repository) < name.index('@sha256:"') < name.index(digest)


def tags(template: Json, name: str) -> Json:
    _, definition = task_definition(template, name)
    return {tag["Key"]: tag["Value"] for tag in definition["Tags"] if tag["Key"][:5] == "galv-"}


class TestCopy:
    """Galv's image, copied to a repository of the stack."""

    def test_all_tasks_run_it_by_its_digest(self, tuned: Json) -> None:
        assert only(tuned, COPY)["Image"] == f"{GALV_REPOSITORY}:v2.11.4"
        for name in TASKS:
            assert is_copy(tuned, container(tuned, name)["Image"])

    def test_tasks_of_the_runtime_run_it_too(self, stack: Stack, make_backend: MakeBackend) -> None:
        GalvScheduledTask(
            stack,
            "Own",
            runtime=make_backend(version="v2.11.4", mirror_image=True).runtime,
            command=["own"],
            schedule=ScheduleExpression.rate(Duration.days(1)),
        )
        template = synthesize(stack)

        assert is_copy(template, container(template, "own")["Image"])
        assert tags(template, "own") == tags(template, "web")

    def test_it_is_the_latest_of_the_day_when_no_version_is_given(
        self, default: Json, day: date
    ) -> None:
        copy = only(default, COPY)

        assert copy["Image"] == f"{GALV_REPOSITORY}:latest"
        assert copy["AsOf"] == day.isoformat()

    def test_it_is_the_latest_of_the_given_day(self, synth: Synth) -> None:
        copy = only(synth(latest_as_of=date(2026, 2, 1), mirror_image=True), COPY)

        assert copy["AsOf"] == "2026-02-01"

    @pytest.mark.parametrize(("version", "differs"), [(None, True), ("v2.11.4", False)])
    def test_a_template_of_another_day_differs_for_latest_only_in_that_day(
        self, version: str | None, differs: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = []
        for number in (1, 1, 2):
            monkeypatch.setattr(mirrored_image, "today", lambda n=number: date(2026, 2, n))
            stack = Stack(new_app(), "Stack")
            backend_in(stack, version=version, mirror_image=True)
            found.append(synthesize(stack))
        first, same_day, next_day = found

        assert first == same_day
        assert (first != next_day) is differs
        only(next_day, COPY).pop("AsOf", None)
        only(first, COPY).pop("AsOf", None)
        assert first == next_day

    @pytest.mark.parametrize(
        ("version", "tag"),
        [
            ("2.11.4", "v2.11.4"),
            ("v3.0.0-rc1", "v3.0.0-rc1"),
            ("develop", "develop"),
            (f"2.11.4@{DIGEST}", f"v2.11.4@{DIGEST}"),
        ],
    )
    def test_it_is_the_image_of_the_version(self, synth: Synth, version: str, tag: str) -> None:
        copy = only(synth(version=version, mirror_image=True), COPY)

        assert copy["Image"] == f"{GALV_REPOSITORY}:{tag}"
        assert "AsOf" not in copy

    def test_it_takes_a_version_that_is_not_known_at_synthesis(self, deferred: Json) -> None:
        assert only(deferred, COPY)["Image"] == {
            "Fn::Join": ["", [f"{GALV_REPOSITORY}:", {"Ref": "Version"}]]
        }

    def test_its_function_alone_reads_the_credentials(self, tuned: Json) -> None:
        secret = {"Ref": only_id(tuned, "AWS::SecretsManager::Secret", "Registry")}
        readers = {
            id
            for id in of_type(tuned, "AWS::IAM::Role")
            for statement in statements(tuned, id)
            if secret in as_list(statement["Resource"])
        }

        assert only(tuned, COPY)["CredentialsArn"] == secret
        assert readers == {only_id(tuned, "AWS::IAM::Role", "BackendImageHandlerRole")}
        assert "RepositoryCredentials" not in container(tuned, "web")

    def test_execution_roles_pull_from_its_repository_alone(self, default: Json) -> None:
        repository = {"Fn::GetAtt": [only_id(default, "AWS::ECR::Repository"), "Arn"]}
        for name in TASKS:
            _, definition = task_definition(default, name)
            allowed = {
                action: statement["Resource"]
                for statement in statements(
                    default, definition["ExecutionRoleArn"]["Fn::GetAtt"][0]
                )
                for action in as_list(statement["Action"])
                if action.startswith("ecr:")
            }

            # It takes no resource:
            # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerregistry.html
            assert allowed.pop("ecr:GetAuthorizationToken") == "*"
            assert allowed == {
                "ecr:BatchCheckLayerAvailability": repository,
                "ecr:BatchGetImage": repository,
                "ecr:GetDownloadUrlForLayer": repository,
            }

    def test_it_is_kept_encrypted_and_logged_as_the_rest(
        self, default: Json, development: Json, encrypted: Json
    ) -> None:
        def policies(template: Json) -> list[str]:
            (repository,) = of_type(template, "AWS::ECR::Repository").values()
            (log,) = of_type(template, "AWS::Logs::LogGroup", "BackendImage").values()
            return [repository["DeletionPolicy"], str(log["Properties"]["RetentionInDays"])]

        assert policies(default) == ["Retain", "365"]
        assert policies(development) == ["Delete", "30"]
        key = key_arn(encrypted)
        repository = only(encrypted, "AWS::ECR::Repository")
        assert repository["EncryptionConfiguration"] == {"EncryptionType": "KMS", "KmsKey": key}
        assert only(encrypted, "AWS::Logs::LogGroup", "BackendImage")["KmsKeyId"] == key

    def test_preflight_comes_before_it_then_setup_then_the_web_service(self, stack: Stack) -> None:
        backend_in(stack, preflight=True, mirror_image=True)
        template = synthesize(stack)
        order = [
            only_id(template, "Custom::GalvPreflight"),
            only_id(template, COPY),
            only_id(template, "Custom::GalvReleaseTask"),
            only_id(template, "AWS::ECS::Service"),
        ]

        for before, after in pairwise(order):
            assert before in needs(template, after)

    def test_it_is_what_the_backend_tells(self, stack: Stack, make_backend: MakeBackend) -> None:
        backend = make_backend(version="v2.11.4", mirror_image=True)

        assert backend.mirrored_image is not None
        assert backend.image_digest == backend.mirrored_image.digest

    @pytest.mark.parametrize(
        ("version", "tag"), [(None, "latest"), ("2.11.4", "v2.11.4"), (f"main@{DIGEST}", "main")]
    )
    def test_tags_of_tasks_are_its_version_and_digest(
        self, synth: Synth, version: str | None, tag: str
    ) -> None:
        template = synth(version=version, mirror_image=True)
        digest = {"Fn::GetAtt": [only_id(template, COPY), "DigestHex"]}

        for name in TASKS:
            assert tags(template, name) == {
                "galv-version": tag,
                "galv-image-digest": {"Fn::Join": ["", ["sha256:", digest]]},
            }

    @pytest.mark.parametrize("preset", NetworkPreset)
    def test_tasks_reach_ecr_in_each_network(
        self, stack: Stack, make_backend: MakeBackend, preset: NetworkPreset
    ) -> None:
        """Layers come from S3, by its gateway endpoint, which lets every bucket through.

        Its policy "must allow access to" ECR's bucket, `prod-region-starport-layer-bucket`; ECR's
        API needs `ecr.api` and `ecr.dkr`, unless there is a way to the internet:
        https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html
        """
        make_backend(mirror_image=True, network=GalvNetwork(stack, "Network", preset=preset))
        template = synthesize(stack)
        endpoints = [
            each["Properties"] for each in of_type(template, "AWS::EC2::VPCEndpoint").values()
        ]
        (gateway,) = [each for each in endpoints if each["VpcEndpointType"] == "Gateway"]
        interfaces = {
            str(each["ServiceName"]["Fn::Join"][1][-1])
            for each in endpoints
            if each["VpcEndpointType"] == "Interface"
        }

        assert "PolicyDocument" not in gateway
        route_tables = {table["Ref"] for table in gateway["RouteTableIds"]}
        assert route_tables == set(of_type(template, "AWS::EC2::RouteTable"))
        without_internet = preset is NetworkPreset.ENDPOINTS
        assert ({".ecr.api", ".ecr.dkr"} <= interfaces) is without_internet
        assert bool(interfaces) is without_internet


class TestFromTheRegistry:
    """Galv's image, pulled by each task: `mirror_image=False`."""

    @pytest.mark.parametrize(
        ("version", "tag"), [(None, "latest"), ("2.11.4", "v2.11.4"), ("develop", "develop")]
    )
    def test_tasks_run_the_tag(self, synth: Synth, version: str | None, tag: str) -> None:
        template = synth(version=version, mirror_image=False)

        for name in TASKS:
            assert container(template, name)["Image"] == f"{GALV_REPOSITORY}:{tag}"
            assert tags(template, name) == {"galv-version": tag}
        assert not of_type(template, COPY)
        assert not of_type(template, "AWS::ECR::Repository")

    def test_tasks_run_the_given_digest(self, synth: Synth) -> None:
        template = synth(version=f"2.11.4@{DIGEST}", mirror_image=False)

        for name in TASKS:
            assert container(template, name)["Image"] == f"{GALV_REPOSITORY}@{DIGEST}"
            assert tags(template, name) == {
                "galv-version": "v2.11.4",
                "galv-image-digest": DIGEST,
            }

    @pytest.mark.parametrize(("pinned", "digest"), [("", None), (f"@{DIGEST}", DIGEST)])
    def test_the_backend_tells_the_digest_that_was_given(
        self, make_backend: MakeBackend, pinned: str, digest: str | None
    ) -> None:
        backend = make_backend(version=f"v2.11.4{pinned}", mirror_image=False)

        assert (backend.mirrored_image, backend.image_digest) == (None, digest)

    def test_execution_roles_read_the_given_credentials(self, stack: Stack) -> None:
        secret = secretsmanager.Secret(stack, "Registry")
        backend_in(stack, mirror_image=False, registry_credentials=secret)
        template = synthesize(stack)
        reference = {"Ref": only_id(template, "AWS::SecretsManager::Secret", "Registry")}

        assert container(template, "web")["RepositoryCredentials"] == {
            "CredentialsParameter": reference
        }
        _, properties = task_definition(template, "web")
        role_id = properties["ExecutionRoleArn"]["Fn::GetAtt"][0]
        assert reference in [
            resource
            for statement in statements(template, role_id)
            if "secretsmanager:GetSecretValue" in as_list(statement["Action"])
            for resource in as_list(statement["Resource"])
        ]


class TestVersion:
    @pytest.mark.parametrize(
        "digest",
        ["", "sha256:", "sha256:0a1b", DIGEST.upper(), f"{DIGEST}0", f"md5:{'0' * 64}", "latest"],
    )
    def test_refuses_an_invalid_digest(self, refused_backend: RefusedBackend, digest: str) -> None:
        text = refused_backend(version=f"v2.11.4@{digest}")

        assert "version must have the digest of the image after '@'" in text
        assert repr(f"v2.11.4@{digest}") in text

    def test_refuses_a_digest_of_latest(self, refused_backend: RefusedBackend) -> None:
        text = refused_backend(version=f"latest@{DIGEST}")

        assert text.startswith("version must not have a digest for 'latest'")

    def test_refuses_the_digest_of_a_version_that_is_too_old(
        self, refused_backend: RefusedBackend
    ) -> None:
        text = refused_backend(version=f"v2.11.2@{DIGEST}")

        assert "version must be v2.11.3 or later" in text

    def test_refuses_a_digest_without_a_tag(self, refused_backend: RefusedBackend) -> None:
        text = refused_backend(version=f"@{DIGEST}")

        assert "version must be the tag of an image" in text

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            ({"mirror_image": True}, "Each deployment on another day .* Between two"),
            ({"version": "latest", "mirror_image": True}, "Each deployment on another day"),
            ({"mirror_image": False}, "The web service runs .* one-off tasks"),
        ],
    )
    def test_warns_of_latest(
        self, stack: Stack, make_backend: MakeBackend, arguments: Json, says: str
    ) -> None:
        make_backend(production=True, **arguments)

        Annotations.from_stack(stack).has_warning(
            "*", Match.string_like_regexp(f"version is 'latest'. .*{says}")
        )

    @pytest.mark.parametrize("arguments", [{"version": "v2.11.4"}, {"production": False}])
    def test_does_not_warn_of_a_release_or_outside_production(
        self, stack: Stack, make_backend: MakeBackend, arguments: Json
    ) -> None:
        make_backend(**{"production": True, **arguments})

        Annotations.from_stack(stack).has_no_warning(
            "*", Match.string_like_regexp("version is 'latest'")
        )

    @pytest.mark.parametrize("mirror_image", ["false", 0, None])
    def test_refuses_what_is_not_true_or_false(
        self, refused_backend: RefusedBackend, mirror_image: object
    ) -> None:
        text = refused_backend(mirror_image=mirror_image)

        assert "mirror_image must be true or false" in text.lower()

    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            ({"version": "v2.11.4"}, "latest_as_of is the day that version='latest' is of, and"),
            ({"mirror_image": False}, "latest_as_of and mirror_image=False are both given"),
        ],
    )
    def test_refuses_a_day_of_what_is_not_the_latest_copy(
        self, refused_backend: RefusedBackend, arguments: Json, expected: str
    ) -> None:
        text = refused_backend(latest_as_of=date(2026, 2, 1), **arguments)

        assert text.startswith(expected)

    def test_refuses_what_is_no_day(self, refused_backend: RefusedBackend) -> None:
        text = refused_backend(latest_as_of="2026-02-01")

        assert text == "latest_as_of must be a datetime.date, got '2026-02-01'"


class TestImage:
    def test_runs_the_given_image(self, synth: Synth) -> None:
        template = synth(image=ecs.ContainerImage.from_registry("registry.example.org/galv:1"))

        for name in ("web", "setup-db", "check-status"):
            assert container(template, name)["Image"] == "registry.example.org/galv:1"
            assert tags(template, name) == {}
        assert not of_type(template, COPY)

    def test_the_digest_of_a_given_image_is_not_known(self, make_backend: MakeBackend) -> None:
        backend = make_backend(
            image=ecs.ContainerImage.from_registry("registry.example.org/galv:1")
        )

        assert (backend.mirrored_image, backend.image_digest) == (None, None)

    @pytest.mark.parametrize("version", ["2.11.2", "v2.11.2", "2.7.4", "2.5.0-dev", "v2.0.0"])
    def test_refuses_a_version_that_is_too_old(
        self, refused_backend: RefusedBackend, version: str
    ) -> None:
        text = refused_backend(version=version)

        assert text.startswith(
            f"version must be v2.11.3 or later, or another tag such as 'latest', got {version!r}: "
        )
        assert text.endswith("https://github.com/galv-team/galv-backend/releases")

    @pytest.mark.parametrize(
        "version", ["2.11.3", "v2.11.3", "2.12.0-rc1", "3.0.0", "main", "v3", "2024-11-02"]
    )
    def test_takes_versions_that_are_not_too_old(self, version: str) -> None:
        check_image(
            Stack(),
            version,
            None,
            mirror_image=True,
            latest_as_of=None,
            registry_credentials=None,
            network=None,
        )

    def test_refuses_an_invalid_version(self, refused_backend: RefusedBackend) -> None:
        text = refused_backend(version="galv-backend:2.11.4")

        assert "version must be the tag of an image, such as 'v2.11.4'" in text
        assert "got 'galv-backend:2.11.4'" in text

    def test_refuses_image_and_version(self, refused_backend: RefusedBackend) -> None:
        image = ecs.ContainerImage.from_registry("registry.example.org/galv:1")

        assert refused_backend(image=image, version="v2.11.4") == (
            "image and version are both given, and version is only for the default image on GHCR: "
            "drop one of them"
        )

    @pytest.mark.parametrize(
        "arguments", [{"mirror_image": False}, {"latest_as_of": date(2026, 2, 1)}]
    )
    def test_refuses_image_and_what_is_for_the_default_one(
        self, refused_backend: RefusedBackend, arguments: Json
    ) -> None:
        image = ecs.ContainerImage.from_registry("registry.example.org/galv:1")
        (name,) = arguments

        text = refused_backend(image=image, **arguments)

        assert text.startswith(f"image and {name} are both given, and {name} is only for the")

    def test_refuses_image_and_registry_credentials(
        self, stack: Stack, refused_backend: RefusedBackend
    ) -> None:
        image = ecs.ContainerImage.from_registry("registry.example.org/galv:1")
        secret = secretsmanager.Secret.from_secret_name_v2(stack, "Registry", "registry")

        text = refused_backend(image=image, registry_credentials=secret)

        assert text.startswith("image and registry_credentials are both given")

    @pytest.mark.parametrize(
        ("argument", "expected"),
        [
            ("image", "image must be an aws_ecs.ContainerImage, got 'galv': use ecs.Container"),
            ("registry_credentials", "registry_credentials must be an aws_secretsmanager.ISecret"),
        ],
    )
    def test_refuses_names_in_place_of_constructs(
        self, refused_backend: RefusedBackend, argument: str, expected: str
    ) -> None:
        assert refused_backend(**{argument: "galv"}).startswith(expected)


def built(tmp_path: Path, platform: ecr_assets.Platform | None = None) -> ecs.ContainerImage:
    """An image that CDK builds."""
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    return ecs.ContainerImage.from_asset(str(tmp_path), platform=platform)


ARM, AMD = ecr_assets.Platform.LINUX_ARM64, ecr_assets.Platform.LINUX_AMD64


class TestArchitecture:
    def architectures(self, template: Json) -> set[str]:
        return {
            task_definition(template, name)[1]["RuntimePlatform"]["CpuArchitecture"]
            for name in ("web", "setup-db", "check-status")
        }

    def test_is_the_one_that_galv_publishes_for_when_none_is_given(self, default: Json) -> None:
        assert self.architectures(default) == {"X86_64"}

    def test_is_that_of_a_copy(self, stack: Stack, refusal: Refusal) -> None:
        copies = {
            architecture: MirroredImage(
                stack,
                architecture,
                repository="registry.example.com/galv",
                tag="v2.11.4",
                architecture=architecture,
                preflight=False,
            )
            for architecture in ARCHITECTURES
        }
        runtime = given_runtime(stack)
        arm = replace(runtime, image=copies["ARM64"].image, architecture="ARM64")

        assert arm.architecture == "ARM64"
        text = refusal(lambda: replace(runtime, image=copies["ARM64"].image))
        assert text.startswith(
            "image is the copy of Stack/ARM64 for ARM64, and architecture is 'X86_64': pass "
            "architecture='ARM64'"
        )
        assert "for X86_64" in refusal(lambda: replace(arm, image=copies["X86_64"].image))

    @pytest.mark.parametrize(
        ("architecture", "platform"),
        [("ARM64", ARM), ("ARM64", None), ("X86_64", AMD), ("X86_64", None)],
    )
    def test_is_the_given_one(
        self,
        synth: Synth,
        tmp_path: Path,
        architecture: str,
        platform: ecr_assets.Platform | None,
    ) -> None:
        template = synth(architecture=architecture, image=built(tmp_path, platform))

        assert self.architectures(template) == {architecture}

    @pytest.mark.parametrize(
        ("architecture", "platform", "name"),
        [("ARM64", AMD, "linux/amd64"), ("X86_64", ARM, "linux/arm64")],
    )
    def test_refuses_an_image_that_is_built_for_another(
        self,
        refused_backend: RefusedBackend,
        tmp_path: Path,
        architecture: str,
        platform: ecr_assets.Platform,
        name: str,
    ) -> None:
        text = refused_backend(architecture=architecture, image=built(tmp_path, platform))

        assert text.startswith(f"image is built for {name}, and architecture is {architecture!r}")

    def test_refuses_another_for_the_published_image(self, refused_backend: RefusedBackend) -> None:
        text = refused_backend(architecture="ARM64", version="v2.11.4")

        assert text.startswith("architecture is 'ARM64', and Galv publishes its image for X86_64")
        assert "pass image=…" in text

    @pytest.mark.parametrize("given", ["arm64", None, ecs.CpuArchitecture.ARM64])
    def test_refuses_an_invalid_architecture(
        self, refused_backend: RefusedBackend, given: object
    ) -> None:
        text = refused_backend(architecture=given)

        assert text.startswith("architecture must be one of X86_64, ARM64, got ")


class TestUser:
    """Volumes are root's on Fargate: https://github.com/aws/containers-roadmap/issues/938."""

    @pytest.fixture(scope="class")
    @staticmethod
    def template() -> Json:
        stack = Stack(new_app(), "Stack")
        image = ecs.ContainerImage.from_registry("registry.example.org/galv:1")
        backend_in(stack, image=image, user="1000:1000", execute_command=True)
        return synthesize(stack)

    def test_is_the_images_own_when_none_is_given(self, default: Json) -> None:
        _, definition = task_definition(default, "setup-db")
        (only,) = definition["ContainerDefinitions"]

        assert "User" not in only
        assert "DependsOn" not in only

    def test_root_opens_the_volumes_first(self, template: Json) -> None:
        _, definition = task_definition(template, "setup-db")
        main, first = definition["ContainerDefinitions"]

        assert main["Name"] == "setup-db"
        assert main["User"] == "1000:1000"
        assert main["DependsOn"] == [{"Condition": "SUCCESS", "ContainerName": first["Name"]}]
        assert first["User"] == "0"
        assert first["Image"] == main["Image"]
        assert first["Essential"] is False
        assert first["MountPoints"] == main["MountPoints"]
        assert "Secrets" not in first

    def test_a_writable_root_needs_no_preparation(self, template: Json) -> None:
        _, definition = task_definition(template, "web")
        (only,) = definition["ContainerDefinitions"]

        assert only["User"] == "1000:1000"
        assert only["ReadonlyRootFilesystem"] is False

    @pytest.mark.skipif(bool(why_not()), reason=str(why_not()))
    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
    def test_the_user_can_write_after_that(self, template: Json, tmp_path: Path) -> None:
        application = tmp_path / "application"
        application.mkdir()
        image = Image(python=Path(sys.executable), application=application, user="1000")
        _, properties = task_definition(template, "setup-db")
        write = ["-c", "touch /tmp/x /var/log/galv/x"]

        def ends(name: str, **changes: object) -> int:
            definition = {**container_of(properties, name), **changes}
            secrets = {one["name"]: "x" for one in definition.get("secrets") or []}
            with Container(image, definition, secrets=secrets, folder=tmp_path / "task") as started:
                return started.wait(timeout=30)

        shell = {"entryPoint": ["sh"], "command": write, "environment": []}
        assert ends("setup-db", **shell) != 0
        assert ends("setup-db-volumes") == 0
        for name in ("tmp", "var-log-galv"):
            assert (tmp_path / "task/volumes" / name).stat().st_mode & 0o7777 == 0o1777
        assert ends("setup-db", **shell) == 0

    @pytest.mark.parametrize("given", ["", "a b", 1000, "galv:"])
    def test_refuses_an_invalid_user(self, refused_backend: RefusedBackend, given: object) -> None:
        assert refused_backend(user=given).startswith("user must be a user such as 'galv', '1000'")


class TestWithoutInternet:
    @pytest.fixture
    def network(self, stack: Stack) -> GalvNetwork:
        return GalvNetwork(stack, "Network", preset=NetworkPreset.ENDPOINTS)

    def test_runs_the_copy_of_the_default_image(self, synth: Synth, network: GalvNetwork) -> None:
        template = synth(network=network, mirror_image=True)

        for name in TASKS:
            assert is_copy(template, container(template, name)["Image"])

    @pytest.mark.parametrize("preset", [NetworkPreset.ENDPOINTS, NetworkPreset.PUBLIC])
    def test_refuses_a_parameter_of_systems_manager_where_tasks_cannot_read_it(
        self,
        stack: Stack,
        refused_backend: RefusedBackend,
        make_backend: MakeBackend,
        preset: NetworkPreset,
    ) -> None:
        network = GalvNetwork(stack, "Other", preset=preset)
        given = ssm.StringParameter.from_secure_string_parameter_attributes(
            stack, "Given", parameter_name="/galv/key"
        )
        secrets = {"KEY": ecs.Secret.from_ssm_parameter(given)}

        if network.has_internet:
            make_backend(network=network, secrets=secrets)
        else:
            text = refused_backend(network=network, secrets=secrets, mirror_image=True)
            assert text.startswith("secrets['KEY'] is a parameter of Systems Manager, and network")

    def test_refuses_the_default_image_from_its_registry(
        self, refused_backend: RefusedBackend, network: GalvNetwork
    ) -> None:
        text = refused_backend(network=network, mirror_image=False)

        assert text.startswith("mirror_image is False and network has no internet")
        assert "leave mirror_image out (mirrorImage in cdk.json)" in text
        assert "another NetworkPreset" in text

    @pytest.mark.parametrize("name", ["ghcr.io/galv-team/galv-backend:v2.11.4", "nginx"])
    def test_refuses_an_image_outside_of_ecr(
        self, refused_backend: RefusedBackend, network: GalvNetwork, name: str
    ) -> None:
        text = refused_backend(network=network, image=ecs.ContainerImage.from_registry(name))

        assert text.startswith("network has no internet, and no VPC endpoint reaches the registry")
        assert f"of image {name!r}" in text
        assert "image=MirroredImage(self, 'Image', repository=" in text
        assert "another NetworkPreset" in text

    @pytest.mark.parametrize("known", [True, False])
    def test_takes_an_image_in_ecr(
        self, stack: Stack, synth: Synth, network: GalvNetwork, known: bool
    ) -> None:
        name = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/galv:1"
        given = name if known else CfnParameter(stack, "Image").value_as_string

        template = synth(network=network, image=ecs.ContainerImage.from_registry(given))

        assert container(template, "web")["Image"] == (name if known else {"Ref": "Image"})
