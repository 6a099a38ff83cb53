"""Write the schema of the example's `cdk.json` and the table of its keys from the keys themselves.

`npm run config-docs` writes both; a test fails when they are out of date.
"""

import json
from pathlib import Path

from galv_constructs.config._keys import schema, table

APP = Path(__file__).resolve().parent.parent / "examples" / "galv-app"
SCHEMA = APP / "cdk.schema.json"
README = APP / "README.md"
BEGIN, END = "<!-- keys: begin -->", "<!-- keys: end -->"


def pages() -> dict[Path, str]:
    """Return each file with the content that it should have."""
    before, _, rest = README.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    return {
        SCHEMA: json.dumps(schema(), indent=2, ensure_ascii=False) + "\n",
        README: f"{before}{BEGIN}\n{table()}\n{END}{after}",
    }


if __name__ == "__main__":
    for path, content in pages().items():
        path.write_text(content)
