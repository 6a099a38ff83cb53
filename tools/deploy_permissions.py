"""Write the example's `permissions.json` from the policy of its deploy role.

`npm run generate` writes it; a test fails when it is out of date.
"""

import json
import os
from typing import Any

# Before jsii loads CDK: the template is only read here.
os.environ["CDK_VALIDATION"] = "false"

from aws_cdk import App
from aws_cdk.assertions import Template
from example import CONTEXT, EXAMPLE

PERMISSIONS = EXAMPLE / "permissions.json"


def permissions() -> Any:
    """Return the policy of the role that deploys, for the placeholder account."""
    from galv_app.deploy_role_stack import DeployRoleStack  # noqa: PLC0415 - needs the path
    from galv_app.environment import PLACEHOLDER  # noqa: PLC0415

    from galv_constructs import GalvConfig, GitHubSubject  # noqa: PLC0415

    app = App(context=CONTEXT)
    config = GalvConfig.from_context(
        app.node, account=PLACEHOLDER.account, region=PLACEHOLDER.region
    )
    stack = DeployRoleStack(
        app,
        "Stack",
        config=config,
        subjects=[GitHubSubject.environment("octo-org/octo-repo", "production")],
        review_subjects=[],
        provider_exists=True,
        env=PLACEHOLDER,
    )
    role = stack.get_logical_id(stack.deploy.role.node.default_child)  # type: ignore[arg-type]
    template = Template.from_stack(stack).to_json()
    (policy,) = template["Resources"][role]["Properties"]["Policies"]
    return _text(policy["PolicyDocument"])


def _text(value: Any) -> Any:
    """Spell out the one thing of a template that is not text: the partition."""
    match value:
        case {"Fn::Join": ["", parts]}:
            return "".join(map(_text, parts))
        case {"Ref": "AWS::Partition"}:
            return "aws"
        case dict():
            return {key: _text(item) for key, item in value.items()}
        case list():
            return [_text(item) for item in value]
        case _:
            return value


def content() -> str:
    """Return what the file should hold."""
    return json.dumps(permissions(), indent=2) + "\n"


if __name__ == "__main__":
    PERMISSIONS.write_text(content())
