"""Building and publishing the site during a deployment."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from aws_cdk import ArnFormat, Aws, Duration, Names, Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3_assets as s3_assets
from constructs import Construct

from galv_constructs._core.acknowledge import (
    DEPLOYMENT_FUNCTIONS,
    acknowledge,
    acknowledge_wildcards,
)
from galv_constructs._core.handler import handled_resource, handler_function, handler_role
from galv_constructs._core.logs import new_log_group
from galv_constructs._core.policy import DeploymentPolicy
from galv_constructs._core.today import today
from galv_constructs.frontend._build import SiteBuild
from galv_constructs.frontend._files import FetchedFiles, LocalFiles
from galv_constructs.frontend._site import INCOMING_PREFIX, WRITTEN_PREFIXES, Site
from galv_constructs.frontend._urls import ANALYTICS_URL_VARIABLE, API_URL_VARIABLE

_PACKAGE = Path(__file__).parents[1]


class SiteRelease(Construct):
    """A custom resource that succeeds when the site is published, and its page loads."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        site: Site,
        source: FetchedFiles | LocalFiles,
        latest_as_of: date | None,
        api_url: str,
        analytics_url: str | None,
        has_web_acl: bool,
        environment: Mapping[str, str],
        secrets: Mapping[str, ecs.Secret],
        policy: DeploymentPolicy,
        timeout: Duration,
    ) -> None:
        super().__init__(scope, id)
        self.build: SiteBuild | None = None
        variables = {**environment, API_URL_VARIABLE: api_url}
        if analytics_url is not None:
            variables[ANALYTICS_URL_VARIABLE] = analytics_url
        # The handler creates it: CloudFormation would write the template's value at every update.
        # Only one stack in a region has a name, a nested one too; the rest tells sites in it apart.
        checksums = f"galv-constructs/{Aws.STACK_NAME}/{Names.unique_id(self)}"
        properties: dict[str, object] = {
            "Checksums": f"/{checksums}",
            "Bucket": site.bucket.bucket_name,
            "DistributionId": site.distribution.distribution_id,
            # Names of the site may have no DNS record yet.
            "PageUrl": f"https://{site.distribution.distribution_domain_name}",
            "WebAcl": str(has_web_acl).lower(),
            "ApiUrl": api_url,
            "Variables": variables,
        }
        role = handler_role(self)
        match source:
            case FetchedFiles():
                self.build = SiteBuild(
                    self,
                    "Build",
                    bucket=site.bucket,
                    secrets=secrets,
                    policy=policy,
                    timeout=timeout,
                )
                properties |= {
                    "Project": self.build.project.project_name,
                    "Inputs": {
                        "Source": source.inputs,
                        # On another day `latest` is another release, which a rollback goes back to.
                        **(
                            {"AsOf": (latest_as_of or today()).isoformat()}
                            if source.is_floating
                            else {}
                        ),
                        "Environment": variables if source.is_built else {},
                        "Secrets": {name: secret.arn for name, secret in secrets.items()},
                        "Recipe": self.build.recipe,
                    },
                }
                self._allow_build(role, self.build)
            case LocalFiles():
                files = s3_assets.Asset(self, "Files", path=source.path)
                properties |= {
                    "AssetBucket": files.s3_bucket_name,
                    "AssetKey": files.s3_object_key,
                    "Inputs": {"Files": files.asset_hash},
                }
                role.add_to_policy(
                    iam.PolicyStatement(
                        actions=["s3:GetObject"],
                        resources=[files.bucket.arn_for_objects(files.s3_object_key)],
                    )
                )
        self.log_group = new_log_group(
            self,
            retention=policy.log_retention,
            removal_policy=policy.data_removal,
            encryption_key=None,
        )
        acknowledge(self, DEPLOYMENT_FUNCTIONS)
        self._allow(role, site)
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["ssm:DeleteParameter", "ssm:GetParameter", "ssm:PutParameter"],
                resources=[
                    Stack.of(self).format_arn(
                        service="ssm", resource="parameter", resource_name=checksums
                    )
                ],
            )
        )
        self.resource = handled_resource(
            self,
            resource_type="Custom::GalvSiteRelease",
            on_event=self._function("OnEvent", "on_event", role),
            is_complete=self._function("IsComplete", "is_complete", role),
            log_group=self.log_group,
            timeout=timeout,
            properties=properties,
        )
        # A policy of its own: the functions wait for the role's, and need not be created after a
        # distribution, which takes minutes.
        invalidation = iam.Policy(
            self,
            "Invalidation",
            roles=[role],
            statements=[
                iam.PolicyStatement(
                    actions=["cloudfront:CreateInvalidation"],
                    resources=[site.distribution.distribution_arn],
                )
            ],
        )
        self.resource.node.add_dependency(invalidation)
        # The rest of both is created before because the resource refers to it.
        if site.bucket.policy is not None:
            self.resource.node.add_dependency(site.bucket.policy)
        if self.build is not None and self.build.project.role is not None:
            self.resource.node.add_dependency(self.build.project.role)

    def _allow(self, role: iam.Role, site: Site) -> None:
        """Let the handlers do what they do with the bucket and the stack."""
        written = [site.bucket.arn_for_objects(f"{prefix}*") for prefix in WRITTEN_PREFIXES]
        left = site.bucket.arn_for_objects(f"{INCOMING_PREFIX}*")
        self.log_group.grant_write(role)
        for statement in (
            iam.PolicyStatement(
                actions=[
                    "s3:DeleteObjectTagging",
                    "s3:GetObject",
                    "s3:GetObjectTagging",
                    "s3:PutObject",
                    "s3:PutObjectTagging",
                ],
                resources=written,
            ),
            iam.PolicyStatement(actions=["s3:GetObject"], resources=[left]),
            iam.PolicyStatement(actions=["s3:ListBucket"], resources=[site.bucket.bucket_arn]),
            iam.PolicyStatement(
                actions=["cloudformation:DescribeStacks"], resources=[Stack.of(self).stack_id]
            ),
        ):
            role.add_to_policy(statement)
        acknowledge_wildcards(role, dict.fromkeys([*written, left], _ANY_FILE))

    def _allow_build(self, role: iam.Role, build: SiteBuild) -> None:
        """Let the handlers run the build and read its log."""
        streams = Stack.of(self).format_arn(
            service="logs",
            resource="log-group",
            resource_name=f"{build.log_group.log_group_name}:log-stream:*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        role.add_to_policy(
            iam.PolicyStatement(
                actions=[
                    "codebuild:BatchGetBuilds",
                    "codebuild:StartBuild",
                    "codebuild:StopBuild",
                ],
                resources=[build.project.project_arn],
            )
        )
        role.add_to_policy(iam.PolicyStatement(actions=["logs:GetLogEvents"], resources=[streams]))
        acknowledge_wildcards(role, {streams: _ANY_STREAM})

    def _function(self, id: str, entry: str, role: iam.Role) -> lambda_.Function:
        return handler_function(
            self,
            id,
            module="site_release",
            parts=["_site_config", "_site_page", "_site_tag"],
            folders=["_preflight"],
            entry=entry,
            description=f"Publishes the site of {self.node.path}: {entry}",
            role=role,
            log_group=self.log_group,
            timeout=Duration.minutes(10),
            # Holds a whole release; and more memory is a faster network.
            memory_size=1024,
        )


_ANY_FILE = "The files of the site have the names that its build gives them."
_ANY_STREAM = "A log stream is named after a build, whose id is not known before."
