"""Every private name of MiniStack that is used here, so that a new version is one file's work.

Elsewhere they are attributes without the underscore: `s3.buckets` is what MiniStack's s3 calls
`_buckets`. Public names are attributes too. A module or a name that is gone fails at the start.
"""

from importlib import import_module
from typing import Any


class Module:
    """A module of MiniStack, with those of its private names that are used."""

    def __init__(self, path: str, *private: str) -> None:
        module, names = import_module(f"ministack.{path}"), {name[1:]: name for name in private}
        for public, name in names.items():
            if not hasattr(module, name) or hasattr(module, public):
                raise AttributeError(f"{module.__name__} has no {name} any more, or a {public} too")
        vars(self).update(_module=module, _names=names)

    def _name(self, name: str) -> str:
        if name.startswith("_"):
            raise AttributeError(f"{name}: private names are listed in {__name__}")
        return str(self._names.get(name, name))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, self._name(name))

    def __setattr__(self, name: str, value: object) -> None:
        name = self._name(name)
        getattr(self._module, name)  # nothing that is replaced may be gone
        setattr(self._module, name, value)


app = Module("app")
cloudfront_js = Module("core.cloudfront_js")
iam_actions = Module("core.iam_actions")
iam_evaluator = Module("core.iam_evaluator", "_gather_role_policies", "_resolve_condition_key")
lambda_runtime = Module(
    "core.lambda_runtime", "_REAP_GRACE", "_collect", "_lock", "_signal", "_workers"
)
responses = Module("core.responses", "_request_region")
router = Module("core.router")
acm = Module("services.acm", "_certificates", "_describe_certificate", "_request_certificate")
alb = Module("services.alb", "_lb_attrs")
backup_svc = Module("services.backup", "_create_selection", "_delete_selection")
changesets = Module("services.cloudformation.changesets", "_resolve_refs", "_topological_sort")
engine = Module(
    "services.cloudformation.engine", "_extract_deps", "_resolve_refs", "_topological_sort"
)
handlers = Module("services.cloudformation.handlers", "_resolve_refs")
provisioners = Module(
    "services.cloudformation.provisioners",
    "_RESOURCE_HANDLERS",
    "_ec2_sg_permissions",
    "_normalize_container_defs",
    "_pascal_to_camel",
    "_physical_name",
)
stacks = Module(
    "services.cloudformation.stacks",
    "_NAME_SEED",
    "_provision_keeping_seed",
    "_provision_resource",
    "_resolve_refs",
    "_roll_back_operation",
    "_runs_on_worker_thread",
    "_topological_sort",
)
cloudfront = Module("services.cloudfront", "_functions", "_oacs", "_response_headers_policies")
cloudwatch_logs = Module("services.cloudwatch_logs", "_log_groups")
codebuild = Module(
    "services.codebuild",
    "_build_id",
    "_builds",
    "_make_build_record",
    "_projects",
    "_start_build",
    "_stop_build",
)
ec2 = Module(
    "services.ec2",
    "_ACTION_MAP",
    "_addresses",
    "_allocate_address",
    "_create_flow_logs",
    "_create_nat_gateway",
    "_create_subnet",
    "_flow_logs",
    "_nat_gateways",
    "_security_groups",
    "_strip_descriptions",
    "_subnets",
    "_vpce_fields_xml",
)
ecr = Module(
    "services.ecr",
    "_batch_check_layer_availability",
    "_batch_delete_image",
    "_batch_get_image",
    "_complete_layer_upload",
    "_images",
    "_initiate_layer_upload",
    "_layer_blobs",
    "_list_images",
    "_manifest_blobs",
    "_put_image",
    "_repositories",
    "_upload_layer_part",
)
ecs = Module(
    "services.ecs",
    "_ACTION_MAP",
    "_SecretResolutionError",
    "_docker",
    "_make_deployment",
    "_resolve_container_secrets",
    "_resolve_td_key",
    "_run_task",
    "_services",
    "_tags",
    "_task_defs",
    "_tasks",
)
iam = Module(
    "services.iam",
    "_IAM_HANDLERS",
    "_access_keys",
    "_add_user_to_group",
    "_attach_group_policy",
    "_create_group",
    "_groups",
    "_p",
    "_simulate_principal_policy",
)
lambda_svc = Module("services.lambda_svc", "_emit_lambda_logs")
rds = Module(
    "services.rds",
    "_ACTION_MAP",
    "_clusters",
    "_error",
    "_instance_xml",
    "_instances",
    "_p",
    "_parse_member_list",
    "_parse_tags",
    "_snapshots",
    "_subnet_groups",
    "_tags",
    "_xml",
)
s3 = Module(
    "services.s3",
    "_bucket_tags",
    "_buckets",
    "_get_bucket_ownership_controls",
    "_object_versions",
    "_put_bucket_encryption",
    "_put_bucket_logging",
    "_put_bucket_ownership_controls",
)
route53 = Module("services.route53", "_records")
scheduler = Module("services.scheduler", "_ticker_loop")
secretsmanager = Module("services.secretsmanager", "_secrets")
ses_v2 = Module("services.ses_v2", "_identities")
sts = Module("services.sts", "_evict_expired_sessions", "_sessions")
waf = Module("services.waf", "_associate_web_acl", "_disassociate_web_acl")

# Keys of records.
DEPLOYED, FAILED_TO_ROLL_BACK, TEMPLATE = "_resources", "_rollback_failed", "_template"
MASTER_PASSWORD = "_MasterUserPassword"
# The attribute of a worker of functions that is its process.
PROCESS = "_proc"
