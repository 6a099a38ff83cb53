"""Synthesized templates, to be changed on purpose."""

import re
from collections.abc import Iterator
from typing import Any

from e2e.stack import Json


def resource(template: Json, kind: str) -> Any:
    """Return the only resource of a type."""
    (found,) = [r for r in template["Resources"].values() if r["Type"] == kind]
    return found


def add_what_fails(template: Json, after: str) -> None:
    """Add a resource that fails once another is there."""
    template["Resources"]["Late"] = {
        "Type": "AWS::EC2::SecurityGroupIngress",
        "DependsOn": [after],
        "Properties": {"GroupId": "sg-0", "CidrIp": "10.0.0.0/8", "IpProtocol": "-1"},
    }


class Template:
    """A template's resources, to be broken."""

    def __init__(self, resources: Json) -> None:
        self.resources = resources

    def matching(self, kind: str, pattern: str = "") -> Iterator[str]:
        """Yield the ids of resources of a type whose id matches."""
        found = [
            id
            for id, resource in self.resources.items()
            if resource["Type"] == kind and re.search(pattern, id)
        ]
        assert found, f"no {kind} matches {pattern!r}: the mutation is out of date"
        yield from found

    def properties(self, kind: str, pattern: str = "") -> Iterator[Json]:
        """Yield the properties of these resources."""
        for id in self.matching(kind, pattern):
            yield self.resources[id]["Properties"]

    def remove(self, kind: str, pattern: str) -> None:
        """Remove resources, and what waits for them."""
        for id in list(self.matching(kind, pattern)):
            del self.resources[id]
            for other in self.resources.values():
                if id in other.get("DependsOn", []):
                    other["DependsOn"].remove(id)

    def drop_action(self, policy: str, action: str) -> None:
        """Take an action away from the policies whose id matches."""
        found = False
        for properties in self.properties("AWS::IAM::Policy", policy):
            document = properties["PolicyDocument"]
            kept = []
            for statement in document["Statement"]:
                actions = statement["Action"]
                actions = actions if isinstance(actions, list) else [actions]
                found |= action in actions
                statement["Action"] = [one for one in actions if one != action]
                if statement["Action"]:
                    kept.append(statement)
            document["Statement"] = kept
        assert found, f"no {policy} has {action}: the mutation is out of date"
