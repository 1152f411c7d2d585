"""A bucket of moto's server for S3 on the loopback address."""

import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def s3_bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """Yield the file system of S3 with an empty ``s3://bucket``; credentials are in the environment.

    Skips the test where s3fs or moto is not installed.
    """
    fsspec = pytest.importorskip("fsspec", reason="the extra remote is not installed")
    pytest.importorskip("s3fs", reason="s3fs is not installed")
    moto = pytest.importorskip("moto.server", reason="moto is not installed")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key-of-test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-test")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        fsspec.get_filesystem_class("s3").clear_instance_cache()
        store = fsspec.filesystem("s3", skip_instance_cache=True, use_listings_cache=False)
        # Servers of one process have one state.
        urllib.request.urlopen(f"http://{host}:{port}/moto-api/reset", data=b"").close()
        store.mkdir("bucket")
        yield store
    finally:
        server.stop()
