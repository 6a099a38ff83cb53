"""Publishing the site against an emulated AWS (moto): real boto3 calls, nothing stubbed.

moto runs no build, so the files are those of a folder. A site that is built for real, published by
these handlers and opened in a browser is in `test/frontend_site`.
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from handlers.emulated import new_stack
from moto.cloudformation.models import cloudformation_backends

from galv_constructs.handlers import _site_page, site_release

if TYPE_CHECKING:
    pass

Json = dict[str, Any]

ACCOUNT = "123456789012"
REGION = "eu-west-1"
API = "https://api.example.com"


class Emulated:
    """A bucket for assets, one for the site, a distribution and a stack."""

    def __init__(self) -> None:
        self.s3 = boto3.client("s3")
        for bucket in ("assets", "site-bucket"):
            self.s3.create_bucket(
                Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
            )
        config: Any = {
            "CallerReference": "1",
            "Comment": "",
            "Enabled": True,
            "Origins": {"Quantity": 1, "Items": [{"Id": "o", "DomainName": "site.s3"}]},
            "DefaultCacheBehavior": {"TargetOriginId": "o", "ViewerProtocolPolicy": "allow-all"},
        }
        made = boto3.client("cloudfront").create_distribution(DistributionConfig=config)
        self.event: Json = {
            "RequestType": "Create",
            "RequestId": "request-1",
            "StackId": new_stack(),
            "LogicalResourceId": "Site",
            "ResourceProperties": {
                "Checksums": "checksums",
                "Bucket": "site-bucket",
                "DistributionId": made["Distribution"]["Id"],
                "PageUrl": "https://d111111abcdef8.cloudfront.net",
                "WebAcl": "false",
                "ApiUrl": API,
                "Variables": {"VITE_GALV_API_BASE_URL": API},
                "TimeoutSeconds": "1200",
                "AssetBucket": "assets",
            },
        }

    def release(self, version: int) -> None:
        """Ask for a folder of files, most of them as in the release before."""
        files = {
            "index.html": f"release {version} '{API}'",
            f"assets/app-{version}.js": f"app {version}",
            **{f"assets/chunk-{number}.js": "chunk" for number in range(60)},
            "manifest.json": "{}",
            "images/a+b ü.svg": "<svg/>",
        }
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        self.s3.put_object(Bucket="assets", Key=f"{version}.zip", Body=data.getvalue())
        before = self.event["ResourceProperties"]
        after = {**before, "AssetKey": f"{version}.zip", "Inputs": {"Files": str(version)}}
        self.event["ResourceProperties"] = after
        if "Inputs" in before:
            self.event |= {"RequestType": "Update", "OldResourceProperties": before}

    def roll_back(self) -> None:
        """In moto a stack is never under way: the status is set in its backend."""
        stacks = cloudformation_backends[ACCOUNT][REGION].stacks
        stacks[self.event["StackId"]].status = "UPDATE_ROLLBACK_IN_PROGRESS"
        old, new = self.event["OldResourceProperties"], self.event["ResourceProperties"]
        self.event |= {"ResourceProperties": old, "OldResourceProperties": new}

    def deploy(self) -> None:
        self.event["RequestId"] += "+"
        result = site_release.on_event(self.event, None)
        event = json.loads(json.dumps({**self.event, **result}))
        assert site_release.is_complete(event, None)["IsComplete"]

    def names(self, prefix: str = "site/") -> set[str]:
        pages = self.s3.get_paginator("list_objects_v2")
        found = pages.paginate(Bucket="site-bucket", Prefix=prefix)
        return {item["Key"] for page in found for item in page.get("Contents", [])}

    def superseded(self) -> set[str]:
        return {
            name
            for name in self.names("")
            if self.s3.get_object_tagging(Bucket="site-bucket", Key=name)["TagSet"]
        }

    def served(self, name: str) -> str:
        found = self.s3.get_object(Bucket="site-bucket", Key=f"site/{name}")
        return str(found["Body"].read().decode())


@pytest.fixture
def emulated(monkeypatch: pytest.MonkeyPatch, emulated_aws: None) -> Emulated:
    emulated = Emulated()

    def get(url: str) -> tuple[int, bytes]:
        name = url.removeprefix("https://d111111abcdef8.cloudfront.net/") or "index.html"
        return 200, emulated.served(name).encode()

    monkeypatch.setattr(_site_page, "_get", get)
    return emulated


@pytest.mark.slow
def test_a_site_its_update_and_a_rollback(emulated: Emulated) -> None:
    emulated.release(1)
    emulated.deploy()

    assert len(emulated.names()) == 64
    page = emulated.s3.head_object(Bucket="site-bucket", Key="site/index.html")
    assert page["ContentType"] == "text/html; charset=utf-8"
    assert page["CacheControl"] == "no-cache"
    assert emulated.superseded() == set()

    emulated.release(2)
    emulated.deploy()

    assert emulated.served("index.html") == f"release 2 '{API}'"
    # For pages that are open.
    assert emulated.served("assets/app-1.js") == "app 1"
    assert emulated.superseded() == {"site/assets/app-1.js"}
    old = emulated.s3.head_object(Bucket="site-bucket", Key="site/assets/app-1.js")
    assert old["ContentType"] == "text/javascript; charset=utf-8"
    assert old["CacheControl"] == "public, max-age=31536000, immutable"

    emulated.roll_back()
    emulated.s3.delete_object(Bucket="assets", Key="1.zip")
    emulated.deploy()

    assert emulated.served("index.html") == f"release 1 '{API}'"
    assert emulated.superseded() == {"site/assets/app-2.js"}
    invalidations = boto3.client("cloudfront").list_invalidations(
        DistributionId=emulated.event["ResourceProperties"]["DistributionId"]
    )
    assert invalidations["InvalidationList"]["Quantity"] == 3


@pytest.mark.slow
def test_keeps_two_releases_and_lets_others_expire(emulated: Emulated) -> None:
    for version in (1, 2, 3):
        emulated.release(version)
        emulated.deploy()

    kept = {name for name in emulated.names("releases/") if name not in emulated.superseded()}
    assert len(emulated.names("releases/")) == 3
    assert len(kept) == 2


@pytest.mark.slow
def test_a_distribution_that_is_not_there_fails(emulated: Emulated) -> None:
    emulated.release(1)
    emulated.event["ResourceProperties"]["DistributionId"] = "E0"

    with pytest.raises(site_release.SiteError, match="NoSuchDistribution"):
        emulated.deploy()
