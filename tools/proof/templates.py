"""The templates of a cloud assembly, with values in place of references."""

import json
import re
import secrets
import string
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from ipaddress import ip_network
from pathlib import Path
from typing import Any

Json = dict[str, Any]

CDN_OF_API = "d111111abcdef8.cloudfront.net"
CDN_OF_SITE = "d222222abcdef8.cloudfront.net"
DATABASE = "galv.c9akciq32.rds.amazonaws.com"
LOAD_BALANCER = "galv-1234567890.elb.amazonaws.com"
ACCOUNT = "123456789012"
_DEFAULT_REGION = "us-east-1"
# What an image's user, bucket or secret is called does not matter, as long as it is one name.
_NAMES: Mapping[str, Callable[[str], str]] = {
    "AWS::S3::Bucket": lambda id: f"galv-{id.lower()}"[:63],
    "AWS::CloudFront::Distribution": lambda id: f"E{id.upper()}"[:14],
}


def asset_file(assembly: Path, pattern: str) -> Path:
    """Return a file of the assets that the assembly deploys.

    CDK leaves assets of earlier syntheses beside them.

    Raises:
        RuntimeError: If there is none.
    """
    for manifest in sorted(assembly.glob("*.assets.json")):
        for asset in json.loads(manifest.read_text())["files"].values():
            folder = assembly / str(asset["source"]["path"])
            for found in folder.glob(pattern):
                return found
    raise RuntimeError(f"{assembly} has no {pattern}")


class Assembly:
    """The stacks of a cloud assembly (`cdk.out`)."""

    def __init__(self, folder: Path) -> None:
        """Read the templates.

        Args:
            folder: The assembly.

        Raises:
            ValueError: If there is no assembly.
        """
        manifest = folder / "manifest.json"
        if not manifest.is_file():
            raise ValueError(f"--templates: {folder} is no cloud assembly, it has no manifest.json")
        artifacts = json.loads(manifest.read_text())["artifacts"]
        stacks = [one for one in artifacts.values() if one["type"] == "aws:cloudformation:stack"]
        self.templates: list[Json] = [
            json.loads((folder / one["properties"]["templateFile"]).read_text()) for one in stacks
        ]
        regions = {one["environment"].rpartition("/")[2] for one in stacks} - {"unknown-region"}
        self.region = min(regions) if len(regions) == 1 else _DEFAULT_REGION
        self._secrets: dict[str, str] = {}

    # -- What is in it --------------------------------------------------------------------------

    def of_type(self, *types: str) -> Iterator[tuple[str, Json]]:
        """Yield the resources of these types: their ids and properties, resolved."""
        for template in self.templates:
            for id, resource in template["Resources"].items():
                if resource["Type"] in types:
                    yield id, self.resolve(resource.get("Properties", {}))

    def task(self, container: str) -> Json | None:
        """Return the properties of the task definition with a container of this name."""
        for _, task in self.of_type("AWS::ECS::TaskDefinition"):
            if any(one["Name"] == container for one in task["ContainerDefinitions"]):
                return task
        return None

    def task_subnet(self) -> str:
        """Return the range of addresses of a subnet that web tasks run in."""
        _, service = next(self.of_type("AWS::ECS::Service"))
        subnet = service["NetworkConfiguration"]["AwsvpcConfiguration"]["Subnets"][0]
        ranges = dict(self.of_type("AWS::EC2::Subnet"))
        # A subnet that is given is not in the templates: then what the application is told.
        return str(ranges[subnet]["CidrBlock"]) if subnet in ranges else self._told_range()

    def _told_range(self) -> str:
        return str(self.variable("web", "DJANGO_ALLOWED_CIDR_NETS")).split(",")[0]

    def task_address(self) -> str:
        """Return an address in that subnet."""
        return str(ip_network(self.task_subnet())[10])

    def variable(self, container: str, name: str) -> str | None:
        """Return a variable of a container."""
        task = self.task(container) or {"ContainerDefinitions": []}
        for one in task["ContainerDefinitions"]:
            for variable in one.get("Environment", []):
                if variable["Name"] == name:
                    return str(variable["Value"])
        return None

    def listener_headers(self) -> dict[str, str]:
        """Return the headers that the load balancer sets in each answer."""
        start, end = "routing.http.response.", ".header_value"
        return {
            attribute["Key"][len(start) : -len(end)].replace("_", "-"): str(attribute["Value"])
            for _, listener in self.of_type("AWS::ElasticLoadBalancingV2::Listener")
            for attribute in listener.get("ListenerAttributes", [])
            if attribute["Key"].startswith(start) and attribute["Key"].endswith(end)
        }

    def secrets_of(self, task: Json) -> dict[str, str]:
        """Return what ECS reads from Secrets Manager for a task, by the variables' names."""
        return {
            secret["Name"]: self._secret(secret["ValueFrom"])
            for container in task["ContainerDefinitions"]
            for secret in container.get("Secrets", [])
        }

    @cached_property
    def buckets(self) -> list[str]:
        """Names of all buckets."""
        return [_name(id, "AWS::S3::Bucket") for id, _ in self.of_type("AWS::S3::Bucket")]

    # -- Secrets --------------------------------------------------------------------------------

    def _secret(self, source: str) -> str:
        """Return the value of `arn:…:secret:<id>` or of one of its keys; generated once."""
        id, _, rest = source.partition(":secret:")[2].partition(":")
        key = rest.partition(":")[0]
        if f"{id}:{key}" not in self._secrets:
            self._secrets[f"{id}:{key}"] = self._generate_secret(id, key)
        return self._secrets[f"{id}:{key}"]

    def _generate_secret(self, id: str, key: str) -> str:
        kept = key.lower()
        if kept == "username":
            template = self._recipe(id).get("SecretStringTemplate", "{}")
            return str(json.loads(template).get("username", self.database_user))
        if kept == "django_email_host_user":
            return "AKIAIOSFODNN7EXAMPLE"
        recipe = self._recipe(id)
        excluded = set(recipe.get("ExcludeCharacters", ""))
        marks = "" if recipe.get("ExcludePunctuation") else string.punctuation
        alphabet = sorted(set(string.ascii_letters + string.digits + marks) - excluded)
        length = recipe.get("PasswordLength", 32)
        return "".join(secrets.choice(alphabet) for _ in range(length))

    def _recipe(self, id: str) -> Json:
        """Return how Secrets Manager generates the value: letters, digits and punctuation."""
        defined = dict(self.of_type("AWS::SecretsManager::Secret"))
        attachments = dict(self.of_type("AWS::SecretsManager::SecretTargetAttachment"))
        if id in attachments:
            id = str(attachments[id]["SecretId"]).partition(":secret:")[2]
        recipe: Json = defined.get(id, {}).get("GenerateSecretString", {})
        return recipe

    @property
    def database_user(self) -> str:
        """The database's master user."""
        for _, secret in self.of_type("AWS::SecretsManager::Secret"):
            template = secret.get("GenerateSecretString", {}).get("SecretStringTemplate", "{}")
            if user := json.loads(template).get("username"):
                return str(user)
        return "galv"

    # -- References -----------------------------------------------------------------------------

    def resolve(self, value: Any) -> Any:
        """Return a value of a template, with what CloudFormation puts in place of functions."""
        if isinstance(value, list):
            return [self.resolve(one) for one in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            (name, argument), *_ = value.items()
            if name == "Ref":
                return self._ref(argument)
            function = getattr(self, f"_{name[4:].lower()}", None)
            if name.startswith("Fn::") and function is not None:
                return function(argument)
        return {key: self.resolve(one) for key, one in value.items()}

    def _ref(self, id: str) -> str:
        pseudo = {
            "AWS::Region": self.region,
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": "galv",
            "AWS::StackId": f"arn:aws:cloudformation:{self.region}:{ACCOUNT}:stack/galv/0a1b",
        }
        return pseudo.get(id) or _name(id, self._type(id))

    def _getatt(self, argument: list[str]) -> str:
        id, attribute = argument
        kind = self._type(id)
        name = _name(id, kind)
        known = {
            "Arn": f"arn:aws:{_service(kind)}:{self.region}:{ACCOUNT}:{name}",
            "Endpoint.Address": DATABASE,
            "Endpoint.Port": "5432",
            "DNSName": LOAD_BALANCER,
        }
        if kind == "AWS::S3::Bucket":
            known["Arn"] = f"arn:aws:s3:::{name}"
            known["DomainName"] = f"{name}.s3.amazonaws.com"
            known["RegionalDomainName"] = f"{name}.s3.{self.region}.amazonaws.com"
        if kind == "AWS::CloudFront::Distribution":
            known["DomainName"] = CDN_OF_API if "Assets" in id else CDN_OF_SITE
        return known.get(attribute, f"{id}.{attribute}")

    def _join(self, argument: list[Any]) -> str:
        separator, parts = argument
        resolved = self.resolve(parts)
        return str(separator.join(map(str, resolved)))

    def _select(self, argument: list[Any]) -> Any:
        number, parts = argument
        return self.resolve(parts)[int(number)]

    def _split(self, argument: list[Any]) -> list[str]:
        separator, text = argument
        return str(self.resolve(text)).split(separator)

    def _sub(self, argument: Any) -> str:
        text, given = argument if isinstance(argument, list) else (argument, {})

        def value(match: re.Match[str]) -> str:
            name = match[1]
            if name in given:
                return str(self.resolve(given[name]))
            id, _, attribute = name.partition(".")
            return self._getatt([id, attribute]) if attribute else self._ref(id)

        return re.sub(r"\$\{([^!}]+)\}", value, text)

    def _findinmap(self, argument: list[Any]) -> Any:
        name, key, second = map(self.resolve, argument)
        for template in self.templates:
            if mapping := template.get("Mappings", {}).get(name):
                return mapping[key][second]
        return f"{name}.{key}.{second}"

    def _importvalue(self, argument: Any) -> Any:
        wanted = self.resolve(argument)
        for template in self.templates:
            for output in template.get("Outputs", {}).values():
                if self.resolve(output.get("Export", {}).get("Name")) == wanted:
                    return self.resolve(output["Value"])
        return wanted

    def _getstackoutput(self, argument: Json) -> Any:
        wanted = argument["OutputName"]
        for template in self.templates:
            if output := template.get("Outputs", {}).get(wanted):
                return self.resolve(output["Value"])
        return wanted

    def _type(self, id: str) -> str:
        for template in self.templates:
            if id in template["Resources"]:
                return str(template["Resources"][id]["Type"])
        return ""


def _service(kind: str) -> str:
    """Return the part of an ARN that names the service, for a type of resource."""
    return kind.split("::")[1].lower() if "::" in kind else "unknown"


def _name(id: str, kind: str) -> str:
    if kind == "AWS::ElasticLoadBalancingV2::Listener":
        service = f"arn:aws:elasticloadbalancing:{_DEFAULT_REGION}:{ACCOUNT}"
        return f"{service}:listener/app/{id}/0a1b2c3d/4e5f6071"
    if kind.startswith("AWS::SecretsManager::"):
        return f"arn:aws:secretsmanager:{_DEFAULT_REGION}:{ACCOUNT}:secret:{id}"
    return _NAMES.get(kind, str)(id)
