"""Who is told when a secret is read: the rules against events as CloudTrail records them."""

import json
import zlib
from typing import Any

import pytest
from aws_cdk import Duration, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Annotations, Match
from backends import WEB_ACL_ARN, RefusedBackend, backend_in, new_app, own_database, zone_in
from moto.events.models import EventPattern
from templates import Json, of_type, only, only_id, synthesize, task_definition

from galv_constructs import GalvDatabase, GalvMail, GalvNetwork, GalvScheduledTask

RULE = "AWS::Events::Rule"
SECRET = "AWS::SecretsManager::Secret"
ACCOUNT = "111122223333"
PARTITION = {"AWS::Partition": "aws", "AWS::Region": "eu-west-1", "AWS::AccountId": ACCOUNT}


@pytest.fixture(scope="module")
def template() -> Json:
    """A backend with mail and a schedule, whose secrets are watched."""
    stack = Stack(new_app(), "Stack")
    mail = GalvMail(
        stack,
        "Mail",
        sender="galv@example.com",
        hosted_zone=zone_in(stack),
        secret_name="galv-smtp",
    )
    backend = backend_in(
        stack, mail=mail, alarm_topic=sns.Topic(stack, "Topic"), alarm_on_secret_reads=True
    )
    GalvScheduledTask(
        stack,
        "Monitor",
        runtime=backend.runtime,
        command=["true"],
        schedule=scheduler.ScheduleExpression.rate(Duration.minutes(5)),
    )
    return synthesize(stack)


def arn_of(template: Json, logical_id: str) -> str:
    """The ARN that Secrets Manager gives to a secret of the template, or to its attachment."""
    resource = template["Resources"][logical_id]
    if resource["Type"] == "AWS::SecretsManager::SecretTargetAttachment":
        return arn_of(template, resource["Properties"]["SecretId"]["Ref"])
    # CloudFormation adds 12 characters to an id that it names something after, and Secrets Manager
    # adds 6 to every name.
    name = resource["Properties"].get("Name", f"{logical_id}-AbCdEfGhIjKl")
    return f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:{name}-x1Y2z3"


def role_id(logical_id: str) -> str:
    return f"AROA{zlib.crc32(logical_id.encode()):017d}"


def deployed(template: Json, value: Any) -> Any:
    """A value of the template as CloudFormation would hand it to EventBridge."""
    found: Any = value
    match value:
        case {"Ref": str(name)}:
            found = PARTITION.get(name) or arn_of(template, name)
        case {"Fn::GetAtt": [str(name), "RoleId"]}:
            found = role_id(name)
        case {"Fn::Join": [separator, parts]}:
            found = separator.join(deployed(template, part) for part in parts)
        case {"Fn::Select": [index, parts]}:
            found = deployed(template, parts)[int(index)]
        case {"Fn::Split": [separator, text]}:
            found = deployed(template, text).split(separator)
        case dict():
            found = {key: deployed(template, part) for key, part in value.items()}
        case list():
            found = [deployed(template, part) for part in value]
    return found


def patterns(template: Json) -> dict[str, str]:
    return {
        name: json.dumps(deployed(template, rule["Properties"]["EventPattern"]))
        for name, rule in of_type(template, RULE, "BackendSecretReads").items()
    }


def told(template: Json, **detail: Any) -> list[str]:
    """The rules that match a read, as a CloudTrail event on EventBridge.

    https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-secretsmanager.html
    """
    event: Any = {
        "version": "0",
        "id": "36eb8523-97d0-4518-b33d-ee3579ff19f0",
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.secretsmanager",
        "account": ACCOUNT,
        "time": "2027-01-15T08:01:10Z",
        "region": "eu-west-1",
        "resources": [],
        "detail": {
            "eventVersion": "1.09",
            "eventTime": "2027-01-15T08:01:10Z",
            "eventSource": "secretsmanager.amazonaws.com",
            "eventName": "GetSecretValue",
            "awsRegion": "eu-west-1",
            "sourceIPAddress": "192.0.2.7",
            "userAgent": "aws-cli/2.15.0",
            "responseElements": None,
            "readOnly": True,
            "eventType": "AwsApiCall",
            "managementEvent": True,
            "recipientAccountId": ACCOUNT,
            "eventCategory": "Management",
            **detail,
        },
    }
    return [
        name
        for name, pattern in patterns(template).items()
        if EventPattern.load(pattern).matches_event(event)
    ]


def session(role: str, id: str) -> Json:
    """Someone with temporary credentials of a role.

    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
    """
    return {
        "type": "AssumedRole",
        "principalId": f"{id}:session",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/session",
        "accountId": ACCOUNT,
        "accessKeyId": "ASIAIOSFODNN7EXAMPLE",
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": id,
                "arn": f"arn:aws:iam::{ACCOUNT}:role/{role}",
                "accountId": ACCOUNT,
                "userName": role,
            },
            "attributes": {"mfaAuthenticated": "false", "creationDate": "2027-01-15T08:00:00Z"},
        },
    }


# As the same page has them.
USER: Json = {
    "type": "IAMUser",
    "principalId": "AIDAJ45Q7YFFAREXAMPLE",
    "arn": f"arn:aws:iam::{ACCOUNT}:user/Alice",
    "accountId": ACCOUNT,
    "accessKeyId": "",
    "userName": "Alice",
}
ROOT: Json = {"type": "Root", "principalId": ACCOUNT, "arn": f"arn:aws:iam::{ACCOUNT}:root"}
PERSON = session("AWSReservedSSO_Admin", "AROAIDPPEZS35WEXAMPLE")
# What watches a secret, and the secret.
WATCHED = {
    "Database": "BackendDatabaseCredentials",
    "DatabaseLogin": "BackendLogin",
    "Mail": "MailCredentials",
    "SecretKey": "BackendSecretsSecretKey",
    "SuperuserPassword": "BackendSecretsSuperuserPassword",
}

# Execution roles read what the task definition names, and nothing else.
READ_BY_TASKS = {
    "setup-db": {"Database", "DatabaseLogin", "SecretKey", "SuperuserPassword"},
    "web": {"DatabaseLogin", "Mail", "SecretKey"},
    "check-status": {"DatabaseLogin", "Mail", "SecretKey"},
    "monitor": {"DatabaseLogin", "SecretKey"},
}


def secret_of(template: Json, watched: str) -> str:
    return only_id(template, SECRET, WATCHED[watched])


def rule_of(template: Json, watched: str) -> str:
    [name] = [
        name
        for name in of_type(template, RULE, "BackendSecretReads")
        if name[:-8] == f"BackendSecretReads{watched}"
    ]
    return name


def execution_role(template: Json, task: str) -> str:
    role: str = task_definition(template, task)[1]["ExecutionRoleArn"]["Fn::GetAtt"][0]
    return role


class TestAReader:
    @pytest.mark.parametrize("watched", WATCHED)
    @pytest.mark.parametrize("who", [USER, ROOT, PERSON], ids=["user", "root", "role"])
    def test_notifies_however_the_secret_is_named(
        self, template: Json, watched: str, who: Json
    ) -> None:
        arn = arn_of(template, secret_of(template, watched))
        partial = arn[: -len("-x1Y2z3")]
        name = partial.rpartition(":")[2]

        for spelling in (arn, partial, name):
            found = told(template, userIdentity=who, requestParameters={"secretId": spelling})
            assert found == [rule_of(template, watched)]

    def test_notifies_of_a_denied_read(self, template: Json) -> None:
        arn = arn_of(template, secret_of(template, "Database"))
        found = told(
            template,
            userIdentity=PERSON,
            requestParameters={"secretId": arn},
            errorCode="AccessDenied",
        )

        assert found == [rule_of(template, "Database")]

    def test_does_not_notify_of_another_secret(self, template: Json) -> None:
        for other in ("galv", "galv-smtp2", arn_of(template, secret_of(template, "Mail"))[:-8]):
            read = {"secretId": other}
            assert told(template, userIdentity=PERSON, requestParameters=read) == []

    def test_does_not_notify_of_a_call_that_reads_no_value(self, template: Json) -> None:
        read = {"secretId": arn_of(template, secret_of(template, "Database"))}
        found = told(
            template, userIdentity=PERSON, requestParameters=read, eventName="DescribeSecret"
        )

        assert found == []


class TestTasks:
    @pytest.mark.parametrize("task", READ_BY_TASKS)
    def test_does_not_notify_when_a_task_starts(self, template: Json, task: str) -> None:
        role = execution_role(template, task)
        quiet = {
            watched
            for watched in WATCHED
            if not told(
                template,
                userIdentity=session("execution", role_id(role)),
                requestParameters={"secretId": arn_of(template, secret_of(template, watched))},
            )
        }

        assert quiet == READ_BY_TASKS[task]

    def test_knows_tasks_whose_database_is_in_another_stack(self) -> None:
        app = new_app()
        shared, stack = Stack(app, "Shared"), Stack(app, "Stack")
        vpc = ec2.Vpc(shared, "Vpc")
        database = rds.DatabaseInstance(
            shared, "Database", engine=rds.DatabaseInstanceEngine.POSTGRES, vpc=vpc
        )
        backend_in(
            stack,
            database=GalvDatabase.from_instance(database),
            network=GalvNetwork.from_vpc(vpc),
            alarm_topic=sns.Topic(stack, "Topic"),
            alarm_on_secret_reads=True,
        )

        rules = of_type(synthesize(stack), RULE, "BackendSecretReads")

        for rule in rules.values():
            detail = rule["Properties"]["EventPattern"]["detail"]
            others, _ = detail["userIdentity"]["sessionContext"]["sessionIssuer"]["principalId"]
            assert others["anything-but"]
            assert all("Fn::GetAtt" in role for role in others["anything-but"])

    def test_notifies_of_another_role_with_the_name_of_a_task_role(self, template: Json) -> None:
        read = {"secretId": arn_of(template, secret_of(template, "SecretKey"))}
        fake = session(execution_role(template, "web"), "AROAIDPPEZS35WEXAMPLE")

        assert len(told(template, userIdentity=fake, requestParameters=read)) == 1

    def test_does_not_notify_when_cloudformation_reads(self, template: Json) -> None:
        read = {"secretId": arn_of(template, secret_of(template, "Database"))}
        found = told(
            template,
            userIdentity={**PERSON, "invokedBy": "cloudformation.amazonaws.com"},
            requestParameters=read,
            sourceIPAddress="cloudformation.amazonaws.com",
        )

        assert found == []


class TestRules:
    def test_see_events_that_only_read(self, template: Json) -> None:
        found = of_type(template, RULE, "BackendSecretReads").values()

        assert len(found) == len(WATCHED)
        for rule in found:
            assert rule["Properties"]["State"] == "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"

    def test_fit_into_the_limits_of_eventbridge(self, template: Json) -> None:
        """With room for the roles of thirty tasks more.

        https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
        """
        longest = max(len(pattern) for pattern in patterns(template).values())

        assert longest + 30 * len(', "AROAIDPPEZS35WEXAMPLE"') <= 2048

    def test_the_message_names_the_reader(self, template: Json) -> None:
        rule = template["Resources"][rule_of(template, "Mail")]["Properties"]
        [target] = rule["Targets"]

        assert target["Arn"] == {"Ref": only_id(template, "AWS::SNS::Topic")}
        assert "$.detail.userIdentity.arn" in target["InputTransformer"]["InputPathsMap"].values()
        message = deployed(template, target["InputTransformer"]["InputTemplate"])
        assert message.startswith('"The secret galv-smtp was read by <detail-userIdentity-arn> ')

    def test_may_publish_to_the_topic(self, template: Json) -> None:
        [statement] = only(template, "AWS::SNS::TopicPolicy")["PolicyDocument"]["Statement"]

        assert statement["Principal"] == {"Service": "events.amazonaws.com"}
        assert statement["Action"] == "sns:Publish"

    def test_are_not_created_by_default(self, default: Json) -> None:
        assert of_type(default, RULE) == {}

    def test_are_not_created_for_a_topic_alone(self, stack: Stack) -> None:
        backend_in(stack, alarm_topic=sns.Topic(stack, "Topic"))

        assert of_type(synthesize(stack), RULE) == {}


class TestArguments:
    def test_warns_of_an_imported_topic(self, stack: Stack) -> None:
        arn = f"arn:aws:sns:eu-west-1:{ACCOUNT}:alarms"
        topic = sns.Topic.from_topic_arn(stack, "Topic", arn)
        backend_in(stack, alarm_topic=topic, alarm_on_secret_reads=True)

        Annotations.from_stack(stack).has_warning(
            "*", Match.string_like_regexp("let events.amazonaws.com do sns:Publish in it")
        )

    def test_accepts_a_topic_beside_a_given_web_acl(self, stack: Stack) -> None:
        topic = sns.Topic(stack, "Topic")
        backend_in(stack, alarm_topic=topic, alarm_on_secret_reads=True, web_acl_arn=WEB_ACL_ARN)

        assert len(of_type(synthesize(stack), RULE)) == 4

    def test_watches_the_one_secret_of_a_database_without_an_owner(self, stack: Stack) -> None:
        topic = sns.Topic(stack, "Topic")
        backend_in(
            stack,
            alarm_topic=topic,
            alarm_on_secret_reads=True,
            database=own_database(owner_role=False),
        )

        template = synthesize(stack)
        assert len(of_type(template, RULE, "BackendSecretReadsDatabase")) == 1

    def test_refuses_alarms_without_a_topic(self, refused_backend: RefusedBackend) -> None:
        assert refused_backend(alarm_on_secret_reads=True) == (
            "alarm_on_secret_reads is given without alarm_topic, and nobody would be told: pass "
            "alarm_topic=sns.Topic(…) with it"
        )

    def test_refuses_a_flag_that_is_not_a_boolean(self, refused_backend: RefusedBackend) -> None:
        assert refused_backend(alarm_on_secret_reads="yes") == (
            "alarm_on_secret_reads must be true or false, got 'yes' (str)"
        )
