"""The account and the internet of a cloud, to be changed by tests."""

from typing import Any

from e2e.app import DOMAIN
from e2e.cloud import Cloud

SITE = f"www.{DOMAIN}"


class World:
    """What is outside of an application."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.route53 = cloud.client("route53")
        found = self.route53.list_hosted_zones_by_name(DNSName=DOMAIN, MaxItems="1")
        self.zone = found["HostedZones"][0]["Id"].rpartition("/")[2]

    def new_zone(self, name: str, **more: Any) -> tuple[str, list[str]]:
        """Create a hosted zone, which nobody delegates to; return its id and its name servers."""
        made = self.route53.create_hosted_zone(Name=name, CallerReference=name, **more)
        # A private one has none.
        servers = made.get("DelegationSet", {}).get("NameServers", [])
        return made["HostedZone"]["Id"].rpartition("/")[2], [f"{s.rstrip('.')}." for s in servers]

    def record(self, action: str, name: str, kind: str, *values: str) -> None:
        """Change a record of the domain, and let the world know."""
        record = {
            "Name": name,
            "Type": kind,
            "TTL": 60,
            "ResourceRecords": [{"Value": value} for value in values],
        }
        batch = {"Changes": [{"Action": action, "ResourceRecordSet": record}]}
        self.route53.change_resource_record_sets(HostedZoneId=self.zone, ChangeBatch=batch)
        self.cloud.name_servers.publish()

    def certificate(self, region: str, **more: str) -> str:
        """Ask for a certificate."""
        client = self.cloud.client("acm", region)
        return str(client.request_certificate(DomainName=SITE, **more)["CertificateArn"])

    def database(self, name: str) -> Any:
        """Create a database; return the client of RDS."""
        rds = self.cloud.client("rds")
        rds.create_db_instance(
            DBInstanceIdentifier=name,
            DBInstanceClass="db.t4g.micro",
            Engine="postgres",
            AllocatedStorage=20,
            StorageEncrypted=True,
            MasterUsername="galv",
            MasterUserPassword="not-a-secret",
        )
        return rds

    def vpc(self, first_two: str) -> str:
        """Create a VPC; return its id."""
        made = self.cloud.client("ec2").create_vpc(CidrBlock=f"{first_two}.0.0/16")
        return str(made["Vpc"]["VpcId"])

    def subnet(self, vpc: str, cidr: str) -> str:
        """Create a subnet; return its id."""
        made = self.cloud.client("ec2").create_subnet(VpcId=vpc, CidrBlock=cidr)
        return str(made["Subnet"]["SubnetId"])
