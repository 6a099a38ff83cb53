"""Who may do what: MiniStack evaluates policies, but not always on what AWS authorizes."""

import json
import logging
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any
from urllib.parse import parse_qs

from e2e.emulator import application_autoscaling
from e2e.emulator.private import (
    app,
    ecs,
    iam,
    iam_actions,
    iam_evaluator,
    provisioners,
    responses,
    sts,
)
from e2e.emulator.types import Made, add_type

Json = dict[str, Any]
log = logging.getLogger("e2e.iam")

_enforce = iam_evaluator.enforce
_pin_request_origin = iam_evaluator.pin_request_origin
_role_policies = iam_evaluator.gather_role_policies
_request_tag_context = iam_actions.request_tag_context
_resolve_condition_key = iam_evaluator.resolve_condition_key
_simulate = iam.simulate_principal_policy
# The VPC of each task's credentials, where its requests to S3 come through an endpoint.
_vpcs: dict[str, str] = {}
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using-service-linked-roles.html, and
# the page of each other service.
_SERVICE_LINKED = {
    "ecs.amazonaws.com": "AWSServiceRoleForECS",
    "ecs.application-autoscaling.amazonaws.com": (
        "AWSServiceRoleForApplicationAutoScaling_ECSService"
    ),
    "elasticloadbalancing.amazonaws.com": "AWSServiceRoleForElasticLoadBalancing",
    "rds.amazonaws.com": "AWSServiceRoleForRDS",
}
_simulated: ContextVar[Json | None] = ContextVar("e2e_simulated", default=None)
_body: ContextVar[bytes] = ContextVar("e2e_request_body", default=b"")
_query: ContextVar[Json] = ContextVar("e2e_query", default={})  # noqa: B039 - never changed
_access_key: ContextVar[str] = ContextVar("e2e_access_key", default="")


def _remember(service: str, action: str, body: bytes, parameters: Json) -> Json:
    """Keep the body and the query of a request for `_decide`, which is called next without them."""
    _body.set(body)
    _query.set(parameters)
    context: Json = _request_tag_context(service, action, body, parameters)
    return context


def comes_through_endpoint_of(vpc: str, access_key: str) -> None:
    """Let S3 see the VPC of requests with a key."""
    _vpcs[access_key] = vpc


def _simulate_with_context(parameters: Json) -> Any:
    """Simulate with the values of conditions that are given, which MiniStack leaves out."""
    context: dict[str, str] = {}
    while name := iam.p(parameters, f"ContextEntries.member.{len(context) + 1}.ContextKeyName"):
        start = f"ContextEntries.member.{len(context) + 1}.ContextKeyValues.member.1"
        context[name.lower()] = iam.p(parameters, start)
    token = _simulated.set(context)
    try:
        return _simulate(parameters)
    finally:
        _simulated.reset(token)


def _condition_key(key: str, context: Any) -> Any:
    simulated = _simulated.get() or {}
    if key.lower() in simulated:
        return simulated[key.lower()]
    return _resolve_condition_key(key, context)


def _service_arns(here: str, cluster: str, body: Json) -> list[str]:
    """Return the ARNs of the services that a request is about."""
    named = body.get("services") or [body["service"]]
    names = (service.rpartition("/")[2] for service in named)
    return [f"arn:aws:ecs:{here}:service/{cluster}/{name}" for name in names]


def _ecs_checks(action: str, body: Json) -> Iterator[tuple[str, str, Json]]:
    """Return the actions, resources and condition keys that ECS authorizes, by its reference.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerservice.html
    """
    here = f"{responses.get_region()}:{responses.get_account_id()}"
    name = body.get("cluster", "default").rpartition("/")[2]
    cluster = {"ecs:cluster": f"arn:aws:ecs:{here}:cluster/{name}"}
    tasks = f"arn:aws:ecs:{here}:task/{name}"
    match action.removeprefix("ecs:"):
        case "RunTask":
            definition = ecs.task_defs.get(ecs.resolve_td_key(body["taskDefinition"]), {})
            yield action, definition.get("taskDefinitionArn", body["taskDefinition"]), cluster
            if body.get("propagateTags") or body.get("tags") or body.get("enableECSManagedTags"):
                yield "ecs:TagResource", f"{tasks}/new", {"ecs:createaction": "RunTask"}
            for role in ("taskRoleArn", "executionRoleArn"):
                if definition.get(role):
                    service = {"iam:passedtoservice": "ecs-tasks.amazonaws.com"}
                    yield "iam:PassRole", definition[role], service
        case "DescribeTasks":
            for task in body["tasks"]:
                yield action, task if ":" in task else f"{tasks}/{task}", cluster
        case "StopTask":
            task = body["task"] if ":" in body["task"] else f"{tasks}/{body['task']}"
            tags = {f"aws:resourcetag/{t['key']}": t["value"] for t in ecs.tags.get(task, [])}
            yield action, task, cluster | tags
        case "ListTasks":
            yield action, "*", cluster
        case "DescribeServices" | "UpdateService":
            yield from ((action, arn, cluster) for arn in _service_arns(here, name, body))
        case _:
            names = [one.rpartition("/")[2] for one in body.get("clusters", [name])]
            yield from ((action, f"arn:aws:ecs:{here}:cluster/{one}", cluster) for one in names)


def _scheduler_checks(action: str, resource: str, body: Json) -> Iterator[tuple[str, str, Json]]:
    """Return the resource that EventBridge Scheduler authorizes: a schedule in its group."""
    name = resource.rpartition("/")[2]
    here = f"arn:aws:scheduler:{responses.get_region()}:{responses.get_account_id()}"
    group = body.get("GroupName") or _query.get().get("groupName", "default")
    group = group[0] if isinstance(group, list) else group
    yield action, f"{here}:schedule/{group}/{name}", {}
    if role := body.get("Target", {}).get("RoleArn"):
        yield "iam:PassRole", role, {"iam:passedtoservice": "scheduler.amazonaws.com"}


def _codebuild_resource(body: Json) -> str:
    """Return the resource that CodeBuild authorizes: the project of a build."""
    (project,) = {id.partition(":")[0] for id in body.get("ids", [body.get("id")])}
    return (
        f"arn:aws:codebuild:{responses.get_region()}:{responses.get_account_id()}:project/{project}"
    )


def _log_resource(group: str) -> str:
    """Return the log stream that CloudWatch Logs authorizes; empty where only a group is named."""
    stream = json.loads(_body.get() or b"{}").get("logStreamName", "")
    return f"{group.removesuffix(':*').partition(':log-stream:')[0]}:log-stream:{stream}"


def _asked(name: str) -> str:
    """Return a parameter of a request of the query protocol; empty where it is absent."""
    return parse_qs(_body.get().decode()).get(name, [""])[0]


def _database_resource(action: str) -> str:
    """Return what RDS authorizes where no instance is named: a snapshot, or all of a kind.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonrds.html, and for
    all instances such as in https://github.com/awslabs/pireporter/issues/8.
    """
    here = f"arn:aws:rds:{responses.get_region()}:{responses.get_account_id()}"
    if action == "rds:DescribeDBInstances":
        return f"{here}:db:*"
    if action == "rds:DescribeDBSnapshots":
        name = _asked("DBSnapshotIdentifier")
        return name if name.startswith("arn:") else f"{here}:snapshot:{name or '*'}"
    return "*"


def _resource(action: str, service: str, resource: str) -> str:
    """Return the resource that a service authorizes, where MiniStack knows less of it."""
    if action in ("codebuild:BatchGetBuilds", "codebuild:StopBuild"):
        return _codebuild_resource(json.loads(_body.get()))
    if action == "iam:SimulatePrincipalPolicy":
        return _asked("PolicySourceArn")
    if action.startswith("rds:Describe") and resource == "*":
        return _database_resource(action)
    if service == "logs" and ":log-group:" in resource:
        return _log_resource(resource)
    return resource


def _decide(access_key: str, action: str, service: str, region: str, **given: Any) -> Any:
    _access_key.set(access_key)
    checks = [(action, given.pop("resource_arn", "*"), given.pop("service_context", None) or {})]
    context = checks[0][2]
    if service == "ecs" and action.startswith("ecs:"):
        found = _ecs_checks(action, json.loads(_body.get() or b"{}"))
        checks = [(also, resource, {**context, **more}) for also, resource, more in found]
    elif service == "scheduler" and ":schedule/" in checks[0][1]:
        found = _scheduler_checks(action, checks[0][1], json.loads(_body.get() or b"{}"))
        checks = [(also, resource, {**context, **more}) for also, resource, more in found]
    elif service == "application-autoscaling":
        resource, more = application_autoscaling.checks(action, json.loads(_body.get()))
        checks = [(action, resource, {**context, **more})]
    elif service == "s3" and access_key in _vpcs:
        also, resource, context = checks[0]
        checks = [(also, resource, {**context, "aws:sourcevpc": _vpcs[access_key]})]
    else:
        also, resource, context = checks[0]
        checks = [(also, _resource(action, service, resource), context)]
    for also, resource, context in checks:
        options = {"service_context": context, **given}
        denied = _enforce(access_key, also, service, region, resource_arn=resource, **options)
        if denied:
            log.warning("DENIED %s on %s: %s", also, resource, denied)
            return denied
    return None


def _as_by_tls(source_ip: str, _secure: bool) -> None:
    """Take every request for one by TLS: buckets refuse others, and loopback needs none."""
    _pin_request_origin(source_ip, secure_transport=True)


def _create_group(logical_id: str, properties: Json, stack: str) -> Made:
    name = properties.get("GroupName") or provisioners.physical_name(stack, logical_id)
    iam.create_group({"GroupName": [name], "Path": [properties.get("Path", "/")]})
    for arn in properties.get("ManagedPolicyArns", []):
        iam.attach_group_policy({"GroupName": [name], "PolicyArn": [arn]})
    return name, {"Arn": iam.groups[name]["Arn"]}


def _delete_group(name: str, _properties: Json) -> None:
    if iam.groups[name]["Users"]:
        raise ValueError(f"DeleteConflict: the group {name} has users")
    del iam.groups[name]


def _create_user(logical_id: str, properties: Json, stack: str) -> Made:
    made: Made = _user["create"](logical_id, properties, stack)
    for group in properties.get("Groups", []):
        if group not in iam.groups:
            raise ValueError(f"NoSuchEntity: the group {group} does not exist")
        iam.add_user_to_group({"GroupName": [group], "UserName": [made[0]]})
    return made


def _delete_user(name: str, properties: Json) -> None:
    keys = [key for key in iam.access_keys.values() if key.get("UserName") == name]
    if keys:
        raise ValueError(f"DeleteConflict: the user {name} has access keys")
    for group in properties.get("Groups", []):
        iam.groups[group]["Users"] = [u for u in iam.groups[group]["Users"] if u != name]
    _user["delete"](name, properties)


def _policies_of_role(name: str, account: str) -> list[list[Any]]:
    """Find the policies of a role by its ARN too, in which a path stands before the name.

    The one variable that they have is filled in, which MiniStack leaves as it is:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
    """
    policies: list[list[Any]] = _role_policies(name.rpartition("/")[2], account)
    user = sts.sessions.get(_access_key.get(), {}).get("UserId", "")
    for statement in (statement for policy in policies for statement in policy):
        statement.resources = [arn.replace("${aws:userid}", user) for arn in statement.resources]
    return policies


def _create_service_linked_role(parameters: Json) -> Any:
    """Give the role the name that its service gives it, which MiniStack makes up."""
    service = iam.p(parameters, "AWSServiceName")
    trusts = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    role = {
        "RoleName": [_SERVICE_LINKED[service]],
        "Path": [f"/aws-service-role/{service}/"],
        "AssumeRolePolicyDocument": [json.dumps({"Version": "2012-10-17", "Statement": [trusts]})],
    }
    status, headers, body = iam.IAM_HANDLERS["CreateRole"](role)
    return status, headers, body.replace(b"CreateRole", b"CreateServiceLinkedRole")


_handlers = provisioners.RESOURCE_HANDLERS
_user = dict(_handlers["AWS::IAM::User"])


def _keep_sessions() -> None:
    """Drop no session: none ends before the emulator does.

    MiniStack looks at all of them whenever one is added, and fails where another thread adds one
    meanwhile: a function that was about to start did not.
    """


def install() -> None:
    """Replace MiniStack's decisions, and add what is missing of users and groups."""
    sts.evict_expired_sessions = _keep_sessions
    add_type("AWS::IAM::Group", create=_create_group, delete=_delete_group)
    _handlers["AWS::IAM::User"].update(create=_create_user, delete=_delete_user)
    iam_actions.request_tag_context = _remember
    iam_evaluator.enforce = _decide
    iam_evaluator.resolve_condition_key = _condition_key
    iam.IAM_HANDLERS["CreateServiceLinkedRole"] = _create_service_linked_role
    iam.IAM_HANDLERS["SimulatePrincipalPolicy"] = _simulate_with_context
    iam_evaluator.gather_role_policies = _policies_of_role
    iam_evaluator.pin_request_origin = app.pin_request_origin = _as_by_tls
