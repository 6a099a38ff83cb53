"""The account and region to deploy to."""

import os

from aws_cdk import App, Environment

from galv_constructs import GalvConfig

PLACEHOLDER = Environment(account="123456789012", region="us-east-1")


def deployment_environment() -> Environment:
    """Say where the stacks go: where the CDK CLI's credentials lead.

    Without credentials it is a placeholder, so that anyone can look at the templates.
    """
    account = os.environ.get("CDK_DEFAULT_ACCOUNT")
    if account is None:
        return PLACEHOLDER
    return Environment(account=account, region=os.environ["CDK_DEFAULT_REGION"])


def answer_lookups(app: App, config: GalvConfig) -> None:
    """Make up what CDK would ask of an account, for the placeholder."""
    where = f"account={PLACEHOLDER.account}"
    region = f"region={PLACEHOLDER.region}"
    app.node.set_context(
        f"availability-zones:{where}:{region}", [f"{PLACEHOLDER.region}{zone}" for zone in "abc"]
    )
    app.node.set_context(
        f"hosted-zone:{where}:domainName={config.hosted_zone_name}:{region}",
        {"Id": "/hostedzone/Z00000000PLACEHOLDER", "Name": f"{config.hosted_zone_name}."},
    )
