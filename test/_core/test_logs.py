"""Log groups: their names, how long they keep what, who can read them."""

from aws_cdk import Stack
from backends import backend_in, new_app
from constructs import Construct
from templates import Json, container, key_arn, of_type, only, synthesize

from galv_constructs import GalvReleaseTask
from galv_constructs._core.logs import log_group_prefix

LOG_GROUP = "AWS::Logs::LogGroup"


def names(template: Json) -> set[str]:
    """The last parts of the names of log groups that have one."""
    return {
        resource["Properties"]["LogGroupName"]["Fn::Join"][1][-1].rpartition("/")[2]
        for resource in of_type(template, LOG_GROUP).values()
        if "LogGroupName" in resource["Properties"]
    }


def test_each_task_has_a_log_group_with_its_name(default: Json) -> None:
    assert names(default) == {"web", "setup-db", "check-status"}
    for name in ("web", "setup-db", "check-status"):
        options = container(default, name)["LogConfiguration"]["Options"]
        log_group = default["Resources"][options["awslogs-group"]["Ref"]]["Properties"]
        assert log_group["LogGroupName"]["Fn::Join"][1][-1] == f"/{name}"
        assert options["awslogs-stream-prefix"] == name


def test_optional_parts_have_log_groups_with_generated_names(
    default: Json, development: Json
) -> None:
    """A log group that was kept must not be in the way when it is created again."""
    assert names(development) == names(default)
    unnamed = {
        name
        for name, resource in of_type(development, LOG_GROUP).items()
        if "LogGroupName" not in resource["Properties"]
    }
    assert {name.removeprefix("Backend")[:-8] for name in unnamed} == {
        "ClusterExecLogGroup",
        "CheckStatusRunLogGroup",
        "GalvPreflightLogGroup",
        "ImageLogGroup",
        "ProtectionLogGroup",
        "SetupRunLogGroup",
    }


def test_a_failed_deployment_leaves_no_named_log_group(stack: Stack) -> None:
    backend = backend_in(stack)
    GalvReleaseTask(stack, "Reindex", runtime=backend.runtime, command=["x"])
    template = synthesize(stack)

    kept = {
        name: resource["DeletionPolicy"] for name, resource in of_type(template, LOG_GROUP).items()
    }
    assert set(kept.values()) == {"RetainExceptOnCreate"}


def test_names_start_with_stack_and_path_and_end_with_the_generation(stack: Stack) -> None:
    prefix = stack.resolve(log_group_prefix(Construct(Construct(stack, "Galv"), "A b:c")))

    generation = {
        "Fn::Select": [
            0,
            {
                "Fn::Split": [
                    "-",
                    {"Fn::Select": [2, {"Fn::Split": ["/", {"Ref": "AWS::StackId"}]}]},
                ]
            },
        ]
    }
    assert prefix == {"Fn::Join": ["", ["/Stack/Galv/A-b-c/", generation]]}


def test_two_stacks_of_one_app_share_no_name() -> None:
    app = new_app()
    stacks = [Stack(app, name) for name in ("One", "Two")]

    assert len({str(stack.resolve(log_group_prefix(stack))) for stack in stacks}) == 2


def test_logs_expire(default: Json, development: Json) -> None:
    for template, days in ((default, 365), (development, 30)):
        groups = of_type(template, LOG_GROUP).values()
        assert {group["Properties"]["RetentionInDays"] for group in groups} == {days}


def test_encrypts_with_the_given_key(encrypted: Json) -> None:
    groups = [resource["Properties"] for resource in of_type(encrypted, LOG_GROUP).values()]

    assert len(groups) == 8
    assert all(group["KmsKeyId"] == key_arn(encrypted) for group in groups)
    policy = only(encrypted, "AWS::KMS::Key")["KeyPolicy"]["Statement"]
    (statement,) = (statement for statement in policy if statement.get("Sid") == "CloudWatchLogs")
    assert statement["Principal"]["Service"]["Fn::Join"][1] == [
        "logs.",
        {"Ref": "AWS::Region"},
        ".amazonaws.com",
    ]
    assert "kms:EncryptionContext:aws:logs:arn" in statement["Condition"]["ArnLike"]


def test_encrypts_with_the_key_of_aws_when_none_is_given(default: Json) -> None:
    assert all(
        "KmsKeyId" not in group["Properties"] for group in of_type(default, LOG_GROUP).values()
    )
