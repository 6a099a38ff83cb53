"""Write API.md from the docstrings, in the layout of Construct Hub.

`npm run generate` writes it; with `--check` it only says whether it is up to date. Nothing is
imported: griffe reads the source. A public name without a docstring, or an `Args:` section that
disagrees with the signature, is refused.
"""

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import griffe

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "API.md"
PACKAGE = "galv_constructs"

Annotation = str | griffe.Expr | None

# The chapters, each with the classes that belong to it.
CHAPTERS = {
    "Constructs": "constructs.Construct",
    "Structs": "dataclass",
    "Enums": "enum.Enum",
    "Protocols": "typing.Protocol",
}
CONSTANTS = "Constants"

# What a docstring says after this, at the end of a parameter, goes into a column of its own.
DEFAULT = "Default: "

INTRODUCTION = f"""\
<!-- Written by `npm run generate` from the docstrings: edit those. -->

# API reference

Every name is imported from `{PACKAGE}`. Types with dots are those of
[aws-cdk-lib](https://docs.aws.amazon.com/cdk/api/v2/python/) and
[constructs](https://pypi.org/project/constructs/). Arguments are passed by name, except for those
before the `*`. A parameter is optional unless it is marked as required, and its default is said by
what it does.
"""


def load(source: Path = ROOT / "src") -> griffe.Module:
    """Read the package below a folder."""
    module = griffe.load(
        PACKAGE,
        search_paths=[source],
        docstring_parser="google",
        docstring_options={"warn_unknown_params": False, "warn_missing_types": False},
    )
    if not isinstance(module, griffe.Module):
        raise TypeError(f"{PACKAGE} is no package")
    return module


def public(module: griffe.Module) -> dict[str, griffe.Class | griffe.Attribute]:
    """Return what `__all__` names, in its order."""
    found: dict[str, griffe.Class | griffe.Attribute] = {}
    for name in module.exports or ():
        member = module[str(name)]
        target = member.final_target if isinstance(member, griffe.Alias) else member
        if isinstance(target, griffe.Class | griffe.Attribute):
            found[str(name)] = target
    return found


def chapter(of: griffe.Class | griffe.Attribute) -> str | None:
    """Return the chapter that a name belongs to."""
    if isinstance(of, griffe.Attribute):
        return CONSTANTS
    marks = {
        base if isinstance(base, str) else base.canonical_path
        for kind in lineage(of)
        for base in kind.bases
    }
    return next(
        (title for title, mark in CHAPTERS.items() if mark in marks | of.labels),
        None,
    )


def lineage(of: griffe.Class) -> Iterator[griffe.Class]:
    """Yield the classes of the package that a class is made of, itself as the last."""
    for base in of.resolved_bases:
        if isinstance(base, griffe.Class):
            yield from lineage(base)
    yield of


def members(of: griffe.Class) -> Iterator[griffe.Attribute | griffe.Function]:
    """Yield what users see of a class, in the order of the source."""
    for kind in lineage(of):
        for name, member in kind.members.items():
            if not name.startswith("_") and isinstance(member, griffe.Attribute | griffe.Function):
                yield member


def parameters(of: griffe.Function) -> list[griffe.Parameter]:
    """Return the parameters that a caller passes."""
    return [parameter for parameter in of.parameters if parameter.name not in ("self", "cls")]


def arguments(of: griffe.Function) -> dict[str, str]:
    """Return what the `Args:` section says, by parameter; of a dataclass, what its fields say."""
    if of.name == "__init__" and isinstance(of.parent, griffe.Class) and _is_struct(of.parent):
        return {
            name: field.docstring.value
            for name, field in of.parent.attributes.items()
            if field.docstring and name in of.parameters
        }
    return {
        entry.name: entry.description
        for section in _sections(of)
        if isinstance(section, griffe.DocstringSectionParameters)
        for entry in section.value
    }


def mistakes(module: griffe.Module) -> list[str]:
    """Return what has to be fixed before there can be a reference."""
    found = []
    for name, target in public(module).items():
        if not target.has_docstring:
            found.append(f"{name}: has no docstring")
        if not isinstance(target, griffe.Class):
            continue
        if chapter(target) is None:
            found.append(f"{name}: must be a construct, a dataclass, an Enum or a Protocol")
        initializer = target.members.get("__init__")
        shown = [*members(target), *([initializer] if initializer else [])]
        for member in shown:
            # A dataclass has an initializer without being written one.
            if not member.has_docstring and not (member is initializer and _is_struct(target)):
                found.append(f"{name}.{member.name}: has no docstring")
            elif isinstance(member, griffe.Function):
                found += _argument_mistakes(f"{name}.{member.name}", member)
    return found


def _argument_mistakes(name: str, function: griffe.Function) -> Iterator[str]:
    says = arguments(function)
    has = {parameter.name: parameter.default for parameter in parameters(function)}
    missing = [parameter for parameter in has if parameter not in says]
    surplus = [parameter for parameter in says if parameter not in has]
    if missing:
        yield f"{name}: Args: lacks {', '.join(missing)}"
    if surplus:
        yield f"{name}: Args: has {', '.join(surplus)}, which the signature lacks"
    if not missing and not surplus and list(has) != list(says):
        yield f"{name}: Args: must be in the order of the signature: {', '.join(has)}"
    for parameter, default in has.items():
        if default not in (None, "None") and DEFAULT not in _text(says.get(parameter, DEFAULT)):
            yield f"{name}: {parameter}: must end with what its default does, after `{DEFAULT}`"


def _is_struct(of: griffe.Class) -> bool:
    return "dataclass" in of.labels


def _sections(of: griffe.Object) -> list[griffe.DocstringSection]:
    return of.docstring.parsed if of.docstring else []


class Reference:
    """The page."""

    def __init__(self, module: griffe.Module) -> None:
        """Sort the public names into chapters."""
        self._module = module
        self._names = public(module)
        self._public_paths = {target.path: name for name, target in self._names.items()}

    def page(self) -> str:
        """Return the whole page."""
        chapters = {
            title: {name: of for name, of in self._names.items() if chapter(of) == title}
            for title in (*CHAPTERS, CONSTANTS)
        }
        contents = [
            f"- {title}: {', '.join(f'[{name}](#{name})' for name in names)}"
            for title, names in chapters.items()
        ]
        lines = [INTRODUCTION, *contents]
        for title, names in chapters.items():
            lines += ["", f"## {title}"]
            for name, of in names.items():
                lines += ["", f'### {name} <a id="{name}"></a>', ""]
                lines += self._class(of) if isinstance(of, griffe.Class) else self._constant(of)
        return "\n".join(lines) + "\n"

    def _constant(self, of: griffe.Attribute) -> list[str]:
        return [f"- *Type:* {self._code(of.annotation)}", "", *_description(of)]

    def _class(self, of: griffe.Class) -> list[str]:
        lines = []
        implemented = [
            self._type(interface)
            for kind in lineage(of)
            for decorator in kind.decorators
            if isinstance(decorator.value, griffe.ExprCall)
            and decorator.value.canonical_path == "jsii.implements"
            for interface in decorator.value.arguments
        ]
        if implemented:
            lines += [f"- *Implements:* <code>{', '.join(implemented)}</code>", ""]
        lines += _description(of)
        kind = chapter(of)
        if kind == "Enums":
            return [*lines, *self._values("Members", of.attributes.values(), typed=False)]
        if kind != "Protocols":
            initializer = of["__init__"]
            lines += ["", "#### Initializer", "", *self._signature(of.name, initializer)]
            lines += [*self._parameters(initializer), *self._raises(initializer)]
        functions = [member for member in members(of) if isinstance(member, griffe.Function)]
        static = [function for function in functions if _is_static(function)]
        bound = [function for function in functions if not _is_static(function)]
        lines += self._functions("Methods", of, bound)
        lines += self._functions("Static functions", of, static)
        properties = [
            member
            for member in members(of)
            if isinstance(member, griffe.Attribute)
            and (kind != "Structs" or "property" in member.labels)
        ]
        return [*lines, *self._values("Properties", properties)]

    def _functions(
        self, title: str, of: griffe.Class, functions: Sequence[griffe.Function]
    ) -> list[str]:
        lines = ["", f"#### {title}"] if functions else []
        for function in functions:
            called = f"{of.name}.{function.name}" if _is_static(function) else function.name
            lines += ["", f'##### {function.name} <a id="{of.name}.{function.name}"></a>', ""]
            lines += [*_description(function), "", *self._signature(called, function)]
            lines += self._parameters(function)
            lines += ["", f"- *Returns:* {self._code(function.returns)}"]
            lines += self._raises(function)[1:]
        return lines

    def _signature(self, called: str, function: griffe.Function) -> list[str]:
        listed = []
        for parameter in parameters(function):
            if parameter.kind is griffe.ParameterKind.keyword_only and "*" not in listed:
                listed.append("*")
            words = f"{parameter.name}: {self._source(parameter.annotation)}"
            if parameter.default is not None:
                words += f" = {self._source(parameter.default)}"
            listed.append(words)
        inside = "".join(f"\n    {words}," for words in listed) + "\n" if listed else ""
        return ["```python", *f"{called}({inside})".splitlines(), "```"]

    def _parameters(self, function: griffe.Function) -> list[str]:
        descriptions = arguments(function)
        rows = []
        for parameter in parameters(function):
            text, _, default = _text(descriptions[parameter.name]).partition(DEFAULT)
            required = "<sup>Required</sup>" if parameter.default is None else ""
            kind = self._code(parameter.annotation, optional=parameter.default == "None")
            if default.count(".") == 1:  # one sentence reads as a value
                default = default.removesuffix(".")
            rows.append(_row(f"`{parameter.name}`{required}", kind, default, text))
        return _table(["Name", "Type", "Default", "Description"], rows)

    def _values(
        self, title: str, listed: Iterable[griffe.Attribute], *, typed: bool = True
    ) -> list[str]:
        rows = [
            _row(f"`{value.name}`", *kind, _text(value.docstring.value))
            for value in listed
            if value.docstring
            for kind in [[self._code(value.annotation)] if typed else []]
        ]
        names = ["Name", *(["Type"] if typed else []), "Description"]
        return ["", f"#### {title}", *_table(names, rows)] if rows else []

    def _raises(self, function: griffe.Function) -> list[str]:
        raised = [
            f"- *Raises:* <code>{self._type(entry.annotation)}</code>: {_text(entry.description)}"
            for section in _sections(function)
            if isinstance(section, griffe.DocstringSectionRaises)
            for entry in section.value
        ]
        return ["", *raised] if raised else []

    def _code(self, annotation: Annotation, *, optional: bool = False) -> str:
        text = self._type(annotation)
        return f"<code>{text.removesuffix(' | None') if optional else text}</code>"

    def _type(self, annotation: Annotation) -> str:
        """A type by its full name, linked where it is ours."""
        return self._replaced(annotation, self._linked)

    def _linked(self, name: griffe.ExprName | griffe.ExprAttribute) -> str:
        if public_name := self._public_paths.get(name.canonical_path):
            return f'<a href="#{public_name}">{public_name}</a>'
        return re.sub(r"^(typing|collections\.abc)\.", "", name.canonical_path)

    def _source(self, code: Annotation) -> str:
        """Code as it is written, but for names that only the package knows."""
        return self._replaced(code, str)

    def _replaced(
        self, code: Annotation, name: Callable[[griffe.ExprName | griffe.ExprAttribute], str]
    ) -> str:
        if code is None or isinstance(code, str):
            return str(code)
        if isinstance(code, griffe.ExprSubscript) and code.canonical_path == "typing.Annotated":
            # What a type is annotated with is for the package.
            inside = code.slice
            return self._replaced(
                inside.elements[0] if isinstance(inside, griffe.ExprTuple) else inside, name
            )
        if not isinstance(code, griffe.ExprName | griffe.ExprAttribute):
            return "".join(self._replaced(part, name) for part in code.iterate(flat=False))
        path = code.canonical_path
        # A member of an enumeration is public with it.
        shown = {path, path.rpartition(".")[0]} & set(self._public_paths)
        if shown or not path.startswith(f"{PACKAGE}."):
            return name(code)
        # A constant or another name for a type, which users cannot look up: what it stands for.
        target = self._module[path.removeprefix(f"{PACKAGE}.")]
        is_value = "module-attribute" in target.labels
        # Which module of the library something else is in is no affair of theirs.
        return self._replaced(target.value, name) if is_value else str(code)


def _is_static(function: griffe.Function) -> bool:
    return bool(function.labels & {"staticmethod", "classmethod"})


def _description(of: griffe.Object) -> list[str]:
    lines: list[str] = []
    for section in _sections(of):
        if isinstance(section, griffe.DocstringSectionText):
            lines += section.value.splitlines()
        elif isinstance(section, griffe.DocstringSectionAdmonition):
            lines += ["", f"*{section.title}:*", "", *section.value.contents.splitlines()]
    return lines


def _text(words: str) -> str:
    """Return a description on one line, as a cell of a table has to be."""
    paragraphs = re.split(r"\n\s*\n", words.strip())
    return "<br><br>".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.strip().replace('|', chr(92) + '|') for cell in cells)} |"


def _table(names: Sequence[str], rows: Sequence[str]) -> list[str]:
    return ["", _row(*names), _row(*("---" for _ in names)), *rows] if rows else []


def main() -> int:
    """Write or check the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    module = load()
    if found := mistakes(module):
        print("\n".join(found))
        return 1
    page = Reference(module).page()
    if not check:
        PAGE.write_text(page)
    elif not PAGE.is_file() or PAGE.read_text() != page:
        print("API.md is out of date: run `npm run generate`")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
