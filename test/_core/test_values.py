"""The groups of values that users pass and get: immutable, and written with their names."""

from dataclasses import fields, is_dataclass

import pytest

import galv_constructs

VALUES = [
    value
    for value in (getattr(galv_constructs, name) for name in galv_constructs.__all__)
    if isinstance(value, type) and is_dataclass(value)
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value.__name__)
def test_public_dataclasses_are_frozen_and_take_keywords_only(value: type) -> None:
    assert is_dataclass(value)
    # Two constructs may share one, and a field that is added must not shift the others.
    assert value.__dataclass_params__.frozen  # type: ignore[attr-defined]  # typeshed has none
    assert all(field.kw_only for field in fields(value))
