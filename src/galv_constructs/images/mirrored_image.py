"""An image of a registry, copied to a repository in the account when the stack is deployed."""

import re
from collections.abc import Sequence
from datetime import date

from aws_cdk import CrossStackReferences, Duration, ReferenceStrength, RemovalPolicy, Stack
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from galv_constructs._core.acknowledge import DEPLOYMENT_FUNCTIONS, acknowledge
from galv_constructs._core.handler import handled_resource, handler_function, handler_role
from galv_constructs._core.logs import new_log_group
from galv_constructs._core.placement import check_place
from galv_constructs._core.policy import DeploymentPolicy, check_switches
from galv_constructs._core.release_tag import (
    LATEST,
    check_day,
    check_digest,
    refuse_digest_of_latest,
)
from galv_constructs._core.today import today
from galv_constructs._core.validation import (
    check_construct,
    check_image_tag,
    check_range,
    check_type,
    is_token,
)
from galv_constructs.images._image import (
    ARCHITECTURES,
    Architecture,
    check_registry_credentials,
    remember_architecture,
)
from galv_constructs.preflight._needs import Needs, check_preflight
from galv_constructs.preflight.check import PreflightCheck

# The variable that `handlers/image_mirror.py` reads.
REPOSITORY = "GALV_REPOSITORY"
# How the tags begin that `handlers/_deployed.py` gives.
DEPLOYED = "deployed-"
# More than the function leaves.
_NO_LIMIT = 9999
# What the longest function of Lambda has: a layer can take its time.
_TIMEOUT = Duration.minutes(15)
# https://pkg.go.dev/github.com/distribution/reference has the grammar.
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_LABEL = "[A-Za-z0-9-]+"
# A name without a dot is a part of the image's name, unless a port follows.
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})+(?::[0-9]+)?|{_LABEL}:[0-9]+)"
_REPOSITORY = re.compile(rf"(?:{_HOST}/)?{_PART}(?:/{_PART})*")
_MIN_IMAGES, _MAX_IMAGES = 5, 1000


class MirroredImage(Construct):
    """An image that is copied from its registry to Amazon ECR when the stack is deployed.

    Defines an ECR repository and a function that copies the image for one architecture into it,
    layer by layer and without Docker. Tasks run `image`, which names it by its digest: every task
    of a deployment runs the same one, whatever becomes of the tag, and none needs the registry,
    when ECS replaces a task, when a schedule starts one, or when the stack rolls back. Through a
    NAT gateway only the deployment loads the image; tasks load layers through the VPC's S3
    endpoint, where it has one, as each GalvNetwork has.

    `latest` is copied once a day at most: an application that is synthesized and deployed again on
    another day gets what is newest then, and between two deployments nothing changes. Any other tag
    is copied once, and stays what it was: one that was moved at its registry is told in the
    function's log. A tag with a digest (`v2.11.4@sha256:…`) is the image that has it, or none.

    Images of up to 4 GiB are copied, of registries with the HTTP API of OCI or Docker, over HTTPS.
    In the repository a tag cannot be moved, and each image is scanned when it arrives. The
    `kept_images` that were deployed last stay, and so do as many that arrived last. An image has a
    tag `deployed-…` with the time, in UTC, for each deployment that went over to it: what runs
    stays, also when it is an old image that you went back to.

    Costs the repository's storage, $0.10 per GB and month in us-east-1; layers that images share
    are there once.

    Example:
        ```python
        mirrored = MirroredImage(
            self, "Image", repository="ghcr.io/galv-team/galv-backend", tag="v2.11.4"
        )
        GalvBackend(
            self,
            "Backend",
            domain_name="api.example.com",
            hosted_zone=zone,
            image=mirrored.image,
        )
        ```
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        repository: str,
        tag: str = LATEST,
        architecture: Architecture = "X86_64",
        as_of: date | None = None,
        registry_credentials: secretsmanager.ISecret | None = None,
        kept_images: int = 20,
        encryption_key: kms.IKey | None = None,
        production: bool = True,
        removal_protection: bool | None = None,
        preflight: bool | Sequence[str] = True,
    ) -> None:
        """Define the repository and the copy.

        Args:
            scope: Parent of this construct.
            id: Id of this construct in its parent.
            repository: The image's name without a tag, with its registry unless that is Docker Hub:
                `ghcr.io/galv-team/galv-backend`.
            tag: Which image, with or without a digest: `v2.11.4`, `v2.11.4@sha256:…`. Default:
                `latest`, the newest one when the day's first deployment copies it.
            architecture: Which image of several: `X86_64` or `ARM64`, as the tasks have it.
                Default: `X86_64`.
            as_of: The day of `latest`. The first deployment with a day copies what is newest then,
                and later ones with the same day run that. Default: the day of the synthesis, in
                UTC, so that two on the same day are equal.
            registry_credentials: A secret with `username` and `password`, for an image that is not
                public. Default: none.
            kept_images: How many images stay in the repository of those that were deployed, and of
                those that arrived, from 5 to 1000. A deployment that fails leaves one too.
                Default: 20.
            encryption_key: Key for the repository and the function's log. Its policy lets
                CloudWatch Logs use it; that of an imported key has to do so already. Default: keys
                of AWS's.
            production: Whether people rely on it; decides how long the function's log is kept.
                Default: true.
            removal_protection: Whether repository and log outlive the stack. When they do not, the
                repository is emptied and deleted with it. Default: the same as `production`.
            preflight: Whether a deployment first asks whether the image is at its registry, for the
                architecture, and copies it then: see `GalvPreflight`. A list leaves out checks, by
                their kinds or ids. Default: true.

        Raises:
            ValueError: If an argument has the wrong type or is out of range.
        """
        _check_repository(repository)
        check_image_tag("tag", check_digest("tag", tag, whose="the image", example="v2.11.4"))
        refuse_digest_of_latest("tag", tag)
        if architecture not in ARCHITECTURES:
            raise ValueError(
                f"architecture must be one of {', '.join(ARCHITECTURES)}, got {architecture!r}"
            )
        check_day("as_of", as_of, "tag", tag)
        check_registry_credentials(scope, registry_credentials)
        check_range("kept_images", kept_images, _MIN_IMAGES, _MAX_IMAGES)
        check_construct(
            "encryption_key", encryption_key, "aws_kms.IKey", "kms.Key.from_key_arn(scope, id, arn)"
        )
        check_place(scope, "encryption_key", encryption_key)
        check_switches(production, removal_protection=removal_protection)
        check_preflight(preflight)
        policy = DeploymentPolicy.of(production=production, removal_protection=removal_protection)
        super().__init__(scope, id)
        self._architecture = architecture
        self._source = f"{repository}:{tag}"
        self._repository = ecr.Repository(
            self,
            "Repository",
            image_tag_mutability=ecr.TagMutability.IMMUTABLE,
            image_scan_on_push=True,
            encryption_key=encryption_key,
            lifecycle_rules=[
                # "An image that matches the tagging requirements of a rule cannot be expired or
                # archived by a rule with a lower priority." ECR would count what was deployed by
                # its arrival; so this rule expires nothing, and the function takes the tags away.
                # https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html
                ecr.LifecycleRule(
                    description="What was deployed last stays",
                    tag_prefix_list=[DEPLOYED],
                    max_image_count=_NO_LIMIT,
                    rule_priority=1,
                ),
                ecr.LifecycleRule(
                    description=f"The last {kept_images} images stay",
                    max_image_count=kept_images,
                    rule_priority=2,
                ),
            ],
            removal_policy=policy.bucket_removal,
            empty_on_delete=policy.bucket_removal == RemovalPolicy.DESTROY,
        )
        self._log_group = new_log_group(
            self,
            retention=policy.log_retention,
            removal_policy=policy.data_removal,
            encryption_key=encryption_key,
        )
        role = handler_role(self)
        self._log_group.grant_write(role)
        role.add_to_policy(
            iam.PolicyStatement(actions=list(_ACTIONS), resources=[self._repository.repository_arn])
        )
        # Whether a deployment is rolled back.
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["cloudformation:DescribeStacks"], resources=[Stack.of(self).stack_id]
            )
        )
        if registry_credentials is not None:
            registry_credentials.grant_read(role)
        acknowledge(self, DEPLOYMENT_FUNCTIONS)
        copy = handled_resource(
            self,
            resource_type="Custom::GalvMirroredImage",
            on_event=handler_function(
                self,
                "Handler",
                module="image_mirror",
                parts=["_deployed"],
                folders=["_preflight"],
                entry="on_event",
                description=f"Copies the image of {self.node.path}",
                environment={REPOSITORY: repository},
                role=role,
                log_group=self._log_group,
                timeout=_TIMEOUT,
                # Parts of several layers at a time; and more memory is a faster network.
                memory_size=1024,
            ),
            log_group=self._log_group,
            timeout=_TIMEOUT,
            properties={
                "Image": self._source,
                "Architecture": architecture,
                "RepositoryName": self._repository.repository_name,
                "KeptImages": str(kept_images),
                **({"AsOf": (as_of or today()).isoformat()} if tag == LATEST else {}),
                **(
                    {}
                    if registry_credentials is None
                    else {"CredentialsArn": registry_credentials.secret_arn}
                ),
            },
        )
        # An export could not change while another stack imports it, and each release changes this.
        CrossStackReferences.of(copy).produce(ReferenceStrength.WEAK)
        # Whoever uses the image waits for it; the repository alone would be there too early.
        copy.node.add_dependency(role)
        # CDK tells a digest from a tag by how it begins.
        self._digest = f"sha256:{copy.get_att_string('DigestHex')}"
        needs = Needs(
            self,
            preflight=preflight,
            production=production,
            removal_protection=removal_protection,
        )
        needs.ask(
            "",
            PreflightCheck.image(
                self._source,
                architecture=architecture,
                credentials=None
                if registry_credentials is None
                else registry_credentials.secret_arn,
            ),
        )
        needs.hold(copy)

    @property
    def image(self) -> ecs.ContainerImage:
        """The copy, by its digest, for `image=` of a task; tasks that have it may pull it."""
        return remember_architecture(
            ecs.ContainerImage.from_ecr_repository(self._repository, self._digest),
            self._architecture,
            self.node.path,
        )

    @property
    def digest(self) -> str:
        """The digest of the copy, `sha256:…`, which is known when the stack is deployed."""
        return self._digest

    @property
    def reference(self) -> str:
        """The image at its registry, with the digest of the copy: `ghcr.io/…:v2.11.4@sha256:…`."""
        return f"{self._source.partition('@')[0]}@{self._digest}"

    @property
    def log_group(self) -> logs.ILogGroup:
        """The log of the function that copies."""
        return self._log_group

    @property
    def repository(self) -> ecr.Repository:
        """The repository that the image is copied to."""
        return self._repository


def _check_repository(repository: object) -> None:
    check_type("repository", repository, str, "an image's name")
    if is_token(repository):
        return
    if not _REPOSITORY.fullmatch(str(repository)):
        raise ValueError(
            "repository must be an image's name without a tag, such as "
            f"'ghcr.io/galv-team/galv-backend', got {repository!r}: pass the tag as tag"
        )


# https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html, without a token for
# Docker, which is not used, and with those that tell what is there and take tags away.
_ACTIONS = (
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchDeleteImage",
    "ecr:BatchGetImage",
    "ecr:CompleteLayerUpload",
    "ecr:InitiateLayerUpload",
    "ecr:ListImages",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
)
