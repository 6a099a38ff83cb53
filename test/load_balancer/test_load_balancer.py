"""A load balancer that several backends share."""

from collections.abc import Callable

import pytest
from aws_cdk import Duration, Stack
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Annotations, Match
from backends import (
    CERTIFICATE_ARN,
    WEB_ACL_ARN,
    Refusal,
    RefusedBackend,
    backend_in,
    new_app,
    regional_stack,
    zone_in,
)
from templates import Json, needs, of_type, only, only_id, synthesize

from galv_constructs import (
    GalvDatabase,
    GalvDatabaseCluster,
    GalvLoadBalancer,
    GalvNetwork,
    GalvService,
    IGalvLoadBalancer,
)

ELB = "AWS::ElasticLoadBalancingV2::"
BALANCER, LISTENER, RULE = f"{ELB}LoadBalancer", f"{ELB}Listener", f"{ELB}ListenerRule"
LISTENER_ARN = (
    "arn:aws:elasticloadbalancing:eu-west-1:111122223333:listener/app/shared/0123456789abcdef/"
    "fedcba9876543210"
)


def shared_in(stack: Stack, **arguments: object) -> GalvLoadBalancer:
    """A load balancer for `*.example.com`, unless another name is given."""
    given: Json = {"domain_name": "*.example.com", **arguments}
    if "network" not in given:
        given["network"] = GalvNetwork(stack, "Network")
    if "hosted_zone" not in given:
        given["hosted_zone"] = stack.node.try_find_child("Zone") or zone_in(stack)
    return GalvLoadBalancer(stack, "Shared", **given)


def given_in(stack: Stack, **arguments: object) -> IGalvLoadBalancer:
    """A load balancer of the account, with its listener."""
    group = ec2.SecurityGroup.from_security_group_id(
        stack, "GivenGroup", "sg-12345678", allow_all_outbound=False
    )
    listener = elbv2.ApplicationListener.from_application_listener_attributes(
        stack, "GivenListener", listener_arn=LISTENER_ARN, security_group=group
    )
    balancer = elbv2.ApplicationLoadBalancer.from_application_load_balancer_attributes(
        stack,
        "Given",
        load_balancer_arn=LISTENER_ARN.replace(":listener/", ":loadbalancer/").rpartition("/")[0],
        load_balancer_dns_name="shared-1.eu-west-1.elb.amazonaws.com",
        load_balancer_canonical_hosted_zone_id="Z32O12XQLNTSW2",
        security_group_id="sg-12345678",
    )
    return GalvLoadBalancer.from_listener(listener, load_balancer=balancer, **arguments)  # type: ignore[arg-type]


def lean(load_balancer: IGalvLoadBalancer, rule_priority: int | None = None) -> Json:
    """Arguments of a backend of which only the rule matters."""
    return {
        "load_balancer": load_balancer,
        "rule_priority": rule_priority,
        "mirror_image": False,
        "preflight": False,
    }


def rules(template: Json) -> dict[str, int]:
    """The priority of the rule for each host name."""
    return {
        name: rule["Properties"]["Priority"]
        for rule in of_type(template, RULE).values()
        for condition in rule["Properties"]["Conditions"]
        for name in condition["HostHeaderConfig"]["Values"]
    }


@pytest.fixture(scope="module")
def two() -> Json:
    """Two backends at one load balancer."""
    stack = regional_stack()
    shared = shared_in(stack)
    for name in ("stage", "demo"):
        backend_in(stack, name.title(), domain_name=f"{name}.example.com", load_balancer=shared)
    return synthesize(stack)


class TestShared:
    def test_there_is_one_load_balancer_with_one_web_acl_one_log_and_one_vpc(
        self, two: Json
    ) -> None:
        for kind in (BALANCER, "AWS::WAFv2::WebACL", "AWS::EC2::VPC"):
            only(two, kind)
        assert len(of_type(two, LISTENER)) == 2
        assert len(of_type(two, "AWS::ECS::Service")) == 2
        attributes = {
            one["Key"]: one["Value"] for one in only(two, BALANCER)["LoadBalancerAttributes"]
        }
        assert attributes["access_logs.s3.enabled"] == "true"

    def test_each_backend_has_a_rule_and_a_record_of_its_own(self, two: Json) -> None:
        assert set(rules(two)) == {"stage.example.com", "demo.example.com"}
        assert len(set(rules(two).values())) == 2
        records = of_type(two, "AWS::Route53::RecordSet").values()
        assert {record["Properties"]["Name"] for record in records} == {
            "stage.example.com.",
            "demo.example.com.",
        }

    def test_one_certificate_covers_both(self, two: Json) -> None:
        assert only(two, "AWS::CertificateManager::Certificate")["DomainName"] == "*.example.com"
        assert of_type(two, f"{ELB}ListenerCertificate") == {}

    def test_answers_other_names_itself(self, two: Json) -> None:
        (action,) = only(two, LISTENER, "SharedLoadBalancerHttps")["DefaultActions"]

        assert action["FixedResponseConfig"]["StatusCode"] == "421"
        assert action["FixedResponseConfig"]["MessageBody"] == "Nothing here has this host name.\n"

    def test_the_number_of_a_rule_stays_when_a_name_is_added(self, two: Json) -> None:
        """CloudFormation could not change two numbers that meet on the way."""
        stack = regional_stack()
        shared = shared_in(stack)
        backend_in(stack, "Demo", domain_name="demo.example.com", load_balancer=shared)

        alone = rules(synthesize(stack))

        assert alone["demo.example.com"] == rules(two)["demo.example.com"]
        assert 1_000 <= alone["demo.example.com"] <= 49_999

    def test_a_name_that_its_certificate_does_not_cover_gets_one(self) -> None:
        stack = regional_stack()
        name = "api.lab.example.com"
        backend_in(stack, domain_name=name, load_balancer=shared_in(stack))
        template = synthesize(stack)

        added = only(template, f"{ELB}ListenerCertificate")
        certificate = only_id(template, "AWS::CertificateManager::Certificate", "Backend")
        assert added["Certificates"] == [{"CertificateArn": {"Ref": certificate}}]

    def test_a_given_certificate_is_added(self) -> None:
        stack = regional_stack()
        given = acm.Certificate.from_certificate_arn(stack, "Certificate", CERTIFICATE_ARN)
        backend_in(
            stack,
            domain_name="api.example.org",
            hosted_zone=None,
            certificate=given,
            load_balancer=shared_in(stack),
        )
        template = synthesize(stack)

        added = only(template, f"{ELB}ListenerCertificate")
        assert added["Certificates"] == [{"CertificateArn": CERTIFICATE_ARN}]
        assert of_type(template, "AWS::Route53::RecordSet") == {}

    def test_a_certificate_of_two_backends_is_added_once(self) -> None:
        """The first one that is deleted would take it away from the other."""
        ids = [_with_certificate(names) for names in (["one", "two"], ["two"])]

        assert ids[0] == ids[1]

    def test_two_listeners_get_it_each(self) -> None:
        stack = regional_stack()
        given = acm.Certificate.from_certificate_arn(stack, "Certificate", CERTIFICATE_ARN)
        network = GalvNetwork(stack, "Network")
        zone = zone_in(stack)
        made = {
            name: GalvLoadBalancer(
                stack,
                f"Shared {name}",
                network=network,
                domain_name=f"{name}.example.com",
                hosted_zone=zone,
            )
            for name in ("one", "two")
        }
        for name in ("one", "two"):
            backend_in(
                stack,
                name,
                domain_name=f"{name}.example.org",
                hosted_zone=None,
                certificate=given,
                load_balancer=made[name],
            )

        assert len(of_type(synthesize(stack), f"{ELB}ListenerCertificate")) == 2

    def test_two_stacks_that_add_it_are_warned_of(self) -> None:
        app = new_app()
        shared = shared_in(regional_stack(app, "SharedStack"))
        stacks = [regional_stack(app, id) for id in ("One", "Two")]
        for stack in stacks:
            backend_in(
                stack,
                domain_name=f"{stack.node.id}.example.org".lower(),
                hosted_zone=None,
                certificate=acm.Certificate.from_certificate_arn(stack, "C", CERTIFICATE_ARN),
                load_balancer=shared,
            )

        said = Match.string_like_regexp("certificate is added to the listener .* stack One too")
        Annotations.from_stack(stacks[0]).has_no_warning("*", said)
        Annotations.from_stack(stacks[1]).has_warning("*", said)

    def test_names_lead_to_it_when_tasks_answer(self, two: Json) -> None:
        """A backend that moves here stays reachable until then."""
        services = of_type(two, "AWS::ECS::Service")
        for name in ("Stage", "Demo"):
            record = only_id(two, "AWS::Route53::RecordSet", name)
            (service,) = (id for id in services if id.startswith(name))
            assert service in needs(two, record)

    def test_a_backend_in_another_stack_changes_nothing_in_that_of_the_load_balancer(self) -> None:
        app = new_app()
        shared_stack = regional_stack(app, "SharedStack")
        shared = shared_in(shared_stack)
        before = set(_synthesized_alone())
        stack = regional_stack(app, "GalvStack")
        backend_in(stack, domain_name="stage.example.com", load_balancer=shared)

        assembly = app.synth()
        templates = {one.stack_name: one.template["Resources"] for one in assembly.stacks}
        assert set(templates["SharedStack"]) == before
        kinds = {resource["Type"] for resource in templates["GalvStack"].values()}
        assert {RULE, "AWS::Route53::RecordSet", f"{ELB}TargetGroup"} <= kinds
        assert BALANCER not in kinds

    def test_is_told_by_the_backend(self) -> None:
        stack = regional_stack()
        shared = shared_in(stack)
        backend = backend_in(stack, load_balancer=shared)

        assert backend.load_balancer is shared.load_balancer
        assert backend.listener is shared.listener
        assert backend.http_listener is None
        assert backend.certificate is None
        assert backend.web_acl_arn is None
        assert backend.network is shared.network
        assert backend.load_balancer_security_group.security_group_id == (
            shared.security_group.security_group_id
        )

    def test_may_be_told_the_number_of_its_rule(self) -> None:
        stack = regional_stack()
        backend_in(stack, load_balancer=shared_in(stack), rule_priority=7)

        assert rules(synthesize(stack)) == {"api.example.com": 7}


def _with_certificate(names: list[str]) -> list[str]:
    """The logical ids of what adds one certificate for backends with these names."""
    stack = regional_stack()
    shared = shared_in(stack)
    for name in names:
        backend_in(
            stack,
            name,
            domain_name=f"{name}.example.org",
            hosted_zone=None,
            certificate=acm.Certificate.from_certificate_arn(stack, f"C {name}", CERTIFICATE_ARN),
            load_balancer=shared,
        )
    return list(of_type(synthesize(stack), f"{ELB}ListenerCertificate"))


def _synthesized_alone() -> Json:
    stack = regional_stack(id="SharedStack")
    shared_in(stack)
    resources: Json = synthesize(stack)["Resources"]
    return resources


class TestOptions:
    def test_takes_ranges_and_a_web_acl_of_its_own(self) -> None:
        stack = regional_stack()
        shared_in(stack, allowed_cidrs=["192.0.2.0/24"], web_acl_arn=WEB_ACL_ARN, access_logs=False)
        template = synthesize(stack)

        assert of_type(template, "AWS::WAFv2::WebACL") == {}
        assert only(template, "AWS::WAFv2::WebACLAssociation")["WebACLArn"] == WEB_ACL_ARN
        assert of_type(template, "AWS::S3::Bucket") == {}

    def test_has_no_web_acl_when_asked(self) -> None:
        stack = regional_stack()
        assert shared_in(stack, web_acl=False).web_acl_arn is None
        assert of_type(synthesize(stack), "AWS::WAFv2::WebACLAssociation") == {}

    @pytest.mark.parametrize(("protected", "wanted"), [(None, "true"), (False, "false")])
    def test_refuses_to_be_deleted_unless_told(self, protected: bool | None, wanted: str) -> None:
        stack = regional_stack()
        shared_in(stack, deletion_protection=protected)

        protection = only(synthesize(stack), "Custom::GalvProtection")
        assert protection["Protected"] == wanted
        assert len(protection["LoadBalancers"]) == 1

    def test_asks_for_the_zone_first(self) -> None:
        stack = regional_stack()
        shared_in(stack)

        asked = only(synthesize(stack), "Custom::GalvPreflight")["Questions"]
        assert asked["Shared/HostedZone"]["Ask"] == "hosted-zone"

    def test_internal_ones_are_in_the_subnets_of_tasks(self) -> None:
        stack = regional_stack()
        shared_in(stack, internet_facing=False)

        assert only(synthesize(stack), BALANCER)["Scheme"] == "internal"


class TestGivenListener:
    def test_adds_a_rule_a_certificate_and_a_record(self) -> None:
        stack = regional_stack()
        network = GalvNetwork(stack, "Network")
        backend_in(stack, load_balancer=given_in(stack), network=network)
        template = synthesize(stack)

        assert of_type(template, BALANCER) == {}
        assert only(template, RULE)["ListenerArn"] == LISTENER_ARN
        assert only(template, f"{ELB}ListenerCertificate")["ListenerArn"] == LISTENER_ARN
        target = only(template, "AWS::Route53::RecordSet")["AliasTarget"]
        assert target["HostedZoneId"] == "Z32O12XQLNTSW2"

    def test_its_security_group_reaches_the_tasks(self) -> None:
        stack = regional_stack()
        network = GalvNetwork(stack, "Network")
        backend_in(stack, load_balancer=given_in(stack), network=network)
        template = synthesize(stack)

        (out,) = [
            rule["Properties"]
            for rule in of_type(template, "AWS::EC2::SecurityGroupEgress").values()
            if rule["Properties"]["GroupId"] == "sg-12345678"
        ]
        assert (out["FromPort"], out["ToPort"]) == (8000, 8000)

    def test_adds_no_certificate_for_a_name_that_is_covered(self) -> None:
        stack = regional_stack()
        network = GalvNetwork(stack, "Network")
        given = given_in(stack, domain_names=["*.example.com"])
        backend_in(stack, load_balancer=given, network=network, hosted_zone=None)

        assert of_type(synthesize(stack), "AWS::CertificateManager::Certificate") == {}

    def test_names_have_addresses_of_ipv6_where_it_does(self) -> None:
        stack = regional_stack()
        network = GalvNetwork(stack, "Network")
        backend_in(stack, load_balancer=given_in(stack, has_ipv6=True), network=network)

        records = of_type(synthesize(stack), "AWS::Route53::RecordSet").values()
        assert {record["Properties"]["Type"] for record in records} == {"A", "AAAA"}

    def test_refuses_text_in_place_of_a_listener(self, stack: Stack, refusal: Refusal) -> None:
        make: Callable[[], object] = lambda: GalvLoadBalancer.from_listener(  # noqa: E731
            LISTENER_ARN,  # type: ignore[arg-type]
            load_balancer=None,  # type: ignore[arg-type]
        )

        assert refusal(make).startswith(
            "listener must be an aws_elasticloadbalancingv2.IApplicationListener, got 'arn:aws:"
        )

    def test_refuses_a_backend_without_a_network(self) -> None:
        stack = regional_stack()
        zone = zone_in(stack)

        with pytest.raises(ValueError, match="network is not given, and load_balancer does not"):
            backend_in(stack, load_balancer=given_in(stack), hosted_zone=zone)


class TestRefusals:
    @pytest.mark.parametrize(
        ("argument", "value"),
        [
            ("internet_facing", False),
            ("allowed_cidrs", ["192.0.2.0/24"]),
            ("web_acl", False),
            ("web_acl_arn", WEB_ACL_ARN),
            ("admin_cidrs", []),
            ("content_security_policy", {"img-src": ["https://a.example"]}),
        ],
    )
    def test_refuses_what_is_the_load_balancers_own(
        self, stack: Stack, refused_backend: RefusedBackend, argument: str, value: object
    ) -> None:
        text = refused_backend(load_balancer=shared_in(stack), **{argument: value})

        assert text == (
            f"{argument}: for a load balancer of the backend's own, and load_balancer is given: "
            "pass it to GalvLoadBalancer(…)"
        )

    def test_refuses_a_topic_that_nothing_is_told_to(
        self, stack: Stack, refused_backend: RefusedBackend
    ) -> None:
        topic = sns.Topic(stack, "Topic")

        text = refused_backend(load_balancer=shared_in(stack), alarm_topic=topic)

        assert text.startswith("alarm_topic: for a load balancer of the backend's own")

    def test_takes_a_topic_that_has_another_use(self) -> None:
        stack = regional_stack()
        topic = sns.Topic(stack, "Topic")
        backend_in(
            stack,
            load_balancer=shared_in(stack),
            alarm_topic=topic,
            alarm_on_superuser_sign_in=True,
        )

        assert of_type(synthesize(stack), "AWS::Logs::MetricFilter") != {}

    def test_refuses_a_priority_without_a_shared_one(self, refused_backend: RefusedBackend) -> None:
        assert refused_backend(rule_priority=5).startswith(
            "rule_priority is given without load_balancer"
        )

    @pytest.mark.parametrize("priority", [0, 50_001])
    def test_refuses_a_priority_out_of_bounds(
        self, stack: Stack, refused_backend: RefusedBackend, priority: int
    ) -> None:
        text = refused_backend(load_balancer=shared_in(stack), rule_priority=priority)

        assert text.startswith("rule_priority must be from 1 to 50000")

    def test_refuses_a_priority_that_another_backend_gave(
        self, stack: Stack, refused_backend: RefusedBackend
    ) -> None:
        shared = shared_in(stack)
        backend_in(stack, "Stage", domain_name="stage.example.com", **lean(shared, 7))

        text = refused_backend(load_balancer=shared, rule_priority=7)

        assert text.startswith("rule_priority is 7 and Stack/Stage has a rule with that priority")
        assert "such as rule_priority=8" in text

    def test_the_number_that_it_proposes_is_not_above_the_highest(
        self, stack: Stack, refused_backend: RefusedBackend
    ) -> None:
        shared = shared_in(stack)
        backend_in(stack, "Stage", domain_name="stage.example.com", **lean(shared, 50_000))

        text = refused_backend(load_balancer=shared, rule_priority=50_000)

        assert text.endswith("such as rule_priority=1")

    def test_refuses_names_whose_priorities_follow_to_be_the_same(
        self, stack: Stack, refused_backend: RefusedBackend
    ) -> None:
        shared = shared_in(stack)
        backend_in(stack, "Lab", domain_name="lab185.example.com", **lean(shared))

        text = refused_backend(load_balancer=shared, domain_name="lab198.example.com")

        assert text.startswith(
            "rule_priority is 49518, which follows from domain_name 'lab198.example.com', and "
            "Stack/Lab has a rule with that priority"
        )

    def test_takes_one_priority_at_two_listeners(self, stack: Stack) -> None:
        backend_in(stack, "Stage", domain_name="stage.example.com", **lean(shared_in(stack), 7))
        given = given_in(stack)
        network = GalvNetwork(stack, "OtherNetwork")

        backend_in(stack, network=network, **lean(given, 7))

        assert rules(synthesize(stack)) == {"stage.example.com": 7, "api.example.com": 7}

    def test_refuses_a_service_with_the_priority_of_a_backend(
        self, stack: Stack, refusal: Refusal
    ) -> None:
        shared = shared_in(stack)
        backend = backend_in(stack, "Stage", domain_name="stage.example.com", **lean(shared, 7))
        arguments: Json = {
            "runtime": backend.runtime,
            "command": ["report"],
            "listener": shared.listener,
            "port": 80,
            "conditions": [elbv2.ListenerCondition.path_patterns(["/reports/*"])],
        }
        GalvService(stack, "Reports", priority=8, **arguments)

        text = refusal(lambda: GalvService(stack, "Again", priority=7, **arguments))
        assert text.startswith("priority is 7 and Stack/Stage has a rule with that priority")
        assert "such as priority=9" in text
        text = refusal(lambda: GalvService(stack, "Again", priority=8, **arguments))
        assert text.startswith("priority is 8 and Stack/Reports has a rule with that priority")

    def test_refuses_a_longer_time_than_its_own(
        self, stack: Stack, refused_backend: RefusedBackend
    ) -> None:
        text = refused_backend(load_balancer=shared_in(stack), request_timeout=Duration.minutes(3))

        assert text.startswith(
            "request_timeout is 180 seconds, and load_balancer ends requests after 120"
        )

    def test_refuses_another_vpc(self, stack: Stack, refused_backend: RefusedBackend) -> None:
        other = GalvNetwork(stack, "Other")

        text = refused_backend(load_balancer=shared_in(stack), network=other)

        assert "load_balancer" in text
        assert "VPC" in text

    def test_refuses_a_name_that_nothing_covers(
        self, stack: Stack, refused_backend: RefusedBackend
    ) -> None:
        text = refused_backend(
            load_balancer=shared_in(stack), hosted_zone=None, domain_name="api.example.org"
        )

        assert "no certificate of load_balancer is known to cover 'api.example.org'" in text
        assert "'*.example.org'" in text

    @pytest.mark.parametrize("given", ["shared", 7])
    def test_refuses_what_is_no_load_balancer(
        self, refused_backend: RefusedBackend, given: object
    ) -> None:
        assert refused_backend(load_balancer=given).startswith(
            f"load_balancer must be an IGalvLoadBalancer, got {given!r}"
        )

    def test_refuses_an_l2_load_balancer(
        self, stack: Stack, refused_backend: RefusedBackend
    ) -> None:
        balancer = elbv2.ApplicationLoadBalancer(stack, "Alb", vpc=ec2.Vpc(stack, "V"))

        text = refused_backend(load_balancer=balancer)

        assert text.startswith("load_balancer must be a GalvLoadBalancer, got ApplicationLoad")

    def test_refuses_to_be_in_no_network(self, stack: Stack, refusal: Refusal) -> None:
        zone_in(stack)

        text = refusal(lambda: shared_in(stack, network=None))

        assert text.startswith("network must be a GalvNetwork, got None")

    def test_refuses_a_name_that_is_none(self, stack: Stack, refusal: Refusal) -> None:
        zone_in(stack)
        network = GalvNetwork(stack, "Network")

        text = refusal(lambda: shared_in(stack, network=network, domain_name="*.*.example.com"))

        assert text.startswith("domain_name must be a bare host name in lower case")


@pytest.mark.parametrize("make", [GalvDatabase, GalvDatabaseCluster, GalvLoadBalancer])
@pytest.mark.parametrize("given", [None, "vpc"])
def test_refuses_what_is_no_network(
    stack: Stack, refusal: Refusal, make: Callable[..., object], given: str | None
) -> None:
    network = ec2.Vpc(stack, "Vpc") if given else None
    more = {"domain_name": "a.example.com"} if make is GalvLoadBalancer else {}

    text = refusal(lambda: make(stack, "Made", network=network, **more))

    assert text.startswith("network must be a GalvNetwork, got ")
    assert "use GalvNetwork.from_vpc(vpc) for a VPC" in text


def test_refuses_a_vpc_without_its_range_for_an_internal_one(
    stack: Stack, refusal: Refusal
) -> None:
    vpc = ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-1",
        availability_zones=["eu-west-1a", "eu-west-1b"],
        private_subnet_ids=["subnet-1", "subnet-2"],
    )
    arguments: Json = {"network": GalvNetwork.from_vpc(vpc), "internet_facing": False}
    zone = zone_in(stack)

    said = refusal(
        lambda: GalvLoadBalancer(
            stack, "Shared", domain_name="a.example.com", hosted_zone=zone, **arguments
        )
    )

    assert said.startswith("network is a VPC without its IPv4 range (Stack/Vpc)")
    assert "or pass allowed_cidrs" in said
    GalvLoadBalancer(
        stack,
        "Open",
        domain_name="a.example.com",
        hosted_zone=zone,
        allowed_cidrs=["192.0.2.0/24"],
        **arguments,
    )
