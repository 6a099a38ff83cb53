"""Parts of EC2 that MiniStack lacks: rules as resources, addresses, NAT gateways, flow logs."""

from functools import partial
from ipaddress import ip_network
from typing import Any

from e2e.emulator.private import ec2, provisioners, s3
from e2e.emulator.types import Json, Made, add_type, check_before, random_id

_subnet = provisioners.RESOURCE_HANDLERS["AWS::EC2::Subnet"]
_subnet_made = _subnet["create"]
_subnet_answer = ec2.create_subnet
_endpoint_made = ec2.vpce_fields_xml
_RULES = {"Ingress": "IpPermissions", "Egress": "IpPermissionsEgress"}


def _group(properties: Json) -> Json:
    group: Json | None = ec2.security_groups.get(properties.get("GroupId", ""))
    if group is None:
        raise ValueError(f"InvalidGroup.NotFound: {properties.get('GroupId')!r}")
    return group


def _bare(rule: Json) -> str:
    """A rule without its description, which is no part of its identity."""
    return str(ec2.strip_descriptions(rule))


def _rule(properties: Json) -> Json:
    for side in ("SourceSecurityGroupId", "DestinationSecurityGroupId"):
        other = properties.get(side)
        if other is not None and other not in ec2.security_groups:
            raise ValueError(f"InvalidGroup.NotFound: {other!r}")
    (rule,) = provisioners.ec2_sg_permissions([properties])
    return dict(rule)


def _create_rule(direction: str, _logical_id: str, properties: Json, _stack: str) -> Made:
    rules, rule = _group(properties)[_RULES[direction]], _rule(properties)
    if _bare(rule) in map(_bare, rules):
        raise ValueError(f"InvalidPermission.Duplicate: the specified rule {rule} already exists")
    if direction == "Egress":
        # The rule that lets everything out is only there as long as no other was asked for.
        rules[:] = [other for other in rules if other["IpProtocol"] != "-1"]
    rules.append(rule)
    id = random_id("sgr")
    return id, {"Id": id}


def _delete_rule(direction: str, _id: str, properties: Json) -> None:
    rules, rule = _group(properties)[_RULES[direction]], _bare(_rule(properties))
    rules[:] = [other for other in rules if _bare(other) != rule]


def _no_duplicates(properties: Json) -> None:
    for key in ("SecurityGroupIngress", "SecurityGroupEgress"):
        rules = [_bare(_rule(rule)) for rule in properties.get(key, [])]
        if len(set(rules)) != len(rules):
            raise ValueError("InvalidPermission.Duplicate: the same rule twice in one group")


def _create_subnet(logical_id: str, properties: Json, stack: str) -> Made:
    wanted = ip_network(properties["CidrBlock"])
    for other in ec2.subnets.values():
        same = other["VpcId"] == properties["VpcId"]
        if same and wanted.overlaps(ip_network(other["CidrBlock"])):
            raise ValueError(
                f"InvalidSubnet.Conflict: The CIDR '{wanted}' conflicts with another subnet"
            )
    made: Made = _subnet_made(logical_id, properties, stack)
    return made


def _create_counted_subnet(parameters: Json) -> Any:
    """Let a subnet have the addresses of its range: AWS keeps five, and here nobody takes one.

    https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
    """
    before = set(ec2.subnets)
    answer = _subnet_answer(parameters)
    for id in set(ec2.subnets) - before:
        size = ip_network(ec2.subnets[id]["CidrBlock"]).num_addresses
        ec2.subnets[id]["AvailableIpAddressCount"] = size - 5
    return answer


def _create_address(_logical_id: str, properties: Json, _stack: str) -> Made:
    ec2.allocate_address({"Domain": [properties.get("Domain", "vpc")]})
    id, record = list(ec2.addresses.items())[-1]
    return record["PublicIp"], {"AllocationId": id, "PublicIp": record["PublicIp"]}


def _delete_address(public_ip: str, _properties: Json) -> None:
    (id,) = [id for id, record in ec2.addresses.items() if record["PublicIp"] == public_ip]
    if any(nat["AllocationId"] == id for nat in ec2.nat_gateways.values()):
        raise ValueError(f"InvalidIPAddress.InUse: {public_ip} is associated with a NAT gateway")
    del ec2.addresses[id]


def _create_nat_gateway(_logical_id: str, properties: Json, _stack: str) -> Made:
    if properties["SubnetId"] not in ec2.subnets:
        raise ValueError(f"InvalidSubnet.NotFound: {properties['SubnetId']!r}")
    if properties.get("AllocationId") not in ec2.addresses:
        raise ValueError(f"InvalidAllocationID.NotFound: {properties.get('AllocationId')!r}")
    before = set(ec2.nat_gateways)
    ec2.create_nat_gateway({key: [properties[key]] for key in ("SubnetId", "AllocationId")})
    (id,) = set(ec2.nat_gateways) - before
    return id, {"NatGatewayId": id}


def _delete_nat_gateway(id: str, _properties: Json) -> None:
    del ec2.nat_gateways[id]


def _create_flow_log(_logical_id: str, properties: Json, _stack: str) -> Made:
    destination = properties.get("LogDestination", "")
    if properties["LogDestinationType"] == "s3":
        bucket = destination.rpartition(":")[2].partition("/")[0]
        if bucket not in s3.buckets:
            raise ValueError(f"LogDestination {destination!r} does not exist")
    before = set(ec2.flow_logs)
    request = {key: [value] for key, value in properties.items() if isinstance(value, str)}
    ec2.create_flow_logs({**request, "ResourceId.1": [properties["ResourceId"]]})
    (id,) = set(ec2.flow_logs) - before
    return id, {"Id": id}


def _delete_flow_log(id: str, _properties: Json) -> None:
    del ec2.flow_logs[id]


def _endpoint(endpoint: Json, tag: str = "item") -> str:
    """Describe an endpoint with its security groups, which MiniStack leaves out."""
    groups = "".join(
        f"<item><groupId>{id}</groupId></item>" for id in endpoint.get("SecurityGroupIds", [])
    )
    end = f"</{tag}>"
    described: str = _endpoint_made(endpoint, tag=tag)
    return f"{described.removesuffix(end)}<groupSet>{groups}</groupSet>{end}"


def install() -> None:
    """Add the types, and refuse what EC2 refuses."""
    for direction in _RULES:
        add_type(
            f"AWS::EC2::SecurityGroup{direction}",
            create=partial(_create_rule, direction),
            delete=partial(_delete_rule, direction),
        )
    add_type("AWS::EC2::FlowLog", create=_create_flow_log, delete=_delete_flow_log)
    add_type("AWS::EC2::EIP", create=_create_address, delete=_delete_address)
    add_type("AWS::EC2::NatGateway", create=_create_nat_gateway, delete=_delete_nat_gateway)
    check_before("AWS::EC2::SecurityGroup", _no_duplicates)
    _subnet.update(create=_create_subnet)
    ec2.ACTION_MAP["CreateSubnet"] = _create_counted_subnet
    ec2.vpce_fields_xml = _endpoint
