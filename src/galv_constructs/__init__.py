"""AWS CDK constructs that deploy Galv, the open battery-data platform."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from galv_constructs._credential_rules import DEFAULT_CREDENTIAL_PATHS
    from galv_constructs._mail_identity import DnsRecord
    from galv_constructs._release_steps import ReleaseStep
    from galv_constructs.backend import DEFAULT_SETUP_STEPS, GalvBackend
    from galv_constructs.config import GalvConfig
    from galv_constructs.deploy_role import GalvDeployRole
    from galv_constructs.frontend import GalvFrontend
    from galv_constructs.frontend_source import FrontendSource
    from galv_constructs.github_subject import GitHubSubject
    from galv_constructs.log_bucket import GalvLogBucket
    from galv_constructs.mail import GalvMail, IGalvMail
    from galv_constructs.network import GalvNetwork, IGalvNetwork, NetworkPreset
    from galv_constructs.release_task import GalvReleaseTask
    from galv_constructs.review_role import GalvReviewRole
    from galv_constructs.scheduled_task import GalvScheduledTask
    from galv_constructs.task_runtime import TaskRuntime
    from galv_constructs.web_acl import DEFAULT_UPLOAD_PATHS, GalvWebAcl

__all__ = [
    "DEFAULT_CREDENTIAL_PATHS",
    "DEFAULT_SETUP_STEPS",
    "DEFAULT_UPLOAD_PATHS",
    "DnsRecord",
    "FrontendSource",
    "GalvBackend",
    "GalvConfig",
    "GalvDeployRole",
    "GalvFrontend",
    "GalvLogBucket",
    "GalvMail",
    "GalvNetwork",
    "GalvReleaseTask",
    "GalvReviewRole",
    "GalvScheduledTask",
    "GalvWebAcl",
    "GitHubSubject",
    "IGalvMail",
    "IGalvNetwork",
    "NetworkPreset",
    "ReleaseStep",
    "TaskRuntime",
]

_MODULES = {
    "DEFAULT_CREDENTIAL_PATHS": "_credential_rules",
    "DEFAULT_SETUP_STEPS": "backend",
    "DEFAULT_UPLOAD_PATHS": "web_acl",
    "DnsRecord": "_mail_identity",
    "FrontendSource": "frontend_source",
    "GalvBackend": "backend",
    "GalvConfig": "config",
    "GalvDeployRole": "deploy_role",
    "GalvFrontend": "frontend",
    "GalvLogBucket": "log_bucket",
    "GalvMail": "mail",
    "GalvNetwork": "network",
    "GalvReleaseTask": "release_task",
    "GalvReviewRole": "review_role",
    "GalvScheduledTask": "scheduled_task",
    "GalvWebAcl": "web_acl",
    "GitHubSubject": "github_subject",
    "IGalvMail": "mail",
    "IGalvNetwork": "network",
    "NetworkPreset": "network",
    "ReleaseStep": "_release_steps",
    "TaskRuntime": "task_runtime",
}


def __getattr__(name: str) -> Any:
    # Modules are loaded when a name of theirs is used: loading CDK's takes a noticeable time.
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
