"""An order of creation in which a missing dependency shows.

CloudFormation makes resources in any order that their dependencies allow, many at a time. MiniStack
makes one after another by name, so that what forgot to wait may be lucky. Here, what acts during a
deployment comes as early as the template allows, and is deleted as late.
"""

from typing import Any

from e2e.emulator.private import changesets, engine, stacks

Json = dict[str, Any]
_ordered = engine.topological_sort


def _acts(resource: Json) -> bool:
    kind = resource["Type"]
    return kind.startswith("Custom::") or kind in {
        "AWS::CloudFormation::CustomResource",
        "AWS::ECS::Service",
    }


def earliest_first(resources: Json, conditions: Json) -> list[str]:
    """Sort resources by their dependencies, what acts as early as possible."""
    order = _ordered(resources, conditions)
    active = set(order)
    needs: dict[str, set[str]] = {}
    for name in order:
        direct = set(engine.extract_deps(resources[name], active)) - {name}
        needs[name] = direct.union(*(needs[other] for other in direct))
    actors = sorted((n for n in order if _acts(resources[n])), key=lambda n: (len(needs[n]), n))
    result: dict[str, None] = {}
    for actor in actors:
        result.update(dict.fromkeys(name for name in order if name in needs[actor]))
        result[actor] = None
    result.update(dict.fromkeys(order))
    return list(result)


def install() -> None:
    """Replace MiniStack's order."""
    for module in (engine, stacks, changesets):
        module.topological_sort = earliest_first
