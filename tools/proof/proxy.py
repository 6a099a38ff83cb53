"""nginx in the place of what speaks TLS at AWS: the load balancer, S3, STS and CloudFront."""

import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from proof.certificates import Certificates

# An application load balancer passes a request's body on as it comes, and closes what is idle.
_CONFIGURATION = """\
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
worker_processes 1;
events {{ worker_connections 1024; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    client_max_body_size 0;
    proxy_http_version 1.1;

    # The load balancer.
    server {{
        listen {address}:443 ssl;
        server_name {api};
        client_header_timeout {idle}s;
        client_body_timeout {idle}s;
        {listener_headers}
        location / {{
            proxy_pass http://{task};
            proxy_request_buffering off;
            proxy_read_timeout {idle}s;
            proxy_send_timeout {idle}s;
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-Proto https;
            proxy_set_header X-Forwarded-Port 443;
            proxy_set_header X-Forwarded-For $remote_addr;
        }}
    }}

    # CloudFront, in front of the bucket with the API's static files.
    server {{
        listen {address}:443 ssl;
        server_name {cdn};
        location / {{
            proxy_pass http://127.0.0.1:{emulator}/{static_bucket}$uri;
            proxy_set_header Host localhost:{emulator};
            # As CloudFront's managed policy of headers has it; a font needs it.
            proxy_hide_header Access-Control-Allow-Origin;
            add_header Access-Control-Allow-Origin * always;
        }}
    }}

    # What the API's pages load from elsewhere: jsDelivr's packages, and a font of Google's.
    server {{
        listen {address}:443 ssl;
        server_name {documentation_hosts};
        root {documentation};
        types {{ text/css css; application/javascript js; image/png png; }}
        add_header Access-Control-Allow-Origin * always;
        add_header X-Content-Type-Options nosniff always;
        location /css2 {{
            default_type text/css;
            return 200 "@font-face {{ font-family: a; src: url(https://fonts.gstatic.com/a) }}";
        }}
        location = /a {{ default_type font/woff2; return 200 "no font"; }}
    }}

    # CloudFront, in front of the site.
    server {{
        listen {address}:443 ssl;
        server_name {site};
        location / {{
            proxy_pass http://{site_server};
            proxy_set_header Host $http_host;
        }}
    }}

    # S3 and every other service. Signatures are of the name that was asked for.
    server {{
        listen {address}:443 ssl default_server;
        server_name _;
        location / {{
            proxy_pass http://127.0.0.1:{emulator};
            proxy_request_buffering off;
            proxy_set_header Host $http_host;
        }}
    }}
}}
"""

DOCUMENTATION_HOSTS = ("cdn.jsdelivr.net", "fonts.googleapis.com", "fonts.gstatic.com")


@dataclass(frozen=True, kw_only=True)
class Routes:
    """Which names lead where, and what the load balancer sets."""

    api: str
    task: str
    idle: int
    cdn: str
    static_bucket: str
    emulator: int
    site: str
    headers: Mapping[str, str]
    documentation: Path


class Proxy:
    """A process of nginx."""

    def __init__(
        self, folder: Path, address: str, certificates: Certificates, routes: Routes
    ) -> None:
        """Prepare it; nothing runs before `start()`."""
        self._folder = folder
        self._program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")
        if self._program is None:
            raise FileNotFoundError("nginx is missing (Debian: nginx)")
        folder.mkdir()
        self._file = folder / "nginx.conf"
        self._settings = {
            "folder": folder,
            "address": address,
            "certificate": certificates.certificate,
            "key": certificates.key,
            **vars(routes),
            "documentation_hosts": " ".join(DOCUMENTATION_HOSTS),
            # The load balancer's value takes the place of the application's.
            "listener_headers": "\n        ".join(
                f'proxy_hide_header {name}; add_header {name} "{value}" always;'
                for name, value in routes.headers.items()
            ),
        }
        # Port 9 throws away what comes; nothing listens to it here.
        self._write(site_server="127.0.0.1:9")

    def _write(self, *, site_server: str) -> None:
        settings = {**self._settings, "site_server": site_server}
        self._file.write_text(_CONFIGURATION.format(**settings))

    def serve_site(self, server: str) -> None:
        """Lead the site's names to a server from now on."""
        self._write(site_server=server)
        self._process.send_signal(signal.SIGHUP)

    def start(self) -> None:
        """Start it."""
        self._process = subprocess.Popen(
            [str(self._program), "-c", self._file, "-e", self._folder / "error.log"],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(timeout=20)
