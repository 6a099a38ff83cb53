"""Mail: what is made, who may use it, and how new credentials come into use."""

import json
from typing import Any

import pytest
from aws_cdk import CfnParameter, Stack
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_kms as kms
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_ses as ses
from aws_cdk import aws_sns as sns
from backends import (
    ENVIRONMENT,
    KEY_ARN,
    MakeBackend,
    Refusal,
    RefusedBackend,
    backend_in,
    new_app,
    regional_stack,
    zone_in,
)
from iam_simulation import ACCOUNT, REGION, Resolved, is_allowed
from templates import (
    Json,
    as_list,
    environment,
    needs,
    of_type,
    only,
    only_id,
    secrets,
    statements,
    synthesize,
)

from galv_constructs import GalvMail, GalvNetwork, NetworkPreset

SENDER = "galv@mail.example.com"
CREDENTIALS = "Custom::GalvSmtpCredentials"
IDENTITY = "AWS::SES::EmailIdentity"
SET = "AWS::SES::ConfigurationSet"
DESTINATION = "AWS::SES::ConfigurationSetEventDestination"
USER = "AWS::IAM::User"
SECRET = "AWS::SecretsManager::Secret"
RECORD = "AWS::Route53::RecordSet"
FUNCTION = "AWS::Lambda::Function"


def synth_mail(**arguments: Any) -> Json:
    stack = Stack(new_app(), "Stack")
    GalvMail(stack, "Mail", **{"sender": SENDER, **arguments})
    return synthesize(stack)


@pytest.fixture(scope="module")
def mail() -> Json:
    return synth_mail()


@pytest.fixture(scope="module")
def mail_in_zone() -> Json:
    """Mail whose records are in a zone of Route 53."""
    stack = Stack(new_app(), "Stack")
    GalvMail(stack, "Mail", sender=SENDER, hosted_zone=zone_in(stack))
    return synthesize(stack)


def in_ecr(stack: Stack) -> ecs.ContainerImage:
    """An image that a network without internet reaches."""
    return ecs.ContainerImage.from_ecr_repository(
        ecr.Repository.from_repository_name(stack, "Repository", "galv")
    )


def records(template: Json) -> list[tuple[Any, str, Any]]:
    return [
        (record["Name"], record["Type"], record["ResourceRecords"])
        for resource in of_type(template, RECORD).values()
        for record in [resource["Properties"]]
    ]


class TestIdentity:
    def test_is_the_domain_of_the_sender_with_dkim(self, mail: Json) -> None:
        identity = only(mail, IDENTITY)

        assert identity["EmailIdentity"] == "mail.example.com"
        assert identity["DkimAttributes"] == {"SigningEnabled": True}
        assert identity["DkimSigningAttributes"] == {"NextSigningKeyLength": "RSA_2048_BIT"}

    def test_sends_by_its_configuration_set_over_tls_only(self, mail: Json) -> None:
        name = {"Ref": only_id(mail, SET)}

        assert only(mail, IDENTITY)["ConfigurationSetAttributes"] == {"ConfigurationSetName": name}
        assert only(mail, SET)["DeliveryOptions"] == {"TlsPolicy": "REQUIRE"}
        assert only(mail, SET)["SuppressionOptions"]["SuppressedReasons"] == [
            "BOUNCE",
            "COMPLAINT",
        ]

    def test_bounces_go_to_a_subdomain(self, mail: Json) -> None:
        assert only(mail, IDENTITY)["MailFromAttributes"] == {
            "MailFromDomain": "bounce.mail.example.com",
            "BehaviorOnMxFailure": "USE_DEFAULT_VALUE",
        }

    def test_bounces_go_to_the_given_subdomain(self) -> None:
        template = synth_mail(mail_from_domain="ses.mail.example.com")

        attributes = only(template, IDENTITY)["MailFromAttributes"]
        assert attributes["MailFromDomain"] == "ses.mail.example.com"

    def test_bounces_and_complaints_are_metrics(self, mail: Json) -> None:
        destination = only(mail, DESTINATION)["EventDestination"]

        assert destination["Enabled"] is True
        events = [event.lower() for event in destination["MatchingEventTypes"]]
        assert events == ["bounce", "complaint", "reject"]
        (dimension,) = destination["CloudWatchDestination"]["DimensionConfigurations"]
        # SES puts this tag on each message by itself.
        assert dimension == {
            "DimensionName": "ses:configuration-set",
            "DimensionValueSource": "messageTag",
            "DefaultDimensionValue": "none",
        }

    def test_its_reputation_can_be_watched_without_that_of_the_account(self, mail: Json) -> None:
        assert only(mail, SET)["ReputationOptions"] == {"ReputationMetricsEnabled": True}
        assert only(mail, SET)["SendingOptions"] == {"SendingEnabled": True}

    def test_bounces_and_complaints_go_to_the_given_topic(self) -> None:
        stack = Stack(new_app(), "Stack")
        topic = sns.Topic(stack, "Topic")
        GalvMail(stack, "Mail", sender=SENDER, notification_topic=topic)

        template = synthesize(stack)
        topic_arn = {"Ref": only_id(template, "AWS::SNS::Topic")}
        destination_id = only_id(template, DESTINATION, "MailIdentityNotifications")
        destination = template["Resources"][destination_id]["Properties"]["EventDestination"]
        assert destination["SnsDestination"] == {"TopicARN": topic_arn}
        assert destination["MatchingEventTypes"] == ["BOUNCE", "COMPLAINT", "REJECT"]
        policy_id = only_id(template, "AWS::SNS::TopicPolicy")
        assert policy_id in needs(template, destination_id)
        (statement,) = only(template, "AWS::SNS::TopicPolicy")["PolicyDocument"]["Statement"]
        assert statement["Principal"] == {"Service": "ses.amazonaws.com"}
        assert statement["Action"] == "sns:Publish"
        account = {"Ref": "AWS::AccountId"}
        assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": account}

    def test_takes_a_topic_of_another_stack_without_a_circle(self) -> None:
        app = new_app()
        topic = sns.Topic(other := Stack(app, "Other"), "Topic")
        stack = Stack(app, "Stack")
        GalvMail(stack, "Mail", sender=SENDER, notification_topic=topic)

        synthesize(stack)

        assert stack.dependencies == [other]
        assert other.dependencies == []

    def test_takes_an_imported_topic(self) -> None:
        stack = regional_stack()
        arn = "arn:aws:sns:eu-west-1:111122223333:bounces"
        topic = sns.Topic.from_topic_arn(stack, "Topic", arn)
        GalvMail(stack, "Mail", sender=SENDER, notification_topic=topic)

        destination = only(synthesize(stack), DESTINATION, "MailIdentityNotifications")
        assert destination["EventDestination"]["SnsDestination"] == {"TopicARN": arn}


class TestDns:
    def test_creates_all_records_in_the_given_zone(self) -> None:
        stack = Stack(new_app(), "Stack")
        GalvMail(stack, "Mail", sender=SENDER, hosted_zone=zone_in(stack))

        template = synthesize(stack)
        identity = only_id(template, IDENTITY)
        made = records(template)
        for number in (1, 2, 3):
            name = {"Fn::GetAtt": [identity, f"DkimDNSTokenName{number}"]}
            value = {"Fn::GetAtt": [identity, f"DkimDNSTokenValue{number}"]}
            assert ({"Fn::Join": ["", [name, "."]]}, "CNAME", [value]) in made
        feedback = ["10 feedback-smtp.", {"Ref": "AWS::Region"}, ".amazonses.com"]
        assert ("bounce.mail.example.com.", "MX", [{"Fn::Join": ["", feedback]}]) in made
        spf = '"v=spf1 include:amazonses.com ~all"'
        assert ("bounce.mail.example.com.", "TXT", [spf]) in made
        assert ("_dmarc.mail.example.com.", "TXT", ['"v=DMARC1; p=quarantine;"']) in made
        assert len(made) == 6

    def test_lists_the_records_to_create_without_a_zone(self) -> None:
        stack = regional_stack()
        mail = GalvMail(stack, "Mail", sender=SENDER)

        assert of_type(synthesize(stack), RECORD) == {}
        listed = [(record.type, record.name, record.value) for record in mail.dns_records]
        assert [kind for kind, _, _ in listed] == ["CNAME"] * 3 + ["MX", "TXT", "TXT"]
        assert listed[3:] == [
            ("MX", "bounce.mail.example.com", "10 feedback-smtp.eu-west-1.amazonses.com"),
            ("TXT", "bounce.mail.example.com", "v=spf1 include:amazonses.com ~all"),
            ("TXT", "_dmarc.mail.example.com", "v=DMARC1; p=quarantine;"),
        ]

    def test_leaves_a_dmarc_record_that_exists_alone(self) -> None:
        stack = Stack(new_app(), "Stack")
        mail = GalvMail(stack, "Mail", sender=SENDER, hosted_zone=zone_in(stack), dmarc="off")

        assert len(mail.dns_records) == len(records(synthesize(stack))) == 5
        assert "DMARC" not in json.dumps([record.value for record in mail.dns_records])

    @pytest.mark.parametrize("dmarc", ["none", "reject"])
    def test_asks_for_the_given_dmarc_policy(self, dmarc: str) -> None:
        mail = GalvMail(Stack(new_app(), "Stack"), "Mail", sender=SENDER, dmarc=dmarc)  # type: ignore[arg-type]

        assert mail.dns_records[-1].value == f"v=DMARC1; p={dmarc};"

    def test_accepts_a_zone_whose_name_is_not_known_at_synthesis(self) -> None:
        stack = Stack(new_app(), "Stack")
        zone = route53.HostedZone.from_hosted_zone_attributes(
            stack,
            "Zone",
            hosted_zone_id="Z1",
            zone_name=CfnParameter(stack, "Name").value_as_string,
        )
        GalvMail(stack, "Mail", sender=SENDER, hosted_zone=zone)

        names = [name for name, _, _ in records(synthesize(stack))]
        assert "_dmarc.mail.example.com." in names

    def test_takes_the_domain_of_the_zone_itself(self) -> None:
        stack = Stack(new_app(), "Stack")
        GalvMail(stack, "Mail", sender="galv@example.com", hosted_zone=zone_in(stack))

        names = [name for name, _, _ in records(synthesize(stack))]
        assert "_dmarc.example.com." in names


class TestPermissions:
    @pytest.mark.parametrize(
        ("resource", "sender", "allowed"),
        [
            ("identity/mail.example.com", SENDER, True),
            # In the sandbox SES asks for the identity of the recipient too:
            # https://docs.aws.amazon.com/ses/latest/dg/control-user-access.html
            ("identity/someone@example.org", SENDER, True),
            ("configuration-set/MailIdentityConfigurationSet7D2131A0", SENDER, True),
            ("identity/mail.example.com", "root@mail.example.com", False),
            ("identity/someone@example.org", "someone@example.org", False),
            ("configuration-set/other", SENDER, False),
        ],
    )
    def test_the_user_may_send_from_the_address_to_anyone(
        self, mail: Json, resource: str, sender: str, *, allowed: bool
    ) -> None:
        document = Resolved(mail).managed_policy(only_id(mail, "AWS::IAM::ManagedPolicy"))

        arn = f"arn:aws:ses:{REGION}:{ACCOUNT}:{resource}"
        for action, expected in (("ses:SendRawEmail", allowed), ("ses:SendEmail", False)):
            answer = is_allowed([document], action, arn, ses__FromAddress=sender)
            assert answer is expected
        other = arn.replace(REGION, "us-east-1")
        assert not is_allowed([document], "ses:SendRawEmail", other, ses__FromAddress=sender)

    def test_the_user_gets_it_by_a_group(self, mail: Json) -> None:
        policy = only(mail, "AWS::IAM::ManagedPolicy")
        group = {"Ref": only_id(mail, "AWS::IAM::Group")}
        assert policy["Groups"] == only(mail, USER).get("Groups", [group]) == [group]
        assert "Policies" not in only(mail, USER)

    def test_the_handler_may_only_touch_this_user_and_this_secret(self, mail: Json) -> None:
        role = only_id(mail, "AWS::IAM::Role", "MailCredentialsHandlerRole")
        user = {"Fn::GetAtt": [only_id(mail, USER), "Arn"]}
        secret = {"Ref": only_id(mail, SECRET)}
        log_group = {"Fn::GetAtt": [only_id(mail, "AWS::Logs::LogGroup", "Mail"), "Arn"]}
        place = [{"Ref": f"AWS::{part}"} for part in ("Partition", "Region", "AccountId")]
        partition, region, account = place
        parts = ["arn:", partition, ":ses:", region, ":", account, ":identity/mail.example.com"]
        identity = {"Fn::Join": ["", parts]}

        granted = {
            (action, json.dumps(resource))
            for statement in statements(mail, role)
            for action in as_list(statement["Action"])
            for resource in as_list(statement["Resource"])
        }
        assert granted == {
            ("iam:CreateAccessKey", json.dumps(user)),
            ("iam:DeleteAccessKey", json.dumps(user)),
            ("iam:ListAccessKeys", json.dumps(user)),
            ("secretsmanager:DescribeSecret", json.dumps(secret)),
            ("secretsmanager:PutSecretValue", json.dumps(secret)),
            ("secretsmanager:UpdateSecretVersionStage", json.dumps(secret)),
            ("logs:CreateLogStream", json.dumps(log_group)),
            ("logs:PutLogEvents", json.dumps(log_group)),
            # Whether there is an identity, before it is created.
            ("ses:GetEmailIdentity", json.dumps(identity)),
            ("cloudformation:DescribeStacks", json.dumps({"Ref": "AWS::StackId"})),
        }


class TestCredentials:
    def test_no_secret_value_is_in_the_template(self, mail: Json) -> None:
        assert of_type(mail, "AWS::IAM::AccessKey") == {}
        properties = only(mail, CREDENTIALS)
        assert set(properties) == {
            "ServiceToken",
            "ServiceTimeout",
            "UserName",
            "SecretId",
            "Region",
            "Rotation",
            "NewIdentity",
        }
        assert properties["UserName"] == {"Ref": only_id(mail, USER)}
        assert properties["SecretId"] == {"Ref": only_id(mail, SECRET)}
        assert properties["Region"] == {"Ref": "AWS::Region"}
        assert "SecretString" not in only(mail, SECRET)

    def test_the_user_may_send_before_there_are_credentials(self, mail: Json) -> None:
        needed = needs(mail, only_id(mail, CREDENTIALS))

        assert only_id(mail, "AWS::IAM::ManagedPolicy") in needed

    def test_the_handler_is_an_asset_by_itself(self, mail: Json) -> None:
        handler = only(mail, FUNCTION, "MailCredentialsHandler")

        assert handler["Handler"] == "handlers.smtp_credentials.on_event"
        assert handler["Timeout"] == 300

    def test_credentials_go_with_the_stack(self, mail_in_zone: Json) -> None:
        kept = {
            resource["Type"]
            for resource in mail_in_zone["Resources"].values()
            if resource.get("DeletionPolicy") == "RetainExceptOnCreate"
        }
        assert kept == {"AWS::Logs::LogGroup", RECORD, SET, IDENTITY}

    def test_removal_protection_keeps_every_part_of_the_identity(self, mail_in_zone: Json) -> None:
        """Others may send through it: it needs its records, and the configuration set it names."""
        parts = {
            id: resource
            for kind in (IDENTITY, SET, RECORD)
            for id, resource in of_type(mail_in_zone, kind).items()
            if "DmarcRecord" not in id
        }

        assert len(parts) == 7
        for resource in parts.values():
            assert resource["DeletionPolicy"] == "RetainExceptOnCreate"
            assert resource["UpdateReplacePolicy"] == "Retain"

    def test_a_dmarc_record_goes_when_it_is_switched_off(self, mail_in_zone: Json) -> None:
        (record,) = of_type(mail_in_zone, RECORD, "MailIdentityDmarc").values()

        assert record.get("DeletionPolicy", "Delete") == "Delete"

    def test_a_log_that_was_kept_is_not_in_the_way_of_the_next_one(self, mail: Json) -> None:
        assert "LogGroupName" not in only(mail, "AWS::Logs::LogGroup", "Mail")

    def test_the_log_goes_too_without_removal_protection(self) -> None:
        template = synth_mail(production=False)

        assert "Retain" not in json.dumps(template)
        assert only(template, "AWS::Logs::LogGroup", "Mail")["RetentionInDays"] == 30

    def test_the_secret_has_the_given_name(self) -> None:
        assert only(synth_mail(secret_name="galv-smtp"), SECRET)["Name"] == "galv-smtp"

    def test_the_secret_has_a_generated_name_when_none_is_given(self, mail: Json) -> None:
        assert "Name" not in only(mail, SECRET)

    def test_uses_the_given_key(self) -> None:
        stack = regional_stack()
        key = kms.Key.from_key_arn(stack, "Key", KEY_ARN)
        GalvMail(stack, "Mail", sender=SENDER, encryption_key=key)

        template = synthesize(stack)
        assert only(template, SECRET)["KmsKeyId"] == KEY_ARN
        groups = of_type(template, "AWS::Logs::LogGroup").values()
        assert [group["Properties"]["KmsKeyId"] for group in groups] == [KEY_ARN, KEY_ARN]
        role = only_id(template, "AWS::IAM::Role", "MailCredentialsHandlerRole")
        (allowed,) = (s for s in statements(template, role) if s["Resource"] == KEY_ARN)
        assert allowed["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]


def synth_backend(**arguments: Any) -> Json:
    """The template of a backend whose mail has these arguments."""
    stack = Stack(new_app(), "Stack")
    mail = GalvMail(stack, "Mail", **{"sender": SENDER, **arguments})
    backend_in(stack, mail=mail)
    return synthesize(stack)


class TestInTheBackend:
    @pytest.fixture(scope="class")
    @staticmethod
    def template() -> Json:
        return synth_backend()

    @pytest.mark.parametrize("task", ["web", "check-status"])
    def test_tasks_get_host_port_and_sender(self, template: Json, task: str) -> None:
        variables = environment(template, task)

        host = ["email-smtp.", {"Ref": "AWS::Region"}, ".amazonaws.com"]
        assert variables["DJANGO_EMAIL_HOST"] == {"Fn::Join": ["", host]}
        assert variables["DJANGO_EMAIL_PORT"] == "587"
        assert variables["DJANGO_EMAIL_USE_TLS"] == "True"
        assert variables["DJANGO_DEFAULT_FROM_EMAIL"] == SENDER

    @pytest.mark.parametrize(
        ("variable", "key"),
        [
            ("DJANGO_EMAIL_HOST_USER", "DJANGO_EMAIL_HOST_USER"),
            ("DJANGO_EMAIL_HOST_PASSWORD", "DJANGO_EMAIL_HOST_PASSWORD"),
        ],
    )
    def test_tasks_get_one_version_of_the_credentials(
        self, template: Json, variable: str, key: str
    ) -> None:
        value = secrets(template, "web")[variable]
        secret = {"Ref": only_id(template, SECRET, "MailCredentials")}
        version = {"Fn::GetAtt": [only_id(template, CREDENTIALS), "VersionId"]}
        assert value == {"Fn::Join": ["", [secret, f":{key}::", version]]}

    def test_a_rotation_replaces_the_tasks_after_the_credentials_are_created(
        self, template: Json
    ) -> None:
        """The new version is in the task definition, and the service waits for it.

        CloudFormation deletes the old key only when it cleans up after the whole stack.
        """
        before, after = template, synth_backend(rotation=2)

        assert (only(before, CREDENTIALS)["Rotation"], only(after, CREDENTIALS)["Rotation"]) == (
            "1",
            "2",
        )
        changed = {
            logical_id
            for logical_id, resource in after["Resources"].items()
            if resource != before["Resources"][logical_id]
        }
        assert changed == {only_id(after, CREDENTIALS)}
        service = only_id(after, "AWS::ECS::Service")
        assert only_id(after, CREDENTIALS) in needs(after, service)

    def test_refuses_mail_of_another_stack(self) -> None:
        app = new_app()
        mail = GalvMail(Stack(app, "MailStack"), "Mail", sender=SENDER)

        with pytest.raises(ValueError, match=r"mail \(MailStack/Mail\) must be in the stack of"):
            backend_in(Stack(app, "Stack"), mail=mail)

    @pytest.mark.parametrize(
        ("arguments", "works"),
        [
            ({}, True),
            ({"host": "email-smtp.eu-west-1.amazonaws.com"}, True),
            ({"host": "email-smtp.eu-west-2.amazonaws.com"}, False),
            ({"host": "smtp.example.com"}, False),
            ({"port": 465}, False),
        ],
    )
    def test_without_internet_only_amazon_ses_nearby_is_reached(
        self, arguments: Json, works: bool
    ) -> None:
        stack = regional_stack()
        secret = secretsmanager.Secret.from_secret_name_v2(stack, "Smtp", "smtp")
        network = GalvNetwork(stack, "Network", preset=NetworkPreset.ENDPOINTS)
        given: Json = {
            "mail": GalvMail.from_secret(secret, sender=SENDER, **arguments),
            "network": network,
            "image": in_ecr(stack),
        }
        if not works:
            with pytest.raises(ValueError, match="its only way to send mail is Amazon SES"):
                backend_in(stack, **given)
            return
        backend_in(stack, **given)
        endpoint = only(synthesize(stack), "AWS::EC2::VPCEndpoint", "NetworkVpcSmtpEndpoint")
        assert endpoint["PrivateDnsEnabled"] is True
        assert endpoint["ServiceName"] == f"com.amazonaws.{ENVIRONMENT.region}.email-smtp"

    def test_without_mail_there_is_no_endpoint_for_it(self) -> None:
        stack = regional_stack()
        network = GalvNetwork(stack, "Network", preset=NetworkPreset.ENDPOINTS)

        backend_in(stack, network=network, image=in_ecr(stack))

        endpoints = of_type(synthesize(stack), "AWS::EC2::VPCEndpoint")
        assert len(endpoints) == 6
        assert "email-smtp" not in str(endpoints)

    def test_the_endpoint_is_that_of_smtp(self) -> None:
        stack = Stack(new_app(), "Stack")
        network = GalvNetwork(stack, "Network", preset=NetworkPreset.ENDPOINTS)
        mail = GalvMail(stack, "Mail", sender=SENDER)

        backend_in(stack, mail=mail, network=network, image=in_ecr(stack))

        group = only(synthesize(stack), "AWS::EC2::SecurityGroup", "NetworkVpcSmtpEndpoint")
        (rule,) = group["SecurityGroupIngress"]
        assert (rule["FromPort"], rule["ToPort"]) == (mail.port, mail.port)

    def test_refuses_a_secret_in_place_of_mail(
        self, refused_backend: RefusedBackend, make_backend: MakeBackend
    ) -> None:
        assert refused_backend(mail="galv-smtp") == (
            "mail must be an IGalvMail, got 'galv-smtp': use GalvMail.from_secret(secret, sender=…)"
        )


class TestProperties:
    def test_expose_its_resources(self) -> None:
        stack = Stack(new_app(), "Stack")
        mail = GalvMail(stack, "Mail", sender=SENDER)
        template = synthesize(stack)

        assert mail.sender == SENDER
        assert stack.resolve(mail.secret.secret_arn) == {"Ref": only_id(template, SECRET)}
        assert stack.resolve(mail.iam_user.user_name) == {"Ref": only_id(template, USER)}
        identity = {"Ref": only_id(template, IDENTITY)}
        assert stack.resolve(mail.identity.email_identity_name) == identity
        name = {"Ref": only_id(template, SET)}
        assert mail.configuration_set is not None
        assert stack.resolve(mail.configuration_set.configuration_set_name) == name

    def test_two_live_in_one_stack(self) -> None:
        stack = Stack(new_app(), "Stack")
        GalvMail(stack, "One", sender="galv@one.example.com")
        GalvMail(stack, "Two", sender="galv@two.example.com")

        assert len(of_type(synthesize(stack), CREDENTIALS)) == 2


class TestRefusals:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"sender": "galv"}, "sender must be an address such as"),
            ({"mail_from_domain": "bounce"}, "mail_from_domain must be a bare host name"),
            (
                {"mail_from_domain": "bounce.example.com"},
                (
                    "mail_from_domain must be a subdomain of 'mail.example.com', the domain of "
                    "sender, got 'bounce.example.com': such as 'bounce.mail.example.com'"
                ),
            ),
            (
                {"dmarc": "strict"},
                "dmarc must be one of off, none, quarantine, reject, got 'strict'",
            ),
            ({"hosted_zone": "example.com"}, "hosted_zone must be an aws_route53.IHostedZone"),
            ({"notification_topic": "t"}, "notification_topic must be an aws_sns.ITopic"),
            ({"encryption_key": "k"}, "encryption_key must be an aws_kms.IKey"),
            ({"secret_name": "a b"}, "secret_name must be letters, digits and '/_+=.@-'"),
            ({"secret_name": 1}, "secret_name must be the name of a secret, got 1 (int)"),
            ({"rotation": 0}, "rotation must be from 1 to 1000000, got 0"),
            ({"rotation": "2"}, "rotation must be a whole number, got '2' (str)"),
            ({"production": "yes"}, "production must be true or false"),
            ({"removal_protection": "yes"}, "removal_protection must be true or false"),
        ],
    )
    def test_refuses_invalid_arguments(
        self, stack: Stack, refusal: Refusal, arguments: Json, message: str
    ) -> None:
        given: Json = {"sender": SENDER, **arguments}

        assert refusal(lambda: GalvMail(stack, "Mail", **given)).startswith(message)

    def test_refuses_an_address_outside_the_zone(self, stack: Stack, refusal: Refusal) -> None:
        zone = zone_in(stack)

        def make() -> None:
            GalvMail(stack, "Mail", sender="galv@example.org", hosted_zone=zone)

        assert refusal(make).startswith(
            "the domain of sender, 'example.org', is not in hosted_zone 'example.com'"
        )

    @pytest.mark.parametrize("name", ["sender", "rotation"])
    def test_refuses_values_that_are_not_known_at_synthesis(
        self, stack: Stack, refusal: Refusal, name: str
    ) -> None:
        parameter = CfnParameter(stack, "Parameter", type="Number" if name == "rotation" else None)
        token = parameter.value_as_number if name == "rotation" else parameter.value_as_string
        given: Json = {"sender": SENDER, name: token}

        message = refusal(lambda: GalvMail(stack, "Mail", **given))
        assert message.startswith(f"{name} must be known at synthesis, got a token")


class TestGivenIdentity:
    """One identity per domain, account and region: several deployments share it."""

    @pytest.fixture
    def shared(self) -> Json:
        stack = Stack(new_app(), "Stack")
        identity = ses.EmailIdentity.from_email_identity_name(stack, "Domain", "example.com")
        mail = GalvMail(stack, "Mail", sender=SENDER, identity=identity)
        assert mail.identity is identity
        assert (mail.configuration_set, mail.dns_records) == (None, [])
        return synthesize(stack)

    def test_is_used_and_nothing_of_it_is_defined(self, shared: Json) -> None:
        for kind in (IDENTITY, SET, DESTINATION, RECORD):
            assert of_type(shared, kind) == {}
        assert only(shared, SECRET) != {}

    def test_the_user_may_send_through_it_from_the_address(self, shared: Json) -> None:
        (statement,) = only(shared, "AWS::IAM::ManagedPolicy")["PolicyDocument"]["Statement"]

        assert ":identity/" in str(statement["Resource"])
        assert ":configuration-set/*" in str(statement["Resource"])
        assert statement["Condition"] == {"StringEquals": {"ses:FromAddress": SENDER}}

    def test_one_is_created_when_none_is_given(self, mail: Json) -> None:
        assert only(mail, IDENTITY)["EmailIdentity"] == "mail.example.com"

    def test_an_existing_identity_is_noticed_first(self, mail_in_zone: Json, shared: Json) -> None:
        """CloudFormation's own words for it name nothing that could be set."""
        assert only(mail_in_zone, CREDENTIALS)["NewIdentity"] == "mail.example.com"
        credentials = only_id(mail_in_zone, CREDENTIALS)
        assert credentials in needs(mail_in_zone, only_id(mail_in_zone, IDENTITY))
        for record in of_type(mail_in_zone, RECORD):
            assert only_id(mail_in_zone, IDENTITY) in needs(mail_in_zone, record)
        assert "NewIdentity" not in only(shared, CREDENTIALS)

    @pytest.mark.parametrize(
        ("argument", "value"),
        [
            ("mail_from_domain", "bounce.mail.example.com"),
            ("dmarc", "none"),
            ("hosted_zone", zone_in),
            ("notification_topic", lambda stack: sns.Topic(stack, "Topic")),
        ],
    )
    def test_refuses_arguments_for_a_new_identity(
        self, stack: Stack, refusal: Refusal, argument: str, value: Any
    ) -> None:
        identity = ses.EmailIdentity.from_email_identity_name(stack, "Domain", "mail.example.com")
        arguments: Json = {argument: value(stack) if callable(value) else value}

        message = refusal(
            lambda: GalvMail(stack, "Mail", sender=SENDER, identity=identity, **arguments)
        )

        assert message.startswith(f"identity and {argument} are both given")

    def test_refuses_that_of_another_domain(self, stack: Stack, refusal: Refusal) -> None:
        identity = ses.EmailIdentity.from_email_identity_name(stack, "Domain", "other.org")

        message = refusal(lambda: GalvMail(stack, "Mail", sender=SENDER, identity=identity))

        assert message.startswith("identity is 'other.org', and the domain of sender is")

    def test_refuses_a_name(self, stack: Stack, refusal: Refusal) -> None:
        given: Any = "example.com"

        message = refusal(lambda: GalvMail(stack, "Mail", sender=SENDER, identity=given))

        assert message.startswith("identity must be an aws_ses.IEmailIdentity, got 'example.com'")
