"""The load balancer: certificate, listeners, DNS record."""

import re
from typing import Any

import pytest
from aws_cdk import Duration, Stack
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_route53 as route53
from backends import CERTIFICATE_ARN, MakeBackend, RefusedBackend, Synth
from templates import Json, ingress_rules, needs, of_type, only, only_id, synthesize

from galv_constructs import GalvNetwork

BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"
LISTENER = "AWS::ElasticLoadBalancingV2::Listener"


RULE = "AWS::ElasticLoadBalancingV2::ListenerRule"


def group(template: Json) -> str:
    return only_id(template, "AWS::ElasticLoadBalancingV2::TargetGroup")


def _values(value: Any) -> list[Any]:
    """Everything that is in a value, at any depth."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value, *(found for one in inner for found in _values(one))]


def listener_attributes(template: Json) -> dict[str, Any]:
    listed = only(template, LISTENER, "BackendLoadBalancerHttps")["ListenerAttributes"]
    return {attribute["Key"]: attribute["Value"] for attribute in listed}


def policy(template: Json) -> str:
    """The content security policy, with names in angle brackets for what is not known yet."""
    start = "routing.http.response.content_security_policy"
    joined = listener_attributes(template)[f"{start}.header_value"]["Fn::Join"][1]
    return "".join(
        part if isinstance(part, str) else f"<{part['Fn::GetAtt'][0]}>" for part in joined
    )


def attributes(template: Json) -> dict[str, Any]:
    listed = only(template, BALANCER)["LoadBalancerAttributes"]
    return {attribute["Key"]: attribute["Value"] for attribute in listed}


class TestCertificate:
    def test_creates_certificate_and_record_in_the_given_zone(self, default: Json) -> None:
        certificate = only(default, "AWS::CertificateManager::Certificate")
        record = only(default, "AWS::Route53::RecordSet")

        assert certificate["DomainName"] == "api.example.com"
        assert certificate["ValidationMethod"] == "DNS"
        assert certificate["DomainValidationOptions"] == [
            {"DomainName": "api.example.com", "HostedZoneId": "Z0123456789"}
        ]
        assert (record["Name"], record["Type"]) == ("api.example.com.", "A")
        assert record["HostedZoneId"] == "Z0123456789"
        dns_name = record["AliasTarget"]["DNSName"]["Fn::Join"][1]
        assert {"Fn::GetAtt": [only_id(default, BALANCER), "DNSName"]} in dns_name

    def test_uses_the_given_certificate(
        self, stack: Stack, make_backend: MakeBackend, certificate: acm.ICertificate
    ) -> None:
        backend = make_backend(hosted_zone=None, certificate=certificate)
        template = synthesize(stack)

        assert of_type(template, "AWS::CertificateManager::Certificate") == {}
        assert of_type(template, "AWS::Route53::RecordSet") == {}
        https = only(template, LISTENER, "BackendLoadBalancerHttps")
        assert https["Certificates"] == [{"CertificateArn": CERTIFICATE_ARN}]
        assert backend.certificate is not None
        assert backend.certificate.certificate_arn == CERTIFICATE_ARN
        assert stack.resolve(backend.load_balancer_dns_name) == {
            "Fn::GetAtt": [only_id(template, BALANCER), "DNSName"]
        }

    def test_accepts_the_name_of_the_zone_itself(self, synth: Synth) -> None:
        record = only(synth(domain_name="example.com"), "AWS::Route53::RecordSet")

        assert record["Name"] == "example.com."

    def test_accepts_every_name_in_the_zone(self, tuned: Json) -> None:
        assert only(tuned, "AWS::Route53::RecordSet")["Name"] == "api.lab.example.com."

    def test_accepts_a_zone_whose_name_is_not_known_at_synthesis(self, deferred: Json) -> None:
        assert only(deferred, "AWS::Route53::RecordSet")["Name"] == "api.example.org."

    def test_refuses_zone_and_certificate(
        self, refused_backend: RefusedBackend, certificate: acm.ICertificate
    ) -> None:
        text = refused_backend(certificate=certificate)

        assert text.startswith("hosted_zone and certificate are both given: ")
        assert "pass hosted_zone alone for a domain in Route 53" in text
        assert "certificate alone for a domain elsewhere" in text

    @pytest.mark.parametrize(
        "arn",
        [
            "arn:aws:iam::111122223333:server-certificate/api",
            "arn:aws:acm:eu-west-1:111122223333:certificate",
        ],
    )
    def test_refuses_an_arn_of_no_certificate_in_acm(
        self, stack: Stack, refused_backend: RefusedBackend, arn: str
    ) -> None:
        given = acm.Certificate.from_certificate_arn(stack, "Given", arn)

        text = refused_backend(certificate=given, hosted_zone=None)
        assert text.startswith("certificate must be one of AWS Certificate Manager, such as 'arn:")
        assert f"got {arn!r}" in text

    def test_refuses_what_is_no_certificate(
        self, stack: Stack, refused_backend: RefusedBackend
    ) -> None:
        text = refused_backend(certificate=stack, hosted_zone=None)
        assert text.startswith(
            "certificate must be an aws_certificatemanager.ICertificate, got Stack: use acm."
        )

    def test_refuses_a_zone_that_is_known_by_its_id_alone(
        self, stack: Stack, refused_backend: RefusedBackend
    ) -> None:
        zone = route53.HostedZone.from_hosted_zone_id(stack, "Id alone", "Z0123456789")

        text = refused_backend(hosted_zone=zone)

        assert text.startswith("hosted_zone (Stack/Id alone) is known by its id alone")
        assert "from_hosted_zone_attributes(…)" in text

    def test_refuses_subnets_of_tasks_without_a_range(
        self, stack: Stack, refused_backend: RefusedBackend
    ) -> None:
        vpc = ec2.Vpc.from_vpc_attributes(
            stack,
            "Given",
            vpc_id="vpc-1",
            availability_zones=["eu-west-1a", "eu-west-1b"],
            public_subnet_ids=["subnet-1", "subnet-2"],
            private_subnet_ids=["subnet-3", "subnet-4"],
        )

        text = refused_backend(network=GalvNetwork.from_vpc(vpc))

        assert text.startswith(
            "network has the subnet Stack/Given/PrivateSubnet1 without its IPv4 range"
        )
        assert "private_subnet_ipv4_cidr_blocks=[…]" in text

    def test_refuses_neither_zone_nor_certificate(self, refused_backend: RefusedBackend) -> None:
        text = refused_backend(hosted_zone=None)

        assert text.startswith("neither hosted_zone nor certificate is given")
        assert "'api.example.com' needs a certificate" in text
        assert "pass hosted_zone for a domain in Route 53" in text

    @pytest.mark.parametrize("domain_name", ["api.example.org", "notexample.com", "com.example"])
    def test_refuses_a_name_outside_of_the_zone(
        self, refused_backend: RefusedBackend, domain_name: str
    ) -> None:
        assert refused_backend(domain_name=domain_name) == (
            f"domain_name {domain_name!r} is not in hosted_zone 'example.com': pass the zone that "
            "it is in"
        )

    @pytest.mark.parametrize(
        ("argument", "expected", "how"),
        [
            ("hosted_zone", "aws_route53.IHostedZone", "HostedZone.from_lookup("),
            ("certificate", "aws_certificatemanager.ICertificate", "from_certificate_arn("),
        ],
    )
    def test_refuses_text_in_place_of_constructs(
        self, refused_backend: RefusedBackend, argument: str, expected: str, how: str
    ) -> None:
        text = refused_backend(**{argument: "Z0123456789"})

        assert f"{argument} must be an {expected}, got 'Z0123456789'" in text
        assert how in text

    @pytest.mark.parametrize("argument", ["domain_name", "root_domain_name"])
    def test_refuses_an_invalid_host_name(
        self, refused_backend: RefusedBackend, argument: str
    ) -> None:
        text = refused_backend(**{argument: "https://example.com/"})

        assert text.startswith(f"{argument} must be a bare host name in lower case")
        assert "got 'https://example.com/': leave out the scheme" in text


class TestListeners:
    def test_https_speaks_recommended_tls(self, default: Json) -> None:
        https = only(default, LISTENER, "BackendLoadBalancerHttps")

        assert (https["Port"], https["Protocol"]) == (443, "HTTPS")
        assert https["SslPolicy"] == "ELBSecurityPolicy-TLS13-1-2-2021-06"

    def test_forwards_requests_for_its_name(self, default: Json) -> None:
        rule = only(default, RULE)

        assert rule["ListenerArn"] == {
            "Ref": only_id(default, LISTENER, "BackendLoadBalancerHttps")
        }
        assert rule["Conditions"] == [
            {"Field": "host-header", "HostHeaderConfig": {"Values": ["api.example.com"]}}
        ]
        assert rule["Actions"] == [{"Type": "forward", "TargetGroupArn": {"Ref": group(default)}}]

    def test_answers_requests_for_other_host_names_itself(self, default: Json) -> None:
        """An address that health checks have as `Host` is one, and Django would let it in."""
        https = only(default, LISTENER, "BackendLoadBalancerHttps")

        (action,) = https["DefaultActions"]
        assert action["Type"] == "fixed-response"
        assert action["FixedResponseConfig"]["StatusCode"] == "421"
        said = action["FixedResponseConfig"]["MessageBody"]
        assert said == "This is https://api.example.com/ and no other host.\n"
        forwarding = [
            resource
            for resource in default["Resources"].values()
            if resource["Type"].startswith("AWS::ElasticLoadBalancingV2::Listener")
            and {"Ref": group(default)} in _values(resource["Properties"])
        ]
        assert len(forwarding) == 1
        assert forwarding[0]["Type"] == RULE

    def test_tasks_are_in_the_target_group_when_it_is_forwarded_to(self, default: Json) -> None:
        """ECS refuses a service whose target group has no load balancer."""
        assert only_id(default, RULE) in needs(default, only_id(default, "AWS::ECS::Service"))

    def test_responses_have_security_headers(self, default: Json) -> None:
        headers = listener_attributes(default)
        start = "routing.http.response"

        assert headers[f"{start}.strict_transport_security.header_value"] == "max-age=31536000"
        assert headers[f"{start}.x_content_type_options.header_value"] == "nosniff"
        assert headers[f"{start}.server.enabled"] == "false"
        assert "frame-ancestors 'none'" in policy(default)
        # Everybody may publish on jsDelivr: two of its packages are allowed, with their paths.
        sources = [word for word in policy(default).split() if "jsdelivr" in word]
        assert all(re.fullmatch(r"https://[^/]+/npm/[a-z-]+@latest/;?", word) for word in sources)

    def test_pages_may_load_static_files(self, default: Json) -> None:
        domain = only_id(default, "AWS::CloudFront::Distribution")

        directives = [one.strip() for one in policy(default).split(";")]
        with_static = {one.split()[0] for one in directives if f"https://<{domain}>" in one.split()}
        assert with_static == {"font-src", "script-src", "style-src"}

    def test_the_policy_is_not_longer_than_a_header_may_be(self, default: Json) -> None:
        assert len(policy(default)) < 1000

    def test_pages_may_load_from_added_origins(self, synth: Synth) -> None:
        template = synth(content_security_policy={"img-src": ["https://tiles.example.org"]})

        assert "img-src 'self' data: https: https://tiles.example.org;" in policy(template)

    def test_refuses_origins_that_would_break_the_policy(
        self, refused_backend: RefusedBackend
    ) -> None:
        assert refused_backend(content_security_policy={"img-src": "https://a.example"}) == (
            "content_security_policy['img-src'] must be a list of sources without spaces, ';' and "
            "',', such as ['https://tiles.example.org'], got 'https://a.example'"
        )

    def test_http_only_redirects(self, default: Json) -> None:
        redirect = only(default, LISTENER, "BackendLoadBalancerRedirect")

        assert (redirect["Port"], redirect["Protocol"]) == (80, "HTTP")
        assert redirect["DefaultActions"] == [
            {
                "Type": "redirect",
                "RedirectConfig": {
                    "Port": "443",
                    "Protocol": "HTTPS",
                    "StatusCode": "HTTP_301",
                },
            }
        ]

    def test_no_other_port_is_open(self, default: Json) -> None:
        group_id = only_id(default, "AWS::EC2::SecurityGroup", "BackendLoadBalancer")

        rules = ingress_rules(default, group_id)

        assert sorted((rule["FromPort"], rule["CidrIp"]) for rule in rules) == [
            (80, "0.0.0.0/0"),
            (443, "0.0.0.0/0"),
        ]

    def test_drops_invalid_header_fields(self, default: Json) -> None:
        assert only(default, BALANCER)["Scheme"] == "internet-facing"
        assert attributes(default)["routing.http.drop_invalid_header_fields.enabled"] == "true"
        assert attributes(default)["routing.http.desync_mitigation_mode"] == "defensive"


class TestOptions:
    def test_uses_the_given_request_timeout(self, tuned: Json) -> None:
        assert attributes(tuned)["idle_timeout.timeout_seconds"] == "600"

    def test_waits_two_minutes_when_no_request_timeout_is_given(self, default: Json) -> None:
        assert attributes(default)["idle_timeout.timeout_seconds"] == "120"

    @pytest.mark.parametrize("timeout", [Duration.seconds(29), Duration.seconds(4001)])
    def test_refuses_a_request_timeout_out_of_bounds(
        self, refused_backend: RefusedBackend, timeout: Duration
    ) -> None:
        assert refused_backend(request_timeout=timeout) == (
            "request_timeout must be whole seconds from 30 to 3600, got "
            f"{timeout.to_seconds():g} seconds"
        )
