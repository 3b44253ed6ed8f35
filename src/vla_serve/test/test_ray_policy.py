"""A Ray cluster of two nodes on this machine, and a replica that is killed while it answers."""

import concurrent.futures
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from websockets.sync.client import connect

from vla_policy.backends import BackendOptions
from vla_policy.remote import openpi_wire
from vla_serve.checkpoint_policy import CheckpointPolicy

pytestmark = pytest.mark.slow
CLIENTS = 6
ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0"}
PATIENCE = 120.0  # s
NODE_TRIES = 4


@pytest.fixture(scope="module")
def cluster():
    pytest.importorskip("ray", reason="ray[serve] is not installed")
    os.environ.update(ENVIRONMENT)
    from ray.cluster_utils import Cluster

    options = {"num_cpus": 1, "object_store_memory": 100 * 1024 * 1024}
    made = None
    for left in reversed(
        range(NODE_TRIES)
    ):  # Ray gives a node 30 s to start, also where all is busy
        try:
            head = {**options, "include_dashboard": False}
            made = made or Cluster(initialize_head=True, head_node_args=head)
            made.add_node(**options)
            break
        except Exception as error:
            if not left or "timed out during startup" not in str(error):
                raise
    try:
        yield made.address
    finally:
        made.shutdown()


@pytest.fixture
def url(cluster, checkpoint_folder):
    command = [sys.executable, "-m", "vla_cli", "serve", "onnx", str(checkpoint_folder),
               "--port", "0", "--ray", cluster, "--replicas", "2", "--threads", "1"]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        while line and not line.startswith("serving at "):  # Ray has words of its own
            line = process.stdout.readline()
        assert line, "the server did not start"
        yield line.split()[-1]
        process.terminate()
        assert process.wait(60.0) == 0
    finally:
        process.kill()
        process.wait()


def drive(url, request_of, client, stop):
    """Ask until `stop`; (number of the request, its actions, the process that answered)."""
    got = []
    with connect(url, compression=None, max_size=None, proxy=None) as connection:
        connection.recv(timeout=PATIENCE)
        while not stop.is_set():
            number = client * 100_000 + len(got)
            connection.send(openpi_wire.pack(request_of(number)))
            reply = connection.recv(timeout=PATIENCE)
            assert not isinstance(reply, str), reply
            answer = openpi_wire.unpack(reply)
            got.append((number, answer["actions"], answer["server_timing"]["process"]))
        with pytest.raises(TimeoutError):  # nothing more has come than was asked for
            connection.recv(timeout=0.5)
    return got


def test_a_replica_killed_under_load_costs_no_request(url, request_of, checkpoint_folder):
    stop, answered = threading.Event(), []
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        running = [pool.submit(drive, url, request_of, i, stop) for i in range(CLIENTS)]
        try:
            killed = first_process(url, request_of)
            os.kill(killed, signal.SIGKILL)
            fresh = wait_for_two(url, request_of, without=killed)
        finally:
            stop.set()
        for each in running:
            answered += each.result()
    numbers = [number for number, _, _ in answered]
    assert len(numbers) == len(set(numbers)) > CLIENTS
    processes = {process for _, _, process in answered}
    assert killed in processes and fresh <= processes
    policy = CheckpointPolicy.load(checkpoint_folder, "onnxruntime", BackendOptions(threads=1), 1)
    for number, actions, _ in answered:
        (expected,) = policy.answer([request_of(number)])
        np.testing.assert_allclose(actions, expected["actions"], atol=1e-6)


def processes_of(url, request_of):
    """The processes that answer, one request after another."""
    with connect(url, compression=None, max_size=None, proxy=None) as connection:
        connection.recv(timeout=PATIENCE)
        while True:
            connection.send(openpi_wire.pack(request_of()))
            yield openpi_wire.unpack(connection.recv(timeout=PATIENCE))["server_timing"]["process"]


def first_process(url, request_of):
    return next(processes_of(url, request_of))


def wait_for_two(url, request_of, without):
    """Two living processes: Ray has put another replica in the place of the killed one."""
    seen, deadline = set(), time.monotonic() + PATIENCE
    for process in processes_of(url, request_of):
        seen |= {process} - {without}
        if len(seen) == 2:
            return seen
        assert time.monotonic() < deadline, f"only {seen} answer"
    raise AssertionError("not reached")


def test_no_cluster_is_one_line(checkpoint_folder):
    pytest.importorskip("ray", reason="ray[serve] is not installed")
    command = [sys.executable, "-m", "vla_cli", "serve", "onnx", str(checkpoint_folder),
               "--port", "0", "--ray", "127.0.0.1:1"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 2 and "vla: Ray at 127.0.0.1:1: " in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
