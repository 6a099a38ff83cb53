"""The image that tasks run, and whether they can pull it."""

import pytest
from aws_cdk import CfnParameter, Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_secretsmanager as secretsmanager
from backends import RefusedBackend, Synth
from templates import (
    Json,
    as_list,
    container,
    only_id,
    statements,
    task_definition,
)

from galv_constructs import GalvNetwork, NetworkPreset
from galv_constructs._backend_checks import check_image


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

    def test_takes_a_version_that_is_not_known_yet(self, deferred: Json) -> None:
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
        check_image(version, None, None, None)

    def test_refuses_what_is_no_version(self, refused_backend: RefusedBackend) -> None:
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
        assert expected in refused_backend(**{argument: "galv"})


class TestWithoutInternet:
    @pytest.fixture
    def network(self, stack: Stack) -> GalvNetwork:
        return GalvNetwork(stack, "Network", preset=NetworkPreset.ENDPOINTS)

    def test_refuses_the_default_image(
        self, refused_backend: RefusedBackend, network: GalvNetwork
    ) -> None:
        text = refused_backend(network=network)

        assert text.startswith("network has no internet, and the default image is on GHCR")
        assert "ecs.ContainerImage.from_ecr_repository(…)" in text
        assert "another NetworkPreset" in text

    @pytest.mark.parametrize("name", ["ghcr.io/galv-team/galv-backend:v2.11.4", "nginx"])
    def test_refuses_an_image_outside_of_ecr(
        self, refused_backend: RefusedBackend, network: GalvNetwork, name: str
    ) -> None:
        text = refused_backend(network=network, image=ecs.ContainerImage.from_registry(name))

        assert text.startswith("network has no internet, and no VPC endpoint reaches the registry")
        assert f"of image {name!r}" in text
        assert "ecs.ContainerImage.from_ecr_repository(…)" in text
        assert "another NetworkPreset" in text

    @pytest.mark.parametrize("known", [True, False])
    def test_takes_an_image_in_ecr(
        self, stack: Stack, synth: Synth, network: GalvNetwork, known: bool
    ) -> None:
        name = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/galv:1"
        given = name if known else CfnParameter(stack, "Image").value_as_string

        template = synth(network=network, image=ecs.ContainerImage.from_registry(given))

        assert container(template, "web")["Image"] == (name if known else {"Ref": "Image"})
