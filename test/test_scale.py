"""How many laboratories fit into one account: what docs/scale.md says of it."""

import pytest
import scale
from snapshot import SNAPSHOTS
from templates import Json, of_type


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> list[scale.Json]:
    """What is shared, and two laboratories."""
    return scale.synthesize(2, tmp_path_factory.mktemp("assembly"))


def types(template: scale.Json) -> list[str]:
    return sorted(one["Type"] for one in template["Resources"].values())


def test_the_page_is_up_to_date(templates: list[scale.Json]) -> None:
    page = scale.PAGE.read_text()
    shared, laboratory, *_ = templates

    assert scale.counted(shared, laboratory) in page
    assert scale.MEASURED_MARKS[0] in page


def test_laboratories_take_the_same_and_shared_does_not_grow(
    templates: list[scale.Json],
) -> None:
    shared, *laboratories = templates

    assert types(laboratories[0]) == types(laboratories[1])
    alone, _ = scale.templates()
    assert types(shared) == types(alone)
    assert len(shared["Outputs"]) == len(alone["Outputs"])


def test_a_laboratory_needs_nothing_that_an_account_has_few_of(
    templates: list[scale.Json],
) -> None:
    _, laboratory, *_ = templates
    kinds = set(types(laboratory))

    for kind in (
        "AWS::EC2::EIP",
        "AWS::EC2::NatGateway",
        "AWS::EC2::VPC",
        "AWS::ElasticLoadBalancingV2::ListenerCertificate",
        "AWS::CertificateManager::Certificate",
        "AWS::CloudFront::ResponseHeadersPolicy",
        "AWS::KMS::Key",
        "AWS::WAFv2::WebACL",
    ):
        assert kind not in kinds


def test_no_policy_of_a_role_is_too_long(templates: list[scale.Json]) -> None:
    """10,240 characters for a role, whatever their number of policies is.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    """
    _, laboratory, *_ = templates

    assert 0 < scale.longest_policy(laboratory) < 10_240 / 2


def test_the_text_names_what_binds_first_with_the_number_of_the_table(
    templates: list[scale.Json],
) -> None:
    shared, laboratory, *_ = templates
    page = scale.PAGE.read_text()
    room = {one.name: one.room(shared, laboratory) for one in scale.quotas(shared)}

    assert (
        f"**Cache policies of CloudFront, at {room['Custom cache policies of CloudFront']}.**"
        in page
    )
    assert f"**Roles of IAM, at {room['IAM roles']}.**" in page
    assert f"**Instances of RDS, at {room['Instances of RDS']}.**" in page
    assert min(room, key=lambda name: room[name]).startswith("vCPUs of Fargate")
    assert "8,187 each" in page
    ports = of_type(dict(laboratory), "AWS::ElasticLoadBalancingV2::TargetGroup")
    assert len(ports) == 1


def test_the_text_counts_what_a_site_adds() -> None:
    kinds = [line.split()[1] for line in (SNAPSHOTS / "frontend/us-east-1-zone.txt").open()]

    cloudfront = ("ResponseHeadersPolicy", "Distribution", "OriginAccessControl", "Function")
    assert [kinds.count(f"AWS::CloudFront::{kind}") for kind in cloudfront] == [1] * 4
    assert f"and {kinds.count('AWS::IAM::Role')} roles." in scale.PAGE.read_text()


def test_a_quota_counts_what_is_shared_too() -> None:
    shared: Json = {"Resources": {"One": {"Type": "AWS::IAM::Role"}}}
    laboratory: Json = {"Resources": {id: {"Type": "AWS::IAM::Role"} for id in "AB"}}
    quota = scale.Quota(name="roles", limit=10, page="", count=scale._of("AWS::IAM::Role"))

    assert quota.count(shared, laboratory) == scale.Use(shared=1, each=2)
    assert quota.room(shared, laboratory) == 4


@pytest.mark.slow
def test_measures_in_a_process_of_its_own() -> None:
    one = scale.measure(1)

    assert one["seconds"] > 0
    assert one["node"] > 50
    assert scale.measured_table({1: one, 10: one, 100: one}).count("\n") == 4
