"""The predicted effect of an upgrade on resources."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import template_diff
from releases import ROOT
from template_diff import Change, changes


def template(kind: str = "AWS::S3::Bucket", /, **properties: Any) -> dict[str, Any]:
    return {"Resources": {"Thing": {"Type": kind, "Properties": properties}}}


def only_change(old: dict[str, Any], new: dict[str, Any]) -> Change:
    (change,) = changes(old, new)
    return change


def test_nothing_changes() -> None:
    assert changes(template(BucketName="a"), template(BucketName="a")) == []


def test_reports_an_added_resource() -> None:
    assert only_change({}, template()).kind == "added"


def test_reports_a_removed_resource() -> None:
    assert only_change(template(), {}).kind == "removed"


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        ("Retain", "the old one is kept"),
        ("Snapshot", "the old one leaves a snapshot"),
        ("Delete", ""),
    ],
)
def test_names_the_resources_that_stay_behind(policy: str, why: str) -> None:
    old = template(BucketName="a")
    old["Resources"]["Thing"] |= {"DeletionPolicy": policy, "UpdateReplacePolicy": policy}

    assert only_change(old, {}).why == why
    assert only_change(old, template(BucketName="b")).why.partition("; ")[2] == why


@pytest.mark.parametrize(
    ("resource", "name", "kind"),
    [
        ("AWS::RDS::DBInstance", "KmsKeyId", "replaced"),
        ("AWS::RDS::DBInstance", "DBSubnetGroupName", "replaced"),
        ("AWS::RDS::DBInstance", "Engine", "may be replaced"),
        ("AWS::RDS::DBInstance", "AllocatedStorage", "changed in place"),
        ("AWS::S3::Bucket", "BucketName", "replaced"),
        ("AWS::S3::Bucket", "CorsConfiguration", "changed in place"),
        ("Custom::Thing", "Anything", "changed in place"),
        ("AWS::CDK::Metadata", "Analytics", "changed in place"),
    ],
)
def test_knows_which_properties_replace_a_resource(resource: str, name: str, kind: str) -> None:
    for old, new in (
        (template(resource, **{name: "a"}), template(resource, **{name: "b"})),
        (template(resource), template(resource, **{name: "b"})),
    ):
        change = only_change(old, new)

        assert (change.kind, change.why) == (kind, name)


def test_another_type_is_another_resource() -> None:
    change = only_change(template(), template("AWS::SNS::Topic"))

    assert (change.kind, change.why) == ("replaced", "its type")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("PrivateDnsPreference", "replaced"), ("DnsRecordIpType", "changed in place")],
)
def test_looks_into_properties(name: str, kind: str) -> None:
    old, new = (template("AWS::EC2::VPCEndpoint", DnsOptions={name: value}) for value in "ab")

    assert only_change(old, new).kind == kind


@pytest.mark.parametrize(
    "reference",
    [{"Ref": "Group"}, {"Fn::GetAtt": ["Group", "GroupId"]}, {"Fn::Sub": "${Group.GroupId}"}],
)
def test_a_reference_to_a_replaced_resource_may_be_replaced_too(reference: dict[str, Any]) -> None:
    def with_description(text: str) -> dict[str, Any]:
        group = {"Type": "AWS::EC2::SecurityGroup", "Properties": {"GroupDescription": text}}
        rule = {"Type": "AWS::EC2::SecurityGroupIngress", "Properties": {"GroupId": reference}}
        instance = {"Type": "AWS::EC2::Instance", "Properties": {"SecurityGroupIds": [reference]}}
        return {"Resources": {"Group": group, "Rule": rule, "Instance": instance}}

    found = {
        change.logical_id: (change.kind, change.why)
        for change in changes(with_description("old"), with_description("new"))
    }

    assert found == {
        "Group": ("replaced", "GroupDescription"),
        "Rule": ("may be replaced", "its GroupId is of `Group`"),
    }


def test_lists_what_hurts_most_first() -> None:
    def beside(id: str, name: str) -> dict[str, Any]:
        resources = template(BucketName=name)["Resources"]
        return {"Resources": {id: {"Type": "AWS::S3::Bucket"}, **resources}}

    assert [str(change) for change in changes(beside("A", "a"), beside("B", "b"))] == [
        "- **replaced** `AWS::S3::Bucket` `Thing`: BucketName",
        "- **removed** `AWS::S3::Bucket` `A`",
        "- **added** `AWS::S3::Bucket` `B`",
    ]


def test_says_that_there_is_no_release(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(template_diff, "last_release", lambda: None)
    monkeypatch.setattr("sys.argv", ["template_diff"])

    template_diff.main()

    assert "nothing has been released yet" in capsys.readouterr().out


def test_says_that_no_resource_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template_diff, "synthesized", lambda *_: {"Stack": template()})

    assert list(template_diff.report(ROOT, ROOT)) == ["None."]


@pytest.mark.slow
def test_compares_the_example_of_two_versions(tmp_path: Path) -> None:
    for folder in ("src", "examples"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    backend = tmp_path / "src" / "galv_constructs" / "database" / "_access.py"
    changed = backend.read_text().replace('DATABASE_NAME = "galv"', 'DATABASE_NAME = "data"')
    backend.write_text(changed)

    found = list(template_diff.report(ROOT, tmp_path))

    assert found[0] == "In `galv-BackendStack`:\n"
    database = [line.partition(": ")[2] for line in found if "`AWS::RDS::DBInstance`" in line]
    assert database == [
        "DBName; the old one leaves a snapshot (in production)",
        "DBName (outside production)",
    ]
