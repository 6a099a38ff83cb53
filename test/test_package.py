"""The package as others see it: its names, its cost at import, its examples."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import galv_constructs

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "galv_constructs"
# What runs elsewhere than in an application of CDK's.
ELSEWHERE = {"container", "handlers", "site"}
MODULES = {
    path.relative_to(SOURCE): path
    for path in sorted(SOURCE.rglob("*.py"))
    if path.relative_to(SOURCE).parts[0] not in ELSEWHERE
}


def public_names(module: Path) -> set[str]:
    """The classes and constants that a module defines for others."""
    names = set()
    for statement in ast.parse(module.read_text()).body:
        if isinstance(statement, ast.ClassDef):
            names.add(statement.name)
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            names.add(statement.target.id)
    return {name for name in names if not name.startswith("_")}


def test_every_name_can_be_imported() -> None:
    for name in galv_constructs.__all__:
        assert getattr(galv_constructs, name) is not None
    assert dir(galv_constructs) == sorted(galv_constructs.__all__)


def test_every_public_class_is_exported() -> None:
    defined = set().union(
        *(
            public_names(path)
            for module, path in MODULES.items()
            if not any(part.startswith("_") for part in module.parts)
        )
    )

    assert defined == set(galv_constructs.__all__)


@pytest.mark.parametrize("name", galv_constructs.__all__)
def test_every_name_has_documentation(name: str) -> None:
    module = importlib.import_module(f"galv_constructs.{galv_constructs._MODULES[name]}")
    tree = ast.parse(Path(str(module.__file__)).read_text())
    for statement, following in zip(tree.body, [*tree.body[1:], ast.Pass()], strict=True):
        if isinstance(statement, ast.ClassDef) and statement.name == name:
            assert ast.get_docstring(statement)
            return
        if isinstance(statement, ast.AnnAssign) and ast.unparse(statement.target) == name:
            assert isinstance(following, ast.Expr)
            assert isinstance(following.value, ast.Constant)
            return
    pytest.fail(f"{name} is not defined in {module.__name__}")


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'GalvFronted'"):
        galv_constructs.GalvFronted  # noqa: B018


def test_its_import_loads_nothing_of_cdk() -> None:
    code = "import galv_constructs, sys; print('jsii' in sys.modules, 'aws_cdk' in sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=SOURCE.parent
    )

    assert done.stdout.split() == ["False", "False"]


def test_it_has_types() -> None:
    assert (SOURCE / "py.typed").is_file()
