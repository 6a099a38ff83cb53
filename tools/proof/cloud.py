"""S3, STS and CloudFront's own API, emulated; and the credentials that ECS gives to a task."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from e2e.cloud import Cloud

# Where a task on Fargate finds them:
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
CREDENTIALS_ADDRESS = "169.254.170.2"
CREDENTIALS_PATH = "/v2/credentials/0a1b"


class OpenCloud(Cloud):
    """The emulator, without policies: who may do what is not looked at here."""

    def _server_environment(self) -> dict[str, str]:
        variables = super()._server_environment()
        del variables["AUTH"]
        return variables


def start_cloud(folder: Path) -> Cloud:
    """Start the emulator."""
    folder.mkdir()
    return OpenCloud(folder).__enter__()


class Credentials:
    """Answers with credentials of the task's role."""

    def __init__(self) -> None:
        """Prepare it; nothing runs before `start()`."""
        answer = json.dumps(
            {
                "AccessKeyId": "test",
                "SecretAccessKey": "test",
                "Token": "",
                "Expiration": "2099-01-01T00:00:00Z",
                "RoleArn": "arn:aws:iam::123456789012:role/task",
            }
        ).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200 if self.path == CREDENTIALS_PATH else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer((CREDENTIALS_ADDRESS, 80), Handler)

    def start(self) -> None:
        """Start it."""
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
