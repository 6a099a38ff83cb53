"""Properties of buckets that MiniStack drops, and what S3 refuses."""

from typing import Any
from xml.sax.saxutils import escape

from e2e.emulator.private import provisioners, s3
from e2e.emulator.types import Json, Made


def _xml(root: str, content: str) -> bytes:
    return f'<{root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{content}</{root}>'.encode()


def _must(answer: Any) -> None:
    if answer[0] >= 400:
        raise ValueError(answer[2])


def _encryption(properties: Json) -> bytes:
    rules = ""
    for rule in properties["ServerSideEncryptionConfiguration"]:
        default = rule["ServerSideEncryptionByDefault"]
        key = default.get("KMSMasterKeyID")
        if key is None and default["SSEAlgorithm"] == "aws:kms":
            key = "alias/aws/s3"  # the key that AWS manages; MiniStack wants it named
        rules += (
            "<Rule><ApplyServerSideEncryptionByDefault>"
            f"<SSEAlgorithm>{default['SSEAlgorithm']}</SSEAlgorithm>"
            + (f"<KMSMasterKeyID>{escape(key)}</KMSMasterKeyID>" if key else "")
            + "</ApplyServerSideEncryptionByDefault></Rule>"
        )
    return _xml("ServerSideEncryptionConfiguration", rules)


def _apply(name: str, properties: Json) -> None:
    if tags := properties.get("Tags"):
        s3.bucket_tags[name] = {tag["Key"]: tag["Value"] for tag in tags}
    if encryption := properties.get("BucketEncryption"):
        _must(s3.put_bucket_encryption(name, _encryption(encryption)))
    if ownership := properties.get("OwnershipControls"):
        rules = "".join(
            f"<Rule><ObjectOwnership>{rule['ObjectOwnership']}</ObjectOwnership></Rule>"
            for rule in ownership["Rules"]
        )
        _must(s3.put_bucket_ownership_controls(name, _xml("OwnershipControls", rules)))
    if logging := properties.get("LoggingConfiguration"):
        target = logging.get("DestinationBucketName", name)
        if target not in s3.buckets:
            raise ValueError(f"InvalidTargetBucketForLogging: {target!r} does not exist")
        enabled = (
            f"<LoggingEnabled><TargetBucket>{escape(target)}</TargetBucket><TargetPrefix>"
            f"{escape(logging.get('LogFilePrefix', ''))}</TargetPrefix></LoggingEnabled>"
        )
        _must(s3.put_bucket_logging(name, _xml("BucketLoggingStatus", enabled)))


def _create(logical_id: str, properties: Json, stack: str) -> Made:
    if prefix := properties.get("BucketNamePrefix"):
        # The account-regional namespace: a name that S3 completes with the account and the region.
        suffix = f"-{provisioners.get_account_id()}-{provisioners.get_region()}-an"
        properties = {**properties, "BucketName": f"{prefix}{suffix}"}
    name, attributes = _made(logical_id, properties, stack)
    _apply(name, properties)
    return name, attributes


def _update(id: str, old: Json, new: Json, stack: str) -> Made:
    name, attributes = _updated(id, old, new, stack)
    _apply(name, new)
    return name, attributes


def _delete(name: str, properties: Json) -> None:
    bucket = s3.buckets.get(name) or {"objects": {}}
    versions = [key for key in s3.object_versions if key[0] == name]
    if bucket["objects"] or versions:
        raise ValueError(f"BucketNotEmpty: the bucket {name} is not empty")
    _deleted(name, properties)


_handler = provisioners.RESOURCE_HANDLERS["AWS::S3::Bucket"]
_made, _updated, _deleted = _handler["create"], _handler["update"], _handler["delete"]


def install() -> None:
    """Wrap MiniStack's buckets."""
    _handler.update(create=_create, update=_update, delete=_delete)
