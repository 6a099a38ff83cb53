"""The log bucket, and every kind of log that goes there."""

import fnmatch
import json
from typing import Any

import pytest
from aws_cdk import CfnParameter, Duration, Environment, Stack
from aws_cdk import aws_s3 as s3
from backends import (
    ENVIRONMENT,
    MakeBackend,
    Refusal,
    RefusedBackend,
    Synth,
    backend_in,
    new_app,
    zone_in,
)
from templates import Json, as_list, needs, of_type, only, only_id, synthesize

from galv_constructs import FrontendSource, GalvBackend, GalvFrontend, GalvLogBucket, GalvNetwork

BUCKET = "AWS::S3::Bucket"
_LOCK_A_DAY = s3.ObjectLockRetention.governance(Duration.days(1))
POLICY = "AWS::S3::BucketPolicy"
LOGS = "BackendLogBucket"
BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"
DISTRIBUTION = "AWS::CloudFront::Distribution"
FLOW_LOG = "AWS::EC2::FlowLog"
WAF_LOGGING = "AWS::WAFv2::LoggingConfiguration"
EMPTIED = "Custom::S3AutoDeleteObjects"


def policy_statements(template: Json, prefix: str = "") -> list[Json]:
    listed: list[Json] = only(template, POLICY, prefix)["PolicyDocument"]["Statement"]
    return listed


def flat(value: Any) -> str:
    """An ARN or a name as a deployment would spell it."""
    match value:
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(map(flat, parts))
        case {"Fn::GetAtt": [_, "Arn"]}:
            return "arn:aws:s3:::logs"
        case {"Ref": name}:
            pseudo = {"AWS::Partition": "aws", "AWS::Region": "eu-west-1"}
            return pseudo.get(name, "111122223333")
        case _:
            return str(value)


def allows(template: Json, request: Json) -> bool:
    """Whether the bucket's policy, read as S3 does, lets a service do what it asks for."""

    def matches(statement: Json) -> bool:
        principal = statement["Principal"]
        service = principal.get("Service")
        if principal != {"AWS": "*"} and service != request["service"]:
            return False
        actions, resources = as_list(statement["Action"]), as_list(statement["Resource"])
        if not any(fnmatch.fnmatchcase(request["action"], action) for action in actions):
            return False
        if not any(fnmatch.fnmatchcase(request["resource"], flat(arn)) for arn in resources):
            return False
        return all(
            any(fnmatch.fnmatchcase(request.get(key, ""), flat(value)) for value in as_list(wanted))
            for operator in statement.get("Condition", {}).values()
            for key, wanted in operator.items()
        )

    found = {statement["Effect"] for statement in policy_statements(template) if matches(statement)}
    return found == {"Allow"}


OBJECT = "arn:aws:s3:::logs/AWSLogs/111122223333"
BALANCER_REQUEST: Json = {
    "service": "logdelivery.elasticloadbalancing.amazonaws.com",
    "action": "s3:PutObject",
    "resource": f"{OBJECT}/elasticloadbalancing/eu-west-1/2026/11/22/x.log.gz",
    "aws:SecureTransport": "true",
    "aws:SourceArn": "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/a/b",
}
VENDED_REQUEST: Json = {
    "service": "delivery.logs.amazonaws.com",
    "action": "s3:PutObject",
    "resource": f"{OBJECT}/vpcflowlogs/eu-west-1/2026/11/22/x.log.gz",
    "aws:SecureTransport": "true",
    "aws:SourceAccount": "111122223333",
    "aws:SourceArn": "arn:aws:logs:eu-west-1:111122223333:delivery-source:x",
    "s3:x-amz-acl": "bucket-owner-full-control",
}
REQUESTS: dict[str, Json] = {
    "load balancer": BALANCER_REQUEST,
    "load balancer's test": {
        **BALANCER_REQUEST,
        "resource": f"{OBJECT}/ELBAccessLogTestFile",
    },
    "flow log": VENDED_REQUEST,
    "web ACL": {**VENDED_REQUEST, "resource": f"{OBJECT}/WAFLogs/eu-west-1/acl/x.log.gz"},
    "web ACL of CloudFront": {
        **VENDED_REQUEST,
        "resource": f"{OBJECT}/WAFLogs/cloudfront/acl/x.log.gz",
        "aws:SourceArn": "arn:aws:logs:us-east-1:111122223333:delivery-source:x",
    },
    "delivery's look at the list": {
        **VENDED_REQUEST,
        "action": "s3:GetBucketAcl",
        "resource": "arn:aws:s3:::logs",
    },
    "S3": {
        "service": "logging.s3.amazonaws.com",
        "action": "s3:PutObject",
        "resource": "arn:aws:s3:::logs/s3/111122223333/eu-west-1/uploads/2026/11/22/x",
        "aws:SecureTransport": "true",
        "aws:SourceAccount": "111122223333",
        "aws:SourceArn": "arn:aws:s3:::uploads",
    },
}


@pytest.fixture(scope="module")
def logs() -> Json:
    stack = Stack(new_app(), "Stack")
    GalvLogBucket(stack, "Logs")
    return synthesize(stack)


class TestBucket:
    def test_has_a_unique_name_that_waf_accepts(self, logs: Json) -> None:
        bucket = only(logs, BUCKET)

        assert bucket["BucketNamespace"] == "account-regional"
        start, generation = bucket["BucketNamePrefix"]["Fn::Join"][1]
        assert start.startswith("aws-waf-logs-")
        assert generation["Fn::Select"][1]["Fn::Split"][1]["Fn::Select"][1] == {
            "Fn::Split": ["/", {"Ref": "AWS::StackId"}]
        }
        # S3 adds account, region and two letters; the longest region has 14.
        longest = f"{start}-01234567" + "-111122223333-ap-southeast-2-an"
        assert len(longest) <= 63

    def test_two_in_a_stack_have_names_of_their_own(self, stack: Stack) -> None:
        GalvLogBucket(stack, "One")
        GalvLogBucket(stack, "Two")

        buckets = of_type(synthesize(stack), BUCKET).values()

        names = {json.dumps(bucket["Properties"]["BucketNamePrefix"]) for bucket in buckets}
        assert len(names) == 2

    def test_is_encrypted_in_the_way_that_every_writer_supports(self, logs: Json) -> None:
        (rule,) = only(logs, BUCKET)["BucketEncryption"]["ServerSideEncryptionConfiguration"]

        assert rule == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}

    def test_is_closed_to_the_public(self, logs: Json) -> None:
        assert only(logs, BUCKET)["PublicAccessBlockConfiguration"] == {
            "BlockPublicAcls": True,
            "BlockPublicPolicy": True,
            "IgnorePublicAcls": True,
            "RestrictPublicBuckets": True,
        }

    def test_takes_the_lists_that_cloudfront_needs(self, logs: Json) -> None:
        assert only(logs, BUCKET)["OwnershipControls"] == {
            "Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]
        }

    def test_keeps_logs_for_a_year_in_production(self, logs: Json) -> None:
        expire, old_versions = only(logs, BUCKET)["LifecycleConfiguration"]["Rules"]

        assert expire["ExpirationInDays"] == 365
        assert old_versions["Status"] == "Enabled"
        assert only(logs, BUCKET)["VersioningConfiguration"] == {"Status": "Enabled"}

    def test_keeps_logs_for_a_month_otherwise(self, stack: Stack) -> None:
        GalvLogBucket(stack, "Logs", production=False)

        expire, _ = only(synthesize(stack), BUCKET)["LifecycleConfiguration"]["Rules"]
        assert expire["ExpirationInDays"] == 30

    def test_keeps_logs_as_long_as_asked_for(self, stack: Stack) -> None:
        GalvLogBucket(stack, "Logs", retention=Duration.days(90))

        expire, _ = only(synthesize(stack), BUCKET)["LifecycleConfiguration"]["Rules"]
        assert expire["ExpirationInDays"] == 90

    @pytest.mark.parametrize(
        ("arguments", "kept"),
        [
            ({}, True),
            ({"production": False}, False),
            ({"removal_protection": False}, False),
            ({"production": False, "removal_protection": True}, True),
        ],
    )
    def test_outlives_the_stack_by_policy(self, stack: Stack, arguments: Json, kept: bool) -> None:
        GalvLogBucket(stack, "Logs", **arguments)
        template = synthesize(stack)

        (resource,) = of_type(template, BUCKET).values()
        assert resource["DeletionPolicy"] == ("Retain" if kept else "Delete")
        assert bool(of_type(template, EMPTIED)) is not kept

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (
                {"retention": 30},
                "retention must be from 1 to 3650 whole days, got 30: use Duration.days(…)",
            ),
            (
                {"retention": Duration.hours(36)},
                "retention must be from 1 to 3650 whole days, got 1.5 days: use Duration.days(…)",
            ),
            (
                {"retention": Duration.days(3651)},
                "retention must be from 1 to 3650 whole days, got 3651 days: use Duration.days(…)",
            ),
            ({"production": "yes"}, "production must be true or false, got 'yes' (str)"),
            (
                {"removal_protection": 1},
                "removal_protection must be true or false, got 1 (int)",
            ),
        ],
    )
    def test_refuses_invalid_arguments(
        self, stack: Stack, refusal: Refusal, arguments: Json, message: str
    ) -> None:
        assert refusal(lambda: GalvLogBucket(stack, "Logs", **arguments)) == message


def locked(stack: Stack, **overrides: Any) -> GalvLogBucket:
    lock = s3.ObjectLockRetention.governance(Duration.days(90))
    return GalvLogBucket(stack, "Logs", **{"object_lock_retention": lock, **overrides})


def properties_of_the_locked(template: Json) -> tuple[str, Json]:
    """Return id and properties of the only bucket with Object Lock."""
    (found,) = (
        (id, resource["Properties"])
        for id, resource in of_type(template, BUCKET).items()
        if "ObjectLockEnabled" in resource["Properties"]
    )
    return found


class TestObjectLock:
    """Logs that nobody can delete."""

    def test_is_off_unless_asked_for(self, stack: Stack) -> None:
        logs = GalvLogBucket(stack, "Logs")

        assert "ObjectLock" not in json.dumps(synthesize(stack))
        assert logs.server_access_bucket is logs.bucket

    @pytest.mark.parametrize("mode", ["governance", "compliance"])
    def test_locks_each_log_for_as_long_as_asked_for(self, stack: Stack, mode: str) -> None:
        lock = getattr(s3.ObjectLockRetention, mode)(Duration.days(90))
        locked(stack, object_lock_retention=lock)

        properties = properties_of_the_locked(synthesize(stack))[1]
        assert properties["ObjectLockEnabled"] is True
        assert properties["ObjectLockConfiguration"] == {
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": mode.upper(), "Days": 90}},
        }
        assert properties["VersioningConfiguration"] == {"Status": "Enabled"}

    def test_leaves_the_ids_of_the_bucket_as_they_were(self, logs: Json) -> None:
        stack = Stack(new_app(), "Stack")
        locked(stack)

        template = synthesize(stack)
        assert logs["Resources"].keys() < template["Resources"].keys()

    def test_adds_a_bucket_like_it_without_a_lock(self, stack: Stack) -> None:
        locked(stack, retention=Duration.days(100))
        template = synthesize(stack)

        first = dict(properties_of_the_locked(template)[1])
        second = dict(only(template, BUCKET, "LogsServerAccess"))
        assert first.pop("BucketNamePrefix") != second.pop("BucketNamePrefix")
        for name in ("ObjectLockEnabled", "ObjectLockConfiguration"):
            del first[name]
        assert first == second
        (expire, _) = second["LifecycleConfiguration"]["Rules"]
        assert expire["ExpirationInDays"] == 100
        ours, its = (
            json.dumps(policy["Properties"]["PolicyDocument"]).replace(id, "BUCKET")
            for policy in of_type(template, POLICY).values()
            for id in (policy["Properties"]["Bucket"]["Ref"],)
        )
        assert ours == its

    def test_only_buckets_log_to_the_other_one(
        self, stack: Stack, make_backend: MakeBackend
    ) -> None:
        make_backend(log_bucket=locked(stack).bucket)
        template = synthesize(stack)

        other = only_id(template, BUCKET, "LogsServerAccess")
        main, _ = properties_of_the_locked(template)
        for prefix in ("BackendMediaBucket", "BackendStaticAssetsBucket"):
            logging = only(template, BUCKET, prefix)["LoggingConfiguration"]
            assert logging["DestinationBucketName"] == {"Ref": other}
            policy = only_id(template, POLICY, "LogsServerAccess")
            assert policy in needs(template, only_id(template, BUCKET, prefix))
        assert only(template, FLOW_LOG)["LogDestination"] == {"Fn::GetAtt": [main, "Arn"]}
        attributes = only(template, BALANCER)["LoadBalancerAttributes"]
        assert {"Key": "access_logs.s3.bucket", "Value": {"Ref": main}} in attributes
        assert main in json.dumps(only(template, WAF_LOGGING))
        assert main in json.dumps(only(template, DISTRIBUTION)["DistributionConfig"]["Logging"])

    def test_the_sites_bucket_logs_to_the_other_one_in_another_stack(self) -> None:
        app = new_app()
        stack = Stack(app, "Stack", env=ENVIRONMENT)
        logs = locked(Stack(app, "LogStack", env=ENVIRONMENT))
        GalvFrontend(
            stack,
            "Frontend",
            domain_name="galv.example.com",
            hosted_zone=zone_in(stack),
            api_url="https://api.example.com",
            source=FrontendSource.release(),
            log_bucket=logs.bucket,
        )

        (logging,) = (
            properties["LoggingConfiguration"]
            for bucket in of_type(synthesize(stack), BUCKET).values()
            for properties in (bucket["Properties"],)
            if "LoggingConfiguration" in properties
        )
        assert "LogsServerAccess" in json.dumps(logging["DestinationBucketName"])

    def test_outlives_the_stack_where_other_buckets_do_not(self, stack: Stack) -> None:
        locked(stack, production=False, object_lock_retention=_LOCK_A_DAY)
        template = synthesize(stack)

        other = only_id(template, BUCKET, "LogsServerAccess")
        policies = {id: of["DeletionPolicy"] for id, of in of_type(template, BUCKET).items()}
        assert policies.pop(other) == "Delete"
        assert list(policies.values()) == ["Retain"]

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (
                {"object_lock_retention": Duration.days(90)},
                "object_lock_retention must be an aws_s3.ObjectLockRetention, got ",
            ),
            (
                {"retention": Duration.days(89)},
                (
                    "object_lock_retention must be at most retention, 89 days, after which logs "
                    "expire, got 90 days: "
                ),
            ),
            (
                {"production": False},
                "object_lock_retention must be at most retention, 30 days, ",
            ),
            (
                {"removal_protection": False},
                "object_lock_retention is given with removal_protection=False: a deletion ",
            ),
        ],
    )
    def test_refuses_invalid_arguments(
        self, stack: Stack, refusal: Refusal, arguments: Json, message: str
    ) -> None:
        assert refusal(lambda: locked(stack, **arguments)).startswith(message)

    def test_refuses_a_bucket_of_ones_own_that_takes_no_logs_of_buckets(
        self, stack: Stack, refused_backend: RefusedBackend
    ) -> None:
        own = s3.Bucket(stack, "Own", bucket_name="aws-waf-logs-x", object_lock_enabled=True)

        message = refused_backend(log_bucket=own)

        assert message.startswith("log_bucket must be a bucket without Object Lock, got ")
        assert "use a GalvLogBucket with object_lock_retention" in message


class TestPolicy:
    @pytest.mark.parametrize("writer", REQUESTS)
    def test_allows_each_writer(self, logs: Json, writer: str) -> None:
        assert allows(logs, REQUESTS[writer])

    @pytest.mark.parametrize("writer", REQUESTS)
    def test_refuses_plain_http(self, logs: Json, writer: str) -> None:
        assert not allows(logs, {**REQUESTS[writer], "aws:SecureTransport": "false"})

    @pytest.mark.parametrize("writer", REQUESTS)
    def test_refuses_each_writer_on_behalf_of_another_account(
        self, logs: Json, writer: str
    ) -> None:
        request = dict(REQUESTS[writer])
        request["aws:SourceArn"] = request["aws:SourceArn"].replace("111122223333", "999999999999")
        if "aws:SourceAccount" in request:
            request["aws:SourceAccount"] = "999999999999"

        assert not allows(logs, request)

    @pytest.mark.parametrize("writer", REQUESTS)
    def test_denies_each_writer_other_actions(self, logs: Json, writer: str) -> None:
        for action in ("s3:GetObject", "s3:DeleteObject", "s3:PutBucketPolicy"):
            assert not allows(logs, {**REQUESTS[writer], "action": action})
        elsewhere = {**REQUESTS[writer], "resource": "arn:aws:s3:::logs/other/x"}
        assert not allows(logs, elsewhere)

    def test_no_service_has_to_add_to_the_policy(self, logs: Json) -> None:
        """The ids by which AWS knows its own statements; with them it adds none."""
        sids = [statement.get("Sid") for statement in policy_statements(logs)]

        assert sids == [
            None,  # CDK's own: TLS only
            "LoadBalancers",
            "AWSLogDeliveryWrite",
            "AWSLogDeliveryAclCheck",
            "S3ServerAccessLogs",
        ]

    def test_is_the_same_whoever_logs(self, default: Json, logs: Json) -> None:
        ours = json.dumps(policy_statements(default, LOGS))
        arn, other = only_id(default, BUCKET, LOGS), only_id(logs, BUCKET)

        assert ours.replace(arn, "X") == json.dumps(policy_statements(logs)).replace(other, "X")

    def test_names_a_region_once_where_it_is_known(self) -> None:
        stack = Stack(
            new_app(), "Stack", env=Environment(account="111122223333", region="us-east-1")
        )
        GalvLogBucket(stack, "Logs")

        assert json.dumps(policy_statements(synthesize(stack))).count(":logs:us-east-1:") == 2


class TestEveryLogKind:
    """Each of these fails when its kind of log is off."""

    @pytest.mark.parametrize("kind", ["access_logs", "connection_logs"])
    def test_the_load_balancer_logs(self, default: Json, kind: str) -> None:
        listed = only(default, BALANCER)["LoadBalancerAttributes"]
        attributes = {attribute["Key"]: attribute["Value"] for attribute in listed}

        assert attributes[f"{kind}.s3.enabled"] == "true"
        assert attributes[f"{kind}.s3.bucket"] == {"Ref": only_id(default, BUCKET, LOGS)}
        assert f"{kind}.s3.prefix" not in attributes

    def test_the_vpc_logs_its_flows(self, default: Json) -> None:
        flow_log = only(default, FLOW_LOG)

        assert flow_log["ResourceType"] == "VPC"
        assert flow_log["ResourceId"] == {"Ref": only_id(default, "AWS::EC2::VPC")}
        assert flow_log["TrafficType"] == "ALL"
        assert flow_log["LogDestinationType"] == "s3"
        arn = {"Fn::GetAtt": [only_id(default, BUCKET, LOGS), "Arn"]}
        assert flow_log["LogDestination"] == arn

    def test_the_web_acl_logs(self, default: Json) -> None:
        logging = only(default, WAF_LOGGING)

        assert logging["ResourceArn"] == {
            "Fn::GetAtt": [only_id(default, "AWS::WAFv2::WebACL"), "Arn"]
        }
        arn = {"Fn::GetAtt": [only_id(default, BUCKET, LOGS), "Arn"]}
        assert logging["LogDestinationConfigs"] == [arn]

    @pytest.mark.parametrize("prefix", ["BackendMediaBucket", "BackendStaticAssetsBucket"])
    def test_buckets_log(self, default: Json, prefix: str) -> None:
        logging = only(default, BUCKET, prefix)["LoggingConfiguration"]

        assert logging == {
            "DestinationBucketName": {"Ref": only_id(default, BUCKET, LOGS)},
            "LogFilePrefix": "s3/",
            "TargetObjectKeyFormat": {"PartitionedPrefix": {"PartitionDateSource": "EventTime"}},
        }

    def test_the_distribution_logs(self, default: Json) -> None:
        logging = only(default, DISTRIBUTION)["DistributionConfig"]["Logging"]

        bucket = only_id(default, BUCKET, LOGS)
        assert logging["Bucket"] == {"Fn::GetAtt": [bucket, "RegionalDomainName"]}
        assert logging["Prefix"] == "cloudfront/"

    def test_nothing_logs_when_it_is_switched_off(self, synth: Synth) -> None:
        text = json.dumps(template := synth(access_logs=False))

        assert of_type(template, BUCKET, LOGS) == {}
        assert of_type(template, FLOW_LOG) == of_type(template, WAF_LOGGING) == {}
        assert "_logs.s3" not in text
        assert "LoggingConfiguration" not in text
        assert "Logging" not in only(template, DISTRIBUTION)["DistributionConfig"]

    @pytest.mark.parametrize("production", [True, False])
    def test_services_log_only_while_the_policy_exists(
        self, synth: Synth, production: bool
    ) -> None:
        template = synth(production=production)

        writers = [
            only_id(template, BALANCER),
            only_id(template, FLOW_LOG),
            only_id(template, WAF_LOGGING),
            only_id(template, DISTRIBUTION),
            *of_type(template, BUCKET, "BackendMedia"),
            *of_type(template, BUCKET, "BackendStatic"),
        ]
        waited_for = {only_id(template, POLICY, LOGS)}
        if not production:
            waited_for.add(only_id(template, EMPTIED, LOGS))
        for writer in writers:
            assert waited_for <= needs(template, writer)


class TestWhereItIs:
    def test_in_the_stack_of_the_backend(self, stack: Stack, make_backend: MakeBackend) -> None:
        logs = GalvLogBucket(stack, "Logs")
        backend = make_backend(log_bucket=logs.bucket)

        template = synthesize(stack)

        assert of_type(template, BUCKET, LOGS) == {}
        assert backend.log_bucket is logs.bucket
        arn = {"Fn::GetAtt": [only_id(template, BUCKET, "Logs"), "Arn"]}
        assert only(template, FLOW_LOG)["LogDestination"] == arn

    @pytest.mark.parametrize("env", [None, ENVIRONMENT], ids=["any region", "known region"])
    def test_in_a_stack_of_its_own(self, env: Environment | None) -> None:
        app = new_app()
        logs = GalvLogBucket(log_stack := Stack(app, "Logs", env=env), "Logs")
        stack = Stack(app, "Stack", env=env)
        backend_in(stack, log_bucket=logs.bucket, network=None)

        template, alone = synthesize(stack), synthesize(log_stack)

        assert stack.dependencies == [log_stack]
        assert log_stack.dependencies == []
        assert of_type(template, POLICY, "Logs") == {}
        assert json.dumps(only(template, FLOW_LOG)["LogDestination"]).startswith(
            '{"Fn::ImportValue"'
        )
        sids = [statement.get("Sid") for statement in policy_statements(alone)]
        assert len(sids) == 5

    def test_in_another_place_with_the_name_that_waf_requires(
        self, stack: Stack, make_backend: MakeBackend
    ) -> None:
        logs = s3.Bucket.from_bucket_name(stack, "Logs", "aws-waf-logs-of-everyone")
        make_backend(log_bucket=logs)

        template = synthesize(stack)

        assert of_type(template, POLICY, "Logs") == {}
        listed = only(template, BALANCER)["LoadBalancerAttributes"]
        assert {"Key": "access_logs.s3.bucket", "Value": "aws-waf-logs-of-everyone"} in listed

    def test_with_any_name_for_a_web_acl_that_is_given(self, synth: Synth, stack: Stack) -> None:
        logs = s3.Bucket.from_bucket_name(stack, "Logs", "the-logs")

        template = synth(log_bucket=logs, web_acl=False)

        assert only(template, FLOW_LOG)["LogDestination"]["Fn::Join"][1][-1].endswith("the-logs")

    def test_with_a_name_that_is_not_known_at_synthesis(self, synth: Synth, stack: Stack) -> None:
        name = CfnParameter(stack, "Name").value_as_string
        logs = s3.Bucket.from_bucket_name(stack, "Logs", name)

        assert of_type(synth(log_bucket=logs), WAF_LOGGING)

    def test_refuses_a_name_that_waf_does_not_accept(
        self, stack: Stack, refused_backend: RefusedBackend
    ) -> None:
        logs = s3.Bucket.from_bucket_name(stack, "Logs", "the-logs")

        message = refused_backend(log_bucket=logs)

        assert message.startswith(
            "log_bucket must have a name that starts with 'aws-waf-logs-', got 'the-logs'"
        )
        assert "use a GalvLogBucket" in message

    def test_refuses_a_bucket_that_is_not_used(
        self, stack: Stack, refused_backend: RefusedBackend
    ) -> None:
        logs = s3.Bucket.from_bucket_name(stack, "Logs", "aws-waf-logs-x")

        assert refused_backend(log_bucket=logs, access_logs=False) == (
            "log_bucket is given with access_logs=False: drop one of them"
        )

    def test_refuses_the_construct_in_place_of_its_bucket(
        self, stack: Stack, refused_backend: RefusedBackend
    ) -> None:
        logs = GalvLogBucket(stack, "Logs")

        assert refused_backend(log_bucket=logs) == (
            "log_bucket must be an aws_s3.IBucket, got a GalvLogBucket: pass .bucket"
        )

    def test_refuses_a_flag_that_is_not_a_boolean(self, refused_backend: RefusedBackend) -> None:
        message = "access_logs must be true or false, got 'no' (str)"
        assert refused_backend(access_logs="no") == message


class TestGivenNetwork:
    def test_logs_to_the_bucket_that_it_is_given(self, stack: Stack) -> None:
        logs = GalvLogBucket(stack, "Logs")
        network = GalvNetwork(stack, "Network", log_bucket=logs.bucket)

        assert network.flow_log is not None
        assert only(synthesize(stack), FLOW_LOG)["TrafficType"] == "ALL"

    def test_logs_nothing_when_none_is_given(self, stack: Stack) -> None:
        network = GalvNetwork(stack, "Network")
        GalvBackend(
            stack,
            "Backend",
            domain_name="api.example.com",
            hosted_zone=zone_in(stack),
            network=network,
        )

        assert network.flow_log is None
        assert of_type(synthesize(stack), FLOW_LOG) == {}

    def test_refuses_the_name_of_a_bucket(self, stack: Stack, refusal: Refusal) -> None:
        bucket: Any = "aws-waf-logs-x"

        assert refusal(lambda: GalvNetwork(stack, "Network", log_bucket=bucket)) == (
            "log_bucket must be an aws_s3.IBucket, got 'aws-waf-logs-x': "
            "use s3.Bucket.from_bucket_name(scope, id, name)"
        )
