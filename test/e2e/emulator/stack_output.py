"""`Fn::GetStackOutput` of a stack in another region, which MiniStack looks for in the same one."""

from typing import Any

from e2e.emulator.private import changesets, engine, handlers, responses, stacks

_resolve = engine.resolve_refs


def _resolve_in_region(value: Any, *context: Any) -> Any:
    if not (isinstance(value, dict) and "Fn::GetStackOutput" in value):
        return _resolve(value, *context)
    region = value["Fn::GetStackOutput"].get("Region", responses.get_region())
    token = responses.request_region.set(region)
    try:
        return _resolve(value, *context)
    finally:
        responses.request_region.reset(token)


def install() -> None:
    """Replace MiniStack's resolution, wherever it is imported by name."""
    for module in (engine, stacks, changesets, handlers):
        if module.resolve_refs is not _resolve:
            raise AttributeError("MiniStack resolves references in another way now")
        module.resolve_refs = _resolve_in_region
