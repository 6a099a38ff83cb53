"""Emptying a bucket that goes with its stack, and no other."""

from aws_cdk import CfnResource, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3

from galv_constructs._core.acknowledge import OWN_POLICIES, acknowledge

# The ids that CDK gives to its one provider a stack for `auto_delete_objects`, and in a bucket.
_PROVIDER = "Custom::S3AutoDeleteObjectsCustomResourceProvider"
_EMPTIED = "AutoDeleteObjectsCustomResource"


def let_protection_be_turned_on(bucket: s3.Bucket) -> None:
    """Let CDK's function see that a bucket is no longer to be emptied.

    When removal protection is turned on, the function is asked to delete for the last time. It
    leaves a bucket without the tag alone, but may read tags only by the bucket's policy, which the
    same update has changed before: https://github.com/aws/aws-cdk/issues/37257. CloudFormation then
    tries three times and leaves the custom resource behind, whose function is gone.
    """
    emptied = bucket.node.try_find_child(_EMPTIED)
    if emptied is None:
        return
    role = Stack.of(bucket).node.find_child(_PROVIDER).node.find_child("Role")
    assert isinstance(role, CfnResource)  # noqa: S101 - what the provider is made of
    permission = iam.CfnPolicy(
        bucket,
        "ReadTags",
        # All are of one role, where a policy replaces another one of its name.
        policy_name=f"ReadTags-{bucket.node.addr[-8:]}",
        roles=[role.ref],
        policy_document=iam.PolicyDocument(
            statements=[
                iam.PolicyStatement(actions=["s3:GetBucketTagging"], resources=[bucket.bucket_arn])
            ]
        ),
    )
    acknowledge(permission, OWN_POLICIES)
    # Deleted first, while the permission is still there.
    emptied.node.add_dependency(permission)
