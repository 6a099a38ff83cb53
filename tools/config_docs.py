"""Write the schema of the example's `cdk.json` and the table of its keys from their declarations.

Each key is declared once, as an attribute of `GalvConfig`: this reads its docstring, which ends
with its default in words. `npm run generate` writes both; a test fails when they are out of
date.
"""

import json
from pathlib import Path
from typing import Any

import griffe
from api_doc import DEFAULT
from marked import put_between

from galv_constructs import GalvConfig
from galv_constructs.config._keys import Key, keys_of

ROOT = Path(__file__).resolve().parent.parent
APP = ROOT / "examples" / "galv-app"
SCHEMA = APP / "cdk.schema.json"
README = APP / "README.md"
DECLARATIONS = ROOT / "src" / "galv_constructs" / "config" / "config.py"
BEGIN, END = "<!-- keys: begin -->", "<!-- keys: end -->"

Json = dict[str, Any]


class Documents:
    """The documents that come from the declarations of a class of configurations."""

    def __init__(self, config: type = GalvConfig, declarations: Path = DECLARATIONS) -> None:
        """Read the docstrings of the keys in the source of their class."""
        source = griffe.visit("config", declarations, declarations.read_text())
        documented = source[config.__name__]
        self._keys = keys_of(config)
        self._said = {name: _said(documented[name]) for name in self._keys}

    def schema(self) -> Json:
        """Return the JSON Schema of the application's `cdk.json`, for editors."""
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "cdk.json of a Galv deployment",
            "type": "object",
            "properties": {
                "context": {
                    "type": "object",
                    "properties": {
                        key.name: _schema_of(key, *self._said[attribute])
                        for attribute, key in self._keys.items()
                    },
                    "required": [key.name for key in self._keys.values() if key.required],
                    # CDK's own keys.
                    "patternProperties": {"^@|:|^cdk|^aws-cdk|^acknowledged-issue-numbers$": {}},
                    "additionalProperties": False,
                }
            },
            "required": ["context"],
        }

    def table(self) -> str:
        """Return the keys as a table in Markdown."""
        rows = [_row(key, *self._said[attribute]) for attribute, key in self._keys.items()]
        return "\n".join(["| key | meaning | default |", "|---|---|---|", *rows])

    def default_of(self, attribute: str) -> str:
        """Return the default of an attribute in words."""
        return self._said[attribute][1]

    def pages(self) -> dict[Path, str]:
        """Return each file with the content that it should have."""
        return {
            SCHEMA: json.dumps(self.schema(), indent=2, ensure_ascii=False) + "\n",
            README: put_between(README.read_text(), BEGIN, END, self.table()),
        }


def _said(attribute: griffe.Object) -> tuple[str, str]:
    """Return the description in a docstring, and the default in words."""
    text = " ".join(attribute.docstring.value.split()) if attribute.docstring else ""
    description, _, default = text.partition(DEFAULT)
    return description.strip().removesuffix("."), default.removesuffix(".")


def _schema_of(key: Key, description: str, default: str) -> Json:
    text = f"{description}." if key.required else f"{description}. {DEFAULT}{default}."
    unset = {"enum": [None, ""] if key.kind.empty_is_unset else [None]}
    return {"description": text, "anyOf": [key.kind.schema, unset]}


def _row(key: Key, description: str, default: str) -> str:
    added = " (added)" if key.added else ""
    return f"| `{key.name}`{added} | {description} | {default or '**required**'} |"


if __name__ == "__main__":
    for path, content in Documents().pages().items():
        path.write_text(content)
