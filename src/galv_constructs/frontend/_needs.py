"""The resources that have to exist before a deployment creates a site."""

from collections.abc import Mapping, Sequence

from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_route53 as route53

from galv_constructs._core.regions import EDGE_REGION
from galv_constructs.frontend._files import FetchedFiles, LocalFiles
from galv_constructs.preflight._needs import Needs, secret_checks
from galv_constructs.preflight.check import PreflightCheck


def ask_for_site(
    needs: Needs,
    *,
    source: FetchedFiles | LocalFiles,
    secrets: Mapping[str, ecs.Secret],
    domain_names: Sequence[str],
    hosted_zone: route53.IHostedZone | None,
    given: acm.ICertificate | None,
    used: acm.ICertificate,
) -> None:
    """Ask for the files, what builds them, and the names: their zone or their certificate."""
    for quota in ("cloudfront", "response-headers-policy"):
        needs.ask(f"Quotas/{quota}", PreflightCheck.quota(quota))
    if isinstance(source, FetchedFiles):
        needs.ask("Source", PreflightCheck.site_source(source.inputs))
        needs.ask("Quotas/codebuild", PreflightCheck.quota("codebuild"))
    for id, check in secret_checks(secrets):
        needs.ask(id, check)
    if hosted_zone is not None:
        needs.ask("Records", PreflightCheck.records(hosted_zone, domain_names))
        if given is None:
            # A certificate waits for DNS, and may be in a stack of its own that comes first.
            check = PreflightCheck.hosted_zone(hosted_zone, domain_names, certificate=True)
            needs.ask("HostedZone", check, scope=used)
    if given is not None:
        check = PreflightCheck.certificate(given, domain_names, region=EDGE_REGION)
        needs.ask("Certificate", check)
