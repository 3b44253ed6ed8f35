"""The graph in lock-step behind vla-eval's protocol: its motion, and its limits."""

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from websockets.sync.client import connect

from vla_policy import backends
from vla_policy.backends import BackendOptions
from vla_policy.checkpoint.checkpoint import Checkpoint
from vla_policy.inference.inference import Policy
from vla_policy.remote import openpi_wire
from vla_policy.remote.connection import LinkOptions, ServerError
from vla_policy.remote.remote_mapping import MappingError, RemoteMapping
from vla_policy.remote.vla_eval_connection import VlaEvalConnection
from vla_serve.graph_session import GraphSession
from vla_serve.served_policy import RequestError

MAPPING = Path(__file__).parents[3] / "config/remote/vla_eval_metaworld.yaml"


@pytest.fixture(scope="module")
def loaded(checkpoint_folder):
    checkpoint = Checkpoint.load(checkpoint_folder)
    backend = backends.create("onnxruntime", BackendOptions(threads=1))
    backend.load(checkpoint)
    return checkpoint, backend


@pytest.fixture
def session_of(loaded):
    def make(rate=80.0, **options):
        policy = Policy(*loaded)
        return GraphSession(policy, RemoteMapping.load(MAPPING), 1.0 / rate, **options)

    return make


def observed(seed, **changes):
    random = np.random.default_rng(seed)
    pictures = {
        name: random.integers(0, 256, (48, 64, 3), np.uint8) for name in ("corner2", "gripper_pov")
    }
    made = {"images": pictures, "states": np.full(4, 0.1, np.float32),
            "task_description": "open the drawer"}  # fmt: skip
    made.update(changes)
    return {key: value for key, value in made.items() if value is not None}


def driven(session, steps):
    return np.array([session.step(observed(i))["actions"] for i in range(steps)])


def test_its_motion_is_that_of_an_evaluation_in_process(loaded, session_of):
    """Step by step, the mean over the control periods of what that commands."""
    from vla_learning.evaluate.closed_loop import Driver, EvaluationSettings
    from vla_safety.limits.limiter import MotionLimiter
    from vla_sim.robot.simulated_robot import RobotState

    checkpoint, backend = loaded
    settings = EvaluationSettings(image_period_ticks=4)
    limiter = MotionLimiter(checkpoint.action_space)
    driver = Driver(checkpoint, backend, settings, "open the drawer", limiter)
    expected = []
    for tick in range(24):
        if driver.looks(tick):
            value = np.float32(0.1)
            state = RobotState(
                end_effector=np.full(3, value),
                end_effector_quaternion=np.array([0.0, 0.0, 0.0, 1.0]),
                joint_names=(),
                joint_positions=np.zeros(0),
                joint_velocities=np.zeros(0),
                gripper_opening=float(value),
            )
            driver.see(tick, observed(tick // 4)["images"], state)
        asked = driver.request(tick)
        target = limiter.hold_target() if asked is None else asked
        expected.append(limiter.step(np.asarray(target)).safe)
        driver.observe_command()
    rows = np.array(expected).reshape(6, 4, 4)
    kinds = [dimension.kind.is_velocity for dimension in checkpoint.action_space.dimensions]
    steps = np.where(kinds, rows.mean(axis=1), rows[:, -1])
    found = checkpoint.action_space.to_si(driven(session_of(rate=20.0), 6))
    np.testing.assert_allclose(found, steps, atol=1e-6)


def test_the_limits_hold_and_can_be_taken_away(loaded, session_of):
    space = loaded[0].action_space
    limited = space.to_si(driven(session_of(), 40))
    free = space.to_si(driven(session_of(limits=False), 40))
    for i, dimension in enumerate(space.dimensions):
        if dimension.kind.is_velocity:
            most = max(dimension.normal.acceleration, dimension.normal.deceleration)
            steps = np.abs(np.diff(limited[:, i], prepend=0.0))
            assert steps.max() <= most * space.period + 1e-6
    jumps = np.abs(np.diff(free, axis=0, prepend=0.0)).max()
    assert jumps > 4 * np.abs(np.diff(limited, axis=0, prepend=0.0)).max()
    assert session_of().step(observed(0))["limited"] == 1.0


def test_a_mapping_that_cannot_be_read_the_other_way_is_refused(loaded):
    data = yaml.safe_load(MAPPING.read_text())
    data["state"]["frames"] = 2
    with pytest.raises(MappingError, match="has rotations or frames; accepted of a benchmark"):
        GraphSession(Policy(*loaded), RemoteMapping.from_dict(data), 0.05)


def test_an_episode_begins_as_the_one_before(session_of):
    session = session_of()
    first = driven(session, 8)
    session.restart()
    np.testing.assert_array_equal(driven(session, 8), first)


BAD = {
    "no picture": ({"images": {}}, "lacks images/corner2"),
    "a number": ({"images": 3}, "lacks images/corner2"),
    "no state": ({"states": None}, "lacks states"),
    "short state": ({"states": np.zeros(3)}, "states is float64 (3,); accepted: 4 numbers"),
    "NaN": ({"states": np.full(4, np.nan)}, "is not finite"),
    "no words": ({"task_description": ""}, "accepted: text"),
    "other words": ({"task_description": "sing a song"}, "known of 3 words"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_it_cannot_answer_is_told(session_of, case):
    changes, text = BAD[case]
    with pytest.raises(RequestError) as refused:
        session_of().step(observed(0, **changes))
    assert text in str(refused.value)


def test_a_step_is_a_whole_number_of_periods(session_of):
    with pytest.raises(MappingError, match="accepted: whole control periods, of 0.0125 s"):
        session_of(rate=30.0)


@pytest.fixture(scope="module")
def url(checkpoint_folder):
    command = [sys.executable, "-m", "vla_cli", "serve", "graph", str(checkpoint_folder),
               "--mapping", str(MAPPING), "--port", "0", "--rate", "20"]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        assert line.startswith("serving at "), line
        yield line.split()[-1]
        process.terminate()
        assert process.wait(20.0) == 0
    finally:
        process.kill()
        process.wait()


def test_this_projects_client(url, session_of):
    connection = VlaEvalConnection(LinkOptions(url, connect_timeout=20.0, protocol="vla-eval"))
    try:
        found = [connection.infer(observed(i), 20.0)["actions"][0] for i in range(5)]
        with pytest.raises(ServerError, match="lacks states"):
            connection.infer(observed(0, states=None), 20.0)
        connection.reset(5.0)
        again = [connection.infer(observed(i), 20.0)["actions"][0] for i in range(5)]
    finally:
        connection.close()
    np.testing.assert_allclose(found, driven(session_of(rate=20.0), 5), atol=1e-5)
    np.testing.assert_array_equal(again, found)


def said(connection, payload, kind="observation"):
    message = {"type": kind, "payload": payload, "seq": 7, "timestamp": 0.0}
    connection.send(openpi_wire.pack_with(message, lambda value: value))
    return openpi_wire.unpack(connection.recv(timeout=20.0))


def png(height, width):
    out = io.BytesIO()
    Image.new("RGB", (width, height)).save(out, format="PNG")
    return {"__image__": True, "format": "png", "data": out.getvalue(), "shape": [height, width, 3]}


def test_pictures_come_as_png_and_bombs_are_refused(url):
    state = {"__ndarray__": True, "data": bytes(16), "dtype": "<f4", "shape": [4]}
    with connect(url, proxy=None, compression=None) as connection:
        for side, kind in ((32, "action"), (9000, "error"), (32, "action")):
            pictures = {"corner2": png(1, side), "gripper_pov": png(32, 32)}
            payload = {"images": pictures, "states": state, "task_description": "open the drawer"}
            answer = said(connection, payload)
            assert (answer["type"], answer["seq"]) == (kind, 7 if kind == "action" else 0), answer
        cut = {**png(32, 32), "data": png(32, 32)["data"][:40]}
        answer = said(connection, {"images": {"corner2": cut}})
        assert "an image cannot be read" in answer["payload"]["error"]
        assert said(connection, {"protocol_version": 9}, "hello")["type"] == "error"
        assert said(connection, {"protocol_version": 1}, "hello")["type"] == "hello"
        connection.send("text")
        assert openpi_wire.unpack(connection.recv(timeout=20.0))["type"] == "error"


def test_the_real_vla_eval_drives_it(url):
    """VLA_EVAL_PYTHON: a Python that has vla-eval 0.8.0, which needs newer packages than ours."""
    python = os.environ.get("VLA_EVAL_PYTHON", "")
    if not shutil.which(python):
        pytest.skip("VLA_EVAL_PYTHON names no Python that has vla-eval")
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    script = Path(__file__).with_name("vla_eval_random.py")
    done = subprocess.run([python, str(script), url], capture_output=True, text=True, env=clean,
                          timeout=120.0, check=False)  # fmt: skip
    lines = done.stdout.splitlines()
    assert len(lines) == 2 and lines[0] == lines[1], done.stdout + done.stderr
    assert lines[0].startswith("12 True [")
