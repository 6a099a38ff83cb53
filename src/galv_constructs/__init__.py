"""AWS CDK constructs that deploy Galv, the open battery-data platform."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from galv_constructs.backend.backend import DEFAULT_SETUP_STEPS, GalvBackend
    from galv_constructs.backup.backup_plan import GalvBackupPlan
    from galv_constructs.config.config import GalvConfig
    from galv_constructs.database.cluster import GalvDatabaseCluster
    from galv_constructs.database.database import GalvDatabase
    from galv_constructs.database.interface import IGalvDatabase
    from galv_constructs.frontend.frontend import GalvFrontend
    from galv_constructs.frontend.source import FrontendSource
    from galv_constructs.github.deploy_role import GalvDeployRole
    from galv_constructs.github.review_role import GalvReviewRole
    from galv_constructs.github.subject import GitHubSubject
    from galv_constructs.images.mirrored_image import MirroredImage
    from galv_constructs.load_balancer.load_balancer import GalvLoadBalancer, IGalvLoadBalancer
    from galv_constructs.log_bucket.log_bucket import GalvLogBucket
    from galv_constructs.mail.dns_record import DnsRecord
    from galv_constructs.mail.mail import GalvMail, IGalvMail
    from galv_constructs.network import GalvNetwork, IGalvNetwork, NetworkPreset
    from galv_constructs.preflight.check import PreflightCheck
    from galv_constructs.preflight.preflight import GalvPreflight
    from galv_constructs.rehearsal.rehearsal import GalvRehearsal
    from galv_constructs.sleep.awake_hours import AwakeHours
    from galv_constructs.sleep.sleep import GalvSleep
    from galv_constructs.tasks.release_steps import ReleaseStep
    from galv_constructs.tasks.release_task import GalvReleaseTask
    from galv_constructs.tasks.runtime import TaskRuntime
    from galv_constructs.tasks.scheduled_task import GalvScheduledTask
    from galv_constructs.tasks.service import GalvService
    from galv_constructs.tasks.task import GalvTask
    from galv_constructs.web_acl.web_acl import (
        DEFAULT_CREDENTIAL_PATHS,
        DEFAULT_UPLOAD_PATHS,
        GalvWebAcl,
    )

__all__ = [
    "DEFAULT_CREDENTIAL_PATHS",
    "DEFAULT_SETUP_STEPS",
    "DEFAULT_UPLOAD_PATHS",
    "AwakeHours",
    "DnsRecord",
    "FrontendSource",
    "GalvBackend",
    "GalvBackupPlan",
    "GalvConfig",
    "GalvDatabase",
    "GalvDatabaseCluster",
    "GalvDeployRole",
    "GalvFrontend",
    "GalvLoadBalancer",
    "GalvLogBucket",
    "GalvMail",
    "GalvNetwork",
    "GalvPreflight",
    "GalvRehearsal",
    "GalvReleaseTask",
    "GalvReviewRole",
    "GalvScheduledTask",
    "GalvService",
    "GalvSleep",
    "GalvTask",
    "GalvWebAcl",
    "GitHubSubject",
    "IGalvDatabase",
    "IGalvLoadBalancer",
    "IGalvMail",
    "IGalvNetwork",
    "MirroredImage",
    "NetworkPreset",
    "PreflightCheck",
    "ReleaseStep",
    "TaskRuntime",
]

_MODULES = {
    "AwakeHours": "sleep.awake_hours",
    "DEFAULT_CREDENTIAL_PATHS": "web_acl.web_acl",
    "DEFAULT_SETUP_STEPS": "backend.backend",
    "DEFAULT_UPLOAD_PATHS": "web_acl.web_acl",
    "DnsRecord": "mail.dns_record",
    "FrontendSource": "frontend.source",
    "GalvBackend": "backend.backend",
    "GalvBackupPlan": "backup.backup_plan",
    "GalvConfig": "config.config",
    "GalvDatabase": "database.database",
    "GalvDatabaseCluster": "database.cluster",
    "GalvDeployRole": "github.deploy_role",
    "GalvFrontend": "frontend.frontend",
    "GalvLoadBalancer": "load_balancer.load_balancer",
    "GalvLogBucket": "log_bucket.log_bucket",
    "GalvMail": "mail.mail",
    "GalvNetwork": "network",
    "GalvPreflight": "preflight.preflight",
    "GalvRehearsal": "rehearsal.rehearsal",
    "GalvReleaseTask": "tasks.release_task",
    "GalvReviewRole": "github.review_role",
    "GalvScheduledTask": "tasks.scheduled_task",
    "GalvService": "tasks.service",
    "GalvSleep": "sleep.sleep",
    "GalvTask": "tasks.task",
    "GalvWebAcl": "web_acl.web_acl",
    "GitHubSubject": "github.subject",
    "IGalvDatabase": "database.interface",
    "IGalvLoadBalancer": "load_balancer.load_balancer",
    "IGalvMail": "mail.mail",
    "IGalvNetwork": "network",
    "MirroredImage": "images.mirrored_image",
    "NetworkPreset": "network",
    "PreflightCheck": "preflight.check",
    "ReleaseStep": "tasks.release_steps",
    "TaskRuntime": "tasks.runtime",
}


def __getattr__(name: str) -> Any:
    # Modules are loaded when a name of theirs is used: loading CDK's takes a noticeable time.
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
