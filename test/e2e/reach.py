"""Whether tasks could start and traffic could flow, by what the service APIs answer.

The emulator asks before it starts a container, and tests ask after each deployment. Each function
returns what is wrong, in words.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from ipaddress import ip_network
from typing import Any
from urllib.parse import unquote

Json = Mapping[str, Any]
Client = Callable[[str], Any]
ANYWHERE = "0.0.0.0/0"

_ECR = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com")
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html
_PULLS = ("BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer")
_WRITES = ("PutObject", "PutObjectAcl", "DeleteObject")
# Tasks that write uploads; others of the backend's runtime read them.
_WRITERS = ("web", "setup-db")


class Reach:
    """Questions to one region of a cloud."""

    def __init__(self, client: Client) -> None:
        self.client = client

    # -- Tasks ----------------------------------------------------------------------------------

    def start_problems(self, definition_arn: str, network: Json) -> list[str]:
        """Say why a task of a definition could not be started in a network."""
        return list(self._start_problems(self.definition(definition_arn), network))

    def run_problems(self, definition_arn: str, network: Json) -> list[str]:
        """Say what a task that runs could not reach of what its variables name."""
        return list(self._run_problems(self.definition(definition_arn), network))

    def definition(self, arn: str) -> Json:
        """Describe a task definition."""
        answer = self.client("ecs").describe_task_definition(taskDefinition=arn)
        definition: Json = answer["taskDefinition"]
        return definition

    def _start_problems(self, definition: Json, network: Json) -> Iterator[str]:
        execution = definition.get("executionRoleArn", "")
        for role in (execution, definition.get("taskRoleArn", "")):
            if not self.assumable(role, "ecs-tasks.amazonaws.com"):
                yield f"ECS cannot assume the role {role!r}"
        for container in definition["containerDefinitions"]:
            for secret in container.get("secrets", []):
                yield from self._secret_problems(secret["valueFrom"], execution)
            yield from self._log_problems(container, execution)
            yield from self._image_problems(container["image"], execution, network)
        for service in ("logs", "secretsmanager", "sts"):
            yield from self._route_problems(network, 443, service, service)

    def _image_problems(self, image: str, role: str, network: Json) -> Iterator[str]:
        """Say why an image could not be pulled, whose layers ECR has in a bucket of its own.

        https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html
        """
        registry, _, rest = image.partition("/")
        if not (place := _ECR.fullmatch(registry)):
            yield from self._route_problems(network, 443, f"registry {registry}")
            return
        for service in ("ecr.api", "ecr.dkr"):
            yield from self._route_problems(network, 443, service, service)
        if not self.vpc_that_s3_sees(network):
            yield from self._route_problems(network, 443, "the bucket of ECR's layers")
        repository = re.split("[:@]", rest)[0]
        arn = f"arn:aws:ecr:{place['region']}:{place['account']}:repository/{repository}"
        for action, on in {"GetAuthorizationToken": "*", **dict.fromkeys(_PULLS, arn)}.items():
            if not self.allowed(role, f"ecr:{action}", on):
                yield f"{role} may not ecr:{action} on {on}"

    def _secret_problems(self, value_from: str, role: str) -> Iterator[str]:
        parts = value_from.split(":")
        arn, key = ":".join(parts[:7]), parts[7] if len(parts) > 7 else ""
        secrets = self.client("secretsmanager")
        try:
            value = secrets.get_secret_value(SecretId=arn)["SecretString"]
        except secrets.exceptions.ResourceNotFoundException:
            yield f"the secret {arn} does not exist"
            return
        if key and key not in _object(value):
            yield f"the secret {arn} has no key {key!r}"
        if not self.allowed(role, "secretsmanager:GetSecretValue", self._secret_arn(arn)):
            yield f"{role} may not read {arn}"

    def _secret_arn(self, arn: str) -> str:
        return str(self.client("secretsmanager").describe_secret(SecretId=arn)["ARN"])

    def _log_problems(self, container: Json, role: str) -> Iterator[str]:
        options = container["logConfiguration"]["options"]
        group = options["awslogs-group"]
        found = self.client("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"]
        arns = [one["arn"] for one in found if one["logGroupName"] == group]
        if not arns:
            yield f"the log group {group} does not exist"
            return
        stream = f"{arns[0].removesuffix(':*')}:log-stream:{options['awslogs-stream-prefix']}/x"
        for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
            if not self.allowed(role, action, stream):
                yield f"{role} may not {action} in {group}"

    def _run_problems(self, definition: Json, network: Json) -> Iterator[str]:
        role = definition["taskRoleArn"]
        for container in definition["containerDefinitions"]:
            variables = {v["name"]: v["value"] for v in container.get("environment", [])}
            # Of Galv alone is it known what it reads.
            if "POSTGRES_PORT" not in variables:
                continue
            port = int(variables["POSTGRES_PORT"])
            yield from self._database_problems(variables["POSTGRES_HOST"], port, network)
            if host := variables.get("DJANGO_EMAIL_HOST"):
                mail_port = int(variables["DJANGO_EMAIL_PORT"])
                yield from self._route_problems(network, mail_port, host, "email-smtp")
            media = variables["DJANGO_AWS_STORAGE_BUCKET_NAME"]
            buckets = {media: container["name"] in _WRITERS}
            if "collectstatic" in str(container["command"]):
                buckets[variables["DJANGO_STATIC_FILES_BUCKET_NAME"]] = True
            vpc = self.vpc_that_s3_sees(network)
            for name, writes in buckets.items():
                yield from self._bucket_problems(role, name, vpc, writes=writes)

    def _bucket_problems(self, role: str, name: str, vpc: str, *, writes: bool) -> Iterator[str]:
        bucket = f"arn:aws:s3:::{name}"
        if not self.allowed(role, "s3:ListBucket", bucket, vpc):
            yield f"{role} may not list {bucket}"
        for action in ("GetObject", *(_WRITES if writes else ())):
            if not self.allowed(role, f"s3:{action}", f"{bucket}/x", vpc):
                yield f"{role} may not s3:{action} in {bucket}"

    def _database_problems(self, host: str, port: int, network: Json) -> Iterator[str]:
        rds = self.client("rds")
        places = [
            (one["Endpoint"]["Address"], one["Endpoint"]["Port"], one)
            for one in rds.describe_db_instances()["DBInstances"]
        ]
        # A cluster takes no connections before it has an instance.
        places += [
            (one["Endpoint"], one["Port"], one)
            for one in rds.describe_db_clusters()["DBClusters"]
            if one["DBClusterMembers"]
        ]
        found = [(listens, one) for address, listens, one in places if address == host]
        if not found:
            yield f"no database answers at {host}"
            return
        ((listens, database), *_) = found
        groups = [group["VpcSecurityGroupId"] for group in database["VpcSecurityGroups"]]
        if listens != port:
            yield f"{host} does not listen on {port}"
        yield from self.flow_problems(network["securityGroups"], groups, port, "the database")

    # -- Rights ---------------------------------------------------------------------------------

    def assumable(self, role_arn: str, service: str) -> bool:
        """Tell whether a role exists and a service may assume it."""
        iam = self.client("iam")
        try:
            role = iam.get_role(RoleName=role_arn.rpartition("/")[2])["Role"]
        except iam.exceptions.NoSuchEntityException:
            return False
        return any(
            statement["Effect"] == "Allow" and service in _list(_principals(statement, "Service"))
            for statement in _statements(role["AssumeRolePolicyDocument"])
        )

    def allowed(self, role_arn: str, action: str, resource: str, vpc: str = "") -> bool:
        """Tell whether the policies of a role allow an action, through an endpoint of a VPC."""
        results = self.client("iam").simulate_principal_policy(
            PolicySourceArn=role_arn,
            ActionNames=[action],
            ResourceArns=[resource],
            ContextEntries=[
                {
                    "ContextKeyName": "aws:SourceVpc",
                    "ContextKeyValues": [vpc],
                    "ContextKeyType": "string",
                }
            ]
            if vpc
            else [],
        )["EvaluationResults"]
        return all(result["EvalDecision"] == "allowed" for result in results)

    # -- Network --------------------------------------------------------------------------------

    def flow_problems(
        self,
        sources: Iterable[str],
        targets: Iterable[str],
        port: int,
        what: str,
        within: Iterable[str] = (),
    ) -> Iterator[str]:
        """Say whether one set of security groups lets out, and another lets in, to a port.

        Args:
            sources: The groups that let out.
            targets: The groups that let in.
            port: The port.
            what: Name of what has the port.
            within: Ranges in which both sides are, where that is known.
        """
        sources, targets, within = set(sources), set(targets), list(within)
        if not self._open(sources, "IpPermissionsEgress", port, targets, within):
            yield f"{sorted(sources)} let nothing out to {what} on {port}"
        if not self._open(targets, "IpPermissions", port, sources, within):
            yield f"{what} ({sorted(targets)}) lets nothing in from {sorted(sources)} on {port}"

    def _open(
        self, groups: set[str], direction: str, port: int, others: set[str], within: list[str]
    ) -> bool:
        return any(
            _covers(rule, port)
            and (
                others & {pair["GroupId"] for pair in rule.get("UserIdGroupPairs", [])}
                or ANYWHERE in _ranges(rule)
                or _contains(rule, within)
            )
            for group in self.groups(groups)
            for rule in group[direction]
        )

    def open_to_all(self, groups: Iterable[str], port: int) -> bool:
        """Tell whether anyone may open connections to a port."""
        return any(
            _covers(rule, port) and ANYWHERE in _ranges(rule)
            for group in self.groups(groups)
            for rule in group["IpPermissions"]
        )

    def groups(self, ids: Iterable[str]) -> list[Json]:
        """Describe security groups; none that is missing is left out silently."""
        found = self.client("ec2").describe_security_groups(GroupIds=list(ids))
        groups: list[Json] = found["SecurityGroups"]
        return groups

    def _route_problems(
        self, network: Json, port: int, what: str, service: str = ""
    ) -> Iterator[str]:
        """Say why tasks could not reach the internet, or a service by its endpoint."""
        groups = set(network["securityGroups"])
        if service and self._endpoint(network, service, port):
            return
        if not any(
            _covers(rule, port) and ANYWHERE in _ranges(rule)
            for group in self.groups(groups)
            for rule in group["IpPermissionsEgress"]
        ):
            yield f"{sorted(groups)} let nothing out to {what} on {port}"
        public = network.get("assignPublicIp") == "ENABLED"
        for subnet in network["subnets"]:
            if not self.internet(subnet, public_address=public):
                yield f"no way from {subnet} to {what}"

    def vpc_that_s3_sees(self, network: Json) -> str:
        """Return the VPC whose gateway endpoint requests to S3 come through; nothing without one.

        https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html
        """
        ec2 = self.client("ec2")
        (subnet,) = ec2.describe_subnets(SubnetIds=network["subnets"][:1])["Subnets"]
        tables = {
            table["RouteTableId"]
            for table in ec2.describe_route_tables()["RouteTables"]
            if any(one.get("SubnetId") in network["subnets"] for one in table["Associations"])
        }
        for endpoint in ec2.describe_vpc_endpoints()["VpcEndpoints"]:
            gateway = endpoint["VpcEndpointType"] == "Gateway"
            for_s3 = fnmatchcase(endpoint["ServiceName"], "com.amazonaws.*.s3")
            if gateway and for_s3 and tables <= set(endpoint["RouteTableIds"]):
                return str(subnet["VpcId"])
        return ""

    def _endpoint(self, network: Json, service: str, port: int) -> bool:
        ec2 = self.client("ec2")
        subnets = ec2.describe_subnets(SubnetIds=network["subnets"])["Subnets"]
        within = [subnet["CidrBlock"] for subnet in subnets]
        for endpoint in ec2.describe_vpc_endpoints()["VpcEndpoints"]:
            mine = endpoint["VpcId"] == subnets[0]["VpcId"]
            if mine and fnmatchcase(endpoint["ServiceName"], f"com.amazonaws.*.{service}"):
                groups = [group["GroupId"] for group in endpoint.get("Groups", [])]
                return not list(
                    self.flow_problems(network["securityGroups"], groups, port, service, within)
                )
        return False

    def internet(self, subnet: str, *, public_address: bool) -> bool:
        """Tell whether something in a subnet can reach the internet."""
        for route in self.routes(subnet):
            if route.get("DestinationCidrBlock") != ANYWHERE:
                continue
            if gateway := route.get("NatGatewayId"):
                (nat,) = self.client("ec2").describe_nat_gateways(NatGatewayIds=[gateway])[
                    "NatGateways"
                ]
                usable: bool = nat["State"] == "available"
                return usable and self.internet(nat["SubnetId"], public_address=True)
            if str(route.get("GatewayId", "")).startswith("igw-"):
                return public_address
            if route.get("InstanceId"):
                return True
        return False

    def routes(self, subnet: str) -> list[Json]:
        """List the routes of a subnet."""
        tables = self.client("ec2").describe_route_tables()["RouteTables"]
        for table in tables:
            if any(one.get("SubnetId") == subnet for one in table["Associations"]):
                routes: list[Json] = table["Routes"]
                return routes
        return []


def _covers(rule: Json, port: int) -> bool:
    if rule["IpProtocol"] == "-1":
        return True
    return bool(rule["IpProtocol"] == "tcp" and rule["FromPort"] <= port <= rule["ToPort"])


def _ranges(rule: Json) -> set[str]:
    return {str(ip_network(one["CidrIp"])) for one in rule.get("IpRanges", [])}


def _contains(rule: Json, within: list[str]) -> bool:
    """Tell whether a rule is for all addresses of some ranges."""
    return bool(within) and all(
        any(ip_network(one).subnet_of(ip_network(wide)) for wide in _ranges(rule))  # type: ignore[arg-type]
        for one in within
    )


def _object(text: str) -> Json:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _statements(document: Any) -> list[Json]:
    if isinstance(document, str):
        document = json.loads(unquote(document))
    return _list(document["Statement"])


def _principals(statement: Json, kind: str) -> Any:
    principal = statement.get("Principal", {})
    return principal.get(kind, []) if isinstance(principal, dict) else principal


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
