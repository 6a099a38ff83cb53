"""The bucket for uploads, and the static files behind CloudFront."""

import json
from typing import Any

import pytest
from aws_cdk import Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from backends import KEY_ARN, RefusedBackend, Synth, backend_in, new_app
from iam_simulation import ACCOUNT, REGION, Resolved, is_allowed
from templates import (
    Json,
    as_list,
    environment,
    key_arn,
    needs,
    of_type,
    only,
    only_id,
    statements,
    synthesize,
    task_definition,
)

from galv_constructs import GalvNetwork

BUCKET = "AWS::S3::Bucket"
MEDIA = "BackendMediaBucket"
STATIC = "BackendStaticAssetsBucket"


def task_role(template: Json, name: str) -> str:
    _, properties = task_definition(template, name)
    role: str = properties["TaskRoleArn"]["Fn::GetAtt"][0]
    return role


def allowed(template: Json, name: str, action: str) -> list[Any]:
    """The resources that a task may use an action on."""
    return [
        resource
        for statement in statements(template, task_role(template, name))
        if action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    ]


@pytest.mark.parametrize("prefix", [MEDIA, STATIC])
class TestEveryBucket:
    def test_is_private_and_encrypted(self, default: Json, prefix: str) -> None:
        bucket = only(default, BUCKET, prefix)

        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
        # The application sends an ACL with each upload.
        assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerPreferred"}]

    def test_refuses_plain_http_and_old_tls(self, default: Json, prefix: str) -> None:
        policy = only(default, "AWS::S3::BucketPolicy", prefix)

        denied = [
            statement["Condition"]
            for statement in policy["PolicyDocument"]["Statement"]
            if statement["Effect"] == "Deny" and statement["Action"] == "s3:*"
        ]
        assert denied == [
            {"Bool": {"aws:SecureTransport": "false"}},
            {"NumericLessThan": {"s3:TlsVersion": 1.2}},
        ]

    def test_forgets_incomplete_uploads_and_old_versions(self, default: Json, prefix: str) -> None:
        rules = only(default, BUCKET, prefix)["LifecycleConfiguration"]["Rules"]

        assert rules == [
            {
                "Id": "IncompleteUploads",
                "Status": "Enabled",
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
            },
            {
                "Id": "OldVersions",
                "Status": "Enabled",
                "NoncurrentVersionExpiration": {"NoncurrentDays": 90},
            },
        ]

    @pytest.mark.parametrize("name", ["web", "setup-db", "check-status"])
    def test_tasks_may_read_and_write_objects_and_no_more(
        self, default: Json, prefix: str, name: str
    ) -> None:
        arn = {"Fn::GetAtt": [only_id(default, BUCKET, prefix), "Arn"]}
        objects = {"Fn::Join": ["", [arn, "/*"]]}

        actions = {
            (action, "objects" if resource == objects else "bucket")
            for statement in statements(default, task_role(default, name))
            for action in as_list(statement["Action"])
            for resource in as_list(statement["Resource"])
            if resource in (arn, objects)
        }
        read = {("s3:GetObject", "objects"), ("s3:ListBucket", "bucket")}
        write = {
            ("s3:DeleteObject", "objects"),
            ("s3:PutObject", "objects"),
            ("s3:PutObjectAcl", "objects"),
        }
        # Static files are what browsers run: only setup, which collects them, may change them.
        writers = {STATIC: {"setup-db"}, MEDIA: {"setup-db", "web"}}[prefix]
        assert actions == (read | write if name in writers else read)


TASKS = ("web", "setup-db", "check-status")
WRITING = ("s3:DeleteObject", "s3:PutObject", "s3:PutObjectAcl")
VPC = "vpc-0a1b2c3d"


def may(template: Json, task: str, prefix: str, action: str, **context: str) -> bool:
    """Whether credentials of a task may do something, worked out as IAM does."""
    resolved = Resolved(template)
    bucket = resolved.arn(only_id(template, BUCKET, prefix))
    resource = bucket if action == "s3:ListBucket" else f"{bucket}/media/a.csv"
    return is_allowed(
        list(resolved.policies(task_role(template, task))), action, resource, **context
    )


@pytest.mark.parametrize("prefix", [MEDIA, STATIC])
@pytest.mark.parametrize("task", TASKS)
class TestCredentialsThatLeaveTheNetwork:
    """A task's role through an endpoint of its VPC, and from elsewhere, action by action."""

    @pytest.mark.parametrize("action", ["s3:ListBucket", *WRITING])
    def test_do_not_write_delete_or_list(
        self, default: Json, task: str, prefix: str, action: str
    ) -> None:
        inside = {"aws__SourceVpc": only_id(default, "AWS::EC2::VPC")}

        # Static files are what browsers run: only setup, which collects them, may change them.
        writers = {STATIC: {"setup-db"}, MEDIA: {"setup-db", "web"}}[prefix]
        does = action == "s3:ListBucket" or task in writers
        assert may(default, task, prefix, action, **inside) is does
        assert not may(default, task, prefix, action)
        assert not may(default, task, prefix, action, aws__SourceVpc="vpc-of-others")

    def test_may_read_the_object_of_a_presigned_url(
        self, default: Json, task: str, prefix: str
    ) -> None:
        """Browsers fetch uploads by presigned URL, with the permissions of the role."""
        assert may(default, task, prefix, "s3:GetObject")

    def test_work_if_it_is_not_known_whether_there_is_an_endpoint(
        self, without_endpoint: Json, task: str, prefix: str
    ) -> None:
        assert may(without_endpoint, task, prefix, "s3:ListBucket")
        if task == "setup-db":
            assert may(without_endpoint, task, prefix, "s3:PutObject")

    def test_do_not_work_if_there_is_an_endpoint(
        self, with_endpoint: Json, task: str, prefix: str
    ) -> None:
        assert may(with_endpoint, task, prefix, "s3:ListBucket", aws__SourceVpc=VPC)
        assert not may(with_endpoint, task, prefix, "s3:ListBucket")


def in_given_vpc(**arguments: Any) -> Json:
    stack = Stack(new_app(), "Stack")
    vpc = ec2.Vpc.from_vpc_attributes(
        stack,
        "Given",
        vpc_id=VPC,
        vpc_cidr_block="10.1.0.0/16",
        availability_zones=["eu-west-1a", "eu-west-1b"],
        public_subnet_ids=["subnet-1", "subnet-2"],
        public_subnet_ipv4_cidr_blocks=["10.1.0.0/24", "10.1.1.0/24"],
        private_subnet_ids=["subnet-3", "subnet-4"],
        private_subnet_ipv4_cidr_blocks=["10.1.2.0/24", "10.1.3.0/24"],
    )
    backend_in(stack, network=GalvNetwork.from_vpc(vpc, **arguments))
    return synthesize(stack)


@pytest.fixture(scope="module")
def without_endpoint() -> Json:
    return in_given_vpc()


@pytest.fixture(scope="module")
def with_endpoint() -> Json:
    return in_given_vpc(has_s3_endpoint=True)


class TestMediaBucket:
    def test_browsers_may_read_from_the_given_frontends(self, tuned: Json) -> None:
        (rule,) = only(tuned, BUCKET, MEDIA)["CorsConfiguration"]["CorsRules"]
        assert rule == {
            "AllowedOrigins": ["https://app.example.com", "https://lab.example.org"],
            "AllowedMethods": ["GET", "HEAD"],
            "AllowedHeaders": ["*"],
            "ExposedHeaders": ["Content-Disposition", "Galv-Storage-Redirect-URL"],
            "MaxAge": 3600,
        }

    def test_browsers_may_read_from_the_api_when_no_frontend_is_given(self, default: Json) -> None:
        (rule,) = only(default, BUCKET, MEDIA)["CorsConfiguration"]["CorsRules"]

        assert rule["AllowedOrigins"] == ["https://api.example.com"]

    def test_uses_the_given_bucket(self, stack: Stack, synth: Synth) -> None:
        bucket = s3.Bucket.from_bucket_name(stack, "Media", "our-media")

        template = synth(media_bucket=bucket)

        assert of_type(template, BUCKET, MEDIA) == {}
        assert environment(template, "web")["DJANGO_AWS_STORAGE_BUCKET_NAME"] == "our-media"
        writable = str(allowed(template, "web", "s3:PutObject"))
        assert ":s3:::our-media/*" in writable

    def test_uses_the_key_of_the_given_bucket(self, stack: Stack, synth: Synth) -> None:
        key = kms.Key.from_key_arn(stack, "Key", KEY_ARN)
        bucket = s3.Bucket.from_bucket_attributes(
            stack, "Media", bucket_name="our-media", encryption_key=key
        )

        template = synth(media_bucket=bucket)

        assert allowed(template, "web", "kms:GenerateDataKey") == [KEY_ARN]
        assert allowed(template, "web", "kms:Decrypt") == [KEY_ARN]

    def test_creates_one_when_none_is_given(self, default: Json) -> None:
        assert environment(default, "web")["DJANGO_AWS_STORAGE_BUCKET_NAME"] == {
            "Ref": only_id(default, BUCKET, MEDIA)
        }

    def test_encrypts_with_the_given_key(self, encrypted: Json) -> None:
        (rule,) = only(encrypted, BUCKET, MEDIA)["BucketEncryption"][
            "ServerSideEncryptionConfiguration"
        ]

        assert rule["ServerSideEncryptionByDefault"] == {
            "SSEAlgorithm": "aws:kms",
            "KMSMasterKeyID": key_arn(encrypted),
        }
        assert rule["BucketKeyEnabled"] is True
        assert key_arn(encrypted) in allowed(encrypted, "web", "kms:GenerateDataKey")

    @pytest.mark.parametrize(
        ("argument", "how"),
        [
            ("media_bucket", "s3.Bucket.from_bucket_name(scope, id, name)"),
            ("log_bucket", "s3.Bucket.from_bucket_name(scope, id, name)"),
            ("encryption_key", "kms.Key.from_key_arn(scope, id, arn)"),
        ],
    )
    def test_refuses_names_in_place_of_constructs(
        self, refused_backend: RefusedBackend, argument: str, how: str
    ) -> None:
        text = refused_backend(**{argument: "a-name"})

        assert text.startswith(f"{argument} must be an aws_")
        assert text.endswith(f"got 'a-name': use {how}")


KEY = "AWS::KMS::Key"
LOOKUP = f"arn:aws:iam::{ACCOUNT}:role/cdk-hnb659fds-lookup-role-{ACCOUNT}-{REGION}"
EVERYTHING = {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}


@pytest.fixture(scope="module")
def keyed() -> Json:
    """A template in which uploads have a key of their own."""
    stack = Stack(new_app(), "Stack")
    backend_in(stack, media_key=True)
    return synthesize(stack)


def uses_key(template: Json, policies: list[Json], action: str, **context: str) -> bool:
    """Whether a role may use the key: its policy and the key's must agree to it."""
    key = only_id(template, KEY)
    (document,) = Resolved(template).key_policies()
    arn = Resolved(template).arn(key)
    through = {"kms__ViaService": f"s3.{REGION}.amazonaws.com", **context}
    return all(is_allowed(each, action, arn, **through) for each in ([document], policies))


class TestMediaKey:
    @pytest.mark.parametrize("task", TASKS)
    def test_tasks_use_it_as_they_use_the_bucket(self, keyed: Json, task: str) -> None:
        policies = list(Resolved(keyed).policies(task_role(keyed, task)))

        assert uses_key(keyed, policies, "kms:Decrypt")
        assert uses_key(keyed, policies, "kms:GenerateDataKey") is (task != "check-status")

    def test_no_other_role_of_the_template_may_use_it(self, keyed: Json) -> None:
        roles = {
            role
            for role in of_type(keyed, "AWS::IAM::Role")
            for statement in statements(keyed, role)
            if any(a == "*" or a.startswith("kms:") for a in as_list(statement["Action"]))
        }

        assert roles == {task_role(keyed, task) for task in TASKS}

    @pytest.mark.parametrize("action", ["kms:Decrypt", "kms:GenerateDataKey"])
    def test_the_lookup_role_of_cdk_may_not_use_it_whatever_its_policies_say(
        self, keyed: Json, action: str
    ) -> None:
        someone = f"arn:aws:iam::{ACCOUNT}:role/someone"

        assert uses_key(keyed, [EVERYTHING], action, aws__PrincipalArn=someone)
        assert not uses_key(keyed, [EVERYTHING], action, aws__PrincipalArn=LOOKUP)

    def test_a_role_that_reads_every_bucket_may_not_use_it(self, keyed: Json) -> None:
        reads = {"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}

        assert not uses_key(keyed, [reads], "kms:Decrypt")

    def test_is_used_through_s3_alone(self, keyed: Json) -> None:
        assert not uses_key(keyed, [EVERYTHING], "kms:Decrypt", kms__ViaService="")

    def test_encrypts_uploads_and_nothing_else(self, keyed: Json) -> None:
        arn = {"Fn::GetAtt": [only_id(keyed, KEY), "Arn"]}

        assert only(keyed, BUCKET, MEDIA)["BucketEncryption"][
            "ServerSideEncryptionConfiguration"
        ] == [
            {
                "BucketKeyEnabled": True,
                "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": arn},
            }
        ]
        for kind in (BUCKET, "AWS::RDS::DBInstance", "AWS::SecretsManager::Secret"):
            for name, resource in of_type(keyed, kind).items():
                assert name.startswith(MEDIA) or str(arn) not in str(resource)

    @pytest.mark.parametrize("protected", [True, False])
    def test_lives_as_long_as_the_bucket_and_rotates(self, synth: Synth, protected: bool) -> None:
        template = synth(media_key=True, removal_protection=protected)
        resources = [
            template["Resources"][only_id(template, *of)] for of in ((KEY,), (BUCKET, MEDIA))
        ]

        policies = [resource["DeletionPolicy"] for resource in resources]
        assert policies == ["Retain" if protected else "Delete"] * 2
        assert resources[0]["Properties"]["EnableKeyRotation"] is True

    def test_a_given_key_wins_over_encryption_key(self, stack: Stack, synth: Synth) -> None:
        template = synth(
            media_key=kms.Key.from_key_arn(stack, "Media", KEY_ARN),
            encryption_key=kms.Key(stack, "Key"),
        )

        assert KEY_ARN in str(only(template, BUCKET, MEDIA)["BucketEncryption"])
        assert KEY_ARN in allowed(template, "web", "kms:GenerateDataKey")
        assert only(template, "AWS::RDS::DBInstance")["KmsKeyId"] == key_arn(template)

    def test_there_is_none_by_default(self, default: Json) -> None:
        assert of_type(default, KEY) == {}

    def test_refuses_a_bucket_beside_it(
        self, stack: Stack, refused_backend: RefusedBackend
    ) -> None:
        bucket = s3.Bucket.from_bucket_name(stack, "Media", "our-media")

        assert refused_backend(media_key=True, media_bucket=bucket) == (
            "media_key is given with media_bucket, and is for a new bucket: set the key as the "
            "given bucket's encryption_key, or drop one of them"
        )

    def test_refuses_anything_but_a_key(self, refused_backend: RefusedBackend) -> None:
        assert refused_backend(media_key="alias/uploads") == (
            "media_key must be an aws_kms.IKey, got 'alias/uploads': use True for a new key, or "
            "kms.Key.from_key_arn(…)"
        )


class TestStaticAssets:
    def test_cloudfront_alone_reads_the_bucket(self, default: Json) -> None:
        distribution = only_id(default, "AWS::CloudFront::Distribution")
        policy = only(default, "AWS::S3::BucketPolicy", STATIC)["PolicyDocument"]

        readers = [
            statement
            for statement in policy["Statement"]
            if statement["Effect"] == "Allow" and "s3:GetObject" in as_list(statement["Action"])
        ]

        assert [reader["Principal"] for reader in readers] == [
            {"Service": "cloudfront.amazonaws.com"}
        ]
        condition = readers[0]["Condition"]["StringEquals"]["AWS:SourceArn"]
        assert {"Ref": distribution} in condition["Fn::Join"][1]

    def test_it_is_served_by_cloudfront(self, default: Json) -> None:
        config = only(default, "AWS::CloudFront::Distribution")["DistributionConfig"]
        (origin,) = config["Origins"]

        assert "OriginAccessControlId" in origin
        assert origin["S3OriginConfig"]["OriginAccessIdentity"] == ""
        assert config["HttpVersion"] == "http2and3"
        behavior = config["DefaultCacheBehavior"]
        assert behavior["ViewerProtocolPolicy"] == "https-only"
        assert behavior["AllowedMethods"] == ["GET", "HEAD"]
        assert behavior["Compress"] is True
        cache = only(default, "AWS::CloudFront::CachePolicy", STATIC.removesuffix("Bucket"))
        assert cache["CachePolicyConfig"]["DefaultTTL"] == 300
        # AWS's CORS with security headers.
        assert behavior["ResponseHeadersPolicyId"] == "e61eb60c-9c35-4d20-a928-2b84e02af89c"

    def test_cloudfront_keeps_files_compressed_too(self, default: Json) -> None:
        kind = "AWS::CloudFront::CachePolicy"
        config = only(default, "AWS::CloudFront::Distribution")["DistributionConfig"]
        cache = only(default, kind, STATIC.removesuffix("Bucket"))["CachePolicyConfig"]
        key = cache["ParametersInCacheKeyAndForwardedToOrigin"]

        assert config["DefaultCacheBehavior"]["CachePolicyId"] == {
            "Ref": only_id(default, kind, STATIC.removesuffix("Bucket"))
        }
        assert (key["EnableAcceptEncodingGzip"], key["EnableAcceptEncodingBrotli"]) == (True, True)

    def test_the_application_knows_bucket_and_host(self, default: Json) -> None:
        variables = environment(default, "setup-db")

        assert variables["DJANGO_STATIC_FILES_BUCKET_NAME"] == {
            "Ref": only_id(default, BUCKET, STATIC)
        }
        assert variables["DJANGO_STATIC_FILES_CDN_DOMAIN"] == {
            "Fn::GetAtt": [only_id(default, "AWS::CloudFront::Distribution"), "DomainName"]
        }


def test_removal_protection_can_be_turned_on_later(development: Json) -> None:
    """The function that empties buckets may read their tags without their policies.

    The update that turns it on takes the policy away first, and with it the right to see that
    there is nothing to empty: https://github.com/aws/aws-cdk/issues/37257
    """
    readers = {
        json.dumps(statement["Resource"]): id
        for id, policy in of_type(development, "AWS::IAM::Policy").items()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Action"] == "s3:GetBucketTagging"
        if "CustomS3AutoDelete" in json.dumps(policy["Properties"]["Roles"])
    }
    assert len(readers) == 3
    for id, emptied in of_type(development, "Custom::S3AutoDeleteObjects").items():
        bucket = emptied["Properties"]["BucketName"]["Ref"]
        # Deleted before the permission goes.
        assert readers[json.dumps({"Fn::GetAtt": [bucket, "Arn"]})] in needs(development, id)


def test_no_policy_of_a_role_replaces_another_one(development: Json) -> None:
    """In a role a name stands for one policy: the second one of that name would be all there is."""
    names = [
        (json.dumps(role), policy["Properties"]["PolicyName"])
        for policy in of_type(development, "AWS::IAM::Policy").values()
        for role in policy["Properties"]["Roles"]
    ]

    assert len(set(names)) == len(names)


def test_no_custom_resource_empties_a_retained_bucket(default: Json) -> None:
    assert "CustomS3AutoDeleteObjects" not in json.dumps(default)
