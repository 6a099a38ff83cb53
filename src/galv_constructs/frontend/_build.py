"""The CodeBuild project that builds the files of the site."""

from collections.abc import Mapping
from pathlib import Path

from aws_cdk import ArnFormat, Duration, Stack
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_assets as s3_assets
from constructs import Construct

from galv_constructs._core.acknowledge import (
    OWN_POLICIES,
    acknowledge,
    acknowledge_wildcards,
    standards,
)
from galv_constructs._core.logs import new_log_group
from galv_constructs._core.policy import DeploymentPolicy
from galv_constructs.frontend._site import INCOMING_PREFIX

# IAM puts in the id of the role and the name of its session, which CodeBuild opens for one build:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html, "role-id:
# caller-specified-role-name". So a build can neither change a release nor what another one left.
_OWN_FOLDER = f"{INCOMING_PREFIX}${{aws:userid}}/*"

_STEPS = Path(__file__).parents[1] / "site"
# Node 24, which buildspec.yml asks for, is in this image, and is maintained until April 2028:
# https://docs.aws.amazon.com/codebuild/latest/userguide/available-runtimes.html
# https://nodejs.org/en/about/previous-releases
_IMAGE = codebuild.LinuxBuildImage.AMAZON_LINUX_2023_5
# Vite's bundling takes more than the 3 GB of the small one for sites not much larger than Galv's.
_COMPUTE = codebuild.ComputeType.MEDIUM


class SiteBuild(Construct):
    """A project without a source of its own: what to build comes with each build."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        bucket: s3.IBucket,
        secrets: Mapping[str, ecs.Secret],
        policy: DeploymentPolicy,
        timeout: Duration,
    ) -> None:
        super().__init__(scope, id)
        self.log_group = new_log_group(
            self,
            retention=policy.log_retention,
            removal_policy=policy.data_removal,
            encryption_key=None,
        )
        steps = s3_assets.Asset(
            self, "Steps", path=str(_STEPS), exclude=["*", "!buildspec.yml", "!build_site.py"]
        )
        self.recipe = f"{_IMAGE.image_id} {steps.asset_hash}"
        self.project = codebuild.Project(
            self,
            "Project",
            description=f"Builds the site of {scope.node.path}"[:255],
            source=codebuild.Source.s3(bucket=steps.bucket, path=steps.s3_object_key),
            environment=codebuild.BuildEnvironment(
                build_image=_IMAGE, compute_type=_COMPUTE, privileged=False
            ),
            logging=codebuild.LoggingOptions(
                cloud_watch=codebuild.CloudWatchLoggingOptions(log_group=self.log_group)
            ),
            # CodeBuild's least is five minutes; the handler stops a build that takes longer.
            timeout=Duration.seconds(max(300, -(-timeout.to_seconds() // 60) * 60)),
            queued_timeout=Duration.minutes(5),
            grant_report_group_permissions=False,
        )
        self.project.add_to_role_policy(
            iam.PolicyStatement(
                actions=["s3:AbortMultipartUpload", "s3:PutObject"],
                resources=[bucket.arn_for_objects(_OWN_FOLDER)],
            )
        )
        for secret in secrets.values():
            secret.grant_read(self.project)
        log_group = Stack.of(self).format_arn(
            service="logs",
            resource="log-group",
            resource_name=f"/aws/codebuild/{self.project.project_name}",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        acknowledge(self, _FINDINGS)
        acknowledge_wildcards(
            self.project,
            {
                bucket.arn_for_objects(_OWN_FOLDER): _OWN_FOLDER_ALONE,
                f"{log_group}:*": _OWN_LOG,
            },
        )


_FINDINGS = (
    OWN_POLICIES
    | standards(
        {
            "CodeBuildProjectSourceRepoUrl": "The project's source is an asset in S3; a "
            "repository that a build clones is public, and no credentials are involved."
        }
    )
    | {
        "AwsSolutions-CB4": "The project has no artifacts: a build uploads the site, which "
        "is public, to the site's own bucket."
    }
    | {
        f"AwsSolutions-IAM5[Action::{action}]": "CDK's grant to read one asset, the steps "
        "of the build."
        for action in ("s3:GetObject*", "s3:GetBucket*", "s3:List*")
    }
)
_OWN_FOLDER_ALONE = "What a build leaves is named after it, in a folder of its own."
_OWN_LOG = "CDK lets a project write its own log."
