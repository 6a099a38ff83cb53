"""The Galv frontend: a static site on S3 and CloudFront."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from aws_cdk import Annotations, CustomResource, Duration
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_logs as logs
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_s3 as s3
from constructs import Construct

from galv_constructs._core.certificates import check_certificate_source
from galv_constructs._core.content_policy import check_policy_additions
from galv_constructs._core.dependencies import set_dependency_roots
from galv_constructs._core.host_names import claim_host_names
from galv_constructs._core.placement import check_place, check_secrets_place
from galv_constructs._core.policy import DeploymentPolicy, check_switches
from galv_constructs._core.regions import CLOUDFRONT, CODEBUILD, check_services
from galv_constructs._core.release_tag import check_day
from galv_constructs._core.validation import check_days, check_domain_name, check_duration
from galv_constructs.frontend._edge import (
    check_edge_certificate,
    check_edge_notifications,
    check_edge_zone,
)
from galv_constructs.frontend._files import FetchedFiles, LocalFiles
from galv_constructs.frontend._headers import check_other_hosts, site_policy
from galv_constructs.frontend._needs import ask_for_site
from galv_constructs.frontend._release import SiteRelease
from galv_constructs.frontend._site import Site, check_alternatives, check_hosting
from galv_constructs.frontend._urls import check_api_url
from galv_constructs.frontend.source import FrontendSource, check_source
from galv_constructs.preflight._needs import Needs, check_preflight

# CloudFormation waits an hour for a custom resource, which has to answer before that.
_LONGEST_TIMEOUT = timedelta(minutes=50)


class GalvFrontend(Construct):
    """The Galv frontend on S3 and CloudFront, built and published by the deployment.

    Defines: a private bucket; a CloudFront distribution that alone may read it, with security
    headers and the routing of a single-page application; unless given, its certificate, in
    us-east-1 and there in a stack of its own when this one is elsewhere; DNS records; and a custom
    resource that builds the site in CodeBuild and publishes it.

    A deployment succeeds when the site is published, its page loads through CloudFront, and it
    calls `api_url`. Otherwise it fails with the reason, such as the end of the build's log. Files
    that open pages still use are kept for a while. Going back to a release that was published
    before, in a deployment or a rollback, needs no build. A build runs only when what goes into it
    has changed, to which the day belongs for the tag `latest`.

    Where defaults differ from CDK's: viewers need TLS 1.2, HTTP/2 and HTTP/3 are on, and what is
    missing is a 404 and not a 403.

    Costs next to nothing while idle: storage, and requests as they come; a build is a few cents.

    Example:
        ```python
        GalvFrontend(
            self,
            "Frontend",
            domain_name="app.example.com",
            hosted_zone=zone,
            api_url=backend.url,
            storage_buckets=[backend.media_bucket],
            source=FrontendSource.release("v2.2.0"),
        )
        ```
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        domain_name: str,
        api_url: str,
        hosted_zone: route53.IHostedZone | None = None,
        certificate: acm.ICertificate | None = None,
        edge_notification_arns: Sequence[str] | None = None,
        alternative_domain_names: Sequence[str] | None = None,
        source: FrontendSource | None = None,
        latest_as_of: date | None = None,
        environment: Mapping[str, str] | None = None,
        secrets: Mapping[str, ecs.Secret] | None = None,
        storage_buckets: Sequence[s3.IBucket] | None = None,
        storage_urls: Sequence[str] | None = None,
        analytics_url: str | None = None,
        content_security_policy: Mapping[str, Sequence[str]] | None = None,
        price_class: cloudfront.PriceClass | None = None,
        web_acl_arn: str | None = None,
        log_bucket: s3.IBucket | None = None,
        release_retention: Duration | None = None,
        build_timeout: Duration | None = None,
        production: bool = True,
        removal_protection: bool | None = None,
        preflight: bool | Sequence[str] = True,
    ) -> None:
        """Define the frontend.

        Args:
            scope: Parent of this construct.
            id: Id of this construct in its parent.
            domain_name: Host name of the site, such as `app.example.com`. The site is at its root.
            api_url: URL of the API without a slash at the end, such as `backend.url`. It becomes
                part of the files, and files for another API are refused by the deployment. The API
                has to know the site too: its `frontend_domain_names`.
            hosted_zone: Route 53 zone that all names are in: the certificate is validated and the
                alias records are created there. Give either this or `certificate`. In a region
                other than us-east-1 the zone has to be an imported one.
            certificate: Certificate in us-east-1 for all names, for a domain outside Route 53. You
                create a CNAME from each name to `distribution_domain_name` yourself.
            edge_notification_arns: ARNs of topics in us-east-1 for the events of the stack there,
                `<name of the stack>-Edge`, where the certificate is created outside us-east-1. It
                is like its stack in all else, but topics have to be in a stack's own region.
                Default: none.
            alternative_domain_names: Names that redirect to `domain_name`, such as
                `www.example.com`. Default: none.
            source: Where the files come from. Default: `FrontendSource.release()`, the newest
                release, with a warning in production.
            latest_as_of: The day that the tag `latest` of `source` is of. The first deployment with
                a day takes what is newest then, and later ones with the same day publish that.
                Default: the day of the synthesis, in UTC, so that two on the same day are equal.
            environment: Variables for the build, and for the `env.template.js` of newer sites, in
                addition to `VITE_GALV_API_BASE_URL`, which is `api_url`. Default: none.
            secrets: Variables for the build from Secrets Manager. What a build puts into its files
                is public, so there is a warning. A new value is used when something else makes the
                site build again. Default: none.
            storage_buckets: Buckets that pages load files from by presigned URL, such as
                `backend.media_bucket`: the content security policy allows them. Default: none.
            storage_urls: URLs of storage that laboratories brought themselves, such as
                `https://lab-data.s3.eu-west-2.amazonaws.com`: the content security policy allows
                pages to load files from there. Default: none, and such files do not load.
            analytics_url: URL that the site loads a counter of visits from: its
                `VITE_GALV_ANALYTICS_URL`, whose host the content security policy allows.
                Default: none, and visits are not counted.
            content_security_policy: Sources to add to the directives of the content security
                policy, such as `{"img-src": ["https://tiles.example.org"]}`. Default: the policy
                allows the site itself, `api_url`, `storage_buckets`, `storage_urls` and
                `analytics_url`.
            price_class: Where CloudFront serves from. Default: North America and Europe, from
                where the rest of the world is served too.
            web_acl_arn: ARN of a WAFv2 web ACL in us-east-1 for CloudFront. Default: none is used.
            log_bucket: Bucket for access logs, of CloudFront and of the site's bucket. CloudFront
                writes with an ACL, so its object ownership must not be `BUCKET_OWNER_ENFORCED`.
                Default: they are not logged.
            release_retention: How long files are kept that a newer release has superseded, and
                releases that could be published again without a build; whole days. The release
                before the current one is always kept. Default: 30 days.
            build_timeout: How long a build may take, from 5 to 50 minutes. One that takes longer is
                stopped, and the deployment fails. Default: 20 minutes.
            production: Whether people rely on this deployment: longer logs. Default: true.
            removal_protection: Whether bucket and logs outlive the stack. Default: the same as
                `production`.
            preflight: Whether a deployment first asks for what the site needs, and creates nothing
                that costs time before it has the answers: see `GalvPreflight`. A list leaves out
                checks, by their kinds or ids, such as `["records", "Frontend/Source"]`. Default:
                true.

        Raises:
            ValueError: If an argument is malformed, out of range, or contradicts another one.
        """
        check_domain_name("domain_name", domain_name)
        check_api_url(api_url)
        check_certificate_source(domain_name, hosted_zone, certificate)
        check_edge_certificate(certificate)
        check_place(scope, "certificate", certificate, any_region=True)
        check_edge_notifications(scope, hosted_zone, edge_notification_arns)
        check_edge_zone(scope, hosted_zone)
        check_alternatives(domain_name, alternative_domain_names, hosted_zone)
        check_source(source, environment, secrets)
        check_secrets_place(scope, secrets)
        check_other_hosts(
            storage_buckets=storage_buckets, storage_urls=storage_urls, analytics_url=analytics_url
        )
        check_policy_additions(content_security_policy)
        check_hosting(
            scope, price_class=price_class, web_acl_arn=web_acl_arn, log_bucket=log_bucket
        )
        # S3 counts in days.
        check_days("release_retention", release_retention, 1, 3650)
        check_duration("build_timeout", build_timeout, timedelta(minutes=5), _LONGEST_TIMEOUT)
        check_switches(production, removal_protection=removal_protection)
        check_preflight(preflight)
        files = (FrontendSource.release() if source is None else source).files
        check_day(
            "latest_as_of",
            latest_as_of,
            "the tag of source",
            files.tag if isinstance(files, FetchedFiles) else files.path,
        )
        check_services(scope, [(CLOUDFRONT, "deploy the site to another region")])
        if isinstance(files, FetchedFiles):
            check_services(
                scope, [(CODEBUILD, "build the site yourself, and use FrontendSource.directory(…)")]
            )
        claim_host_names(
            scope,
            id,
            [
                ("domain_name", domain_name),
                *(("alternative_domain_names", name) for name in alternative_domain_names or ()),
            ],
            hosted_zone=hosted_zone,
            of_distribution=True,
        )
        super().__init__(scope, id)
        policy = DeploymentPolicy.of(production=production, removal_protection=removal_protection)
        self._domain_name = domain_name
        self._warn(production=production, source=files, secrets=secrets or {})
        self._site = Site(
            self,
            "Site",
            policy=policy,
            domain_name=domain_name,
            alternative_domain_names=list(alternative_domain_names or ()),
            hosted_zone=hosted_zone,
            certificate=certificate,
            content_security_policy=site_policy(
                api_url=api_url,
                storage_buckets=storage_buckets or (),
                storage_urls=storage_urls or (),
                analytics_url=analytics_url,
                additions=content_security_policy or {},
            ),
            edge_notification_arns=edge_notification_arns,
            price_class=price_class or cloudfront.PriceClass.PRICE_CLASS_100,
            web_acl_arn=web_acl_arn,
            log_bucket=log_bucket,
            release_retention=release_retention or Duration.days(30),
        )
        self._release = SiteRelease(
            self,
            "Release",
            site=self._site,
            source=files,
            latest_as_of=latest_as_of,
            api_url=api_url,
            analytics_url=analytics_url,
            has_web_acl=web_acl_arn is not None,
            environment=environment or {},
            secrets=secrets or {},
            policy=policy,
            timeout=build_timeout or Duration.minutes(20),
        )
        needs = Needs(
            self,
            preflight=preflight,
            production=production,
            removal_protection=removal_protection,
        )
        ask_for_site(
            needs,
            source=files,
            secrets=secrets or {},
            domain_names=[domain_name, *(alternative_domain_names or ())],
            hosted_zone=hosted_zone,
            given=certificate,
            used=self._site.certificate,
        )
        needs.hold(
            self._site.distribution,
            self._release.resource,
            *([self._site.certificate] if certificate is None else []),
        )
        set_dependency_roots(self, lambda: [self._release.resource])

    @property
    def url(self) -> str:
        """URL of the site, without a slash at the end."""
        return f"https://{self._domain_name}"

    @property
    def domain_name(self) -> str:
        """Host name of the site."""
        return self._domain_name

    @property
    def distribution_domain_name(self) -> str:
        """Host name of the distribution: where a CNAME for `domain_name` points."""
        return self._site.distribution.distribution_domain_name

    @property
    def distribution(self) -> cloudfront.Distribution:
        """The distribution."""
        return self._site.distribution

    @property
    def bucket(self) -> s3.Bucket:
        """Bucket with the site, and with releases that can be published again."""
        return self._site.bucket

    @property
    def certificate(self) -> acm.ICertificate:
        """Certificate of the distribution, in us-east-1."""
        return self._site.certificate

    @property
    def build_project(self) -> codebuild.Project | None:
        """The project that builds the site; none for files that are built already."""
        return None if self._release.build is None else self._release.build.project

    @property
    def version(self) -> str:
        """Version that the last deployment published, which shows what `latest` was.

        Empty for a folder of files, and after a rollback that found nothing to go back to.
        """
        return self._release.resource.get_att_string("Version")

    @property
    def commit(self) -> str:
        """Commit that the last deployment published; empty where `version` is, or not known."""
        return self._release.resource.get_att_string("Commit")

    @property
    def records(self) -> Sequence[route53.RecordSet]:
        """DNS records of all names; none without `hosted_zone`."""
        return list(self._site.records)

    @property
    def log_group(self) -> logs.ILogGroup:
        """Log group of what publishes the site."""
        return self._release.log_group

    @property
    def build_log_group(self) -> logs.ILogGroup | None:
        """Log group of the build; none for files that are built already."""
        return None if self._release.build is None else self._release.build.log_group

    @property
    def resource(self) -> CustomResource:
        """The custom resource that stands for a published site."""
        return self._release.resource

    def _warn(
        self,
        *,
        production: bool,
        source: FetchedFiles | LocalFiles,
        secrets: Mapping[str, ecs.Secret],
    ) -> None:
        annotations = Annotations.of(self)
        if production and isinstance(source, FetchedFiles) and source.is_floating:
            annotations.add_warning_v2(
                "galv-constructs:latestFrontend",
                "source is 'latest': a deployment publishes what is newest on its day, untried. "
                "Pass the tag of a release, such as "
                "source=FrontendSource.release('v2.2.0') (frontendVersion in cdk.json).",
            )
        if secrets:
            annotations.add_warning_v2(
                "galv-constructs:publicSecrets",
                f"secrets ({', '.join(sorted(secrets))}; in cdk.json frontendSecretsKeys) are "
                "given to the build of a static site: everyone can read what the build puts into "
                "its files. Pass only what may be public.",
            )
