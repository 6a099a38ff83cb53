"""A domain that Amazon SES may send mail from, and the DNS records that say so."""

from typing import Literal

from aws_cdk import Duration, Resource, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_ses as ses
from aws_cdk import aws_sns as sns
from constructs import Construct

from galv_constructs._core.placement import check_public_zone
from galv_constructs._core.policy import DeploymentPolicy
from galv_constructs._core.validation import (
    check_construct,
    check_domain_name,
    is_in_domain,
    is_token,
)
from galv_constructs.mail.dns_record import DnsRecord

_TTL = Duration.minutes(30)
_BAD_NEWS = [
    ses.EmailSendingEvent.BOUNCE,
    ses.EmailSendingEvent.COMPLAINT,
    ses.EmailSendingEvent.REJECT,
]
Dmarc = Literal["off", "none", "quarantine", "reject"]
DMARC_POLICIES = ("off", "none", "quarantine", "reject")


def check_mail_domains(
    domain: str, mail_from_domain: str | None, hosted_zone: route53.IHostedZone | None
) -> None:
    """Check that the domains lie in each other as SES and DNS want it."""
    check_construct(
        "hosted_zone",
        hosted_zone,
        "aws_route53.IHostedZone",
        "route53.HostedZone.from_lookup(scope, id, domain_name=…)",
    )
    check_public_zone(hosted_zone)
    if mail_from_domain is not None:
        check_domain_name("mail_from_domain", mail_from_domain)
        if not mail_from_domain.endswith(f".{domain}"):
            raise ValueError(
                f"mail_from_domain must be a subdomain of {domain!r}, the domain of sender, got "
                f"{mail_from_domain!r}: such as 'bounce.{domain}'"
            )
    if hosted_zone is None:
        return
    zone_name = hosted_zone.zone_name
    if is_token(zone_name):
        return
    if not is_in_domain(domain, zone_name):
        raise ValueError(
            f"the domain of sender, {domain!r}, is not in hosted_zone {zone_name!r}: pass the zone "
            "that it is in, or none and create dns_records yourself"
        )


def check_identity(domain: str, identity: ses.IEmailIdentity | None, **created: object) -> None:
    """Check that mail can be sent from a given identity, and that nothing is asked of a new one."""
    check_construct(
        "identity",
        identity,
        "aws_ses.IEmailIdentity",
        "ses.EmailIdentity.from_email_identity_name(scope, id, domain)",
    )
    if identity is None:
        return
    for argument, value in created.items():
        if value is not None:
            raise ValueError(
                f"identity and {argument} are both given, and {argument} is for a new identity: "
                f"drop {argument}, or give it to the GalvMail that creates the identity"
            )
    name = identity.email_identity_name
    if not is_token(name) and not is_in_domain(domain, name):
        raise ValueError(
            f"identity is {name!r}, and the domain of sender is {domain!r}: pass the identity of "
            "that domain or of one above it"
        )


class MailIdentity(Construct):
    """An SES identity for a domain, with its configuration set."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        domain: str,
        mail_from_domain: str,
        dmarc: Dmarc,
        hosted_zone: route53.IHostedZone | None,
        notification_topic: sns.ITopic | None,
        policy: DeploymentPolicy,
    ) -> None:
        super().__init__(scope, id)
        self.configuration_set = ses.ConfigurationSet(
            self,
            "ConfigurationSet",
            # A mail server without TLS gets no mail instead of mail that anyone can read.
            tls_policy=ses.ConfigurationSetTlsPolicy.REQUIRE,
            reputation_metrics=True,
            sending_enabled=True,
            suppression_reasons=ses.SuppressionReasons.BOUNCES_AND_COMPLAINTS,
        )
        self.configuration_set.add_event_destination(
            "Metrics",
            events=_BAD_NEWS,
            destination=ses.EventDestination.cloud_watch_dimensions(
                [
                    ses.CloudWatchDimension(
                        name="ses:configuration-set",
                        source=ses.CloudWatchDimensionSource.MESSAGE_TAG,
                        default_value="none",
                    )
                ]
            ),
        )
        if notification_topic is not None:
            self._notify(notification_topic)
        self.identity = ses.EmailIdentity(
            self,
            "Resource",
            identity=ses.Identity.domain(domain),
            configuration_set=self.configuration_set,
            dkim_signing=True,
            dkim_identity=ses.DkimIdentity.easy_dkim(ses.EasyDkimSigningKeyLength.RSA_2048_BIT),
            mail_from_domain=mail_from_domain,
            # Until the MX record is there, mail goes out under Amazon's name.
            mail_from_behavior_on_mx_failure=ses.MailFromBehaviorOnMxFailure.USE_DEFAULT_VALUE,
        )
        self.dns_records = self._dns_records(domain, mail_from_domain, dmarc)
        # Others may send through the identity too. It is of no use without its records, nor without
        # the configuration set that it names.
        kept: list[Resource] = [self.identity, self.configuration_set]
        self.records: list[route53.RecordSet] = []
        if hosted_zone is not None:
            self.records = self._create_records(hosted_zone)
            for record in self.records:
                # Where the identity exists its records do too, and would fail first.
                record.node.add_dependency(self.identity)
            # Not the last one, of DMARC: mail is sent without it, and `dmarc="off"` takes it away.
            kept += self.records[:5]
        for resource in kept:
            resource.apply_removal_policy(policy.data_removal)

    @property
    def configuration_set_arn(self) -> str:
        return Stack.of(self).format_arn(
            service="ses",
            resource="configuration-set",
            resource_name=self.configuration_set.configuration_set_name,
        )

    def _notify(self, topic: sns.ITopic) -> None:
        stack = Stack.of(self)
        # Not by CDK's own destination for topics, whose statement names the configuration set:
        # with a topic in another stack the two would wait for each other.
        added = topic.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("ses.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={
                    "StringEquals": {"aws:SourceAccount": stack.account},
                    "ArnLike": {
                        "aws:SourceArn": stack.format_arn(
                            service="ses", resource="configuration-set", resource_name="*"
                        )
                    },
                },
            )
        )
        destination = ses.CfnConfigurationSetEventDestination(
            self,
            "Notifications",
            configuration_set_name=self.configuration_set.configuration_set_name,
            event_destination=ses.CfnConfigurationSetEventDestination.EventDestinationProperty(
                enabled=True,
                matching_event_types=["BOUNCE", "COMPLAINT", "REJECT"],
                sns_destination=ses.CfnConfigurationSetEventDestination.SnsDestinationProperty(
                    topic_arn=topic.topic_arn
                ),
            ),
        )
        if added.policy_dependable is not None:
            destination.node.add_dependency(added.policy_dependable)

    def _dns_records(self, domain: str, mail_from_domain: str, dmarc: Dmarc) -> list[DnsRecord]:
        region = Stack.of(self).region
        records = [
            DnsRecord(name=record.name, type="CNAME", value=record.value)
            for record in self.identity.dkim_records
        ]
        # https://docs.aws.amazon.com/ses/latest/dg/mail-from.html
        records += [
            DnsRecord(
                name=mail_from_domain, type="MX", value=f"10 feedback-smtp.{region}.amazonses.com"
            ),
            DnsRecord(name=mail_from_domain, type="TXT", value="v=spf1 include:amazonses.com ~all"),
        ]
        if dmarc != "off":
            records.append(
                DnsRecord(name=f"_dmarc.{domain}", type="TXT", value=f"v=DMARC1; p={dmarc};")
            )
        return records

    def _create_records(self, zone: route53.IHostedZone) -> list[route53.RecordSet]:
        ids = ("Dkim1", "Dkim2", "Dkim3", "MailFromMx", "MailFromSpf", "Dmarc")
        return [
            route53.RecordSet(
                self,
                f"{id}Record",
                zone=zone,
                # With the dot at the end it is whole, also where the name of the zone is a token.
                record_name=f"{record.name}.",
                record_type=route53.RecordType[record.type],
                target=route53.RecordTarget.from_values(
                    f'"{record.value}"' if record.type == "TXT" else record.value
                ),
                ttl=_TTL,
            )
            for id, record in zip(ids, self.dns_records, strict=False)
        ]
