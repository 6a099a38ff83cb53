"""The image that tasks run, and whether they can pull it."""

import os
import sys
from pathlib import Path

import pytest
from aws_cdk import CfnParameter, Stack
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk.assertions import Annotations, Match
from backends import MakeBackend, RefusedBackend, Synth, backend_in, new_app
from containers import Container, Image, container_of, why_not
from templates import (
    Json,
    as_list,
    container,
    only_id,
    statements,
    synthesize,
    task_definition,
)

from galv_constructs import GalvNetwork, NetworkPreset
from galv_constructs.images._image import check_image

DIGEST = f"sha256:{'0a1b' * 16}"


class TestImage:
    def test_runs_the_given_version(self, tuned: Json) -> None:
        for name in ("web", "setup-db", "check-status"):
            assert container(tuned, name)["Image"] == "ghcr.io/galv-team/galv-backend:v2.11.4"

    def test_a_release_is_the_same_with_and_without_its_v(self, synth: Synth) -> None:
        image = container(synth(version="2.11.4"), "web")["Image"]

        assert image == "ghcr.io/galv-team/galv-backend:v2.11.4"

    @pytest.mark.parametrize("version", ["v3.0.0-rc1", "develop"])
    def test_runs_any_other_tag_as_it_is(self, version: str, synth: Synth) -> None:
        image = container(synth(version=version), "web")["Image"]

        assert image == f"ghcr.io/galv-team/galv-backend:{version}"

    @pytest.mark.parametrize("tag", ["v2.11.4", "2.11.4", "latest", "main"])
    def test_runs_the_given_digest(self, tag: str, synth: Synth) -> None:
        template = synth(version=f"{tag}@{DIGEST}")

        for name in ("web", "setup-db", "check-status"):
            assert container(template, name)["Image"] == f"ghcr.io/galv-team/galv-backend@{DIGEST}"

    @pytest.mark.parametrize(
        "digest",
        ["", "sha256:", "sha256:0a1b", DIGEST.upper(), f"{DIGEST}0", f"md5:{'0' * 64}", "latest"],
    )
    def test_refuses_an_invalid_digest(self, refused_backend: RefusedBackend, digest: str) -> None:
        text = refused_backend(version=f"v2.11.4@{digest}")

        assert "version must have the digest of the image after '@'" in text
        assert repr(f"v2.11.4@{digest}") in text

    def test_refuses_the_digest_of_a_version_that_is_too_old(
        self, refused_backend: RefusedBackend
    ) -> None:
        text = refused_backend(version=f"v2.11.2@{DIGEST}")

        assert "version must be v2.11.3 or later" in text

    def test_refuses_a_digest_without_a_tag(self, refused_backend: RefusedBackend) -> None:
        text = refused_backend(version=f"@{DIGEST}")

        assert "version must be the tag of an image" in text

    @pytest.mark.parametrize(
        ("arguments", "warns"),
        [
            ({}, True),
            ({"version": "latest"}, True),
            ({"version": f"latest@{DIGEST}"}, False),
            ({"version": "v2.11.4"}, False),
            ({"production": False}, False),
        ],
    )
    def test_warns_about_latest_for_each_kind_of_task(
        self, stack: Stack, make_backend: MakeBackend, arguments: Json, warns: bool
    ) -> None:
        make_backend(**{"production": True, **arguments})
        found = Annotations.from_stack(stack)
        check = found.has_warning if warns else found.has_no_warning

        check("*", Match.string_like_regexp("version is 'latest'.*web service.*one-off tasks"))

    def test_runs_the_latest_version_when_none_is_given(self, default: Json) -> None:
        assert container(default, "web")["Image"] == "ghcr.io/galv-team/galv-backend:latest"

    def test_runs_the_given_image(self, synth: Synth) -> None:
        template = synth(image=ecs.ContainerImage.from_registry("registry.example.org/galv:1"))

        for name in ("web", "setup-db", "check-status"):
            assert container(template, name)["Image"] == "registry.example.org/galv:1"

    def test_pulls_with_the_given_credentials(self, tuned: Json) -> None:
        reference = {"Ref": only_id(tuned, "AWS::SecretsManager::Secret", "Registry")}

        assert container(tuned, "web")["RepositoryCredentials"] == {
            "CredentialsParameter": reference
        }
        _, properties = task_definition(tuned, "web")
        role_id = properties["ExecutionRoleArn"]["Fn::GetAtt"][0]
        assert reference in [
            resource
            for statement in statements(tuned, role_id)
            if "secretsmanager:GetSecretValue" in as_list(statement["Action"])
            for resource in as_list(statement["Resource"])
        ]

    def test_pulls_without_credentials_when_none_are_given(self, default: Json) -> None:
        assert "RepositoryCredentials" not in container(default, "web")

    def test_accepts_a_version_that_is_not_known_at_synthesis(self, deferred: Json) -> None:
        assert container(deferred, "web")["Image"] == {
            "Fn::Join": ["", ["ghcr.io/galv-team/galv-backend:", {"Ref": "Version"}]]
        }

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
        check_image(Stack(), version, None, registry_credentials=None, network=None)

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

    def test_refuses_the_default_image(
        self, refused_backend: RefusedBackend, network: GalvNetwork
    ) -> None:
        text = refused_backend(network=network)

        assert text.startswith("network has no internet, and the default image is on GHCR")
        assert "image=MirroredImage(self, 'Image', repository=" in text
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
