"""The construct that asks before anything costly is created, and what may be asked."""

import inspect
import json
import re
from collections.abc import Callable
from datetime import date
from importlib import metadata
from typing import Any

import pytest
from aws_cdk import CfnParameter, CfnResource, NestedStack, Stack, Token, assertions
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from backends import new_app, regional_stack, zone_in
from templates import Json, needs, of_type, only, only_id

from galv_constructs import GalvPreflight, PreflightCheck
from galv_constructs.preflight._needs import Needs, check_preflight, secret_checks
from galv_constructs.preflight.check import KINDS
from galv_ops.preflight import kinds, quotas
from galv_ops.preflight import stack as own_resources

ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:galv-AbCdEf"
IMAGE = PreflightCheck.image("registry.example.com/a/b:v1")


@pytest.fixture
def stack() -> Stack:
    return Stack(new_app(), "Stack")


def synth(stack: Stack) -> Json:
    return dict(assertions.Template.from_stack(stack).to_json())


def resource(stack: Stack) -> Json:
    return only(synth(stack), "Custom::GalvPreflight")


def questions(stack: Stack) -> Json:
    return dict(resource(stack)["Questions"])


def statements(stack: Stack) -> list[Json]:
    policy = only(synth(stack), "AWS::IAM::Policy", "GalvPreflightHandlerRole")
    return list(policy["PolicyDocument"]["Statement"])


def allowed(stack: Stack, action: str) -> list[Any]:
    """The resources that an action is allowed on."""
    found: list[Any] = []
    for statement in statements(stack):
        actions, resources = statement["Action"], statement["Resource"]
        if action in ([actions] if isinstance(actions, str) else actions):
            found += resources if isinstance(resources, list) else [resources]
    return found


def spelled(value: Any) -> str:
    """A text of a template, with the names of what CloudFormation puts in."""
    if isinstance(value, str):
        return value
    parts = value["Fn::Join"][1]
    return "".join(part if isinstance(part, str) else part["Ref"] for part in parts)


class TestOneInAStack:
    def test_is_found_again_from_anywhere_in_the_stack(self, stack: Stack) -> None:
        made = GalvPreflight.of(ec2.CfnEIP(stack, "Address"))

        assert GalvPreflight.of(stack) is made
        assert made.node.path == "Stack/GalvPreflight"

    def test_is_another_one_in_another_stack(self, stack: Stack) -> None:
        assert GalvPreflight.of(NestedStack(stack, "Nested")) is not GalvPreflight.of(stack)

    @pytest.mark.parametrize("id", ["Preflight", "GalvPreflight2"])
    def test_refuses_another_id(self, stack: Stack, id: str) -> None:
        with pytest.raises(ValueError, match=r"use GalvPreflight\.of\(scope\), got the id"):
            GalvPreflight(stack, id)

    def test_refuses_to_be_in_a_construct(self, stack: Stack) -> None:
        with pytest.raises(ValueError, match="in 'Stack/Address'"):
            GalvPreflight(ec2.CfnEIP(stack, "Address"), "GalvPreflight")

    @pytest.mark.parametrize(
        ("given", "days", "policy"),
        [
            ([], 30, "Delete"),
            ([{"production": True}], 365, "RetainExceptOnCreate"),
            ([{"production": False}], 30, "Delete"),
            ([{"production": True, "removal_protection": False}], 365, "Delete"),
            ([{"production": True}, {"production": False}], 365, "RetainExceptOnCreate"),
            ([{"production": False}, {"production": True}], 365, "RetainExceptOnCreate"),
        ],
    )
    def test_its_log_is_kept_as_long_as_anything_of_the_stack_wants(
        self, stack: Stack, given: list[Json], days: int, policy: str
    ) -> None:
        preflight = GalvPreflight.of(stack)
        for one in given:
            preflight.keep_log(**one)

        (group,) = of_type(synth(stack), "AWS::Logs::LogGroup").values()
        assert group["Properties"]["RetentionInDays"] == days
        assert group["DeletionPolicy"] == policy

    def test_its_log_has_the_first_key_that_it_gets(self, stack: Stack) -> None:
        preflight = GalvPreflight.of(stack)
        keys = [kms.Key(stack, id) for id in ("One", "Two")]
        preflight.keep_log(production=False)
        for key in keys:
            preflight.keep_log(production=False, encryption_key=key)

        template = synth(stack)
        one = only_id(template, "AWS::KMS::Key", "One")
        assert only(template, "AWS::Logs::LogGroup")["KmsKeyId"] == {"Fn::GetAtt": [one, "Arn"]}
        assert "CloudWatchLogs" in str(only(template, "AWS::KMS::Key", "One"))

    def test_refuses_a_key_by_its_name(self, stack: Stack) -> None:
        key: Any = "alias/galv"
        with pytest.raises(ValueError, match=r"encryption_key must be an aws_kms\.IKey"):
            GalvPreflight.of(stack).keep_log(production=True, encryption_key=key)

    @pytest.mark.parametrize("given", [{"production": None}, {"production": 1}])
    def test_refuses_to_keep_its_log_for_something_else(self, stack: Stack, given: Json) -> None:
        with pytest.raises(ValueError, match="production must be true or false"):
            GalvPreflight.of(stack).keep_log(**given)


class TestQuestions:
    def test_are_a_property_of_the_resource(self, stack: Stack) -> None:
        preflight = GalvPreflight.of(stack)
        preflight.add_check("B", PreflightCheck.secret(ARN, keys=["Y", "X"]))
        preflight.add_check("A", IMAGE)

        found = resource(stack)

        assert list(found["Questions"]) == ["A", "B"]
        assert found["Questions"] == {
            "A": {
                "Ask": "image",
                "Own": "true",
                "Image": "registry.example.com/a/b:v1",
                "Architecture": "X86_64",
            },
            "B": {"Ask": "secret", "Own": "true", "SecretArn": ARN, "Keys": ["X", "Y"]},
        }
        assert "Ref" in found["LogGroup"]

    @pytest.mark.parametrize(("installed", "version"), [("1.2.3", "1.2.3"), (None, "source")])
    def test_are_of_a_version_of_the_library(
        self,
        stack: Stack,
        monkeypatch: pytest.MonkeyPatch,
        installed: str | None,
        version: str,
    ) -> None:
        def found(name: str) -> str:
            assert name == "galv-constructs"
            if installed is None:
                raise metadata.PackageNotFoundError(name)
            return installed

        monkeypatch.setattr(metadata, "version", found)
        GalvPreflight.of(stack)

        assert resource(stack)["Version"] == version

    def test_refuses_one_id_twice(self, stack: Stack) -> None:
        GalvPreflight.of(stack).add_check("A", IMAGE)

        with pytest.raises(ValueError, match="has a check 'A' already"):
            GalvPreflight.of(stack).add_check("A", IMAGE)

    @pytest.mark.parametrize("check", [{"Ask": "image"}, "image", None])
    def test_refuses_what_is_no_check(self, stack: Stack, check: Any) -> None:
        with pytest.raises(ValueError, match="check must be a PreflightCheck"):
            GalvPreflight.of(stack).add_check("A", check)

    def test_refuses_an_id_that_is_no_text(self, stack: Stack) -> None:
        with pytest.raises(ValueError, match="id must be text"):
            GalvPreflight.of(stack).add_check(1, IMAGE)  # type: ignore[arg-type]  # on purpose

    def test_leaves_out_what_the_stack_creates(self, stack: Stack) -> None:
        secret = secretsmanager.Secret(stack, "Secret")
        repository = ecr.Repository(stack, "Repository")
        preflight = GalvPreflight.of(stack)
        preflight.add_check("Secret", PreflightCheck.secret(secret))
        preflight.add_check("Arn", PreflightCheck.secret(secret.secret_full_arn or ""))
        preflight.add_check("Image", PreflightCheck.image(repository.repository_uri_for_tag("v1")))

        assert questions(stack) == {}
        assert allowed(stack, "secretsmanager:GetSecretValue") == []
        assert allowed(stack, "ecr:BatchGetImage") == []

    def test_leaves_out_what_another_stack_of_the_application_creates(self) -> None:
        app = new_app()
        stack, other = Stack(app, "Stack"), Stack(app, "Other")
        check = PreflightCheck.secret(secretsmanager.Secret(other, "Secret"))
        GalvPreflight.of(stack).add_check("Secret", check)

        assert questions(stack) == {}
        assert stack.dependencies == []

    def test_asks_what_a_parameter_says(self, stack: Stack) -> None:
        name = CfnParameter(stack, "Image").value_as_string
        GalvPreflight.of(stack).add_check("Image", PreflightCheck.image(name))

        assert questions(stack)["Image"]["Image"] == {"Ref": "Image"}

    def test_asks_what_holds_the_account_and_the_region(self, stack: Stack) -> None:
        secret = secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "galv")
        GalvPreflight.of(stack).add_check("Secret", PreflightCheck.secret(secret))

        assert "Secret" in questions(stack)

    def test_that_must_be_answered_say_so(self, stack: Stack) -> None:
        GalvPreflight.of(stack).add_check("A", IMAGE.when_needed())

        assert questions(stack)["A"]["Needed"] == "true"
        assert "Needed" not in IMAGE.arguments


class TestPermissions:
    def test_without_questions_are_its_log_and_the_status_of_its_stack(self, stack: Stack) -> None:
        GalvPreflight.of(stack)

        log, status = statements(stack)
        assert log["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
        assert status["Action"] == "cloudformation:DescribeStacks"
        assert status["Resource"] == {"Ref": "AWS::StackId"}

    def test_of_an_image_elsewhere_are_none(self, stack: Stack) -> None:
        GalvPreflight.of(stack).add_check("Image", IMAGE)

        assert len(statements(stack)) == 2

    def test_of_an_image_are_for_its_repository(self) -> None:
        stack = regional_stack()
        repository = ecr.Repository.from_repository_name(stack, "Repository", "galv/backend")
        check = PreflightCheck.image(repository.repository_uri_for_digest("sha256:" + "0" * 64))
        GalvPreflight.of(stack).add_check("Image", check)

        for action in ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"):
            (arn,) = allowed(stack, action)
            spelled = "".join(
                part if isinstance(part, str) else "aws" for part in arn["Fn::Join"][1]
            )
            assert spelled == f"arn:aws:ecr:{stack.region}:{stack.account}:repository/galv/backend"

    def test_of_credentials_are_to_read_them(self, stack: Stack) -> None:
        check = PreflightCheck.image("r.example.com/a:1", credentials=ARN)
        GalvPreflight.of(stack).add_check("Image", check)

        assert questions(stack)["Image"]["CredentialsArn"] == ARN
        assert allowed(stack, "secretsmanager:GetSecretValue") == [ARN, f"{ARN}-??????"]

    def test_of_credentials_are_for_their_registry(self, stack: Stack) -> None:
        secret = secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "registry")
        preflight = GalvPreflight.of(stack)
        preflight.add_check("A", PreflightCheck.image("r.example.com/a:1", credentials=ARN))
        preflight.add_check("B", IMAGE)
        preflight.add_check(
            "C", PreflightCheck.image("q.example.com/c:1", credentials=secret.secret_arn)
        )

        found = only(synth(stack), "AWS::Lambda::Function", "GalvPreflightHandler")
        text = spelled(found["Environment"]["Variables"]["CREDENTIALS"])
        named = spelled(questions(stack)["C"]["CredentialsArn"])
        assert json.loads(text) == [["r.example.com/a:1", ARN], ["q.example.com/c:1", named]]

    def test_without_credentials_none_can_be_sent(self, stack: Stack) -> None:
        GalvPreflight.of(stack).add_check("Image", IMAGE)

        function = only(synth(stack), "AWS::Lambda::Function", "GalvPreflightHandler")
        assert "Environment" not in function

    def test_of_a_secret_hold_its_own_key(self, stack: Stack) -> None:
        key = "arn:aws:kms:eu-west-1:123456789012:key/1234"
        secret = secretsmanager.Secret.from_secret_attributes(
            stack,
            "Secret",
            secret_complete_arn=ARN,
            encryption_key=kms.Key.from_key_arn(stack, "Key", key),
        )
        GalvPreflight.of(stack).add_check("Secret", PreflightCheck.secret(secret))

        assert allowed(stack, "kms:Decrypt") == [key]
        (decrypting,) = [one for one in statements(stack) if one["Action"] == "kms:Decrypt"]
        conditions = decrypting["Condition"]
        (service,) = conditions["StringEquals"].values()
        assert spelled(service) == "secretsmanager.AWS::Region.amazonaws.com"
        assert conditions["StringLike"] == {
            "kms:EncryptionContext:SecretARN": [ARN, f"{ARN}-??????"]
        }

    def test_of_roles_hold_those_that_are_not_there(self, stack: Stack) -> None:
        """Which have no path that a policy could name."""
        check = PreflightCheck.service_linked_roles(["ecs.amazonaws.com"])
        GalvPreflight.of(stack).add_check("Roles", check)

        ends = [arn["Fn::Join"][1][-1] for arn in allowed(stack, "iam:GetRole")]
        assert ends == [
            ":role/aws-service-role/ecs.amazonaws.com/*",
            ":role/AWSServiceRoleFor*",
        ]

    @pytest.mark.parametrize(
        ("endpoint", "asked", "action", "kind"),
        [
            (None, {"InstanceIdentifier": "invented"}, "Instances", "db"),
            ("db.example.com", {"InstanceIdentifier": "invented"}, "Instances", "db"),
            (
                "galv.abc1.us-east-1.rds.amazonaws.com",
                {"InstanceIdentifier": "galv", "Region": "us-east-1"},
                "Instances",
                "db",
            ),
            (
                "galv.cluster-abc1.us-east-1.rds.amazonaws.com",
                {"ClusterIdentifier": "galv", "Region": "us-east-1"},
                "Clusters",
                "cluster",
            ),
            (
                "galv.cluster-ro-abc1.cn-north-1.rds.amazonaws.com.cn",
                {"ClusterIdentifier": "galv", "Region": "cn-north-1"},
                "Clusters",
                "cluster",
            ),
            # Their names are not those of what they lead to.
            (
                "some.cluster-custom-abc1.us-east-1.rds.amazonaws.com",
                {"InstanceIdentifier": "invented"},
                "Instances",
                "db",
            ),
            (
                "some.proxy-abc1.us-east-1.rds.amazonaws.com",
                {"InstanceIdentifier": "invented"},
                "Instances",
                "db",
            ),
        ],
    )
    def test_of_a_database_are_for_what_its_endpoint_names(
        self, stack: Stack, endpoint: str | None, asked: Json, action: str, kind: str
    ) -> None:
        check = PreflightCheck.database("invented", endpoint=endpoint)
        GalvPreflight.of(stack).add_check("Database", check)

        told = {} if endpoint is None else {"Endpoint": endpoint}
        assert questions(stack)["Database"] == {
            "Ask": "database",
            "Own": "true",
            "SecurityGroupIds": [],
            **told,
            **asked,
        }
        (arn,) = allowed(stack, f"rds:DescribeDB{action}")
        name = asked.get("InstanceIdentifier") or asked["ClusterIdentifier"]
        assert spelled(arn).endswith(f":AWS::AccountId:{kind}:{name}")
        assert asked.get("Region", "AWS::Region") in spelled(arn)

    @pytest.mark.parametrize("names", [{}, {"instance_identifier": "a", "cluster_identifier": "b"}])
    def test_refuses_a_database_that_is_both_or_neither(self, names: Json) -> None:
        with pytest.raises(ValueError, match="instance_identifier or cluster_identifier, one of"):
            PreflightCheck.database(**names)

    def test_to_count_databases_are_for_databases_alone(self, stack: Stack) -> None:
        GalvPreflight.of(stack).add_check("Quota", PreflightCheck.quota("db-instance"))

        (arn,) = allowed(stack, "rds:DescribeDBInstances")
        assert spelled(arn).endswith(":AWS::AccountId:db:*")

    def test_are_given_once(self, stack: Stack) -> None:
        for id in "AB":
            GalvPreflight.of(stack).add_check(id, PreflightCheck.secret(ARN, keys=[id]))

        assert allowed(stack, "secretsmanager:GetSecretValue") == [ARN, f"{ARN}-??????"]


class TestWhatWaits:
    @pytest.fixture
    def preflight(self, stack: Stack) -> GalvPreflight:
        return GalvPreflight.of(stack)

    def waiting(self, stack: Stack) -> set[str]:
        found = synth(stack)["Resources"]
        (id,) = of_type({"Resources": found}, "Custom::GalvPreflight")
        return {one["Type"] for one in found.values() if id in one.get("DependsOn", [])}

    def test_is_the_main_resource_alone(self, stack: Stack, preflight: GalvPreflight) -> None:
        preflight.hold(ec2.Vpc(stack, "Vpc"), ec2.CfnEIP(stack, "Address"))

        assert self.waiting(stack) == {"AWS::EC2::VPC", "AWS::EC2::EIP"}

    def test_is_what_depends_on_it(self, stack: Stack, preflight: GalvPreflight) -> None:
        logs.LogGroup(stack, "Logs").node.add_dependency(preflight)

        assert self.waiting(stack) == {"AWS::Logs::LogGroup"}

    def test_is_nothing_imported(self, stack: Stack, preflight: GalvPreflight) -> None:
        preflight.hold(
            ec2.Vpc.from_vpc_attributes(
                stack, "Vpc", vpc_id="vpc-1", availability_zones=["eu-west-1a"]
            )
        )

        assert self.waiting(stack) == set()

    def test_is_nothing_of_another_stack(self, stack: Stack, preflight: GalvPreflight) -> None:
        other = Stack(stack.node.root, "Other")  # type: ignore[arg-type]  # it is the app
        preflight.hold(CfnResource(other, "Thing", type="AWS::SNS::Topic"))

        assert other.dependencies == []
        assert self.waiting(stack) == set()

    def test_warnings_can_be_an_output(self, stack: Stack, preflight: GalvPreflight) -> None:
        assert stack.resolve(preflight.warnings)["Fn::GetAtt"][1] == "Warnings"


class TestNeeds:
    @pytest.fixture
    def construct(self, stack: Stack) -> ec2.CfnEIP:
        return ec2.CfnEIP(stack, "Address")

    def test_are_asked_under_the_path_of_the_construct(
        self, stack: Stack, construct: ec2.CfnEIP
    ) -> None:
        Needs(construct, preflight=True).ask("Image", IMAGE)

        assert list(questions(stack)) == ["Address/Image"]

    @pytest.mark.parametrize("preflight", [False, ["secret", "image"]])
    def test_are_not_asked_where_they_are_left_out(
        self, stack: Stack, construct: ec2.CfnEIP, preflight: Any
    ) -> None:
        needs = Needs(construct, preflight=preflight)
        needs.ask("Image", IMAGE)
        needs.hold(construct)

        assert not of_type(synth(stack), "Custom::GalvPreflight")

    def test_another_kind_left_out_is_still_asked(
        self, stack: Stack, construct: ec2.CfnEIP
    ) -> None:
        needs = Needs(construct, preflight=["secret"])
        needs.ask("Image", IMAGE)
        needs.ask("Secret", PreflightCheck.secret(ARN))
        needs.hold(construct, None)

        assert list(questions(stack)) == ["Address/Image"]
        assert "DependsOn" in next(iter(of_type(synth(stack), "AWS::EC2::EIP").values()))

    def test_without_preflight_nothing_waits_for_that_of_others(
        self, stack: Stack, construct: ec2.CfnEIP
    ) -> None:
        GalvPreflight.of(stack).add_check("A", IMAGE)
        Needs(construct, preflight=False).hold(construct)

        assert "DependsOn" not in next(iter(of_type(synth(stack), "AWS::EC2::EIP").values()))

    @pytest.mark.parametrize("preflight", [True, False, [], ["image"], ("image", "secret")])
    def test_takes_a_switch_or_kinds(self, preflight: Any) -> None:
        check_preflight(preflight)

    @pytest.mark.parametrize("preflight", ["image", None, 1, {"image": True}])
    def test_refuses_something_else(self, preflight: Any) -> None:
        with pytest.raises(ValueError, match="preflight must be true, false, or a list of checks"):
            check_preflight(preflight)

    def test_without_the_check_of_an_id_ask_the_others(
        self, stack: Stack, construct: ec2.CfnEIP
    ) -> None:
        needs = Needs(construct, preflight=["Address/Secrets/a/b"])
        needs.ask("Image", IMAGE)
        needs.ask("Secrets/a/b", PreflightCheck.secret(ARN))

        assert list(questions(stack)) == ["Address/Image"]

    def test_take_an_id_that_another_construct_with_the_list_asks(
        self, stack: Stack, construct: ec2.CfnEIP
    ) -> None:
        given = ["Address/Image", "Other/Image", "quotas"]
        for one in (construct, ec2.CfnEIP(stack, "Other")):
            Needs(one, preflight=given).ask("Image", IMAGE)

        assert not of_type(synth(stack), "Custom::GalvPreflight")

    def test_refuse_an_id_that_no_construct_with_the_list_asks(
        self, stack: Stack, construct: ec2.CfnEIP
    ) -> None:
        Needs(ec2.CfnEIP(stack, "Other"), preflight=True).ask("Image", IMAGE)
        needs = Needs(construct, preflight=["Address/Imgae", "Other/Image"])
        needs.ask("Image", IMAGE)

        with pytest.raises(RuntimeError) as caught:
            synth(stack)

        errors = str(caught.value)
        assert (
            "preflight leaves out 'Address/Imgae', which none of the constructs with that list "
            "asks; did you mean 'Address/Image'? They ask: Address/Image" in errors
        )
        assert "preflight leaves out 'Other/Image', which none" in errors

    @pytest.mark.parametrize(
        ("given", "kind"),
        [("Quotas", "quotas"), ("HostedZone", "hosted-zone"), ("MAIL_SANDBOX", "mail-sandbox")],
    )
    def test_know_a_kind_in_another_case(
        self, stack: Stack, construct: ec2.CfnEIP, given: str, kind: str
    ) -> None:
        Needs(construct, preflight=[given]).ask("Image", IMAGE)

        with pytest.raises(RuntimeError, match=f"'{given}', .*mean the kind '{kind}', in lower"):
            synth(stack)

    def test_of_nested_stacks_are_apart_where_they_are_asked_in_one(self, stack: Stack) -> None:
        for name in ("A", "B"):
            construct = ec2.CfnEIP(NestedStack(stack, name), "Address")
            Needs(construct, preflight=True).ask("Image", IMAGE, scope=stack)

        assert list(questions(stack)) == ["A/Address/Image", "B/Address/Image"]

    def test_of_constructs_are_none_of_the_application(
        self, stack: Stack, construct: ec2.CfnEIP
    ) -> None:
        """Messages propose to leave out those of constructs alone."""
        GalvPreflight.of(stack).add_check("Image", IMAGE)
        Needs(construct, preflight=True).ask("Image", IMAGE)

        owned = {id: question.get("Own") for id, question in questions(stack).items()}
        assert owned == {"Image": "true", "Address/Image": None}

    def test_refuses_an_unknown_kind_and_knows_what_was_meant(self) -> None:
        with pytest.raises(ValueError, match=r"'imgae', .*did you mean 'image'\? Kinds: cert"):
            check_preflight(["secret", "imgae"])


class TestSecretsOfVariables:
    def test_have_ids_of_their_own(self, stack: Stack) -> None:
        """Also where the account alone tells them apart, or nothing is known."""
        name = CfnParameter(stack, "Name").value_as_string
        secrets = {
            "ONE": secretsmanager.Secret.from_secret_partial_arn(stack, "One", ARN),
            "TWO": secretsmanager.Secret.from_secret_partial_arn(
                stack, "Two", ARN.replace("123456789012", "210987654321")
            ),
            "THREE": secretsmanager.Secret.from_secret_name_v2(stack, "Three", name),
        }

        ids = [
            id
            for id, _ in secret_checks(
                {name: ecs.Secret.from_secrets_manager(one, "A") for name, one in secrets.items()}
            )
        ]

        assert ids == ["Secrets/galv-AbCdEf", "Secrets/TWO", "Secrets/THREE"]

    def test_are_asked_once_with_all_keys(self, stack: Stack) -> None:
        secret = secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "galv/backend")
        found = dict(
            secret_checks(
                {
                    "B": ecs.Secret.from_secrets_manager(secret, "B"),
                    "A": ecs.Secret.from_secrets_manager(secret, "A"),
                    "WHOLE": ecs.Secret.from_secrets_manager(secret),
                }
            )
        )

        assert list(found) == ["Secrets/galv/backend"]
        assert found["Secrets/galv/backend"].arguments["Keys"] == ["A", "B"]

    def test_of_a_complete_arn_keep_it(self, stack: Stack) -> None:
        secret = secretsmanager.Secret.from_secret_complete_arn(stack, "Secret", ARN)

        ((_, check),) = secret_checks({"A": ecs.Secret.from_secrets_manager(secret, "K")})

        assert check.arguments == {"SecretArn": ARN, "Keys": ["K"]}

    def test_leave_parameters_out(self, stack: Stack) -> None:
        # Loads a module of CDK's that nothing else here needs.
        from aws_cdk import aws_ssm as ssm  # noqa: PLC0415

        parameter = ssm.StringParameter.from_secure_string_parameter_attributes(
            stack, "Parameter", parameter_name="/galv/x", version=1
        )

        assert not list(secret_checks({"A": ecs.Secret.from_ssm_parameter(parameter)}))


ZONE = "Z0123456789"
VPC, SUBNETS = "vpc-0123456789abcdef0", ["subnet-00000000000000001"]
CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:licences"
ROLE = "arn:aws:iam::123456789012:role/deploys"


def every_check(stack: Stack) -> list[PreflightCheck]:
    """Checks of all kinds, that need all that a kind may need."""
    zone = route53.HostedZone.from_hosted_zone_attributes(
        stack, "Zone", hosted_zone_id=ZONE, zone_name="example.com"
    )
    certificate = acm.Certificate.from_certificate_arn(stack, "Certificate", CERTIFICATE)
    return [
        PreflightCheck.certificate(certificate, ["example.com"], region="us-east-1"),
        PreflightCheck.database("galv", security_group_ids=["sg-1"], engine_version="14"),
        PreflightCheck.database(cluster_identifier="galv", endpoint="db.example.com"),
        PreflightCheck.function(
            lambda_.Function.from_function_arn(stack, "Function", FUNCTION), {"seats": 5}
        ),
        PreflightCheck.hosted_zone(zone, ["example.com"], certificate=True),
        PreflightCheck.image(
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/galv:v1", credentials=ARN
        ),
        PreflightCheck.mail_identity("example.com"),
        PreflightCheck.mail_sandbox(),
        *(PreflightCheck.quota(name) for name in quotas.QUOTAS),
        PreflightCheck.records(zone, ["api.example.com", "TXT _dmarc.example.com"]),
        PreflightCheck.secret(ARN, keys=["A"]),
        PreflightCheck.service_linked_roles(["ecs.amazonaws.com"], created_by=ROLE),
        PreflightCheck.site_source({"Type": "git", "Repository": "https://x", "Tag": "v1"}),
        PreflightCheck.cluster(
            ecs.Cluster.from_cluster_arn(
                stack, "Given", "arn:aws:ecs:eu-west-1:123456789012:cluster/galv"
            ),
            capacity_providers=["FARGATE_SPOT"],
        ),
        PreflightCheck.orderable_database(
            "postgres", "17", "db.t4g.micro", created=rds.CfnDBInstance(stack, "Created")
        ),
        PreflightCheck.snapshot(
            "arn:aws:rds:eu-west-1:123456789012:snapshot:galv",
            restored=rds.CfnDBInstance(stack, "Restored"),
        ),
        PreflightCheck.subnets(VPC, SUBNETS, route="nat", addresses=2, addresses_each=1),
    ]


class TestFunctions:
    @pytest.fixture
    def own(self, stack: Stack) -> lambda_.Function:
        return lambda_.Function(
            stack,
            "Licences",
            runtime=lambda_.Runtime.PYTHON_3_13,
            handler="index.handler",
            code=lambda_.Code.from_inline("def handler(event, _): return {'findings': []}"),
        )

    def test_of_the_same_stack_are_asked_when_they_are_there(
        self, stack: Stack, own: lambda_.Function
    ) -> None:
        bucket = s3.Bucket(stack, "Bucket")
        GalvPreflight.of(stack).add_check(
            "Licence", PreflightCheck.function(own, {"bucket": bucket.bucket_name, "seats": 5})
        )
        template = synth(stack)

        id = only_id(template, "AWS::Lambda::Function", "Licences")
        arn = {"Fn::GetAtt": [id, "Arn"]}
        name = only_id(template, "AWS::S3::Bucket")
        assert questions(stack)["Licence"] == {
            "Ask": "function",
            "Own": "true",
            "FunctionArn": arn,
            "Question": {"Fn::Join": ["", ['{"bucket":"', {"Ref": name}, '","seats":5}']]},
        }
        first = needs(template, only_id(template, "Custom::GalvPreflight"))
        assert {id, only_id(template, "AWS::IAM::Role", "LicencesServiceRole"), name} <= first
        assert allowed(stack, "lambda:InvokeFunction") == [arn]

    def test_may_be_imported_and_asked_nothing_in_particular(self, stack: Stack) -> None:
        function = lambda_.Function.from_function_arn(stack, "Function", FUNCTION)
        GalvPreflight.of(stack).add_check("Licence", PreflightCheck.function(function))

        assert questions(stack)["Licence"]["FunctionArn"] == FUNCTION
        assert questions(stack)["Licence"]["Question"] == "{}"
        assert allowed(stack, "lambda:InvokeFunction") == [FUNCTION]

    def test_may_be_a_version_so_that_other_code_asks_again(
        self, stack: Stack, own: lambda_.Function
    ) -> None:
        GalvPreflight.of(stack).add_check("Licence", PreflightCheck.function(own.current_version))

        version = only_id(synth(stack), "AWS::Lambda::Version")
        assert questions(stack)["Licence"]["FunctionArn"] == {"Ref": version}
        assert allowed(stack, "lambda:InvokeFunction") == [{"Ref": version}]

    @pytest.mark.parametrize("function", [FUNCTION, {"arn": FUNCTION}])
    def test_refuses_what_is_no_function(self, function: Any) -> None:
        with pytest.raises(ValueError, match=r"function must be an aws_lambda\.IFunction"):
            PreflightCheck.function(function)

    @pytest.mark.parametrize("question", ["seats", [("seats", 5)], 5])
    def test_refuses_a_question_that_is_no_mapping(
        self, own: lambda_.Function, question: Any
    ) -> None:
        with pytest.raises(ValueError, match="question must be a mapping, such as"):
            PreflightCheck.function(own, question)

    @pytest.mark.parametrize(
        ("question", "where"),
        [
            ({"until": date(2026, 11, 23)}, r"question\['until'\]"),
            ({"seats": [1, {2}]}, r"question\['seats'\]\[1\]"),
            ({"share": float("nan")}, r"question\['share'\]"),
            ({"seats": [None]}, r"question\['seats'\]\[0\]"),
            ({"seats": (1, 2)}, r"question\['seats'\]"),
            ({1: "seat"}, "question"),
        ],
    )
    def test_refuses_a_question_that_is_no_json(
        self, own: lambda_.Function, question: Any, where: str
    ) -> None:
        with pytest.raises(ValueError, match=f"^{where} must be as JSON has it, .*, got "):
            PreflightCheck.function(own, question)

    def test_takes_a_question_with_all_that_json_has_and_tokens(
        self, own: lambda_.Function, stack: Stack
    ) -> None:
        region = Token.as_any({"Ref": "AWS::Region"})
        given = {"a": [1, 1.5, True], "b": {"c": stack.account}, "d": region}

        check = PreflightCheck.function(own, given)
        assert "AWS::Region" in str(stack.resolve(check.arguments["Question"]))


IN_SUBNETS: Json = {"vpc_id": VPC, "subnet_ids": SUBNETS, "route": "nat"}


class TestKinds:
    def test_are_all_that_can_be_asked(self, stack: Stack) -> None:
        assert set(KINDS) == set(kinds.KINDS) == {check.kind for check in every_check(stack)}

    @pytest.mark.parametrize("kind", KINDS)
    def test_are_allowed_what_asking_needs_and_no_more(self, stack: Stack, kind: str) -> None:
        given = {
            action
            for check in every_check(stack)
            if check.kind == kind
            for permission in check.permissions
            for action in permission.actions
        }

        assert given == set(kinds.KINDS[kind].actions)

    @pytest.mark.parametrize("kind", KINDS)
    def test_are_asked_with_arguments_that_the_question_reads(
        self, stack: Stack, kind: str
    ) -> None:
        """Each argument stands in the source of its question, spelled alike."""
        source = inspect.getsource(inspect.getmodule(kinds.KINDS[kind].answer) or kinds)
        source += inspect.getsource(own_resources)

        for check in every_check(stack):
            if check.kind == kind:
                assert [name for name in check.arguments if f'"{name}"' not in source] == []

    def test_wildcards_have_a_reason(self, stack: Stack) -> None:
        for check in every_check(stack):
            for permission in check.permissions:
                assert bool(permission.reason) == any("*" in one for one in permission.resources)

    @pytest.mark.parametrize(
        "refused",
        [
            lambda: PreflightCheck.secret(ARN, keys="A"),
            lambda: PreflightCheck.service_linked_roles("ecs.amazonaws.com"),
            lambda: PreflightCheck.subnets(VPC, "subnet-1", route="nat"),
            lambda: PreflightCheck.database("galv", security_group_ids="sg-1"),
        ],
    )
    def test_refuse_a_text_in_place_of_a_list(self, refused: Callable[[], object]) -> None:
        with pytest.raises(ValueError, match="must be a list of"):
            refused()

    @pytest.mark.parametrize(
        ("kind", "arguments", "says"),
        [
            ("image", {"name": None}, "name must be the name of an image, got None"),
            ("image", {"name": ""}, "name must be the name of an image, got an empty text"),
            (
                "image",
                {"name": "a", "architecture": "arm"},
                "architecture must be one of X86_64, ARM64",
            ),
            (
                "image",
                {"name": "a", "credentials": ""},
                "credentials must be the ARN of a secret, got an",
            ),
            ("secret", {"secret": None}, "secret must be an aws_secretsmanager.ISecret, got None"),
            ("secret", {"secret": ""}, "secret must be a secret or its ARN, got an empty text"),
            (
                "secret",
                {"secret": ARN, "keys": [None]},
                "keys[0] must be one of the keys, got None",
            ),
            (
                "hosted_zone",
                {"zone": None, "domain_names": ["a"]},
                "zone must be an aws_route53.IHosted",
            ),
            (
                "hosted_zone",
                {"domain_names": []},
                "domain_names must be a list of names, got an empty one",
            ),
            ("records", {"names": [""]}, "names[0] must be one of the names, got an empty text"),
            (
                "records",
                {"zone": None, "names": ["a"]},
                "zone must be an aws_route53.IHostedZone, got None",
            ),
            (
                "certificate",
                {"certificate": None, "domain_names": ["a"]},
                "certificate must be an aws_ce",
            ),
            (
                "mail_identity",
                {"domain": None},
                "domain must be a domain such as 'mail.example.com', got N",
            ),
            (
                "mail_identity",
                {"domain": "a.b", "exists": "no"},
                "exists must be true or false, got 'no'",
            ),
            ("quota", {"name": "vpc", "amount": None}, "amount must be a number above 0, got None"),
            ("quota", {"name": "vpc", "amount": 0}, "amount must be a number above 0, got 0"),
            ("subnets", {**IN_SUBNETS, "vpc_id": None}, "vpc_id must be the id of a VPC, got None"),
            (
                "subnets",
                {**IN_SUBNETS, "subnet_ids": []},
                "subnet_ids must be a list of subnets, got an em",
            ),
            (
                "subnets",
                {**IN_SUBNETS, "route": "vpn"},
                "route must be one of nat, internet, none, got 'vpn'",
            ),
            (
                "subnets",
                {**IN_SUBNETS, "addresses": None},
                "addresses must be a whole number, got None",
            ),
            (
                "database",
                {"instance_identifier": ""},
                "instance_identifier must be the name of an inst",
            ),
            (
                "database",
                {"instance_identifier": "a", "endpoint": ""},
                "endpoint must be the host name",
            ),
            ("snapshot", {"arn": None}, "arn must be the ARN of a snapshot, got None"),
            (
                "service_linked_roles",
                {"services": []},
                "services must be a list of services, got an empty",
            ),
            ("site_source", {"source": None}, "source must be a mapping, such as"),
            ("site_source", {"source": {}}, "source must be a mapping, such as"),
            ("site_source", {"source": {"Tag": None}}, "source['Tag'] must be text, got None"),
            ("function", {"function": None}, "function must be an aws_lambda.IFunction, got None"),
        ],
    )
    def test_refuse_none_and_what_is_empty(
        self, stack: Stack, kind: str, arguments: Json, says: str
    ) -> None:
        ask = getattr(PreflightCheck, kind)
        zone = {"zone": zone_in(stack)} if kind in ("hosted_zone", "records") else {}

        with pytest.raises(ValueError, match=f"^{re.escape(says)}"):
            ask(**{**zone, **arguments})

    def test_refuses_a_construct_that_is_no_function(self, stack: Stack) -> None:
        zone: Any = zone_in(stack)

        with pytest.raises(ValueError, match=r"function must be an aws_lambda\.IFunction, got"):
            PreflightCheck.function(zone)

    def test_refuses_a_quota_that_nobody_knows(self) -> None:
        with pytest.raises(ValueError, match=r"name must be one of .*, got 'elastic-ip'"):
            PreflightCheck.quota("elastic-ip")


class TestCycles:
    """A function that preflight asks, and that waits for what waits for preflight."""

    @pytest.fixture
    def function(self, stack: Stack) -> lambda_.Function:
        return lambda_.Function(
            stack,
            "Licences",
            runtime=lambda_.Runtime.PYTHON_3_13,
            handler="index.handler",
            code=lambda_.Code.from_inline("def handler(event, context): ..."),
        )

    def test_are_refused_with_the_way_of_a_reference(
        self, stack: Stack, function: lambda_.Function
    ) -> None:
        topic = sns.Topic(stack, "Costly")
        function.add_environment("TOPIC", topic.topic_arn)
        preflight = GalvPreflight.of(stack)
        preflight.add_check("Licence", PreflightCheck.function(function))
        preflight.hold(topic)

        with pytest.raises(RuntimeError) as refused:
            stack.node.root.synth()  # type: ignore[attr-defined] # an app

        said = " ".join(str(refused.value).split())
        assert "preflight's check 'Licence' waits for Stack/Licences, which waits for pref" in said
        assert (
            "Stack/Licences/Resource -> Stack/Costly/Resource -> "
            "Stack/GalvPreflight/Resource/Default. Let the function do without "
            "Stack/Costly/Resource, or ask no question of it"
        ) in said

    def test_are_refused_with_the_way_of_a_dependency(
        self, stack: Stack, function: lambda_.Function
    ) -> None:
        topic = sns.Topic(stack, "Costly")
        assert function.role is not None
        function.role.node.add_dependency(topic)
        preflight = GalvPreflight.of(stack)
        preflight.hold(topic)
        preflight.add_check("Licence", PreflightCheck.function(function))

        with pytest.raises(RuntimeError, match=r"ServiceRole/Resource -> Stack/Costly/Resource"):
            stack.node.root.synth()  # type: ignore[attr-defined] # an app

    def test_there_are_none_where_something_else_is_held(
        self, stack: Stack, function: lambda_.Function
    ) -> None:
        preflight = GalvPreflight.of(stack)
        preflight.add_check("Licence", PreflightCheck.function(function))
        preflight.hold(sns.Topic(stack, "Costly"))

        assert "Licence" in resource(stack)["Questions"]


def test_refuses_a_scope_that_is_in_no_stack() -> None:
    for get in (GalvPreflight.of, GalvPreflight.find):
        with pytest.raises(ValueError, match="scope must be a stack or a construct in one, got"):
            get(new_app())
