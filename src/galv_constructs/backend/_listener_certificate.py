"""Certificates that backends of one stack add to a listener that they share."""

from aws_cdk import Annotations, Stack
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from constructs import Construct

from galv_constructs._core.listener_rules import hashed
from galv_constructs._core.stage_records import name_of, record, records

# Kind of the records that say which stack adds which certificate to which listener.
_ADDED = "galv-constructs:listenerCertificate"


def add_certificate(
    scope: Construct, listener: elbv2.IApplicationListener, certificate: acm.ICertificate
) -> elbv2.ApplicationListenerCertificate:
    """Add a given certificate to a listener, once in a stack.

    A listener has a certificate once, however often it is added, and loses it when one of those
    who added it is deleted. So the addition is the stack's, and stays with its last backend.
    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_AddListenerCertificates.html
    """
    stack = Stack.of(scope)
    names = (
        name_of(listener, listener.listener_arn),
        name_of(certificate, certificate.certificate_arn),
    )
    key = " ".join(names)
    id = f"GalvListenerCertificate{hashed(key):x}"
    found = stack.node.try_find_child(id)
    if isinstance(found, elbv2.ApplicationListenerCertificate):
        return found
    _warn_of_another_stack(scope, stack, key)
    return elbv2.ApplicationListenerCertificate(
        stack, id, listener=listener, certificates=[certificate]
    )


def _warn_of_another_stack(scope: Construct, stack: Stack, key: str) -> None:
    others = [one["stack"] for one in records(scope, _ADDED) if one["key"] == key]
    record(scope, _ADDED, {"key": key, "stack": stack.node.path})
    if others:
        Annotations.of(scope).add_warning_v2(
            _ADDED,
            f"certificate is added to the listener of load_balancer by the stack {others[0]} too, "
            "and who of both is deleted first takes it away from the other: add it where the "
            "listener is, with listener.add_certificates(…), and pass load_balancer="
            "GalvLoadBalancer.from_listener(…, domain_names=[…]) with the names that it covers.",
        )
