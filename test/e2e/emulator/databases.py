"""PostgreSQL behind the databases of RDS: a real server for each that a task asks for.

A server is started when the first container comes that may need it, with the master user, password
and database that the instance was made with. RDS's names lead to it in containers.
"""

import contextlib
import itertools
import os
import shutil
import tempfile
import threading
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from e2e.emulator.private import MASTER_PASSWORD, provisioners, rds
from e2e.emulator.types import Json, Made
from proof import certificates
from proof.postgres import Postgres

_TYPE = "AWS::RDS::DBInstance"
_PORT = 5432
_OPTIONS = "DescribeOrderableDBInstanceOptions"
# As RDS has them, of each size alike; MiniStack knows ten sizes, and one version of each engine.
_VERSIONS = ("14.22", "15.17", "16.13", "17.9", "18.3")
_handler = provisioners.RESOURCE_HANDLERS[_TYPE]
_made = _handler["create"]
_updated = _handler["update"]
_deleted = _handler["delete"]
# Seconds that a start takes, in which a database is neither stopped nor available.
_START = 3
_started, _stopped = (rds.ACTION_MAP[f"{verb}DBInstance"] for verb in ("Start", "Stop"))
_lock = threading.Lock()
_numbers = itertools.count()
_servers: dict[str, "_Server"] = {}


class _Server:
    """A server on an address of loopback that no other emulator of this machine has."""

    def __init__(self, instance: Json, number: int, copy: Path | None) -> None:
        own = str(ip_address("127.64.0.0") + os.getpid())
        self.address = (own, _PORT + number)
        self.folder = new_folder(instance["DbiResourceId"])
        # Its first name, also when it is renamed: tasks ask for TLS, and not who answers.
        made = certificates.create(self.folder / "tls", [_names_of(instance)[0]])
        address, port = self.address
        self.postgres = Postgres(self.folder / "server", address, made, port=port)
        user, password = instance["MasterUsername"], instance[MASTER_PASSWORD]
        if copy is None:
            self.postgres.start(user=user, password=password, database=instance["DBName"])
        else:
            self.postgres.start_copy(copy)
            self.postgres.change_password(user, password)

    def stop(self) -> None:
        with contextlib.suppress(RuntimeError, OSError):
            self.postgres.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def server_of(host: str) -> tuple[str, int] | None:
    """Return the address and port of a database's server, which is started if it does not run."""
    found = [
        one
        for one in rds.instances.values()
        if host in _names_of(one) and one["DBInstanceStatus"] == "available"
    ]
    if not found:
        return None
    return start(found[0]).address


def start(instance: Json, copy: Path | None = None) -> "_Server":
    """Return the server of an instance, started if it does not run, with what a copy has."""
    with _lock:
        id = instance["DbiResourceId"]
        if id not in _servers:
            _servers[id] = _Server(instance, next(_numbers), copy)
        return _servers[id]


def end(instance: Json) -> None:
    """End the server of an instance, if it runs, with all that it has."""
    with _lock:
        if server := _servers.pop(instance["DbiResourceId"], None):
            server.stop()


def new_folder(name: str) -> Path:
    """Make a folder for a server; test/e2e/rows.py finds it by the name.

    Not below the emulator's folder: the server's user may not enter that.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"e2e-postgres-{name}-", dir="/tmp"))
    folder.chmod(0o755)
    return folder


def _names_of(instance: Json) -> list[str]:
    """Return the names of an instance: its own, or as the first one of a cluster the cluster's."""
    cluster = rds.clusters.get(instance["DBClusterIdentifier"])
    if cluster is None:
        return [instance["Endpoint"]["Address"]]
    writer = cluster["DBClusterMembers"][0]["DBInstanceIdentifier"]
    return [cluster["Endpoint"]] if instance["DBInstanceIdentifier"] == writer else []


def end_all() -> None:
    """End all that run."""
    with _lock:
        for server in _servers.values():
            server.stop()


def _create(logical_id: str, properties: Json, stack: str) -> Made:
    """Give each instance a name of its own, as RDS does, in subnets that there are.

    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html
    """
    group = properties.get("DBSubnetGroupName")
    if group not in (None, *rds.subnet_groups):
        raise ValueError(f"DBSubnetGroupNotFoundFault: DB subnet group '{group}' does not exist")
    id, attributes = _made(logical_id, properties, stack)
    instance: dict[str, Any] = rds.instances[id]
    # MiniStack's is that of the creation; without one it is now.
    instance.pop("LatestRestorableTime", None)
    name = address_of(id)
    instance["Endpoint"] = {**instance["Endpoint"], "Address": name, "Port": _PORT}
    return id, {**attributes, "Endpoint.Address": name, "Endpoint.Port": str(_PORT)}


def address_of(id: str) -> str:
    """Return the name of an instance's endpoint."""
    return f"{id}.c0123456789ab.{os.environ['MINISTACK_REGION']}.rds.amazonaws.com".lower()


def _refuse_stopped(id: str) -> None:
    """Refuse to change or delete a database that is stopped.

    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_StopInstance.html
    """
    status = rds.instances.get(id, {}).get("DBInstanceStatus", "available")
    if status != "available":
        raise ValueError(f"InvalidDBInstanceState: instance {id} is {status}, not available")


def _update(id: str, *arguments: Any) -> Made:
    _refuse_stopped(id)
    made: Made = _updated(id, *arguments)
    return made


def _start(parameters: Json) -> Any:
    """Start a database that is stopped, which takes a while."""
    id = rds.p(parameters, "DBInstanceIdentifier")
    if rds.instances[id]["DBInstanceStatus"] != "stopped":
        return rds.error("InvalidDBInstanceState", f"Instance {id} is not stopped.", 400)
    answer = _started(parameters)
    rds.instances[id]["DBInstanceStatus"] = "starting"
    threading.Timer(_START, rds.instances[id].update, [{"DBInstanceStatus": "available"}]).start()
    return answer


def _stop(parameters: Json) -> Any:
    """Stop a database that is available."""
    id = rds.p(parameters, "DBInstanceIdentifier")
    if rds.instances[id]["DBInstanceStatus"] != "available":
        return rds.error("InvalidDBInstanceState", f"Instance {id} is not available.", 400)
    return _stopped(parameters)


def _delete(id: str, properties: Json) -> None:
    _refuse_stopped(id)
    instance = rds.instances.get(id)
    _deleted(id, properties)
    if instance and id not in rds.instances:
        end(instance)


def _options(request: Json) -> Any:
    engine, size = (rds.p(request, name) for name in ("Engine", "DBInstanceClass"))
    options = "".join(
        f"<OrderableDBInstanceOption><Engine>{engine}</Engine><EngineVersion>{version}"
        f"</EngineVersion><DBInstanceClass>{size}</DBInstanceClass></OrderableDBInstanceOption>"
        for version in _VERSIONS
    )
    listed = f"<OrderableDBInstanceOptions>{options}</OrderableDBInstanceOptions>"
    return rds.xml(200, f"{_OPTIONS}Response", f"<{_OPTIONS}Result>{listed}</{_OPTIONS}Result>")


def install() -> None:
    """Wrap MiniStack's instances."""
    _handler.update(create=_create, update=_update, delete=_delete)
    rds.ACTION_MAP.update({_OPTIONS: _options, "StartDBInstance": _start, "StopDBInstance": _stop})
