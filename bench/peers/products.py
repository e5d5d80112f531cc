"""The gateways that are measured, each as its own documentation starts it, with one worker."""

from __future__ import annotations

import shutil
import subprocess
from typing import Final

from bench.peers.peer import MODEL, Peer, Place, Program
from tools.servers.installed_environments import (
    NotInstalledError,
    kept,
    node_environment,
    node_version,
    python_environment,
    python_version,
)

NGINX_CONFIG: Final = """\
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  client_body_buffer_size 64k;
  upstream provider {{ server {address}; keepalive 1024; keepalive_requests 1000000; }}
  server {{
    listen 127.0.0.1:{port};
    keepalive_requests 1000000;
    location /v1/ {{
      proxy_pass http://provider/v1/;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }}
  }}
}}
"""
LITELLM_CONFIG: Final = """\
model_list:
  - model_name: {model}
    litellm_params: {{model: openai/{model}, api_base: "{url}", api_key: {key}}}
general_settings: {{master_key: sk-bench}}
litellm_settings: {{telemetry: false}}
"""
MLFLOW_CONFIG: Final = """\
endpoints:
  - name: {model}
    endpoint_type: llm/v1/chat
    model:
      provider: openai
      name: {model}
      config: {{openai_api_key: {key}, openai_api_base: "{url}"}}
"""
PORTKEY: Final = "@portkey-ai/gateway"
# Without them LiteLLM imports and compiles a module anew for every request; its own image has them.
LITELLM_PACKAGES: Final = (
    "litellm[proxy]",
    "opentelemetry-api",
    "opentelemetry-sdk",
    "opentelemetry-exporter-otlp",
)
# With a newer adapter Portkey answers every stream with 500; this is the oldest that it declares itself content with.
PORTKEY_OVERRIDES: Final = {"@hono/node-server": "1.3.3"}


def nginx(place: Place) -> Program:
    """Return nginx as a plain proxy: what a gateway that does nothing would cost."""
    binary = shutil.which("nginx", path=f"{kept().get('PATH', '')}:/usr/sbin")
    if binary is None:
        raise NotInstalledError("no nginx on the PATH")
    address = place.upstream_url.split("/")[2]
    config = place.folder / "nginx.conf"
    config.write_text(NGINX_CONFIG.format(folder=place.folder, address=address, port=place.port))
    shown = subprocess.run([binary, "-v"], capture_output=True, text=True, check=True)  # noqa: S603
    version = shown.stderr.strip().rpartition("/")[2]
    return Program(version, [binary, "-p", str(place.folder), "-c", str(config)], kept(), place.upstream_key)


def portkey(place: Place) -> Program:
    """Return Portkey's open gateway; the upstream is named by headers, as its documentation has it."""
    modules = node_environment("portkey", PORTKEY, PORTKEY_OVERRIDES)
    server = modules / PORTKEY / "build" / "start-server.js"
    headers = (("x-portkey-provider", "openai"), ("x-portkey-custom-host", place.upstream_url))
    command = ["node", str(server), f"--port={place.port}", "--headless"]
    environment = kept(NODE_ENV="production", TRUSTED_CUSTOM_HOSTS="127.0.0.1")
    return Program(node_version(modules, PORTKEY), command, environment, place.upstream_key, headers)


def mlflow(place: Place) -> Program:
    """Return MLflow's gateway server."""
    binaries = python_environment("mlflow", "mlflow[gateway]")
    config = _config(place, "mlflow.yaml", MLFLOW_CONFIG)
    command = [str(binaries / "mlflow"), "gateway", "start", "--config-path", config]
    command += ["--host", "127.0.0.1", "--port", str(place.port), "--workers", "1"]
    environment = kept()
    # It starts its server by the name of the program.
    environment["PATH"] = f"{binaries}:{environment.get('PATH', '')}"
    return Program(python_version(binaries, "mlflow"), command, environment, "none")


def litellm(place: Place) -> Program:
    """Return LiteLLM's proxy with a master key and no stores."""
    binaries = python_environment("litellm", *LITELLM_PACKAGES)
    config = _config(place, "litellm.yaml", LITELLM_CONFIG)
    command = [str(binaries / "litellm"), "--config", config, "--host", "127.0.0.1", "--port", str(place.port)]
    # Its price list would be fetched from elsewhere at every start.
    environment = kept(LITELLM_LOCAL_MODEL_COST_MAP="True")
    return Program(python_version(binaries, "litellm"), [*command, "--num_workers", "1"], environment, "sk-bench")


def _config(place: Place, name: str, template: str) -> str:
    path = place.folder / name
    path.write_text(template.format(model=MODEL, url=place.upstream_url, key=place.upstream_key))
    return str(path)


PEERS: Final = (
    Peer("nginx", "proxies bytes", nginx),
    Peer("Portkey", "maps the request; no keys, limits, metering", portkey),
    Peer("MLflow gateway", "maps and checks both ways; no keys, limits, metering", mlflow),
    Peer("LiteLLM", "one key, price of each answer in memory; no limits, stores", litellm),
)
