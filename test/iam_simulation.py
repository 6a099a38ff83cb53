"""The decisions of IAM, worked out from the policies of templates.

After https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html, as
far as the policies here go: one account, no boundaries. What it does not know it refuses.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from templates import Json, as_list

ACCOUNT, REGION = "111122223333", "eu-west-1"
_PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::NoValue": None,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::URLSuffix": "amazonaws.com",
}


def is_allowed(documents: Iterable[Json], action: str, resource: str = "*", **context: str) -> bool:
    """Whether policies let a request pass: one statement must, and none may deny it.

    Keys of the context are written with `__` for `:`.
    """
    given = {key.replace("__", ":").lower(): value for key, value in context.items()}
    effects = {
        statement["Effect"]
        for document in documents
        for statement in as_list(document["Statement"])
        if _applies(statement, action, resource, given)
    }
    return effects == {"Allow"}


def _applies(statement: Json, action: str, resource: str, given: Mapping[str, str]) -> bool:
    unknown = set(statement) - {"Action", "Condition", "Effect", "Principal", "Resource", "Sid"}
    assert not unknown, unknown
    return (
        any(_like(pattern.lower(), action.lower()) for pattern in as_list(statement["Action"]))
        and any(_like(pattern, resource) for pattern in as_list(statement.get("Resource", "*")))
        and all(
            _holds(operator, given.get(key.lower()), as_list(values))
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def _holds(operator: str, value: str | None, wanted: list[str]) -> bool:
    match operator:
        case "StringEquals":
            return value in wanted
        case "StringNotEquals":
            return value not in wanted
        case "StringLike" | "ArnLike":
            return value is not None and any(_like(pattern, value) for pattern in wanted)
        case "Null":
            return [str(value is None).lower()] == wanted
        case _:
            raise NotImplementedError(operator)


def _like(pattern: str, value: str) -> bool:
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, value, re.DOTALL) is not None


class Resolved:
    """A template whose functions are worked out, with the defaults of its parameters."""

    def __init__(self, template: Json) -> None:
        self._template = template

    def role(self, logical_id: str) -> Json:
        """The properties of a role."""
        properties: Json = self._value(self._template["Resources"][logical_id]["Properties"])
        return properties

    def roles(self) -> dict[str, Json]:
        """The properties of every role, by its name or logical id."""
        found = {}
        for logical_id, resource in self._template["Resources"].items():
            if resource["Type"] == "AWS::IAM::Role":
                properties = self.role(logical_id)
                found[properties.get("RoleName", logical_id)] = properties
        return found

    def policies(self, logical_id: str) -> Iterator[Json]:
        """The policies written for a role: in it, and beside it."""
        for policy in self.role(logical_id).get("Policies", []):
            yield policy["PolicyDocument"]
        for resource in self._template["Resources"].values():
            if resource["Type"] == "AWS::IAM::Policy":
                properties = resource["Properties"]
                if {"Ref": logical_id} in properties.get("Roles", []):
                    yield self._value(properties["PolicyDocument"])

    def managed_policy(self, logical_id: str) -> Json:
        """The document of a managed policy."""
        properties = self._template["Resources"][logical_id]["Properties"]
        document: Json = self._value(properties["PolicyDocument"])
        return document

    def key_policies(self) -> list[Json]:
        """The policies of KMS keys."""
        return [
            self._value(resource["Properties"]["KeyPolicy"])
            for resource in self._template["Resources"].values()
            if resource["Type"] == "AWS::KMS::Key"
        ]

    def arn(self, logical_id: str) -> str:
        """The ARN of a resource."""
        return self._arn(logical_id)

    def _value(self, value: Any) -> Any:
        match value:
            case {"Ref": _} if len(value) == 1:
                return self._ref(value["Ref"])
            case dict() if any(key.startswith("Fn::") for key in value):
                return self._function(value)
            case dict():
                pairs = ((key, self._value(item)) for key, item in value.items())
                return {key: item for key, item in pairs if item is not None}
            case list():
                return [item for item in map(self._value, value) if item is not None]
            case _:
                return value

    def _function(self, value: Json) -> Any:
        match value:
            case {"Fn::GetAtt": [name, "Arn"]}:
                return self._arn(name)
            case {"Fn::Sub": str(text)}:
                return re.sub(r"\$\{([^}]+)\}", lambda found: self._named(found[1]), text)
            case {"Fn::Join": [separator, parts]}:
                return separator.join(self._value(part) for part in parts)
            case {"Fn::If": [condition, then, otherwise]}:
                return self._value(then if self._condition(condition) else otherwise)
            case _:
                raise NotImplementedError(value)

    def _named(self, name: str) -> str:
        resource, _, attribute = name.partition(".")
        return str(self._arn(resource) if attribute == "Arn" else self._ref(name))

    def _ref(self, name: str) -> Any:
        if name in _PSEUDO:
            return _PSEUDO[name]
        if name in self._template.get("Parameters", {}):
            return self._template["Parameters"][name]["Default"]
        properties = self._template["Resources"][name]["Properties"]
        names = (key for key in ("RoleName", "BucketName", "RepositoryName", "Name"))
        return next((self._value(properties[key]) for key in names if key in properties), name)

    def _arn(self, name: str) -> str:
        kind = self._template["Resources"][name]["Type"]
        prefix = {
            "AWS::ECR::Repository": f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/",
            "AWS::IAM::OIDCProvider": f"arn:aws:iam::{ACCOUNT}:oidc-provider/",
            "AWS::KMS::Key": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/",
            "AWS::IAM::Role": f"arn:aws:iam::{ACCOUNT}:role/",
            "AWS::S3::Bucket": "arn:aws:s3:::",
        }[kind]
        return f"{prefix}{self._ref(name)}"

    def _condition(self, name: str) -> bool:
        return self._test(self._template["Conditions"][name])

    def _test(self, test: Json) -> bool:
        match test:
            case {"Condition": name}:
                return self._condition(name)
            case {"Fn::Equals": [one, other]}:
                return bool(self._value(one) == self._value(other))
            case {"Fn::Not": [inner]}:
                return not self._test(inner)
            case {"Fn::And": parts}:
                return all(map(self._test, parts))
            case {"Fn::Or": parts}:
                return any(map(self._test, parts))
            case _:
                raise NotImplementedError(test)
