"""One bucket for the logs that AWS services write to S3."""

from aws_cdk import ArnFormat, Aws, Duration, Fn, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from galv_constructs._core.acknowledge import acknowledge, standards
from galv_constructs._core.buckets import private_bucket
from galv_constructs._core.logs import stack_generation
from galv_constructs._core.policy import DeploymentPolicy, check_switches
from galv_constructs._core.regions import EDGE_REGION, has_bucket_namespace

# Where AWS services put their logs when no prefix is asked for: below it they keep apart by
# themselves, as in AWSLogs/123456789012/elasticloadbalancing/eu-west-2/2026/11/22/….
SERVICE_LOGS = "AWSLogs"
S3_LOGS = "s3/"
CLOUDFRONT_LOGS = "cloudfront/"


class GalvLogBucket(Construct):
    """One private bucket for the logs of load balancers, VPCs, web ACLs, buckets and CloudFront.

    Defines an S3 bucket and its policy. Its name begins with `aws-waf-logs-`, without which AWS WAF
    does not take it, and is in the namespace of account and region, so that it collides with no
    one's; Bahrain and the UAE do not have that namespace, and there account and region are part of
    the name all the same. It is encrypted with keys of S3, because load balancers and S3 itself
    write to no bucket that uses KMS. Only TLS is spoken, and public access is blocked.

    Its policy lets each service write, to its own part of the bucket and on behalf of this account
    only. It is complete, as services amend a policy that lacks something, behind CloudFormation's
    back. CloudFront is the exception that no policy can cover: its standard logs in the form that
    every region has go by access control lists, so the bucket takes those from AWS, and CloudFront
    adds itself to the list when a distribution logs.

    | logs of | key |
    |---|---|
    | load balancers | `AWSLogs/<account>/elasticloadbalancing/` |
    | VPCs | `AWSLogs/<account>/vpcflowlogs/` |
    | web ACLs | `AWSLogs/<account>/WAFLogs/` |
    | buckets | `s3/<account>/<region>/<bucket>/` |
    | CloudFront | `cloudfront/<distribution>.` |

    With `object_lock_retention` no version of a log can be deleted or overwritten before its time:
    in compliance mode by nobody, in governance mode by those alone who may
    `s3:BypassGovernanceRetention`, as administrators may. S3's own server access logs are the
    exception: S3 delivers them to no bucket with Object Lock, so they go to a second bucket that is
    like this one, without the lock. AWS's documents do not say whether load balancers, VPC flow
    logs, AWS WAF and CloudFront deliver to a bucket whose objects are locked by default: look
    whether each log arrives. One that does not can go to `server_access_bucket`.

    Costs its storage, $0.023 per GB and month in us-east-1. The lock costs nothing by itself; what
    it keeps is paid for until its time is over.

    Example:
        ```python
        logs = GalvLogBucket(self, "Logs")
        GalvBackend(
            self, "Backend", domain_name="api.example.com", hosted_zone=zone, log_bucket=logs.bucket
        )
        ```
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        retention: Duration | None = None,
        object_lock_retention: s3.ObjectLockRetention | None = None,
        production: bool = True,
        removal_protection: bool | None = None,
    ) -> None:
        """Define the bucket.

        Args:
            scope: Parent of this construct.
            id: Id of this construct in its parent.
            retention: How long logs are kept, in whole days. Default: a year in production,
                otherwise 30 days.
            object_lock_retention: How long no log can be deleted or overwritten, at most as long as
                logs are kept: `s3.ObjectLockRetention.governance(Duration.days(90))`
                leaves it to who has `s3:BypassGovernanceRetention`, `compliance(…)` to nobody, AWS
                and the root user among them. It cannot be turned off again, and counts for new
                logs. Default: logs are not locked.
            production: Whether people rely on what is logged here. Default: true.
            removal_protection: Whether the bucket outlives the stack. When it does not, it is
                emptied and deleted with it. Default: the same as `production`; with a lock it
                does, as nothing could empty it.

        Raises:
            ValueError: If an argument has the wrong type or is out of range.
        """
        _check_retention(retention)
        check_switches(production, removal_protection=removal_protection)
        locked = object_lock_retention is not None
        policy = DeploymentPolicy.of(
            production=production, removal_protection=True if locked else removal_protection
        )
        kept_days = policy.log_expiration_days if retention is None else int(retention.to_days())
        _check_lock(object_lock_retention, kept_days, removal_protection=removal_protection)
        super().__init__(scope, id)
        prefix = _name_prefix(self)
        self._bucket = private_bucket(
            self,
            "Resource",
            policy=policy,
            not_kms=_NOT_KMS,
            bucket_name_prefix=prefix if has_bucket_namespace(self) else None,
            bucket_namespace=s3.BucketNamespace.ACCOUNT_REGIONAL
            if has_bucket_namespace(self)
            else None,
            # Nobody else has a name with this account and region, unless on purpose.
            bucket_name=None
            if has_bucket_namespace(self)
            else Fn.join("-", [prefix, Aws.ACCOUNT_ID, Aws.REGION]),
            # https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/standard-logging-legacy-s3.html
            # needs access control lists; the newer standard logs do not, but are defined in
            # us-east-1 whatever the region of the stack.
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_PREFERRED,
            # A locked bucket is kept, and one that is kept has versions, as Object Lock demands.
            old_versions=Duration.days(30),
            object_lock_default_retention=object_lock_retention,
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="Expire",
                    expiration=Duration.days(kept_days),
                    abort_incomplete_multipart_upload_after=Duration.days(7),
                ),
            ],
        )
        bucket_policy = self._bucket.policy
        assert bucket_policy is not None  # noqa: S101 - enforce_ssl has created it
        bucket_policy.document.add_statements(*self._statements())
        acknowledge(self._bucket, _FINDINGS)

        # "S3 buckets with Object Lock can't be used as destination buckets for server access logs":
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html
        self._server_access_bucket = (
            GalvLogBucket(
                self,
                "ServerAccess",
                retention=retention,
                production=production,
                removal_protection=removal_protection,
            ).bucket
            if locked
            else self._bucket
        )

    @property
    def bucket(self) -> s3.Bucket:
        """The bucket."""
        return self._bucket

    @property
    def server_access_bucket(self) -> s3.Bucket:
        """The bucket for S3's server access logs: `bucket`, or with a lock another one without."""
        return self._server_access_bucket

    def _statements(self) -> list[iam.PolicyStatement]:
        stack = Stack.of(self)
        bucket, account = self._bucket, stack.account
        service_logs = bucket.arn_for_objects(f"{SERVICE_LOGS}/{account}/*")
        # Web ACLs of CloudFront are in us-east-1, and log from there.
        this_account = {"aws:SourceAccount": account}
        vended = {
            "StringEquals": this_account,
            "ArnLike": {
                "aws:SourceArn": list(
                    dict.fromkeys(
                        stack.format_arn(service="logs", region=region, resource="*")
                        for region in (stack.region, EDGE_REGION)
                    )
                )
            },
        }
        vended_write = {
            **vended,
            "StringEquals": {**this_account, "s3:x-amz-acl": "bucket-owner-full-control"},
        }
        return [
            # https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html
            # and, with the same policy, enable-connection-logging.html beside it.
            iam.PolicyStatement(
                sid="LoadBalancers",
                principals=[iam.ServicePrincipal("logdelivery.elasticloadbalancing.amazonaws.com")],
                actions=["s3:PutObject"],
                resources=[service_logs],
                conditions={
                    "ArnLike": {
                        "aws:SourceArn": stack.format_arn(
                            service="elasticloadbalancing", resource="loadbalancer/*"
                        )
                    }
                },
            ),
            # Flow logs and web ACLs:
            # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-infrastructure-S3.html
            # with these very ids, by which the service knows that it need not add them.
            iam.PolicyStatement(
                sid="AWSLogDeliveryWrite",
                principals=[iam.ServicePrincipal("delivery.logs.amazonaws.com")],
                actions=["s3:PutObject"],
                resources=[service_logs],
                conditions=vended_write,
            ),
            iam.PolicyStatement(
                sid="AWSLogDeliveryAclCheck",
                principals=[iam.ServicePrincipal("delivery.logs.amazonaws.com")],
                actions=["s3:GetBucketAcl", "s3:ListBucket"],
                resources=[bucket.bucket_arn],
                conditions=vended,
            ),
            # https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html
            iam.PolicyStatement(
                sid="S3ServerAccessLogs",
                principals=[iam.ServicePrincipal("logging.s3.amazonaws.com")],
                actions=["s3:PutObject"],
                resources=[bucket.arn_for_objects(f"{S3_LOGS}*")],
                conditions={
                    "StringEquals": this_account,
                    "ArnLike": {
                        "aws:SourceArn": stack.format_arn(
                            service="s3",
                            region="",
                            account="",
                            resource="*",
                            arn_format=ArnFormat.NO_RESOURCE_NAME,
                        )
                    },
                },
            ),
        ]


def _check_retention(retention: Duration | None) -> None:
    if retention is None:
        return
    known = isinstance(retention, Duration) and not retention.is_unresolved()
    days = retention.to_days(integral=False) if known else 0
    if days != int(days) or not 1 <= days <= 3650:
        got = f"{days:g} days" if days else repr(retention)
        raise ValueError(
            f"retention must be from 1 to 3650 whole days, got {got}: use Duration.days(…)"
        )


def _check_lock(
    lock: s3.ObjectLockRetention | None, kept_days: int, *, removal_protection: bool | None
) -> None:
    if lock is None:
        return
    if not isinstance(lock, s3.ObjectLockRetention):
        raise ValueError(
            f"object_lock_retention must be an aws_s3.ObjectLockRetention, got {lock!r}: use "
            "s3.ObjectLockRetention.governance(Duration.days(…))"
        )
    if removal_protection is False:
        # CDK's function empties a bucket without `s3:BypassGovernanceRetention`.
        raise ValueError(
            "object_lock_retention is given with removal_protection=False: a deletion could not "
            "empty the bucket; drop removal_protection, and delete the bucket yourself when the "
            "locks are over"
        )
    # Whole days, one at least, and no token: CDK refuses to create another lock.
    days = lock.duration.to_days()
    if days > kept_days:
        raise ValueError(
            f"object_lock_retention must be at most retention, {kept_days} days, after which logs "
            f"expire, got {days:g} days: lock logs for less, or keep them longer"
        )


def _name_prefix(scope: Construct) -> str:
    """A prefix that no other stack of the account, and no earlier life of this one, has.

    With what S3 adds, `-<account>-<region>-an`, the name is at most 63 characters long:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/gpbucketnamespaces.html
    """
    # The stack's id is the part that lasts as long as the stack; the path keeps two in one apart.
    return Fn.join("-", ["aws-waf-logs", scope.node.addr[-8:], stack_generation(scope)])


_UNLOGGED = "The bucket that access logs go to: logging the writing of logs would never end."
_FINDINGS = {"AwsSolutions-S1": _UNLOGGED} | standards({"S3BucketLoggingEnabled": _UNLOGGED})
_NOT_KMS = "Load balancers and S3 itself write to no bucket that uses KMS."
