"""Faked services that refuse the calls that the real clients would refuse."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.model import ListShape, OperationModel, Shape, StructureShape
from botocore.validate import ParamValidator

Json = dict[str, Any]


def client_error(code: str, status: int = 400, message: str = "no") -> ClientError:
    """An error as AWS answers it."""
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(response, "Call")


class FakeServices:
    """Answers of services.

    `faults` holds, per call, what its next calls raise (an exception), answer (a dict), or None to
    go on as usual.
    """

    def __init__(self) -> None:
        self.faults: dict[str, list[Any]] = {}
        self.calls: list[tuple[str, Json]] = []
        self._lock = threading.Lock()

    def _called(self, name: str, query: Json) -> Json:
        """Record a call, and return the answer that a test wants; empty to go on as usual."""
        with self._lock:
            self.calls.append((name, query))
            faults = self.faults.get(name)
            answer = faults.pop(0) if faults else None
        if isinstance(answer, Exception):
            raise answer
        return answer or {}

    def names(self) -> list[str]:
        return [name for name, _ in self.calls]

    def queries(self, name: str) -> list[Json]:
        return [query for called, query in self.calls if called == name]


@functools.cache
def _session() -> Any:
    return botocore.session.get_session()


@functools.cache
def _operations(service: str) -> dict[str, OperationModel]:
    # Refuses a service that there is not.
    model = _session().get_service_model(service)
    return {xform_name(name): model.operation_model(name) for name in model.operation_names}


@functools.cache
def _paginated(service: str) -> set[str]:
    found = _session().get_component("data_loader").load_service_model(service, "paginators-1")
    return {xform_name(name) for name in found["pagination"]}


def _unknown_values(value: Any, shape: Shape, place: str) -> Iterator[str]:
    """Values that AWS's list of them lacks, which the client itself lets pass."""
    if isinstance(shape, StructureShape):
        for key, member in value.items():
            yield from _unknown_values(member, shape.members[key], f"{place}.{key}")
    elif isinstance(shape, ListShape):
        for member in value:
            yield from _unknown_values(member, shape.member, place)
    elif (known := getattr(shape, "enum", None)) and value not in known:
        yield f"{place} is {value!r}, not one of {known}"


class Client:
    """The client of a service, of which `fake` gives the answers."""

    def __init__(self, service: str, fake: Any) -> None:
        self._service = service
        self._fake = fake
        self._operations = _operations(service)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        operation = self._operations[name]

        def call(**query: Any) -> Any:
            self._check(operation, query)
            return getattr(self._fake, name)(**query)

        return call

    def get_paginator(self, name: str) -> Paginator:
        assert name in _paginated(self._service), f"{self._service} has no pages of {name}"
        return Paginator(self._fake.get_paginator(name), self._operations[name])

    @staticmethod
    def _check(operation: OperationModel, query: dict[str, Any]) -> None:
        # The client takes a dictionary for it too.
        query = {key: "bucket/key" if key == "CopySource" else query[key] for key in query}
        shape = operation.input_shape
        assert shape is not None, f"{operation.name} takes nothing"
        found = ParamValidator().validate(query, shape)
        assert not found.has_errors(), f"{operation.name}: {found.generate_report()}"
        unknown = list(_unknown_values(query, shape, operation.name))
        assert not unknown, unknown


class Paginator:
    """The pages of an operation."""

    def __init__(self, fake: Any, operation: OperationModel) -> None:
        self._fake = fake
        self._operation = operation

    def paginate(self, **query: Any) -> Any:
        Client._check(self._operation, query)
        return self._fake.paginate(**query)


def clients(fake: Any) -> Callable[[str], Client]:
    """Return what makes clients whose answers `fake` gives."""
    return lambda service: Client(service, fake)
