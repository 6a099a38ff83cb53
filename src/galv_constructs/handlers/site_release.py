"""Build a static site with CodeBuild and publish it while CloudFormation deploys.

Two handlers for the Provider framework of `aws_cdk.custom_resources`: `on_event` starts the build
if one is needed, `is_complete` is polled until the site is built, and then publishes it. What they
raise is the reason that CloudFormation shows.

The bucket holds `site/`, which CloudFront serves, and for each release `releases/<key>/site.zip`,
which a publication uses: also one of an earlier release, without a build. The key is a hash
of all that goes into the build, with the day where that is `latest`.

A build writes below `incoming/` only. The handler copies what it left there once, and keeps its
SHA-256 in a parameter outside of the bucket: what is not what was recorded is not published. The
handler creates the parameter and deletes it. One of CloudFormation's would have the template's
value again whenever anything of it changes, such as a tag.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import re
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath
from time import sleep, time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ._answers import AWS_ERRORS, error_code
from ._aws import client, fit_reason, kept_id, log_tail, passes, stack_status
from ._redact import redact
from ._site_config import API_URL, INDEX, TEMPLATE, ConfigError, configure
from ._site_page import PageError, check_page
from ._site_tag import tell_if_moved

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Json = dict[str, Any]

SITE = "site/"
RELEASES = "releases/"
INCOMING = "incoming/"
# A parameter holds 4 KB, and a line for each release: the oldest ones are built again.
MAX_RECORDS = 35
# A lifecycle rule of the bucket expires what has this tag, counted from when it was set.
SUPERSEDED = "superseded"
HASHED = "assets/"
# Each name under assets/ holds a hash of its content, so that the content never changes.
FOREVER = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"

WORKERS = 16
PAUSES = (2, 4, 8, 16)
# Seconds that a build may wait for a machine.
QUEUE_PATIENCE = 300
LARGEST_SITE = 256 * 1024 * 1024
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/InvalidationLimits.html
MAX_PATHS = 100
NO_SUCH_PARAMETER = "ParameterNotFound"
NO_SUCH_KEY = ("404", "NoSuchKey", "NotFound")

# CodeBuild's own lines tell of phases, and JavaScript's of where in a tool; what helps is the rest.
NOISE = re.compile(r"\[Container\]|\s+at ")

# Not from the machine's own list, which Lambda does not have.
CONTENT_TYPES = {
    ".avif": "image/avif",
    ".css": "text/css; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".gif": "image/gif",
    ".htm": "text/html; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".otf": "font/otf",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xml": "application/xml",
}

log = logging.getLogger(__name__)
log.setLevel(logging.INFO)


class SiteError(Exception):
    """The site was not published; the text is the reason for CloudFormation."""


def on_event(event: Json, _context: object) -> Json:
    """Start a build if this request needs one.

    Raises:
        SiteError: the build could not be started, or what was recorded could not be deleted.
    """
    plan = {"Key": "", "BuildId": "", "RollingBack": False}
    if event["RequestType"] == "Delete":  # the removal policy of the bucket decides about the site
        _forget(event["ResourceProperties"])
    else:
        plan = _plan(event)
    log.info("%s: %s", event["RequestType"], plan)
    return {
        "PhysicalResourceId": kept_id(event),
        "Plan": plan,
        # For is_complete, by our own clock: the deadline must hold while AWS does not answer.
        "StartedAt": time(),
    }


def is_complete(event: Json, _context: object) -> Json:
    """Publish the site as soon as it is built; tell whether it is published.

    Raises:
        SiteError: the build failed, never started or hung, or the site could not be published.
    """
    plan = event["Plan"]
    if not plan["Key"]:
        return {"IsComplete": True, "Data": {"Version": "", "Commit": ""}}
    try:
        if plan["BuildId"] and not _built(event):
            return {"IsComplete": False}
        if not plan["RollingBack"]:
            _refuse_in_rollback(event)
        if plan["BuildId"]:
            _keep_build(event)
        about = _publish(event)
    except SiteError as failure:
        if not plan["RollingBack"]:
            raise
        _leave(failure)
        return {"IsComplete": True, "Data": {"Version": "", "Commit": ""}}
    _tell_if_moved(event, about)
    return {"IsComplete": True, "Data": about}


def release_key(properties: Json) -> str:
    """The name of the release that these inputs determine."""
    text = json.dumps(properties["Inputs"], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _plan(event: Json) -> Json:
    """Say which release to publish, and start its build if it has to be built."""
    properties = event["ResourceProperties"]
    key = release_key(properties)
    # A rollback updates and deletes, it does not create.
    back = event["RequestType"] == "Update" and "ROLLBACK" in stack_status(event["StackId"])
    plan = {"Key": key, "BuildId": "", "RollingBack": back}
    try:
        kept = _is_kept(event, key)
        if _is_asset(event) or kept:
            return plan
        # In a rollback too: the page that is there may be the one that does not load.
        return {**plan, "BuildId": _start_build(event)}
    except SiteError as failure:
        if not back:
            raise
        _leave(failure)
        return {**plan, "Key": ""}


def _tell_if_moved(event: Json, about: Json) -> None:
    """Tell of a tag that names another commit by now than when the release was built."""
    plan, inputs = event["Plan"], event["ResourceProperties"]["Inputs"]
    source = inputs.get("Source", {})
    # What was just built is what the tag is now, and what `latest` was is not to be known.
    is_old = not plan["BuildId"] and not plan["RollingBack"] and "AsOf" not in inputs
    if is_old and source.get("Type") in ("release", "git") and about["Commit"]:
        tell_if_moved(source, version=about["Version"], commit=about["Commit"])


def _leave(failure: SiteError) -> None:
    # To fail now would leave the stack in UPDATE_ROLLBACK_FAILED; some whole release is there.
    log.warning("the site is left as it is: %s", failure)


def _is_asset(event: Json) -> bool:
    return "AssetBucket" in event["ResourceProperties"]


def _zip_of(key: str) -> str:
    return f"{RELEASES}{key}/site.zip"


def _is_kept(event: Json, key: str) -> bool:
    """Whether a release is there, and what it should be is known."""
    properties = event["ResourceProperties"]
    return _about(properties["Bucket"], key) is not None and key in _records(properties)


def _about(bucket: str, key: str) -> Json | None:
    """Return the metadata of a release, or None if there is no such release."""
    try:
        head = client("s3").head_object(Bucket=bucket, Key=_zip_of(key))
    except AWS_ERRORS as error:
        if error_code(error) in NO_SUCH_KEY:
            return None
        raise _failure(f"could not look for release {key}: {error}") from error
    return dict(head["Metadata"])


def _records(properties: Json) -> dict[str, str]:
    """The SHA-256 of each release, by its key, oldest first."""
    answer = _patiently(
        "the checksums of releases could not be read",
        lambda: client("ssm").get_parameter(Name=properties["Checksums"]),
        absent=NO_SUCH_PARAMETER,
    )
    # The first release creates it.
    records: dict[str, str] = {} if answer is None else json.loads(answer["Parameter"]["Value"])
    return records


def _forget(properties: Json) -> None:
    _patiently(
        "the checksums of releases could not be deleted",
        lambda: client("ssm").delete_parameter(Name=properties["Checksums"]),
        absent=NO_SUCH_PARAMETER,
    )


def _keep(properties: Json, key: str, data: bytes, metadata: dict[str, str]) -> None:
    """Keep a release that can be read, and record what it is before it can be published."""
    _files(key, data)
    _patiently(
        f"release {key} could not be kept",
        lambda: client("s3").put_object(
            Bucket=properties["Bucket"],
            Key=_zip_of(key),
            Body=data,
            ContentType="application/zip",
            Metadata=metadata,
        ),
    )
    records = _records(properties)
    records.pop(key, None)
    records[key] = hashlib.sha256(data).hexdigest()
    newest = dict(list(records.items())[-MAX_RECORDS:])
    _patiently(
        f"the checksum of release {key} could not be recorded",
        lambda: client("ssm").put_parameter(
            Name=properties["Checksums"],
            Value=json.dumps(newest),
            Type="String",
            Overwrite=True,
        ),
    )


def _patiently(what: str, call: Callable[[], Any], *, absent: str | None = None) -> Any:
    """The answer of an AWS call, with patience for what passes; None for the error `absent`."""
    pauses = iter(PAUSES)
    while True:
        try:
            return call()
        except AWS_ERRORS as error:
            if absent is not None and error_code(error) == absent:
                return None
            pause = next(pauses, None)
            if pause is None or not passes(error):
                raise _failure(f"{what}: {error}") from error
        sleep(pause)


# Building


def _start_build(event: Json) -> str:
    properties = event["ResourceProperties"]
    inputs = properties["Inputs"]
    plain = {
        **inputs["Environment"],
        **{f"GALV_BUILD_{name}": value for name, value in inputs["Source"].items()},
        "GALV_BUILD_TARGET": f"s3://{properties['Bucket']}/{INCOMING}",
        # Where they are, not what they are: the step that builds reads them, and no other.
        "GALV_BUILD_SECRETS": json.dumps(inputs["Secrets"], sort_keys=True),
    }
    variables = [
        {"name": name, "value": value, "type": "PLAINTEXT"} for name, value in sorted(plain.items())
    ]
    build = _patiently(
        "the build could not be started",
        lambda: client("codebuild").start_build(
            projectName=properties["Project"],
            # For five minutes CodeBuild answers a known token with the build of that time, so that
            # an event delivered twice starts one build. A later one repeats the same build.
            idempotencyToken=hashlib.sha256(event["RequestId"].encode()).hexdigest(),
            environmentVariablesOverride=variables,
        ),
    )
    return str(build["build"]["id"])


def _built(event: Json) -> bool:
    """Whether the build has succeeded; False while it goes on."""
    build_id = event["Plan"]["BuildId"]
    names = event["ResourceProperties"]["Inputs"]["Secrets"]
    try:
        builds = client("codebuild").batch_get_builds(ids=[build_id])["builds"]
    except AWS_ERRORS as error:
        if not passes(error):
            raise _failure(f"the build could not be watched: {error}") from error
        builds = []
    # None for a moment after its start: CodeBuild is eventually consistent.
    build = builds[0] if builds else {"buildStatus": "IN_PROGRESS", "currentPhase": "unknown"}
    log.info("%s: %s, %s", build_id, build["buildStatus"], build.get("currentPhase"))
    if build["buildStatus"] == "SUCCEEDED":
        return True
    if build["buildStatus"] != "IN_PROGRESS":
        raise _failure(_why_failed(build), build, names)
    waiting = build.get("currentPhase") in ("SUBMITTED", "QUEUED")
    age = time() - event["StartedAt"]
    limit = int(event["ResourceProperties"]["TimeoutSeconds"])
    if age >= limit:
        raise _failure(f"the build hung: not done after {limit} s{_stop(build_id)}", build, names)
    if waiting and age >= QUEUE_PATIENCE:
        what = f"the build never started: no machine after {QUEUE_PATIENCE} s"
        raise _failure(f"{what}{_stop(build_id)}", build, names)
    if not event["Plan"]["RollingBack"] and "ROLLBACK" in stack_status(event["StackId"]):
        raise _failure(f"the build was cancelled by a rollback{_stop(build_id)}")
    return False


def _refuse_in_rollback(event: Json) -> None:
    """Publish nothing new once another resource has failed: the rollback has its own request."""
    if "ROLLBACK" in stack_status(event["StackId"]):
        raise _failure("publication was cancelled by a rollback")


def _stop(build_id: str) -> str:
    """Stop the build, and say in the end of a sentence how that went."""
    try:
        client("codebuild").stop_build(id=build_id)
    except AWS_ERRORS as error:
        return f", and could not be stopped: {error}"
    return ", and was stopped"


def _why_failed(build: Json) -> str:
    """Name the phase that failed, and what CodeBuild says of it."""
    phases = [
        p for p in build.get("phases", []) if p.get("phaseStatus", "SUCCEEDED") != "SUCCEEDED"
    ]
    if not phases:
        return f"the build ended with {build['buildStatus']}"
    # The later ones fail because the first did.
    phase = phases[0]
    said = "; ".join(c["message"] for c in phase.get("contexts", []) if c.get("message"))
    return f"the build ended with {build['buildStatus']} in {phase['phaseType']}: {said or '?'}"


def _failure(what: str, build: Json | None = None, names: Iterable[str] = ()) -> SiteError:
    """The failure in all that fits: what happened, a link, the last lines of the build's log."""
    logs = (build or {}).get("logs", {})
    link = f"\nLog: {logs['deepLink']}" if logs.get("deepLink") else ""
    what = redact(what, names)
    lines = ""
    if logs.get("streamName"):
        lines = log_tail(logs["groupName"], logs["streamName"], names=names, noise=NOISE)
    elif logs:
        lines = "(no log: the build never ran)"
    return SiteError(fit_reason(f"Site: {what}", link, lines))


# Publishing


def _publish(event: Json) -> Json:
    """Put the release where CloudFront serves it, in an order that breaks no open page."""
    properties = event["ResourceProperties"]
    bucket, key = properties["Bucket"], event["Plan"]["Key"]
    if _is_asset(event) and not _is_kept(event, key):
        _keep_asset(properties, key)
    # First of all: a release that was to expire is needed again.
    _patiently(
        f"release {key} could not be kept",
        lambda: client("s3").delete_object_tagging(Bucket=bucket, Key=_zip_of(key)),
    )
    packed, about = _read(properties, key)
    files = _configured(packed, properties)
    hashed = sorted(name for name in files if name.startswith(HASHED))
    others = sorted(name for name in files if not name.startswith(HASHED) and name != INDEX)
    # A page refers only to what is there already.
    for names in (hashed, others, [INDEX]):
        _put(bucket, files, names)
    _supersede(event, files)
    _invalidate(event, [*others, INDEX])
    # A rollback goes back to what worked, and must not fail.
    if not event["Plan"]["RollingBack"]:
        _check_page(files, properties)
    # `galv-ops releases` reads it.
    log.info(
        "published %s: version %s, commit %s, %d files",
        key,
        about["Version"],
        about["Commit"],
        len(files),
    )
    return about


def _keep_asset(properties: Json, key: str) -> None:
    bucket, name = properties["AssetBucket"], properties["AssetKey"]
    data, _ = _download("the files could not be read", bucket, name)
    _keep(properties, key, data, {})


def _keep_build(event: Json) -> None:
    """Keep what a build left, once: nothing that is written there later is looked at."""
    properties, plan = event["ResourceProperties"], event["Plan"]
    bucket, key, build = properties["Bucket"], plan["Key"], plan["BuildId"]
    about = _about(bucket, key)
    if about is not None and about.get("build") == build and key in _records(properties):
        return
    data, metadata = _download(
        f"what {build} built could not be read", bucket, _left_by(bucket, build)
    )
    said = {name: metadata[name] for name in ("version", "commit") if metadata.get(name)}
    _keep(properties, key, data, {**said, "build": build})


def _left_by(bucket: str, build: str) -> str:
    """The one object that a build left, in a folder that only its own credentials can write to."""
    end = f"/{build.rpartition(':')[2]}.zip"

    def find() -> list[str]:
        pages = (
            client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=INCOMING)
        )
        names = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return [name for name in names if name.endswith(end)]

    found = _patiently("what was built could not be looked for", find)
    if len(found) != 1:
        raise _failure(f"build {build} left {len(found)} releases in {INCOMING} instead of one")
    return str(found[0])


def _download(what: str, bucket: str, name: str) -> tuple[bytes, Json]:
    """An object, and its metadata."""

    def download() -> tuple[bytes, Json]:
        answer = client("s3").get_object(Bucket=bucket, Key=name)
        size = answer["ContentLength"]
        if size > LARGEST_SITE:
            raise _failure(f"{name} has {size} bytes, and may have {LARGEST_SITE}")
        return answer["Body"].read(), answer["Metadata"]

    data, metadata = _patiently(what, download)
    return data, metadata


def _read(properties: Json, key: str) -> tuple[dict[str, bytes], Json]:
    """The files of a release, and what its build said about itself."""
    data, metadata = _download(
        f"release {key} could not be read", properties["Bucket"], _zip_of(key)
    )
    recorded, found = _records(properties).get(key), hashlib.sha256(data).hexdigest()
    if found != recorded:
        raise _failure(
            f"release {key} was altered: its SHA-256 is {found}, and {recorded} was recorded when "
            f"it was built. Find out who did it, delete s3://{properties['Bucket']}/{_zip_of(key)} "
            "and deploy again: that builds it anew"
        )
    about = {name: metadata.get(name.lower(), "") for name in ("Version", "Commit")}
    return _files(key, data), about


def _files(key: str, data: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            size = sum(entry.file_size for entry in entries)
            if size > LARGEST_SITE:
                raise _failure(f"release {key} has {size} bytes, and may have {LARGEST_SITE}")
            return {entry.filename: archive.read(entry) for entry in entries}
    except zipfile.BadZipFile as error:
        raise _failure(f"release {key} is no ZIP file: {error}") from error


def _configured(files: dict[str, bytes], properties: Json) -> dict[str, bytes]:
    """The files for this deployment."""
    inputs = properties["Inputs"]
    unread = sorted(set(properties["Variables"]) - {API_URL})
    if unread and TEMPLATE not in files and inputs.get("Source", {}).get("Type") == "image":
        raise _failure(
            f"environment sets {', '.join(unread)}, and the image is built already and has no "
            f"{TEMPLATE}, so that it would do nothing: leave it out, or use "
            "FrontendSource.release(…)"
        )
    try:
        return configure(
            files,
            api_url=properties["ApiUrl"],
            variables=properties["Variables"],
            secrets=inputs.get("Secrets", {}),
        )
    except ConfigError as error:
        raise _failure(str(error)) from error


def _check_page(files: dict[str, bytes], properties: Json) -> None:
    try:
        check_page(
            properties["PageUrl"],
            files,
            api_url=properties["ApiUrl"],
            has_web_acl=properties["WebAcl"] == "true",
        )
    except PageError as error:
        raise _failure(str(error)) from error


def _put(bucket: str, files: dict[str, bytes], names: Iterable[str]) -> None:
    def put(name: str) -> None:
        _patiently(
            f"{name} could not be published",
            lambda: client("s3").put_object(
                Bucket=bucket,
                Key=f"{SITE}{name}",
                Body=files[name],
                ContentType=_content_type(name),
                CacheControl=FOREVER if name.startswith(HASHED) else REVALIDATE,
            ),
        )

    _all(put, names)


def _content_type(name: str) -> str:
    return CONTENT_TYPES.get(PurePosixPath(name).suffix.lower(), "application/octet-stream")


def _all(call: Callable[[str], None], names: Iterable[str]) -> None:
    """Call for all names, several at a time; raise what the first that failed raised."""
    with ThreadPoolExecutor(WORKERS) as pool:
        futures = [pool.submit(call, name) for name in names]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _supersede(event: Json, files: dict[str, bytes]) -> None:
    """Let expire, later, what neither this release nor the one before needs.

    An open page goes on loading parts of its own release, so nothing is deleted now.
    """
    bucket = event["ResourceProperties"]["Bucket"]
    needed = {event["Plan"]["Key"]}
    if event["RequestType"] == "Update":
        needed.add(release_key(event["OldResourceProperties"]))

    def is_needed(name: str) -> bool:
        if name.startswith(SITE):
            return name.removeprefix(SITE) in files
        if name.startswith(INCOMING):  # it expires by a rule of its own
            return True
        return name.removeprefix(RELEASES).partition("/")[0] in needed

    def expire(name: str) -> None:
        tags = client("s3").get_object_tagging(Bucket=bucket, Key=name)["TagSet"]
        if any(tag["Key"] == SUPERSEDED for tag in tags):
            return
        head = client("s3").head_object(Bucket=bucket, Key=name)
        # Onto itself: the age that the lifecycle rule goes by starts anew.
        client("s3").copy_object(
            Bucket=bucket,
            Key=name,
            CopySource={"Bucket": bucket, "Key": name},
            MetadataDirective="REPLACE",
            Metadata=head["Metadata"],
            ContentType=head["ContentType"],
            CacheControl=head.get("CacheControl", REVALIDATE),
            TaggingDirective="REPLACE",
            Tagging=f"{SUPERSEDED}=true",
        )

    try:
        pages = client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket)
        names = [item["Key"] for page in pages for item in page.get("Contents", [])]
        _all(expire, [name for name in names if not is_needed(name)])
    except AWS_ERRORS as error:
        # The site is published; the next publication does this again.
        log.warning("older files could not be marked to expire: %s", error)


def _invalidate(event: Json, names: list[str]) -> None:
    paths = ["/", *(f"/{quote(name)}" for name in names)] if len(names) < MAX_PATHS else ["/*"]
    _patiently(
        "the site is there, but CloudFront's caches could not be invalidated",
        lambda: client("cloudfront").create_invalidation(
            DistributionId=event["ResourceProperties"]["DistributionId"],
            InvalidationBatch={
                "Paths": {"Quantity": len(paths), "Items": paths},
                # An event delivered twice makes one invalidation.
                "CallerReference": event["RequestId"],
            },
        ),
    )
