"""An application's feature flags are its own: with none and with all, security is the same."""

import json
from typing import Any

import pytest
from aws_cdk import Stack
from backends import new_app, recommended_flags, whole_backend_in
from galv_app.feature_flags import FEATURE_FLAGS
from templates import Json, as_list, container, of_type, only, statements, synthesize

# What says how safe a resource is, by type.
SECURITY = {
    "AWS::CloudFront::Distribution": [
        "DistributionConfig.DefaultCacheBehavior.ViewerProtocolPolicy",
        "DistributionConfig.DefaultCacheBehavior.ResponseHeadersPolicyId",
    ],
    "AWS::EC2::Instance": ["BlockDeviceMappings", "MetadataOptions"],
    "AWS::EC2::Subnet": ["MapPublicIpOnLaunch", "CidrBlock"],
    "AWS::ECS::Service": ["EnableExecuteCommand", "PropagateTags", "DeploymentController"],
    "AWS::ElasticLoadBalancingV2::Listener": ["Protocol", "SslPolicy", "DefaultActions"],
    "AWS::Logs::LogGroup": ["RetentionInDays"],
    "AWS::RDS::DBInstance": [
        "AllocatedStorage",
        "DBInstanceClass",
        "EngineVersion",
        "PubliclyAccessible",
        "StorageEncrypted",
        "StorageType",
    ],
    "AWS::RDS::DBParameterGroup": ["Parameters"],
    "AWS::S3::Bucket": [
        "BucketEncryption",
        "OwnershipControls",
        "PublicAccessBlockConfiguration",
        "VersioningConfiguration",
    ],
    "AWS::SecretsManager::Secret": ["GenerateSecretString"],
}


@pytest.fixture(scope="module")
def flagged() -> Json:
    """The default backend with all flags that CDK recommends for new applications."""
    stack = Stack(new_app(recommended_flags()), "Stack")
    whole_backend_in(stack)
    return synthesize(stack)


def value_at(resource: Json, path: str) -> Any:
    value: Any = resource["Properties"]
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def values(template: Json, kind: str, path: str) -> list[str]:
    """The values of a property, whatever the logical ids in them are."""
    return sorted(
        json.dumps(value_at(resource, path), sort_keys=True)
        for resource in of_type(template, kind).values()
    )


@pytest.mark.parametrize(
    ("kind", "path"), [(kind, path) for kind, paths in SECURITY.items() for path in paths]
)
def test_the_template_is_as_safe_with_any_flags(
    default: Json, flagged: Json, kind: str, path: str
) -> None:
    assert values(flagged, kind, path) == values(default, kind, path)


def test_the_load_balancer_is_the_same(default: Json, flagged: Json) -> None:
    load_balancer = "AWS::ElasticLoadBalancingV2::LoadBalancer"

    assert only(flagged, load_balancer) == only(default, load_balancer)


@pytest.mark.parametrize("name", ["web", "setup-db", "check-status"])
def test_tasks_are_the_same(default: Json, flagged: Json, name: str) -> None:
    one, other = container(default, name), container(flagged, name)

    for key in ("Image", "Command", "ReadonlyRootFilesystem", "MountPoints", "Essential"):
        assert one[key] == other[key]
    for key in ("Environment", "Secrets"):
        assert {v["Name"] for v in one[key]} == {v["Name"] for v in other[key]}


@pytest.mark.parametrize("which", ["default", "flagged"])
def test_no_role_may_do_everything(which: str, request: pytest.FixtureRequest) -> None:
    template = request.getfixturevalue(which)

    for role_id in of_type(template, "AWS::IAM::Role"):
        for statement in statements(template, role_id):
            assert "*" not in as_list(statement["Action"])


@pytest.mark.parametrize("which", ["default", "flagged"])
def test_the_database_is_open_to_no_address(which: str, request: pytest.FixtureRequest) -> None:
    template = request.getfixturevalue(which)

    group = only(template, "AWS::EC2::SecurityGroup", "BackendDatabase")
    assert "SecurityGroupIngress" not in group
    rules = of_type(template, "AWS::EC2::SecurityGroupIngress", "BackendDatabase").values()
    assert len(rules) == 3
    assert not any(key.startswith("Cidr") for rule in rules for key in rule["Properties"])


def test_the_example_sets_what_is_recommended_but_two() -> None:
    others = {
        "@aws-cdk/core:defaultCrossStackReferences": "strong",
        "@aws-cdk/core:explicitStackTags": False,
    }

    assert {**recommended_flags(), **others} == FEATURE_FLAGS
