"""Object stores for the tests: servers on this machine, and what is needed to look into them."""

import base64
import hashlib
import hmac
import json
import logging
import os
import re
import shutil
import subprocess
import threading
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from itertools import count
from typing import Any

from datagen.shards.store import Store

SECRET = "swordfish-in-the-environment"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIATESTS", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "us-east-1"}
BUCKET = "datagen"
TIME = re.compile(rb'"finished_at": [0-9]+,?|(?<=\A\{\n "seal": ")[0-9a-f]{64}')
"""The time in a marker, and the seal of a document, which depends on it."""
"""What differs in markers of equal units."""
_SIGNED = "AWS4-HMAC-SHA256 Credential=AKIATESTS/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
_n_folders = count()


@contextmanager
def s3_server(address: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """An S3 server, moto's, with one bucket; gives its endpoint. It knows the precondition of GCS's dialect too."""
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app, one_at_a_time = DomainDispatcherApplication(create_backend_app), threading.Lock()

    def atomic(environ: Any, start_response: Any) -> Iterable[bytes]:
        if not environ.get("HTTP_AUTHORIZATION", "").startswith("AWS4"):  # by which moto tells its services
            environ["HTTP_AUTHORIZATION"] = _SIGNED
        if environ.get("HTTP_X_GOOG_IF_GENERATION_MATCH") == "0":
            environ["HTTP_IF_NONE_MATCH"] = "*"
        with one_at_a_time:  # moto checks If-None-Match and writes in two steps; on S3 it is one
            return list(app(environ, start_response))

    server = make_server(address, port, atomic, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    endpoint = f"http://{address}:{server.server_port}"
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{endpoint}/{BUCKET}", method="PUT")):
            yield endpoint
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def s3_environment(endpoint: str) -> dict[str, str]:
    """What a user of the server sets."""
    return {**CREDENTIALS, "AWS_ENDPOINT_URL": endpoint, "AWS_ALLOW_HTTP": "true"}


def gcs_environment(endpoint: str) -> dict[str, str]:
    """Google Cloud Storage at another address, without its accounts."""
    account = {"gcs_base_url": endpoint, "disable_oauth": True, "client_email": "", "private_key": ""}
    return {"GOOGLE_SERVICE_ACCOUNT_KEY": json.dumps({**account, "private_key_id": ""}), "GOOGLE_ALLOW_HTTP": "true"}


_AZURE_ACCOUNT = "devstoreaccount1"
_AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The public key of every emulator of Azure."""


def azurite() -> str | None:
    """The program of Azure's emulator, from `$AZURITE` or the path; `npm install azurite` brings it."""
    return os.environ.get("AZURITE") or shutil.which("azurite-blob")


@contextmanager
def azure_server(program: str) -> Iterator[str]:
    """Azurite with one container; gives the endpoint of its account."""
    options = ["--inMemoryPersistence", "--blobPort", "0", "--skipApiVersionCheck", "--disableTelemetry"]
    with subprocess.Popen([program, *options], stdout=subprocess.PIPE, text=True) as process:
        try:
            said = iter(process.stdout or ())
            endpoint = next(found[0] for line in said if (found := re.search(r"http://127\.0\.0\.1:[1-9]\d*", line)))
            _make_container(f"{endpoint}/{_AZURE_ACCOUNT}")
            yield f"{endpoint}/{_AZURE_ACCOUNT}"
        finally:
            process.terminate()


def _make_container(endpoint: str) -> None:
    date, version = formatdate(usegmt=True), "2021-08-06"
    resource = f"/{_AZURE_ACCOUNT}/{_AZURE_ACCOUNT}/{BUCKET}\nrestype:container"
    signed = "PUT" + "\n" * 12 + f"x-ms-date:{date}\nx-ms-version:{version}\n{resource}"
    key = hmac.new(base64.b64decode(_AZURE_KEY), signed.encode(), hashlib.sha256).digest()
    headers = {
        "x-ms-date": date,
        "x-ms-version": version,
        "Authorization": f"SharedKey {_AZURE_ACCOUNT}:{base64.b64encode(key).decode()}",
        "Content-Length": "0",
    }
    asked = urllib.request.Request(f"{endpoint}/{BUCKET}?restype=container", method="PUT", headers=headers)
    with urllib.request.urlopen(asked):
        pass


def azure_environment(endpoint: str) -> dict[str, str]:
    """What a user of the emulator sets."""
    names = {"ACCOUNT_NAME": _AZURE_ACCOUNT, "ACCOUNT_KEY": _AZURE_KEY}
    stored = {f"AZURE_STORAGE_{name}": value for name, value in names.items()}
    return {**stored, "AZURE_ENDPOINT": endpoint, "AZURE_ALLOW_HTTP": "true"}


def next_folder() -> str:
    """A folder nobody has used yet."""
    return f"tests/{next(_n_folders)}"


def contents(store: Store) -> dict[str, bytes]:
    """Every file of a store but scratch, markers without their time."""
    return {key: TIME.sub(b"", store.read(key)) for key in store.keys("") if not key.startswith(".writing/")}
