"""Outputs that several stacks have."""

from aws_cdk import CfnOutput, Stack

from galv_constructs import GalvPreflight


def preflight_warnings(stack: Stack) -> None:
    """Show what preflight found and was not stopped by, where it asks."""
    preflight = GalvPreflight.find(stack)
    if preflight is not None:
        CfnOutput(
            stack,
            "PreflightWarnings",
            value=preflight.warnings,
            description="What may go wrong, as the last deployment that asked found it",
        )
