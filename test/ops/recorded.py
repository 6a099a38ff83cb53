"""AWS as recorded: real boto3 clients that get an answer for each call, and go nowhere.

Each answer is checked against botocore's model of the service, so that no test invents a field. The
answers are those of a healthy deployment; a test changes what is to be wrong.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any, ClassVar

import boto3
import botocore.session
from botocore.validate import validate_parameters
from click.testing import CliRunner, Result

from galv_ops.cli import galv_ops

# Reading the models of the services takes most of the time of a client.
_LOADER = botocore.session.get_session().get_component("data_loader")
Json = dict[str, Any]
Answer = Json | Callable[[Json, str], Json]

ACCOUNT, REGION = "111122223333", "eu-west-2"
CLUSTER = "galv-BackendStack-BackendClusterF18E857C-x1"
SERVICE = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/{CLUSTER}/galv-BackendWebService"
TARGET_GROUP = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:targetgroup/galv-Backe/0f1e2d"
IMAGE = "ghcr.io/galv-team/galv-backend:v2.11.4"
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret"
DEPLOYED = datetime(2026, 5, 1, 2, 0, tzinfo=timezone.utc)
LATER = datetime(2026, 5, 1, 2, 5, tzinfo=timezone.utc)
TASKS = ("web", "setup-db", "check-status", "validation-monitor")
_STEMS = {
    "web": "BackendWebTask",
    "setup-db": "BackendSetupTask",
    "check-status": "BackendCheckStatusTask",
    "validation-monitor": "ValidationMonitorTask",
}


class AwsError(Exception):
    """The error with which AWS refuses a call."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class _Session(boto3.Session):
    """A session whose clients are answered from a `Recorded`.

    A client takes longer to make than all of its calls, so that all tests share them, a deployment
    after the other.
    """

    _clients: ClassVar[dict[tuple[str, str], Any]] = {}
    _recorded: ClassVar[Recorded]

    def __init__(self, recorded: Recorded, **arguments: Any) -> None:
        core = botocore.session.get_session()
        core.register_component("data_loader", _LOADER)
        super().__init__(
            aws_access_key_id="test",
            aws_secret_access_key="test",
            botocore_session=core,
            **arguments,
        )
        _Session._recorded = recorded
        self.events.register("provide-client-params", _remember)
        # The stubs know no handler that answers.
        answer: Any = _answer
        self.events.register("before-call", answer)

    def client(self, service: str, *, region_name: str, **options: Any) -> Any:  # type: ignore[override]  # as galv-ops calls it
        key = (service, region_name)
        if key not in self._clients:
            make: Any = super().client
            self._clients[key] = make(service, region_name=region_name, **options)
        return self._clients[key]


def _remember(**call: Any) -> None:
    _Session._recorded.remember(**call)


def _answer(**call: Any) -> tuple[Any, Json]:
    return _Session._recorded.answer(**call)


class Recorded:
    """Answers by call, such as `ecs.DescribeTasks`."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.requests: list[tuple[str, Json]] = []
        self.stacks = {REGION: [stack("galv-LogBucketStack"), stack("galv-BackendStack")]}
        self.resources = {"galv-BackendStack": backend_resources(), "galv-LogBucketStack": []}
        self.events: dict[str, list[Json]] = {}
        self.tasks: list[Json] = [ran("setup-db", exit_code=0)]
        self.log_lines: dict[str, list[str]] = {}
        self.answers: dict[str, Answer] = {
            "cloudformation.DescribeStacks": self._describe_stacks,
            "cloudformation.ListStackResources": self._list_resources,
            "cloudformation.DescribeStackEvents": self._describe_events,
            "ecs.DescribeServices": {"services": [service()], "failures": []},
            "ecs.DescribeTaskDefinition": _task_definition,
            "ecs.ListTaskDefinitions": _list_task_definitions,
            "ecs.ListTasks": self._list_tasks,
            "ecs.DescribeTasks": self._describe_tasks,
            "elastic-load-balancing-v2.DescribeListeners": {"Listeners": []},
            "elastic-load-balancing-v2.DescribeTargetHealth": {"TargetHealthDescriptions": []},
            "acm.DescribeCertificate": {
                "Certificate": {"DomainName": "api.example.com", "Status": "ISSUED"}
            },
            "cloudfront.GetDistributionConfig": {},
            "cloudwatch-logs.GetLogEvents": self._get_log_events,
            "cloudwatch-logs.DescribeLogStreams": {"logStreams": []},
            "rds.DescribeDBInstances": {
                "DBInstances": [
                    {
                        "DBInstanceIdentifier": "db",
                        "DBInstanceStatus": "available",
                        "Engine": "postgres",
                        "EngineVersion": "17.5",
                        "DBInstanceClass": "db.t4g.micro",
                        "AllocatedStorage": 20,
                        "MultiAZ": True,
                    }
                ]
            },
            "sesv2.GetEmailIdentity": {
                "VerifiedForSendingStatus": True,
                "DkimAttributes": {"Status": "SUCCESS"},
            },
            "sesv2.GetAccount": {"ProductionAccessEnabled": True, "SendingEnabled": True},
            "scheduler.GetSchedule": {
                "ScheduleExpression": "rate(5 minutes)",
                "State": "ENABLED",
            },
            "wafv2.GetWebACLForResource": {},
            "wafv2.GetSampledRequests": {"SampledRequests": []},
            "ssm.GetParameter": {"Parameter": {"Value": "21"}},
            **_audited(),
        }

    def session(self, **arguments: Any) -> boto3.Session:
        """Return a session whose clients are answered from here."""
        return _Session(self, **arguments)

    def run(self, *arguments: str) -> Result:
        """Run galv-ops."""
        return CliRunner().invoke(galv_ops, arguments)

    def refuse(self, call: str, code: str, message: str = "") -> None:
        """Answer a call with an error."""

        def answer(_request: Json, _region: str) -> Json:
            raise AwsError(code, message)

        self.answers[call] = answer

    def remember(self, params: Json, context: Json, **_: Any) -> None:
        context["galv_request"] = params

    def answer(self, model: Any, context: Json, **_: Any) -> tuple[Any, Json]:
        call = f"{model.service_model.service_id.hyphenize()}.{model.name}"
        request = context["galv_request"]
        self.calls.append(call)
        self.requests.append((call, request))
        answer = self.answers[call]
        try:
            data = answer(request, context["client_region"]) if callable(answer) else answer
        except AwsError as error:
            return SimpleNamespace(status_code=400), {
                "Error": {"Code": error.code, "Message": str(error)}
            }
        validate_parameters(data, model.output_shape)
        # botocore puts a policy's object in the place of its text.
        return SimpleNamespace(status_code=200), deepcopy(data)

    def _describe_stacks(self, request: Json, region: str) -> Json:
        stacks = self.stacks.get(region, [])
        if "StackName" in request:
            name = request["StackName"]
            stacks = [one for one in stacks if name in (one["StackName"], one["StackId"])]
            if not stacks:
                raise AwsError("ValidationError", f"Stack with id {name} does not exist")
        return {"Stacks": stacks}

    def _list_resources(self, request: Json, _region: str) -> Json:
        return {"StackResourceSummaries": self.resources[request["StackName"].split("/")[1]]}

    def _describe_events(self, request: Json, _region: str) -> Json:
        name = request["StackName"].split("/")[1]
        return {"StackEvents": [*self.events.get(name, []), began(name)]}

    def _list_tasks(self, request: Json, _region: str) -> Json:
        return {
            "taskArns": [
                one["taskArn"]
                for one in self.tasks
                if f"/{request['family']}:" in one["taskDefinitionArn"]
                and one["desiredStatus"] == request["desiredStatus"]
            ]
        }

    def _describe_tasks(self, request: Json, _region: str) -> Json:
        return {
            "tasks": [one for one in self.tasks if one["taskArn"] in request["tasks"]],
            "failures": [],
        }

    def _get_log_events(self, request: Json, _region: str) -> Json:
        lines = self.log_lines.get(request["logStreamName"])
        if lines is None:
            raise AwsError("ResourceNotFoundException", "The specified log stream does not exist.")
        if request.get("nextToken") == "f/end":
            lines = []
        events = [{"timestamp": 0, "message": line} for line in lines]
        return {"events": events, "nextForwardToken": "f/end", "nextBackwardToken": "b/end"}


def stack_id(name: str) -> str:
    """Return the id of a stack."""
    return f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{name}/8091bde4-0000"


def stack(name: str, status: str = "UPDATE_COMPLETE", project: str | None = "galv") -> Json:
    """Return a stack as CloudFormation describes it."""
    return {
        "StackName": name,
        "StackId": stack_id(name),
        "StackStatus": status,
        "CreationTime": DEPLOYED,
        "LastUpdatedTime": LATER,
        "Tags": [] if project is None else [{"Key": "project-name", "Value": project}],
        "Parameters": [
            {
                "ParameterKey": "BootstrapVersion",
                "ParameterValue": "/cdk-bootstrap/hnb659fds/version",
                "ResolvedValue": "21",
            }
        ],
    }


def resource(logical_id: str, kind: str, id: str, status: str = "CREATE_COMPLETE") -> Json:
    """Return a resource as CloudFormation lists it."""
    return {
        "LogicalResourceId": logical_id,
        "ResourceType": kind,
        "PhysicalResourceId": id,
        "ResourceStatus": status,
        "LastUpdatedTimestamp": LATER,
    }


def backend_resources() -> list[Json]:
    """Return the resources of the backend's stack that galv-ops looks at."""
    per_task = [
        one
        for name in TASKS
        for one in (
            resource(
                f"{_STEMS[name]}TaskDefinition1234ABCD",
                "AWS::ECS::TaskDefinition",
                definition(name),
            ),
            resource(
                f"{_STEMS[name]}SecurityGroup1234ABCD", "AWS::EC2::SecurityGroup", f"sg-{name}"
            ),
            resource(f"{_STEMS[name]}LogGroup1234ABCD", "AWS::Logs::LogGroup", log_group(name)),
        )
    ]
    return [
        *per_task,
        resource("BackendClusterF18E857C", "AWS::ECS::Cluster", CLUSTER),
        resource("BackendWebService9481D844", "AWS::ECS::Service", SERVICE),
        resource(
            "BackendWebTargetGroupDD045581",
            "AWS::ElasticLoadBalancingV2::TargetGroup",
            TARGET_GROUP,
        ),
        resource("BackendDatabase7752D69F", "AWS::RDS::DBInstance", "db"),
        resource("MailIdentity18F140A0", "AWS::SES::EmailIdentity", "mail.example.com"),
        resource(
            "BackendLoadBalancerCertificateB2D90098",
            "AWS::CertificateManager::Certificate",
            f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/1",
        ),
        resource("ValidationMonitorRunsScheduleBA60A6ED", "AWS::Scheduler::Schedule", "galv-rate"),
        resource("ValidationMonitorRunsGroup053323F5", "AWS::Scheduler::ScheduleGroup", "galv-g"),
        resource(
            "ValidationMonitorRunsLogGroup54B62378",
            "AWS::Logs::LogGroup",
            "galv-BackendStack-ValidationMonitorRunsLogGroup54B62378-x",
        ),
        resource("BackendSetupRun905D97AC", "Custom::GalvReleaseTask", "setup"),
    ]


def definition(name: str) -> str:
    """Return the ARN of the task definition of a task."""
    # A role for pipelines knows the check's by its name.
    check = "galv-BackendStack_Backend_check-status"
    family = check if name == "check-status" else f"galv{_STEMS[name]}"
    return f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/{family}:3"


def log_group(name: str) -> str:
    """Return the log group of a task."""
    return f"/galv-BackendStack/Backend/8091bde4/{name}"


def _audited() -> dict[str, Answer]:
    """The account of a deployment in which the audit finds nothing."""
    blocks = dict.fromkeys(
        ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
    )
    trail = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/all"
    return {
        "iam.GetAccountSummary": {"SummaryMap": {"AccountMFAEnabled": 1}},
        "iam.ListAttachedRolePolicies": {"AttachedPolicies": [], "IsTruncated": False},
        "iam.ListRoles": {"Roles": [], "IsTruncated": False},
        "cloudtrail.DescribeTrails": {
            "trailList": [
                {"TrailARN": trail, "IsMultiRegionTrail": True, "LogFileValidationEnabled": True}
            ]
        },
        "cloudtrail.GetTrailStatus": {"IsLogging": True},
        "cloudtrail.LookupEvents": {"Events": [_executed()]},
        "guardduty.ListDetectors": {"DetectorIds": ["d"]},
        "guardduty.GetDetector": {"Status": "ENABLED", "ServiceRole": "x"},
        "s3-control.GetPublicAccessBlock": {"PublicAccessBlockConfiguration": blocks},
        "s3.GetPublicAccessBlock": {"PublicAccessBlockConfiguration": blocks},
        "s3.GetBucketPolicyStatus": {"PolicyStatus": {"IsPublic": False}},
        "elastic-load-balancing-v2.DescribeLoadBalancerAttributes": {
            "Attributes": [{"Key": "deletion_protection.enabled", "Value": "true"}]
        },
        "ec2.DescribeSecurityGroups": {"SecurityGroups": []},
        "secrets-manager.ListSecretVersionIds": {"Versions": []},
        "ecr.DescribeImageScanFindings": {"imageScanFindings": {"findingSeverityCounts": {}}},
        "cloudwatch.DescribeAlarms": {"MetricAlarms": []},
        "sns.ListSubscriptionsByTopic": {"Subscriptions": []},
        "cloudwatch-logs.DescribeLogGroups": {"logGroups": []},
    }


def _executed() -> Json:
    """A deployment, as CloudTrail records it."""
    asked = {"requestParameters": {"stackName": "galv-BackendStack"}}
    return {
        "EventTime": DEPLOYED,
        "Username": "aws-cdk-ada",
        "CloudTrailEvent": json.dumps(asked),
    }


def _list_task_definitions(request: Json, _region: str) -> Json:
    assert request["familyPrefix"] in definition("web")
    return {"taskDefinitionArns": [definition("web")] if request["status"] == "ACTIVE" else []}


def _task_definition(request: Json, _region: str) -> Json:
    (name,) = [one for one in TASKS if definition(one) == request["taskDefinition"]]
    container: Json = {
        "name": name,
        "image": IMAGE,
        "command": ["python", "manage.py", "check_status"],
        "environment": [
            {"name": "VIRTUAL_HOST", "value": "api.example.com"},
            {"name": "FRONTEND_VIRTUAL_HOST", "value": "https://app.example.com"},
            {"name": "DJANGO_ALLOWED_CIDR_NETS", "value": "10.0.128.0/18,10.0.192.0/18"},
        ],
        "secrets": [
            {"name": "DJANGO_TOKEN", "valueFrom": f"{SECRET}:galv-backend-secrets-AbC123:TOKEN::"},
        ],
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {"awslogs-group": log_group(name), "awslogs-stream-prefix": name},
        },
    }
    if name == "setup-db":
        container["secrets"].append(
            {"name": "DJANGO_SUPERUSER_PASSWORD", "valueFrom": f"{SECRET}:Superuser-XyZ789"}
        )
    return {"taskDefinition": {"containerDefinitions": [container], "registeredAt": LATER}}


def sends_by_ses(recorded: Recorded, host: str = "email-smtp.eu-west-1.amazonaws.com") -> None:
    """Let tasks send mail by a server."""
    answer = recorded.answers["ecs.DescribeTaskDefinition"]

    def with_mail(request: Json, region: str) -> Json:
        assert callable(answer)
        found = answer(request, region)
        (container,) = found["taskDefinition"]["containerDefinitions"]
        container["environment"].append({"name": "DJANGO_EMAIL_HOST", "value": host})
        return found

    recorded.answers["ecs.DescribeTaskDefinition"] = with_mail


def service(**changes: Any) -> Json:
    """Return the web service as ECS describes it."""
    return {
        "serviceArn": SERVICE,
        "status": "ACTIVE",
        "desiredCount": 2,
        "runningCount": 2,
        "pendingCount": 0,
        "enableExecuteCommand": False,
        "deployments": [{"status": "PRIMARY", "rolloutState": "COMPLETED"}],
        "events": [
            {
                "id": "1",
                "createdAt": LATER,
                "message": "(service galv-BackendWebService) has reached a steady state.",
            }
        ],
        "networkConfiguration": {
            "awsvpcConfiguration": {
                "subnets": ["subnet-1", "subnet-2"],
                "securityGroups": ["sg-web"],
                "assignPublicIp": "DISABLED",
            }
        },
        **changes,
    }


def ran(
    name: str,
    *,
    exit_code: int | None = None,
    stop_code: str = "EssentialContainerExited",
    reason: str = "Essential container in task exited",
    id: str = "0a1b2c3d4e5f",
    at: datetime = LATER,
    **changes: Any,
) -> Json:
    """Return a stopped task as ECS describes it."""
    container: Json = {"name": name, "image": IMAGE, "lastStatus": "STOPPED"}
    if exit_code is not None:
        container["exitCode"] = exit_code
    return {
        "taskArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/{CLUSTER}/{id}",
        "taskDefinitionArn": definition(name),
        "lastStatus": "STOPPED",
        "desiredStatus": "STOPPED",
        "stopCode": stop_code,
        "stoppedReason": reason,
        "createdAt": at,
        "stoppedAt": at,
        "containers": [container],
        **changes,
    }


def began(name: str) -> Json:
    """Return the event with which the last change of a stack began."""
    return event(name, name, "AWS::CloudFormation::Stack", "UPDATE_IN_PROGRESS", "User Initiated")


def event(  # noqa: PLR0917 - in the order of CloudFormation's own columns
    name: str, logical_id: str, kind: str, status: str, reason: str, when: datetime = DEPLOYED
) -> Json:
    """Return an event of a stack."""
    return {
        "StackId": stack_id(name),
        "EventId": f"{logical_id}-{status}",
        "StackName": name,
        "LogicalResourceId": logical_id,
        "PhysicalResourceId": stack_id(name) if logical_id == name else logical_id,
        "ResourceType": kind,
        "Timestamp": when,
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
    }
