"""`galv-ops preflight`, on folders as CDK writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Environment, Stack, Stage
from aws_cdk import aws_secretsmanager as secretsmanager
from backends import validation
from ops.recorded import ACCOUNT, LATER, REGION, Recorded, stack, stack_id

from galv_constructs import GalvPreflight, PreflightCheck
from galv_ops.assembly import Template, UnknownValueError, templates
from galv_ops.commands import preflight
from galv_ops.preflight.finding import Finding
from galv_ops.preflight.world import World

Json = dict[str, Any]

IMAGE = {"Ask": "image", "Image": "ghcr.io/galv-team/galv-backend:v2.11.4"}


class Asked:
    """The questions that were asked, by region, and the answers."""

    def __init__(self) -> None:
        self.questions: dict[str, Mapping[str, Any]] = {}
        self.found: list[Finding] = []

    def ask(self, questions: Mapping[str, Any], world: World, seconds: float) -> list[Finding]:
        assert 0 < seconds <= 120
        self.questions[world.region] = questions
        return self.found


@pytest.fixture
def asked(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> Asked:
    recorded.answers["sts.GetCallerIdentity"] = {"Account": ACCOUNT}
    made = Asked()
    monkeypatch.setattr(preflight, "ask", made.ask)
    return made


def finding(severity: Any, check: str = "Backend/Image") -> Finding:
    return Finding(check, severity, "no tag v2.11.4", "v2.11.3", "set backendVersion")


def assembly(folder: Path, environment: str = f"aws://{ACCOUNT}/{REGION}", **more: Any) -> Path:
    """A folder with one stack, as CDK writes it."""
    resources = {
        "Preflight": {
            "Type": "Custom::GalvPreflight",
            "Properties": {"Questions": {"Backend/Image": IMAGE, **more}},
        },
        "Topic": {"Type": "AWS::SNS::Topic"},
    }
    artifact = {
        "type": "aws:cloudformation:stack",
        "environment": environment,
        "properties": {"templateFile": "galv.template.json", "stackName": "galv-BackendStack"},
    }
    folder.mkdir(exist_ok=True)
    (folder / "manifest.json").write_text(
        json.dumps({"artifacts": {"assets": {"type": "cdk:asset-manifest"}, "galv": artifact}})
    )
    (folder / "galv.template.json").write_text(json.dumps({"Resources": resources}))
    return folder


class TestCommand:
    def test_asks_what_the_template_asks(
        self, recorded: Recorded, asked: Asked, tmp_path: Path
    ) -> None:
        done = recorded.run("preflight", "--app", str(assembly(tmp_path)))

        assert done.exit_code == 0, done.output
        assert asked.questions == {REGION: {"Backend/Image": IMAGE}}
        assert done.stdout == "Asked: 1. Errors: 0. Unanswered: 0. Warnings: 0.\n"

    def test_looks_into_cdk_out_by_itself(
        self, recorded: Recorded, asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assembly(tmp_path / "cdk.out")
        monkeypatch.chdir(tmp_path)

        assert recorded.run("preflight").exit_code == 0
        assert asked.questions

    def test_an_error_is_told_first_and_is_the_exit_code(
        self, recorded: Recorded, asked: Asked, tmp_path: Path
    ) -> None:
        asked.found = [finding("warning", "Mail"), finding("unanswered", "B"), finding("error")]

        done = recorded.run("preflight", "--app", str(assembly(tmp_path)))

        assert done.exit_code == 1
        assert done.stdout.splitlines() == [
            "error       galv-BackendStack Backend/Image: no tag v2.11.4",
            "            Found: v2.11.3",
            "            To do: set backendVersion",
            "unanswered  galv-BackendStack B: no tag v2.11.4",
            "            Found: v2.11.3",
            "            To do: set backendVersion",
            "warning     galv-BackendStack Mail: no tag v2.11.4",
            "            Found: v2.11.3",
            "            To do: set backendVersion",
            (
                'To leave such checks out, pass preflight=["Backend/Image"], or set "preflight" to '
                "it in cdk.json."
            ),
            "Asked: 1. Errors: 1. Unanswered: 1. Warnings: 1.",
        ]

    def test_a_question_without_an_answer_is_an_exit_code_of_its_own(
        self, recorded: Recorded, asked: Asked, tmp_path: Path
    ) -> None:
        asked.found = [finding("warning", "Mail"), finding("unanswered")]

        done = recorded.run("preflight", "--app", str(assembly(tmp_path)), "--json")

        assert done.exit_code == 125
        severities = [one["severity"] for one in json.loads(done.stdout)["findings"]]
        assert severities == ["warning", "unanswered"]

    def test_a_warning_is_no_failure(
        self, recorded: Recorded, asked: Asked, tmp_path: Path
    ) -> None:
        asked.found = [finding("warning")]

        assert recorded.run("preflight", "--app", str(assembly(tmp_path))).exit_code == 0

    def test_prints_json(self, recorded: Recorded, asked: Asked, tmp_path: Path) -> None:
        asked.found = [finding("error")]
        unknown = {"Ask": "secret", "SecretArn": {"Fn::GetAtt": ["X", "Arn"]}}

        done = recorded.run("preflight", "--app", str(assembly(tmp_path, X=unknown)), "--json")

        assert json.loads(done.stdout) == {
            "asked": 1,
            "findings": [
                {
                    "stack": "galv-BackendStack",
                    "check": "Backend/Image",
                    "severity": "error",
                    "wrong": "no tag v2.11.4",
                    "found": "v2.11.3",
                    "fix": "set backendVersion",
                }
            ],
            "notAsked": [
                {
                    "stack": "galv-BackendStack",
                    "check": "X",
                    "why": "Fn::GetAtt is known only in a deployment",
                }
            ],
        }

    def test_says_what_only_a_deployment_can_ask(
        self, recorded: Recorded, asked: Asked, tmp_path: Path
    ) -> None:
        unknown = {"Ask": "secret", "SecretArn": {"Ref": "Secret"}}

        done = recorded.run("preflight", "--app", str(assembly(tmp_path, X=unknown)))

        assert done.exit_code == 0
        assert "Not asked: galv-BackendStack X: Secret is known only in a" in done.stdout
        assert asked.questions == {REGION: {"Backend/Image": IMAGE}}

    def test_a_stack_for_any_region_is_asked_in_that_of_the_shell(
        self, recorded: Recorded, asked: Asked, tmp_path: Path
    ) -> None:
        folder = assembly(tmp_path, "aws://unknown-account/unknown-region")

        assert recorded.run("preflight", "--app", str(folder)).exit_code == 0
        assert list(asked.questions) == [REGION]

    def test_a_stack_is_asked_in_its_own_region(
        self, recorded: Recorded, asked: Asked, tmp_path: Path
    ) -> None:
        recorded.run("preflight", "--app", str(assembly(tmp_path, f"aws://{ACCOUNT}/us-east-1")))

        assert list(asked.questions) == ["us-east-1"]

    def test_refuses_credentials_of_another_account(
        self, recorded: Recorded, asked: Asked, tmp_path: Path
    ) -> None:
        folder = assembly(tmp_path, f"aws://444455556666/{REGION}")

        done = recorded.run("preflight", "--app", str(folder))

        assert done.exit_code == 125
        assert f"for the account 444455556666, and your credentials are for {ACCOUNT}" in (
            done.stderr
        )
        assert not asked.questions

    def test_one_stack_can_be_meant(self, recorded: Recorded, asked: Asked, tmp_path: Path) -> None:
        app = str(assembly(tmp_path))
        assert (
            recorded.run("preflight", "--app", app, "--stack", "galv-BackendStack").exit_code == 0
        )
        assert asked.questions

        done = recorded.run("preflight", "--app", app, "--stack", "another")

        assert done.exit_code == 2
        assert "has no stack another" in done.stderr

    @pytest.mark.parametrize("manifest", [None, "{", '{"artifacts": {}}'])
    def test_refuses_what_is_no_synthesized_application(
        self, recorded: Recorded, asked: Asked, tmp_path: Path, manifest: str | None
    ) -> None:
        if manifest is not None:
            (tmp_path / "manifest.json").write_text(manifest)

        done = recorded.run("preflight", "--app", str(tmp_path))

        assert done.exit_code == 2
        assert str(tmp_path) in done.stderr

    def test_reads_what_cdk_writes(self, recorded: Recorded, asked: Asked, tmp_path: Path) -> None:
        app = App(outdir=str(tmp_path), **validation(on=False))
        env = Environment(account=ACCOUNT, region=REGION)
        stack = Stack(Stage(app, "Production"), "Backend", env=env)
        secret = secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "galv")
        GalvPreflight.of(stack).add_check("Secret", PreflightCheck.secret(secret, keys=["A"]))
        Stack(app, "Empty")
        GalvPreflight.of(Stack(app, "Plain")).add_check("Sandbox", PreflightCheck.mail_sandbox())
        app.synth()
        assert {one.stack for one in templates(tmp_path)} == {
            "Production-Backend",
            "Empty",
            "Plain",
        }

        done = recorded.run("preflight", "--app", str(tmp_path), "--stack", "Production-Backend")

        assert done.exit_code == 0, done.output
        arn = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:galv"
        question = {"Ask": "secret", "Own": "true", "SecretArn": arn, "Keys": ["A"]}
        assert asked.questions == {REGION: {"Secret": question}}


def test_stacks_of_a_region_need_quotas_together(
    recorded: Recorded, asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded.stacks[REGION] = []
    app = App(outdir=str(tmp_path), **validation(on=False))
    for name, region in (("One", REGION), ("Two", REGION), ("Away", "us-east-1")):
        stack = Stack(app, name, env=Environment(account=ACCOUNT, region=region))
        GalvPreflight.of(stack).add_check("Vpc", PreflightCheck.quota("vpc"))
    app.synth()
    questions: list[Mapping[str, Any]] = []

    def ask(of: Mapping[str, Any], world: World, seconds: float) -> list[Finding]:
        questions.append(of["Vpc"])
        return []

    monkeypatch.setattr(preflight, "ask", ask)
    assert recorded.run("preflight", "--app", str(tmp_path)).exit_code == 0

    assert [one["Needs"] for one in questions] == [["vpc=2"], [], ["vpc=1"]]


QUOTA = {"Ask": "quotas", "Needs": ["vpc=1"]}
ROUTES = {"Ask": "subnets", "VpcId": "vpc-1", "SubnetIds": ["subnet-1"], "Route": "nat"}
SUBNETS = {**ROUTES, "Addresses": "4", "AddressesEach": "8"}
RECORDS = {"Ask": "records", "HostedZoneId": "Z1", "Names": ["a"], "Stack": {"Ref": "AWS::StackId"}}


class TestStackThatExists:
    """Its own resources are counted in what is in use, and must not fail a stack that works."""

    @staticmethod
    def ask(recorded: Recorded, folder: Path) -> tuple[Json, int]:
        app = str(assembly(folder, Quota=QUOTA, Subnets=SUBNETS, Records=RECORDS))
        done = recorded.run("preflight", "--app", app, "--json")
        return json.loads(done.stdout), done.exit_code

    def test_is_not_asked_for_room(self, recorded: Recorded, asked: Asked, tmp_path: Path) -> None:
        result, code = self.ask(recorded, tmp_path)

        assert code == 0
        assert asked.questions[REGION] == {
            "Backend/Image": IMAGE,
            "Subnets": ROUTES,
            "Records": {**RECORDS, "Stack": stack_id("galv-BackendStack")},
        }
        because = "because the stack exists already, and what it has is counted too"
        assert {one["check"]: one["why"] for one in result["notAsked"]} == {
            "Quota": f"the quota, {because}",
            "Subnets": f"free addresses, {because}",
        }
        assert result["asked"] == 3

    @pytest.mark.parametrize("status", [None, "REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE"])
    def test_is_none_without_resources(
        self, recorded: Recorded, asked: Asked, tmp_path: Path, status: str | None
    ) -> None:
        recorded.stacks[REGION] = [] if status is None else [stack("galv-BackendStack", status)]

        result, _ = self.ask(recorded, tmp_path)

        assert asked.questions[REGION] == {
            "Backend/Image": IMAGE,
            "Quota": QUOTA,
            "Subnets": SUBNETS,
            "Records": {name: value for name, value in RECORDS.items() if name != "Stack"},
        }
        assert result["notAsked"] == []

    def test_may_be_one_that_nobody_may_see(
        self, recorded: Recorded, asked: Asked, tmp_path: Path
    ) -> None:
        recorded.refuse("cloudformation.DescribeStacks", "AccessDenied", "not authorized")

        result, code = self.ask(recorded, tmp_path)

        assert code == 125
        (denied,) = result["findings"]
        assert (denied["check"], denied["severity"]) == ("Stack", "unanswered")
        assert "not authorized" in denied["found"]
        assert asked.questions[REGION] == {"Backend/Image": IMAGE, "Subnets": ROUTES}
        reasons = {one["check"]: one["why"] for one in result["notAsked"]}
        assert sorted(reasons) == ["Quota", "Records", "Subnets"]
        assert "the stack may exist already, and AWS does not tell" in reasons["Quota"]
        assert reasons["Records"] == "AWS::StackId is known only in a deployment"


class TestFunctionOfTheStack:
    """A function that the application defines has a name when it is deployed."""

    @staticmethod
    def ask(recorded: Recorded, folder: Path, arn: Json) -> Json:
        question = {"Ask": "function", "FunctionArn": arn, "Question": "{}"}
        app = assembly(folder, Licence=question)
        template = json.loads((app / "galv.template.json").read_text())
        template["Resources"]["Licences"] = {"Type": "AWS::Lambda::Function"}
        (app / "galv.template.json").write_text(json.dumps(template))
        return dict(json.loads(recorded.run("preflight", "--app", str(app), "--json").stdout))

    @pytest.mark.parametrize("arn", [{"Fn::GetAtt": ["Licences", "Arn"]}, {"Ref": "Licences"}])
    def test_is_asked_by_its_name(
        self, recorded: Recorded, asked: Asked, tmp_path: Path, arn: Json
    ) -> None:
        recorded.answers["cloudformation.DescribeStackResource"] = resource("UPDATE_COMPLETE")

        assert self.ask(recorded, tmp_path, arn)["notAsked"] == []
        assert asked.questions[REGION]["Licence"]["FunctionArn"] == "galv-Licences-x1"

    @pytest.mark.parametrize("is_deployed", [False, True])
    def test_is_not_asked_before_it_is_deployed(
        self, recorded: Recorded, asked: Asked, tmp_path: Path, *, is_deployed: bool
    ) -> None:
        if is_deployed:
            recorded.refuse("cloudformation.DescribeStackResource", "ValidationError", "no such")
        else:
            recorded.stacks[REGION] = []

        result = self.ask(recorded, tmp_path, {"Fn::GetAtt": ["Licences", "Arn"]})

        (one,) = result["notAsked"]
        assert (one["check"], one["why"]) == ("Licence", "its function is not deployed yet")
        assert "Licence" not in asked.questions[REGION]

    @pytest.mark.parametrize("status", ["CREATE_FAILED", "DELETE_COMPLETE"])
    def test_is_not_asked_when_it_is_gone(
        self, recorded: Recorded, asked: Asked, tmp_path: Path, status: str
    ) -> None:
        recorded.answers["cloudformation.DescribeStackResource"] = resource(status)

        (one,) = self.ask(recorded, tmp_path, {"Ref": "Licences"})["notAsked"]

        assert one["why"] == "its function is not deployed yet"

    def test_is_not_asked_where_nobody_may_see_it(
        self, recorded: Recorded, asked: Asked, tmp_path: Path
    ) -> None:
        recorded.refuse("cloudformation.DescribeStackResource", "AccessDenied", "not authorized")

        (one,) = self.ask(recorded, tmp_path, {"Ref": "Licences"})["notAsked"]

        assert one["why"].startswith("AWS does not tell its function: ")
        assert "not authorized" in one["why"]

    def test_that_is_imported_is_asked_by_what_it_is_imported_by(
        self, recorded: Recorded, asked: Asked, tmp_path: Path
    ) -> None:
        arn = {"Fn::Join": [":", ["arn", {"Ref": "AWS::Region"}, "licences"]]}

        assert self.ask(recorded, tmp_path, arn)["notAsked"] == []
        assert asked.questions[REGION]["Licence"]["FunctionArn"] == f"arn:{REGION}:licences"


def resource(status: str) -> Json:
    """The function of a stack, as CloudFormation describes it."""
    detail = {
        "LogicalResourceId": "Licences",
        "PhysicalResourceId": "galv-Licences-x1",
        "ResourceType": "AWS::Lambda::Function",
        "LastUpdatedTimestamp": LATER,
        "ResourceStatus": status,
    }
    return {"StackResourceDetail": detail}


class TestValues:
    """Values of a template, as CloudFormation passes them to a custom resource."""

    @staticmethod
    def value(value: Any, *, region: str = "eu-west-2", **parameters: Json) -> Any:
        template = Template("galv", "", "", {"Parameters": parameters})
        return template.value(value, account=ACCOUNT, region=region)

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ("text", "text"),
            (1, "1"),
            (True, "true"),
            (None, None),
            ({"a": [False, {"b": 2.5}]}, {"a": ["false", {"b": "2.5"}]}),
            ({"Ref": "AWS::AccountId"}, ACCOUNT),
            ({"Ref": "AWS::StackName"}, "galv"),
            ({"Fn::Join": [":", ["a", {"Ref": "AWS::Region"}, 1]]}, "a:eu-west-2:1"),
            ({"Fn::Sub": "${AWS::Region}/${!Literal}"}, "eu-west-2/${!Literal}"),
            ({"Fn::Select": ["1", {"Fn::Split": [".", "a.b.c"]}]}, "b"),
            ({"Fn::Select": [0, ["x", "y"]]}, "x"),
        ],
    )
    def test_are_resolved(self, given: Any, expected: Any) -> None:
        assert self.value(given) == expected

    @pytest.mark.parametrize(
        ("region", "partition", "suffix"),
        [
            ("eu-west-2", "aws", "amazonaws.com"),
            ("cn-north-1", "aws-cn", "amazonaws.com.cn"),
            ("us-gov-west-1", "aws-us-gov", "amazonaws.com"),
        ],
    )
    def test_know_the_partition(self, region: str, partition: str, suffix: str) -> None:
        refs = [{"Ref": "AWS::Partition"}, {"Ref": "AWS::URLSuffix"}]

        assert self.value(refs, region=region) == [partition, suffix]

    def test_take_the_default_of_a_parameter(self) -> None:
        assert self.value({"Ref": "P"}, P={"Type": "String", "Default": 5}) == "5"

    @pytest.mark.parametrize(
        "value",
        [
            {"Ref": "Bucket"},
            {"Ref": "AWS::StackId"},
            {"Fn::GetAtt": ["A", "B"]},
            {"Fn::Join": ["", ["a", {"Fn::ImportValue": "x"}]]},
            {"Fn::Sub": "${Bucket}"},
            {"Fn::Sub": ["${a}", {"a": "b"}]},
        ],
    )
    def test_refuse_what_only_a_deployment_knows(self, value: Any) -> None:
        with pytest.raises(UnknownValueError, match="is known only in a deployment"):
            self.value(value)

    @pytest.mark.parametrize(
        "parameter",
        [{"Type": "String"}, {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/name"}],
    )
    def test_refuse_a_parameter_without_its_value(self, parameter: Json) -> None:
        with pytest.raises(UnknownValueError, match="P is known only in a deployment"):
            self.value({"Ref": "P"}, P=parameter)
