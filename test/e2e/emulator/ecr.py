"""Images of ECR, whose layers MiniStack takes without a look and forgets.

What is refused is in `handlers.ecr_server`. MiniStack has the repositories, describes what is in
them, and gives it to those who pull it.
"""

import time
from functools import partial
from typing import Any

from e2e.emulator.private import ecr, responses
from e2e.emulator.types import Json
from handlers.ecr_server import Ecr, RefusedError

# A member of a record of MiniStack's, so that it ends with the repository.
_CONTENT = "content"


def _content(name: str) -> Ecr:
    record = ecr.repositories.get(name)
    if record is None:
        raise RefusedError("RepositoryNotFoundException", f"The repository {name} does not exist")
    if _CONTENT not in record:
        ecr.layer_blobs[name] = {}
        record[_CONTENT] = Ecr(name, blobs=ecr.layer_blobs[name])
    content: Ecr = record[_CONTENT]
    return content


def _answer(operation: str, asked: Json) -> Any:
    name = asked["repositoryName"]
    try:
        content = _content(name)
        answer = content.answer(operation, asked)
    except RefusedError as error:
        refusal = {"__type": error.code, "message": error.message, **error.more}
        return responses.json_response(refusal, error.status)
    _show(name, content)
    return responses.json_response(answer)


def _show(name: str, content: Ecr) -> None:
    """Let MiniStack know the images."""
    pushed = {one["imageDigest"]: one["imagePushedAt"] for one in ecr.images[name]}
    shown: dict[str, Json] = {}
    for tag, image in content.images.items():
        digest = image["imageId"]["imageDigest"]
        mine = {**image, "imageDigest": digest, "imageTags": [], "imagePushedAt": int(time.time())}
        shown.setdefault(digest, mine)["imageTags"].append(tag)
    for digest in pushed.keys() & shown.keys():
        shown[digest]["imagePushedAt"] = pushed[digest]
    ecr.images[name] = list(shown.values())
    ecr.manifest_blobs[name] = {
        digest: image["imageManifest"].encode() for digest, image in shown.items()
    }


def install() -> None:
    """Replace the operations of layers and images."""
    ecr.batch_check_layer_availability = partial(_answer, "BatchCheckLayerAvailability")
    ecr.batch_delete_image = partial(_answer, "BatchDeleteImage")
    ecr.batch_get_image = partial(_answer, "BatchGetImage")
    ecr.complete_layer_upload = partial(_answer, "CompleteLayerUpload")
    ecr.initiate_layer_upload = partial(_answer, "InitiateLayerUpload")
    ecr.list_images = partial(_answer, "ListImages")
    ecr.put_image = partial(_answer, "PutImage")
    ecr.upload_layer_part = partial(_answer, "UploadLayerPart")
