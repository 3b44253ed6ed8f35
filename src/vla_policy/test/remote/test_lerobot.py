"""What LeRobot's protocol has of its own: pickles, of which only numbers are read; its set-up."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from protocol_rig import mapping_file, problem_of, refusal, serving

from vla_policy.policy_config import PolicyConfig
from vla_policy.remote.lerobot import lerobot_wire
from vla_policy.remote.openpi_wire import MAX_BYTES, WireError
from vla_policy.remote.remote_mapping import RemoteMapping
from vla_proof.test_support import protocol_servers as servers

PROTOCOL = "lerobot"
# pickle.dumps of [TimedAction, TimedAction] of lerobot 0.6.1, two rows of one tensor of torch 2.11
RECORDED = Path(__file__).parent / "recorded" / "lerobot_0.6.1_reply.bin"


@pytest.fixture
def server():
    server = servers.LerobotServer()
    yield server
    server.stop()


def test_the_reply_of_the_real_server_is_read():
    rows = lerobot_wire.actions(RECORDED.read_bytes())
    assert [row.timestep for row in rows] == [7, 8]
    assert [row.timestamp for row in rows] == pytest.approx([1.5, 1.53])
    assert np.array_equal([row.action for row in rows], np.arange(8).reshape(2, 4) / 8)
    ours = lerobot_wire.actions(servers.timed_actions(np.arange(8).reshape(2, 4) / 8, 7))
    assert np.array_equal(ours[1].action, rows[1].action)


class Attack:
    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(6))
def test_an_attack_is_refused_and_nothing_runs(tmp_path, protocol):
    mark = tmp_path / "attacked"
    attack = pickle.dumps([Attack(os.system, (f"touch {mark}",))], protocol)
    with pytest.raises(WireError):
        lerobot_wire.actions(attack)
    assert not mark.exists()
    pickle.loads(attack)  # it would have worked
    assert mark.exists()


def test_an_attack_inside_a_tensor_s_storage_is_refused(tmp_path):
    mark = tmp_path / "attacked"
    attack = pickle.dumps(Attack(os.system, (f"touch {mark}",)), 2)
    recorded = RECORDED.read_bytes()
    start = recorded.index(b"B", recorded.index(b"_load_from_bytes"))
    size = int.from_bytes(recorded[start + 1 : start + 5], "little")
    hostile = recorded[: start + 1] + len(attack).to_bytes(4, "little") + attack
    with pytest.raises(WireError, match=r"it names (posix|nt)\.system"):
        lerobot_wire.actions(b"\x80\x04" + hostile[11:] + recorded[start + 5 + size :])
    assert not mark.exists()


@pytest.mark.parametrize(
    ("hostile", "words"),
    [
        (b"", "no pickle of actions"),
        (b"\x80\x04N.", "no list of TimedAction"),
        (pickle.dumps([{"action": 1}]), "no list of TimedAction"),
        (b"\x80\x02]r\xff\xff\xff\x7f.", "has the operation LONG_BINPUT"),  # would take 32 GB
        (b"\x80\x02\x82\x01.", "has the operation EXT1"),
        (b"cbuiltins\neval\n.", "it names builtins.eval"),
        (b"ctorch.storage\n_load_from_bytes\n(C\x03abctR.", "no pickle of actions"),
        (b"ctorch.storage\n_load_from_bytes\n(K\x05tR.", "a tensor's storage is no bytes"),
        (b"ctorch._utils\n_rebuild_tensor_v2\n(K\x01K\x02K\x03K\x04tR.", "accepted: one dimension"),
        (servers.timed_actions(np.zeros((1, 2, 2)), 1), "accepted: one dimension"),
        (servers.timed_actions(np.zeros((1, 4)), 1, "LongStorage"), "it names torch.LongStorage"),
        (bytes(MAX_BYTES + 1), "accepted: up to"),
    ],
)
def test_other_pickles_are_refused(hostile, words):
    with pytest.raises(WireError, match=words):
        lerobot_wire.actions(hostile)


@pytest.mark.parametrize(
    ("storage", "numbers"),
    [
        ("FloatStorage", np.array([[0.5, -2.0]], np.float32)),
        ("DoubleStorage", np.array([[0.5, -2.0]])),
        ("HalfStorage", np.array([[0.5, -2.0]], np.float16)),
        ("BFloat16Storage", np.array([[0x3F00, 0xC000]], np.uint16)),  # upper halves of float32
    ],
)
def test_every_kind_of_float_is_read(storage, numbers):
    data = servers.timed_actions(numbers, 1, storage, numbers.dtype)
    assert np.array_equal(lerobot_wire.actions(data)[0].action, [0.5, -2.0])


def test_it_is_off_unless_pickles_are_allowed(server, action_space_file, tmp_path):
    values = {"backend": "remote", "remote_protocol": PROTOCOL, "remote_url": server.url}
    with pytest.raises(ValueError, match="whose server unpickles what anyone sends.*remote_pickle"):
        PolicyConfig(**values)
    PolicyConfig(**values, remote_pickle=True)


def test_the_server_is_told_what_to_load_and_observations_go_as_a_robot_s(
    server, space, observation, tmp_path
):
    with serving(space, PROTOCOL, server, tmp_path) as remote:
        assert not problem_of(remote, observation())
    (setup,) = server.setups
    assert setup["policy_type"] == "act" and setup["device"] == "cpu" and setup["rename_map"] == {}
    features = setup["lerobot_features"]
    assert features["observation.images.front"]["names"] == ["height", "width", "channels"]
    sent = server.requests[-1]
    assert [sent[name] for name in features["observation.state"]["names"]] == pytest.approx(
        [0.1] * 4
    )
    assert sent["front"].shape == (96, 96, 3) and sent["front"].dtype == np.uint8
    assert sent["task"] == "open the drawer"
    steps = [observed["timestep"] for observed in server.observations]
    assert steps == list(range(steps[0], steps[0] + len(steps)))
    assert all(observed["must_go"] for observed in server.observations)


def test_an_image_of_more_than_a_message_goes_in_pieces(server, space, observation, tmp_path):
    large = np.random.default_rng(0).integers(0, 255, (1080, 1920, 3), dtype=np.uint8)
    with serving(space, PROTOCOL, server, tmp_path, inference_timeout=5.0) as remote:
        assert not problem_of(remote, observation(images=(large, large)))
    assert np.array_equal(server.requests[-1]["front"], large)


def test_an_answer_to_another_observation_is_thrown_away(server, space, observation, tmp_path):
    with serving(space, PROTOCOL, server, tmp_path) as remote:
        server.offset = -1
        assert "no answer within 0.5 s" in problem_of(remote, observation())


def test_a_policy_that_the_server_cannot_load_is_refused(server, action_space_file, tmp_path):
    server.setup_error = "Policy type act not supported"
    told = refusal(action_space_file, PROTOCOL, server, tmp_path)
    assert "asks for act of folder/of/the/server, the server reports: " in told
    assert "not supported" in told


def test_a_policy_that_takes_another_observation_is_refused(server, action_space_file, tmp_path):
    def fail(request):
        raise ValueError

    server.infer = fail
    told = refusal(action_space_file, PROTOCOL, server, tmp_path)
    assert "observation.state (4,), which act of folder/of/the/server does not take" in told


def test_fewer_actions_than_columns_are_refused(server, action_space_file, tmp_path):
    server.infer = lambda request: np.zeros((16, 3), np.float32)
    told = refusal(action_space_file, PROTOCOL, server, tmp_path)
    assert "have 3 numbers, the mapping's columns need 4" in told


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("observation.state", "state", "the server wants the state as observation.state"),
        ("observation.images.front", "front", "wants images as observation.images.CAMERA"),
        (
            "key: observation.state",
            "frames: 2\n  key: observation.state",
            "keeps its own past, the",
        ),
        ("prompt: task", "prompt: prompt", "the server wants task, the mapping's prompt is prompt"),
        ("key: action", "key: actions", "the answer is read as action, the mapping's key is actio"),
        ("policy_type", "policy", "unknown, wrong or missing policy, policy_type"),
        ("actions_per_chunk: 16", "actions_per_chunk: many", "wrong or missing actions_per_chunk"),
    ],
)
def test_names_that_are_not_lerobot_s_are_told(server, tmp_path, old, new, words):
    from vla_policy.remote.lerobot.lerobot_connection import connect
    from vla_policy.remote.server_link import LinkOptions

    file = mapping_file(tmp_path, PROTOCOL)
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    connection = connect(LinkOptions(server.url, protocol=PROTOCOL))
    try:
        assert words in "; ".join(connection.disagreements(RemoteMapping.load(file)))
        assert not server.setups
    finally:
        connection.close()
