"""An image that the stack copies to a repository of its own."""

import json
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest
from aws_cdk import CfnElement, Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from backends import Refusal, backend_in, new_app, regional_stack
from templates import (
    Json,
    as_list,
    container,
    needs,
    of_type,
    only,
    only_id,
    statements,
    synthesize,
)

from galv_constructs import GalvNetwork, GalvTask, MirroredImage, NetworkPreset
from galv_constructs._core.today import today
from galv_constructs.handlers import image_mirror
from galv_constructs.images import mirrored_image

REPOSITORY = "ghcr.io/galv-team/galv-backend"
DIGEST = f"sha256:{'0a1b' * 16}"
COPY = "Custom::GalvMirroredImage"
PREFLIGHT = "Custom::GalvPreflight"


def mirror(stack: Stack, **arguments: Any) -> MirroredImage:
    return MirroredImage(stack, "Image", **{"repository": REPOSITORY, **arguments})


@pytest.fixture(scope="module")
def least() -> Json:
    """The template of a mirror with nothing but the image's name and its version."""
    stack = Stack(new_app(), "Stack")
    mirror(stack, tag="v2.11.4")
    return synthesize(stack)


@pytest.fixture(scope="module")
def unprotected() -> Json:
    """The template of a mirror that goes with the stack, with another value for every option."""
    stack = Stack(new_app(), "Stack")
    mirror(
        stack,
        tag="latest",
        architecture="ARM64",
        as_of=date(2026, 11, 23),
        registry_credentials=secretsmanager.Secret(stack, "Registry"),
        kept_images=5,
        encryption_key=kms.Key.from_key_arn(
            stack, "Key", "arn:aws:kms:eu-west-1:111122223333:key/1a2b"
        ),
        production=False,
    )
    return synthesize(stack)


def copy_of(mirrored: MirroredImage) -> CfnElement:
    found = mirrored.node.find_child("Resource").node.default_child
    assert isinstance(found, CfnElement)
    return found


def lifecycle(template: Json) -> Json:
    repository = only(template, "AWS::ECR::Repository")
    deployed, rule = json.loads(repository["LifecyclePolicy"]["LifecyclePolicyText"])["rules"]
    assert deployed["rulePriority"] < rule["rulePriority"]
    selection: Json = rule["selection"]
    return selection


class TestRepository:
    def test_no_tag_can_be_moved_and_each_image_is_scanned(self, least: Json) -> None:
        repository = only(least, "AWS::ECR::Repository")

        assert repository["ImageTagMutability"] == "IMMUTABLE"
        assert repository["ImageScanningConfiguration"] == {"ScanOnPush": True}

    def test_keeps_the_newest_20_images_by_default(self, least: Json) -> None:
        assert lifecycle(least) == {
            "tagStatus": "any",
            "countType": "imageCountMoreThan",
            "countNumber": 20,
        }

    def test_keeps_as_many_images_as_asked(self, unprotected: Json) -> None:
        assert lifecycle(unprotected)["countNumber"] == 5

    def test_tells_the_function_how_many_of_the_deployed_images_stay(
        self, least: Json, unprotected: Json
    ) -> None:
        assert only(least, COPY)["KeptImages"] == "20"
        assert only(unprotected, COPY)["KeptImages"] == "5"

    def test_outlives_the_stack_in_production(self, least: Json) -> None:
        (repository,) = of_type(least, "AWS::ECR::Repository").values()

        assert repository["DeletionPolicy"] == "Retain"
        assert repository["UpdateReplacePolicy"] == "Retain"
        assert not repository["Properties"].get("EmptyOnDelete")

    def test_is_emptied_and_deleted_with_the_stack_elsewhere(self, unprotected: Json) -> None:
        (repository,) = of_type(unprotected, "AWS::ECR::Repository").values()

        assert repository["DeletionPolicy"] == "Delete"
        assert repository["Properties"]["EmptyOnDelete"] is True

    def test_uses_the_given_key(self, unprotected: Json) -> None:
        repository = only(unprotected, "AWS::ECR::Repository")

        assert repository["EncryptionConfiguration"] == {
            "EncryptionType": "KMS",
            "KmsKey": "arn:aws:kms:eu-west-1:111122223333:key/1a2b",
        }

    def test_uses_a_key_of_ecr_when_none_is_given(self, least: Json) -> None:
        # https://docs.aws.amazon.com/AmazonECR/latest/userguide/encryption-at-rest.html
        assert "EncryptionConfiguration" not in only(least, "AWS::ECR::Repository")

    def test_a_key_of_the_stack_lets_cloudwatch_logs_use_it(self, stack: Stack) -> None:
        mirror(stack, tag="v2.11.4", encryption_key=kms.Key(stack, "Key"))
        policy = only(synthesize(stack), "AWS::KMS::Key")["KeyPolicy"]

        assert [each["Sid"] for each in policy["Statement"] if "Sid" in each] == ["CloudWatchLogs"]


class TestCopy:
    def test_asks_for_the_given_tag(self, least: Json) -> None:
        copy = only(least, COPY)

        assert copy["Image"] == f"{REPOSITORY}:v2.11.4"
        assert copy["Architecture"] == "X86_64"
        assert copy["RepositoryName"] == {"Ref": only_id(least, "AWS::ECR::Repository")}
        assert "AsOf" not in copy
        assert "CredentialsArn" not in copy

    def test_asks_for_the_given_digest(self, stack: Stack) -> None:
        mirror(stack, tag=f"v2.11.4@{DIGEST}")

        assert only(synthesize(stack), COPY)["Image"] == (f"{REPOSITORY}:v2.11.4@{DIGEST}")

    def test_asks_for_latest_as_of_the_given_day(self, unprotected: Json) -> None:
        copy = only(unprotected, COPY)

        assert copy["Image"] == f"{REPOSITORY}:latest"
        assert copy["AsOf"] == "2026-11-23"
        assert copy["Architecture"] == "ARM64"

    def test_asks_for_latest_as_of_today_when_no_day_is_given(
        self, stack: Stack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(mirrored_image, "today", today)
        before = datetime.now(timezone.utc).date()
        mirror(stack)
        after = datetime.now(timezone.utc).date()

        days = {before.isoformat(), after.isoformat()}
        assert only(synthesize(stack), COPY)["AsOf"] in days

    def test_is_another_one_on_another_day(
        self, stack: Stack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(mirrored_image, "today", lambda: date(2026, 11, 30))
        mirror(stack)

        assert only(synthesize(stack), COPY)["AsOf"] == "2026-11-30"

    def test_has_the_time_that_a_function_may_take(self, least: Json) -> None:
        handler = only(least, "AWS::Lambda::Function", "ImageHandler")

        assert handler["Handler"] == "handlers.image_mirror.on_event"
        assert handler["Timeout"] == 900
        # CloudFormation does not give up before the function does.
        assert int(only(least, COPY)["ServiceTimeout"]) > 900

    def test_its_function_copies_this_image_and_no_other(self, least: Json) -> None:
        handler = only(least, "AWS::Lambda::Function", "ImageHandler")

        assert mirrored_image.REPOSITORY == image_mirror.REPOSITORY
        assert handler["Environment"]["Variables"] == {mirrored_image.REPOSITORY: REPOSITORY}

    def test_may_write_to_its_repository_and_do_no_more(self, least: Json) -> None:
        role = only_id(least, "AWS::IAM::Role", "ImageHandlerRole")
        found = {
            action: statement["Resource"]
            for statement in statements(least, role)
            for action in as_list(statement["Action"])
        }

        repository = {"Fn::GetAtt": [only_id(least, "AWS::ECR::Repository"), "Arn"]}
        assert {name for name, where in found.items() if where == repository} == {
            "ecr:BatchCheckLayerAvailability",
            "ecr:BatchDeleteImage",
            "ecr:BatchGetImage",
            "ecr:CompleteLayerUpload",
            "ecr:InitiateLayerUpload",
            "ecr:ListImages",
            "ecr:PutImage",
            "ecr:UploadLayerPart",
        }
        assert found["cloudformation:DescribeStacks"] == {"Ref": "AWS::StackId"}
        assert {name for name, where in found.items() if where != repository} == {
            "cloudformation:DescribeStacks",
            "logs:CreateLogStream",
            "logs:PutLogEvents",
        }

    def test_reads_the_given_credentials(self, unprotected: Json) -> None:
        secret = {"Ref": only_id(unprotected, "AWS::SecretsManager::Secret")}
        role = only_id(unprotected, "AWS::IAM::Role", "ImageHandlerRole")

        assert only(unprotected, COPY)["CredentialsArn"] == secret
        assert any(
            "secretsmanager:GetSecretValue" in statement["Action"]
            and statement["Resource"] == secret
            for statement in statements(unprotected, role)
        )

    def test_begins_when_its_function_may_write(self, least: Json) -> None:
        policy = only_id(least, "AWS::IAM::Policy", "ImageHandlerRole")

        assert policy in needs(least, only_id(least, COPY))


class TestPreflight:
    def test_nothing_is_asked_without_preflight(self, stack: Stack) -> None:
        mirror(stack, preflight=False)

        assert not of_type(synthesize(stack), PREFLIGHT)

    def test_asks_for_the_image_at_its_registry_before_it_is_copied(self, stack: Stack) -> None:
        credentials = secretsmanager.Secret.from_secret_name_v2(stack, "Registry", "registry")
        mirror(
            stack,
            tag=f"v2.11.4@{DIGEST}",
            architecture="ARM64",
            registry_credentials=credentials,
        )
        template = synthesize(stack)

        question = only(template, PREFLIGHT)["Questions"]["Image"]
        assert question.pop("CredentialsArn")["Fn::Join"][1][-1] == ":secret:registry"
        assert question == {
            "Ask": "image",
            "Image": f"{REPOSITORY}:v2.11.4@{DIGEST}",
            "Architecture": "ARM64",
        }
        assert only_id(template, PREFLIGHT) in needs(template, only_id(template, COPY))

    def test_the_question_can_be_left_out(self, stack: Stack) -> None:
        mirror(stack, preflight=["image"])

        assert not of_type(synthesize(stack), PREFLIGHT)

    def test_refuses_what_is_no_kind(self, stack: Stack, refusal: Refusal) -> None:
        assert "preflight" in refusal(lambda: mirror(stack, preflight="image"))


class TestImage:
    def test_tasks_run_the_copy_by_its_digest_and_may_pull_it(self, stack: Stack) -> None:
        mirrored = mirror(stack, tag="v2.11.4")
        definition = ecs.FargateTaskDefinition(stack, "Task")
        definition.add_container("web", image=mirrored.image)
        template = synthesize(stack)

        name = json.dumps(container(template, "web")["Image"])
        digest = json.dumps({"Fn::GetAtt": [only_id(template, COPY), "DigestHex"]})
        assert "@sha256:" in name
        assert digest in name
        role = only_id(template, "AWS::IAM::Role", "TaskExecutionRole")
        repository = {"Fn::GetAtt": [only_id(template, "AWS::ECR::Repository"), "Arn"]}
        assert any(
            "ecr:BatchGetImage" in statement["Action"] and statement["Resource"] == repository
            for statement in statements(template, role)
        )

    def test_its_reference_is_the_image_at_its_registry_with_the_digest(self, stack: Stack) -> None:
        mirrored = mirror(stack, tag=f"v2.11.4@{DIGEST}")
        copied = {"Fn::GetAtt": [stack.get_logical_id(copy_of(mirrored)), "DigestHex"]}

        assert stack.resolve(mirrored.reference) == {
            "Fn::Join": ["", [f"{REPOSITORY}:v2.11.4@sha256:", copied]]
        }

    def test_a_backend_without_the_internet_runs_the_copy(self, stack: Stack) -> None:
        mirrored = mirror(stack, tag="v2.11.4")
        network = GalvNetwork(stack, "Network", preset=NetworkPreset.ENDPOINTS)
        backend_in(stack, image=mirrored.image, network=network)
        template = synthesize(stack)

        for name in ("web", "setup-db"):
            assert only_id(template, COPY) in json.dumps(container(template, name)["Image"])


@pytest.mark.parametrize(
    "name", ["nginx", "library/nginx", "registry:5000/galv", "127.0.0.1:5000/a/b", "a.example/b__c"]
)
def test_takes_each_form_of_a_name(stack: Stack, name: str) -> None:
    mirror(stack, repository=name, tag="1")

    assert only(synthesize(stack), COPY)["Image"] == f"{name}:1"


class TestRefusals:
    @pytest.mark.parametrize(
        "repository",
        [
            "",
            "ghcr.io/galv-team/galv-backend:v2.11.4",
            "galv:5000",
            "https://ghcr.io/a/b",
            "A/b",
            f"a@{DIGEST}",
        ],
    )
    def test_refuses_what_is_no_name_of_an_image(
        self, stack: Stack, refusal: Refusal, repository: str
    ) -> None:
        text = refusal(lambda: mirror(stack, repository=repository))

        assert "repository must be an image's name without a tag" in text
        assert repr(repository) in text

    @pytest.mark.parametrize("tag", ["", "two words", "latest:1"])
    def test_refuses_what_is_no_tag(self, stack: Stack, refusal: Refusal, tag: str) -> None:
        assert "tag must be the tag of an image" in refusal(lambda: mirror(stack, tag=tag))

    def test_refuses_a_digest_of_latest(self, stack: Stack, refusal: Refusal) -> None:
        text = refusal(lambda: mirror(stack, tag=f"latest@{DIGEST}"))

        assert "must not have a digest for 'latest'" in text

    def test_refuses_another_architecture(self, stack: Stack, refusal: Refusal) -> None:
        text = refusal(lambda: mirror(stack, architecture="arm64"))

        assert text == "architecture must be one of X86_64, ARM64, got 'arm64'"

    def test_refuses_a_day_that_is_to_come(self, stack: Stack, refusal: Refusal) -> None:
        tomorrow = today() + timedelta(days=1)

        text = refusal(lambda: mirror(stack, as_of=tomorrow + timedelta(days=1)))
        assert text.startswith(f"as_of must be a day that has come, got {tomorrow + timedelta(1)}")

    def test_refuses_a_day_for_a_version(self, stack: Stack, refusal: Refusal) -> None:
        text = refusal(lambda: mirror(stack, tag="v2.11.4", as_of=date(2026, 11, 23)))

        assert "as_of is the day that tag='latest' is of, and tag is 'v2.11.4'" in text

    @pytest.mark.parametrize("day", ["2026-11-23", datetime(2026, 11, 23, tzinfo=timezone.utc)])
    def test_refuses_what_is_no_day(self, stack: Stack, refusal: Refusal, day: object) -> None:
        assert "as_of must be a datetime.date" in refusal(lambda: mirror(stack, as_of=day))

    @pytest.mark.parametrize("number", [4, 1001, True, "20"])
    def test_refuses_a_number_of_images_that_is_out_of_range(
        self, stack: Stack, refusal: Refusal, number: object
    ) -> None:
        assert "kept_images must be" in refusal(lambda: mirror(stack, kept_images=number))

    def test_refuses_the_name_of_a_secret(self, stack: Stack, refusal: Refusal) -> None:
        text = refusal(lambda: mirror(stack, registry_credentials="galv-registry"))

        assert "registry_credentials must be an aws_secretsmanager.ISecret" in text

    def test_refuses_the_arn_of_a_key(self, stack: Stack, refusal: Refusal) -> None:
        text = refusal(lambda: mirror(stack, encryption_key="arn:aws:kms:…"))

        assert "encryption_key must be an aws_kms.IKey" in text


def test_tasks_of_another_stack_do_not_hold_the_image() -> None:
    """An export cannot change while it is imported, and each release changes the digest."""
    app = new_app()
    backend = backend_in(regional_stack(app, "One"), mirror_image=True)
    GalvTask(regional_stack(app, "Two"), "Export", runtime=backend.runtime, command=["export"])
    one, two = (app.synth().get_stack_by_name(name).template for name in ("One", "Two"))

    exports = [name for name in one["Outputs"] if name.startswith("ExportsOutput")]
    assert not [name for name in exports if "DigestHex" in name]
    assert "Fn::GetStackOutput" in json.dumps(of_type(two, "AWS::ECS::TaskDefinition"))
