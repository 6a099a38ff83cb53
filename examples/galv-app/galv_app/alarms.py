"""Whom alarms are sent to."""

from aws_cdk import Acknowledgment, Aws, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct


def alarm_topic(scope: Construct, email: str | None) -> sns.Topic | None:
    """Define a topic that sends alarms to an address, if there is one."""
    if email is None:
        return None
    topic = sns.Topic(scope, "Alarms", display_name="Galv", enforce_ssl=True)
    topic.add_subscription(subscriptions.EmailSubscription(email))
    # A topic with a policy of its own has lost the one that lets the account's alarms in.
    topic.grant_publish(
        iam.ServicePrincipal(
            "cloudwatch.amazonaws.com",
            conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
        )
    )
    Validations.of(topic).acknowledge(
        *(
            Acknowledgment(
                id=f"{pack}-SNSEncryptedKMS",
                reason="An alarm names resources and no data, and ends up in an e-mail. CloudWatch "
                "cannot use the key that SNS has for free; another one costs $1 a month.",
            )
            for pack in ("HIPAA.Security", "NIST.800.53.R5", "PCI.DSS.321")
        )
    )
    return topic
