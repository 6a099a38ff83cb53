"""Ways to look into a template."""

import json
import re
from collections.abc import Iterator
from typing import Any

from aws_cdk import Stack
from aws_cdk.assertions import Template

Json = dict[str, Any]


def synthesize(stack: Stack) -> Json:
    template: Json = dict(Template.from_stack(stack).to_json())
    return template


def of_type(template: Json, kind: str, prefix: str = "") -> dict[str, Json]:
    """The resources of a type, by logical id, whose logical id starts with the prefix."""
    return {
        logical_id: resource
        for logical_id, resource in template["Resources"].items()
        if resource["Type"] == kind and logical_id.startswith(prefix)
    }


def only(template: Json, kind: str, prefix: str = "") -> Json:
    """The properties of the only resource of a type with this start of its logical id."""
    ((_, resource),) = of_type(template, kind, prefix).items()
    properties: Json = resource["Properties"]
    return properties


def only_id(template: Json, kind: str, prefix: str = "") -> str:
    """The logical id of the only resource of a type with this start of its logical id."""
    (logical_id,) = of_type(template, kind, prefix)
    return logical_id


def task_definition(template: Json, name: str) -> tuple[str, Json]:
    """Logical id and properties of the task definition whose container has this name."""
    ((logical_id, properties),) = (
        (logical_id, resource["Properties"])
        for logical_id, resource in of_type(template, "AWS::ECS::TaskDefinition").items()
        if resource["Properties"]["ContainerDefinitions"][0]["Name"] == name
    )
    return logical_id, properties


def container(template: Json, name: str) -> Json:
    """The container of a task."""
    _, properties = task_definition(template, name)
    (found,) = properties["ContainerDefinitions"]
    result: Json = found
    return result


def environment(template: Json, name: str) -> dict[str, Any]:
    """The plain variables of a task."""
    variables = container(template, name)["Environment"]
    return {variable["Name"]: variable["Value"] for variable in variables}


def secrets(template: Json, name: str) -> dict[str, Any]:
    """The secret variables of a task."""
    variables = container(template, name)["Secrets"]
    return {variable["Name"]: variable["ValueFrom"] for variable in variables}


def key_arn(template: Json) -> Json:
    """The ARN of the only key."""
    return {"Fn::GetAtt": [only_id(template, "AWS::KMS::Key"), "Arn"]}


def references(value: object) -> set[str]:
    """The logical ids and pseudo parameters that a value refers to."""
    match value:
        case {"Ref": str(name)}:
            return {name}
        case {"Fn::GetAtt": [str(name), *_]}:
            return {name}
        case {"Fn::Sub": content}:
            text, *rest = content if isinstance(content, list) else [content]
            names = set(re.findall(r"\$\{([A-Za-z0-9:]+)[^}]*\}", text))
            return (names - set(*rest)) | references(rest) if rest else names
        case dict():
            return set().union(*map(references, value.values()))
        case list():
            return set().union(*map(references, value))
        case _:
            return set()


def needs(template: Json, logical_id: str) -> set[str]:
    """The resources that CloudFormation creates before another: by DependsOn and references."""
    found: set[str] = set()
    todo = [logical_id]
    while todo:
        resource = template["Resources"][todo.pop()]
        depends_on = resource.get("DependsOn", [])
        direct = {depends_on} if isinstance(depends_on, str) else set(depends_on)
        direct |= references(resource.get("Properties", {}))
        new = (direct & set(template["Resources"])) - found
        found |= new
        todo.extend(new)
    return found


def statements(template: Json, role_id: str) -> Iterator[Json]:
    """The policy statements of a role, inline ones and those of policies attached to it."""
    role = template["Resources"][role_id]["Properties"]
    documents = [policy["PolicyDocument"] for policy in role.get("Policies", [])]
    for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
        documents += [
            policy["Properties"]["PolicyDocument"]
            for policy in of_type(template, kind).values()
            if {"Ref": role_id} in policy["Properties"].get("Roles", [])
        ]
    for document in documents:
        yield from document["Statement"]


def ingress_rules(template: Json, group_id: str) -> list[Json]:
    """The rules that let traffic into a security group, wherever they are written."""
    inline = template["Resources"][group_id]["Properties"].get("SecurityGroupIngress", [])
    separate = [
        resource["Properties"]
        for resource in of_type(template, "AWS::EC2::SecurityGroupIngress").values()
        if resource["Properties"]["GroupId"] == {"Fn::GetAtt": [group_id, "GroupId"]}
    ]
    return [*inline, *separate]


def as_list(value: Any) -> list[Any]:
    """A policy's element that may be one or several."""
    return value if isinstance(value, list) else [value]


def text(template: Json) -> str:
    """A template as text, in which equal templates are equal."""
    return json.dumps(template, sort_keys=True)
