"""Adding resource types to MiniStack's CloudFormation."""

import secrets
from collections.abc import Callable
from typing import Any

from e2e.emulator.private import provisioners

Json = dict[str, Any]
Made = tuple[str, Json]
Create = Callable[[str, Json, str], Made]
Update = Callable[[str, Json, Json, str], Made]
Delete = Callable[[str, Json], None]


def add_type(name: str, *, create: Create, delete: Delete, update: Update | None = None) -> None:
    """Add a resource type, unless MiniStack has learned it by itself."""

    def replace(_id: str, _old: Json, new: Json, stack: str) -> Made:
        # What came before is deleted by CloudFormation, because the id is another one.
        return create("", new, stack)

    provisioners.RESOURCE_HANDLERS.setdefault(
        name, {"create": create, "update": update or replace, "delete": delete}
    )


def check_before(name: str, check: Callable[[Json], None]) -> None:
    """Let a check look at the properties of resources of a type before they are made."""
    handler = provisioners.RESOURCE_HANDLERS[name]
    create, update = handler["create"], handler.get("update")

    def checked_create(logical_id: str, properties: Json, stack: str) -> Made:
        check(properties)
        made: Made = create(logical_id, properties, stack)
        return made

    def checked_update(id: str, old: Json, new: Json, *rest: Any) -> Made:
        check(new)
        made: Made = update(id, old, new, *rest)
        return made

    handler["create"] = checked_create
    if update:
        handler["update"] = checked_update


def random_id(prefix: str) -> str:
    """Return an id as EC2 makes them."""
    return f"{prefix}-{secrets.token_hex(8)}0"


class Records:
    """Resources of a type that nothing in the emulator acts on, kept to be refused and deleted."""

    def __init__(
        self, name: str, required: set[str], known: set[str], id: Callable[[Json], str]
    ) -> None:
        self.name = name
        self.required, self.known, self.id = required, required | known, id
        self.all: dict[str, Json] = {}

    def check(self, properties: Json) -> None:
        """Refuse properties as CloudFormation does."""
        if missing := self.required - set(properties):
            raise ValueError(f"{self.name}: required key {sorted(missing)} not found")
        if unknown := set(properties) - self.known:
            raise ValueError(f"{self.name}: extraneous key {sorted(unknown)} is not permitted")

    def create(self, _logical_id: str, properties: Json, _stack: str) -> Made:
        """Keep a record."""
        self.check(properties)
        id = self.id(properties)
        if id in self.all:
            raise ValueError(f"{self.name}: {id} already exists")
        self.all[id] = properties
        return id, {}

    def update(self, id: str, _old: Json, new: Json, stack: str) -> Made:
        """Change the record, or make another if its identity changes."""
        if self.id(new) != id:
            return self.create("", new, stack)
        self.check(new)
        self.all[id] = new
        return id, {}

    def delete(self, id: str, _properties: Json) -> None:
        """Remove the record."""
        del self.all[id]

    def install(self) -> None:
        """Add the type."""
        add_type(self.name, create=self.create, update=self.update, delete=self.delete)
