"""nginx between a browser and the published files, in place of CloudFront.

nginx runs the CloudFront Function of a template in njs, before its requests to the origin, and
adds the headers of the template's response headers policy. The origin is any server that answers
as S3 does; `Origin` is one in front of a bucket that boto3 reaches.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from frontend_site.programs import need
from templates import Json, only

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/functions-event-structure.html
SCRIPT = """
%s

function serve(r) {
  const parts = r.variables.request_uri.split('?');
  const headers = {};
  Object.keys(r.headersIn).forEach((name) => {
    headers[name.toLowerCase()] = { value: r.headersIn[name] };
  });
  const querystring = {};
  (parts[1] || '').split('&').filter((pair) => pair).forEach((pair) => {
    const entry = { value: pair.split('=').slice(1).join('=') };
    const name = pair.split('=')[0];
    if (querystring[name]) {
      querystring[name].multiValue = querystring[name].multiValue || [querystring[name]];
      querystring[name].multiValue.push(entry);
    } else {
      querystring[name] = entry;
    }
  });
  const routed = handler({
    version: '1.0',
    context: { eventType: 'viewer-request' },
    request: { method: r.method, uri: parts[0], querystring: querystring, headers: headers },
  });
  if (routed.statusCode) {
    Object.keys(routed.headers).forEach((name) => {
      r.headersOut[name] = routed.headers[name].value;
    });
    r.return(routed.statusCode);
    return;
  }
  // The default root object of the distribution.
  r.variables.routed = routed.uri === '/' ? '/index.html' : routed.uri;
  r.internalRedirect('@origin');
}

export default { serve };
"""

CONFIGURATION = """
daemon off;
master_process off;
load_module %(module)s;
pid %(folder)s/nginx.pid;
error_log %(folder)s/error.log warn;
events {}
http {
  access_log %(folder)s/access.log;
  client_body_temp_path %(folder)s/tmp; proxy_temp_path %(folder)s/tmp;
  fastcgi_temp_path %(folder)s/tmp; uwsgi_temp_path %(folder)s/tmp; scgi_temp_path %(folder)s/tmp;
  js_path %(folder)s;
  js_import edge.js;
  js_var $routed;
  server {
    listen 127.0.0.1:%(port)d;
    %(headers)s
    location / { js_content edge.serve; }
    location @origin {
      proxy_pass %(origin)s$routed;
      proxy_set_header Accept-Encoding "";
    }
  }
}
"""


def function_of(template: Json) -> str:
    """The code of the only CloudFront Function of a template."""
    code: str = only(template, "AWS::CloudFront::Function")["FunctionCode"]
    return code


def headers_of(template: Json) -> dict[str, str]:
    """The headers that the only response headers policy of a template adds.

    Names of buckets that only a deployment knows become `unknown.invalid`.
    """
    policy = only(template, "AWS::CloudFront::ResponseHeadersPolicy")
    config = policy["ResponseHeadersPolicyConfig"]
    security = config["SecurityHeadersConfig"]
    transport = security["StrictTransportSecurity"]
    return {
        "Content-Security-Policy": _resolved(
            security["ContentSecurityPolicy"]["ContentSecurityPolicy"]
        ),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": security["ReferrerPolicy"]["ReferrerPolicy"],
        "Strict-Transport-Security": f"max-age={transport['AccessControlMaxAgeSec']}",
        **{item["Header"]: item["Value"] for item in config["CustomHeadersConfig"]["Items"]},
    }


def _resolved(value: Any) -> str:
    if isinstance(value, str):
        return value
    if "Fn::Join" in value:
        separator, parts = value["Fn::Join"]
        return str(separator).join(map(_resolved, parts))
    return "unknown.invalid"


@contextlib.contextmanager
def edge(folder: Path, *, function: str, headers: Mapping[str, str], origin: str) -> Iterator[str]:
    """Run nginx; give its URL.

    Args:
        folder: An empty folder for what nginx reads and writes.
        function: Code of the CloudFront Function.
        headers: Headers of every answer.
        origin: URL that the path of a routed request is appended to.
    """
    (nginx,) = need("nginx")
    port = free_port()
    (folder / "tmp").mkdir(parents=True)
    (folder / "edge.js").write_text(SCRIPT % function)
    settings = {
        "module": _njs_module(nginx),
        "folder": folder,
        "port": port,
        "origin": origin,
        "headers": "\n    ".join(
            f'add_header {name} "{value}" always;' for name, value in headers.items()
        ),
    }
    (folder / "nginx.conf").write_text(CONFIGURATION % settings)
    process = subprocess.Popen([nginx, "-p", folder, "-c", folder / "nginx.conf"])
    try:
        _wait_for(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)


def _njs_module(nginx: str) -> str:
    options = subprocess.run([nginx, "-V"], capture_output=True, text=True, check=True).stderr
    modules = next(o for o in options.split() if o.startswith("--modules-path="))
    return f"{modules.partition('=')[2]}/ngx_http_js_module.so"


def free_port() -> int:
    """A port on this machine that nothing listens to."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        assert process.poll() is None, (
            "nginx ended: it needs libnginx-mod-http-js (CONTRIBUTING.md)"
        )
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("nginx does not answer")


class Origin:
    """A server that answers as S3 does, with what is in a bucket below `site/`."""

    def __init__(self, s3: Any, bucket: str) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                try:
                    found = s3.get_object(Bucket=bucket, Key=f"site{unquote(self.path)}")
                except s3.exceptions.NoSuchKey:
                    status, headers, body = 404, {}, b"<Error><Code>NoSuchKey</Code></Error>"
                else:
                    names = {"Content-Type": "ContentType", "Cache-Control": "CacheControl"}
                    headers = {name: found[key] for name, key in names.items()}
                    status, body = 200, found["Body"].read()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """End the server."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
