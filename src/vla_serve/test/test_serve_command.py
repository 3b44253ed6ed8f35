"""The command as a process: it says where it is, answers, and ends when it is told to."""

import http.client
import os
import signal
import subprocess
import sys
from urllib.parse import urlsplit

import pytest
from websockets.sync.client import connect

from vla_policy.remote import openpi_wire


def start(*arguments, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "vla_cli", "serve", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_end(checkpoint_folder, request_of, number):
    process = start("onnx", checkpoint_folder, "--port", "0", "--threads", "1")
    try:
        line = process.stdout.readline()
        assert line.startswith("serving at ws://127.0.0.1:"), process.stderr.read()
        url = line.split()[-1]
        with connect(url, compression=None, proxy=None) as connection:
            connection.recv(timeout=10.0)
            connection.send(openpi_wire.pack(request_of()))
            assert openpi_wire.unpack(connection.recv(timeout=30.0))["actions"].shape == (32, 4)
            asked = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10.0)
            asked.request("GET", "/healthz")
            assert asked.getresponse().status == 200
            process.send_signal(number)  # with a client that stays
            out, errors = process.communicate(timeout=20.0)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0 and not errors, errors


def test_it_warns_where_everybody_may_ask(checkpoint_folder):
    for key, expected in (("", 1), ("secret", 0)):
        process = start("onnx", checkpoint_folder, "--port", "0", "--host", "0.0.0.0",
                        VLA_SERVE_API_KEY=key)  # fmt: skip
        try:
            assert process.stdout.readline().startswith("serving at")
            process.terminate()
            errors = process.communicate(timeout=20.0)[1]
        finally:
            process.kill()
            process.wait()
        assert errors.count("whoever reaches 0.0.0.0 may ask") == expected, errors


REFUSED = {
    "no folder": (("onnx", "/none"), "no such folder"),
    "no backend": (("onnx", "FOLDER", "--backend", "magic"), "'magic' is unknown; accepted here"),
    "remote": (("onnx", "FOLDER", "--backend", "remote"), "runs no checkpoint"),
    "no port": (("onnx", "FOLDER", "--port", "70000"), "accepted: 0 to 65535"),
    "no window": (("onnx", "FOLDER", "--window", "nan"), "accepted: 0 to 1000"),
    "no certificate": (("onnx", "FOLDER", "--port", "0", "--certificate", "/none"), "/none"),
    "no kind": (("pytorch",), "invalid choice"),
    "no host": (("onnx", "FOLDER", "--port", "0", "--host", "192.0.2.1"), "192.0.2.1"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_begin_says_why(checkpoint_folder, case):
    arguments, text = REFUSED[case]
    words = [str(checkpoint_folder) if word == "FOLDER" else word for word in arguments]
    process = start(*words)
    out, errors = process.communicate(timeout=60.0)
    assert process.returncode == 2 and text in errors and "Traceback" not in errors, errors
