"""Every role of the templates against the table in docs/security.md, action by action."""

import os
from pathlib import Path

import pytest
from aws_cdk import Stack
from backends import new_app
from example_app import example_app, run_example
from iam_simulation import REGION
from role_reach import Template, probes, reach, table
from templates import Json, synthesize

from galv_constructs import GalvDeployRole, GalvReviewRole, GitHubSubject

PAGE = Path(__file__).parent.parent / "docs" / "security.md"
BEGIN, END = "<!-- reach: begin -->", "<!-- reach: end -->"
REPOSITORY = "octo-org/octo-repo"


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Json]:
    """All templates that have roles, in the shape that has the most of them."""
    context = {"removalProtection": False, "frontendSecretsKeys": ["VITE_KEY"]}
    assembly = run_example(example_app(tmp_path_factory.mktemp("reach"), **context), REGION)
    stack = Stack(new_app(), "GitHub")
    deploy = GalvDeployRole(
        stack,
        "DeployRole",
        subjects=[GitHubSubject.environment(REPOSITORY, "production")],
        check_backends=["galv-BackendStack/Backend"],
    )
    GalvReviewRole(
        stack,
        "ReviewRole",
        subjects=[GitHubSubject.pull_request(REPOSITORY)],
        stacks=["galv-*"],
        provider=deploy.provider,
    )
    found = {name: assembly.template(name) for name in assembly.stacks if "Edge" not in name}
    return {**found, "GitHub": synthesize(stack)}


def test_every_role_reaches_what_the_page_says(templates: dict[str, Json]) -> None:
    page = PAGE.read_text()
    before, begin, rest = page.partition(BEGIN)
    old, end, after = rest.partition(END)
    assert begin
    assert end
    new = f"\n{table(reach(templates))}\n"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        PAGE.write_text(f"{before}{BEGIN}{new}{END}{after}")
    else:
        assert old == new


def test_nothing_reaches_data_of_others_or_the_pipeline(templates: dict[str, Json]) -> None:
    found = reach(templates)

    assert len(found) > 20
    for asset in (
        "reads data of others",
        "changes the pipeline",
        "reads access logs",
        "deletes access logs",
        "writes what other builds left",
    ):
        assert [role for role, assets in found.items() if asset in assets] == ALLOWED.get(asset, [])


# CDK's function that empties buckets, where a deployment is not protected.
ALLOWED = {
    "deletes access logs": ["LogBucketStack/CustomS3AutoDeleteObjectsCustomResourceProviderRole"],
}


def test_each_asset_can_be_reached_by_a_role_that_may_do_everything(
    templates: dict[str, Json],
) -> None:
    """A probe that names nothing would find nothing, whatever a role may do."""
    everything = {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "Policies": [
                {
                    "PolicyDocument": {
                        "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]
                    }
                }
            ]
        },
    }
    backend = templates["galv-BackendStack"]
    changed = {**backend, "Resources": {**backend["Resources"], "Everything": everything}}
    found = reach({**templates, "galv-BackendStack": changed})

    assert found["BackendStack/Everything"] == list(probes(map(Template, templates.values())))
