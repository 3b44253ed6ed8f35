"""What GR00T's protocol has of its own: two forms of arrays, modalities, endpoints, a token."""

import io

import msgpack
import numpy as np
import pytest
from protocol_rig import SERVERS, problem_of, refusal, serving

from vla_contract.node_testing import wait_until
from vla_policy.remote import gr00t_wire
from vla_policy.remote.openpi_wire import WireError
from vla_proof.test_support import protocol_servers as servers

PROTOCOL = "gr00t"


@pytest.fixture(params=["N1.6", "N1.7"])
def server(request):
    server = servers.Gr00tServer(npy=request.param == "N1.6")
    yield server
    server.stop()


def test_an_observation_has_a_batch_and_one_step(server, space, observation, tmp_path):
    with serving(space, PROTOCOL, server, tmp_path) as remote:
        answer = remote.answer(observation())
        assert answer.problem is None and answer.chunk.actions.shape == (16, 4)
    sent = server.requests[-1]
    assert sent["video"]["front"].dtype == np.uint8 and sent["video"]["front"].ndim == 5
    assert sent["video"]["front"].shape[:2] == (1, 1)
    assert sent["state"]["single_arm"].shape == (1, 1, 3)
    assert sent["state"]["gripper"].dtype == np.float32
    assert sent["language"]["annotation.human.task"] == [["open the drawer"]]


def test_frames_of_the_past_and_options(server, space, observation, tmp_path, monkeypatch):
    image = {"camera": "corner2", "key": ["video", "front"], "frames": 2, "stride": 8}
    entries = {**SERVERS[PROTOCOL][1], "images": [image], "constants": {"options": {"seed": 1}}}
    monkeypatch.setitem(SERVERS, PROTOCOL, (servers.Gr00tServer, entries))
    server.modalities["video"]["delta_indices"] = [-8, 0]
    with serving(space, PROTOCOL, server, tmp_path) as remote:
        assert remote.answer(observation()).problem is None
    video = server.requests[-1]["video"]["front"]
    assert video.shape == (1, 2, 96, 96, 3)
    assert server.requests[-1]["state"]["gripper"].shape == (1, 1, 1)
    assert server.options == {"seed": 1}


def test_constants_that_would_not_be_sent_are_told(
    server, action_space_file, tmp_path, monkeypatch
):
    entries = {**SERVERS[PROTOCOL][1], "constants": {"embodiment_id": 3}}
    monkeypatch.setitem(SERVERS, PROTOCOL, (servers.Gr00tServer, entries))
    words = "constants have embodiment_id; accepted by the server, whose embodiment is that of"
    assert words in refusal(action_space_file, PROTOCOL, server, tmp_path)


def test_it_asks_for_the_modalities_first_pings_while_idle_and_resets_at_each_command(
    server, space, observation, tmp_path
):
    with serving(space, PROTOCOL, server, tmp_path) as remote:
        assert server.endpoints[:3] == ["ping", "get_modality_config", "reset"]
        count = server.endpoints.count("reset")
        for command in ("open", "open", "close"):
            remote.answer(observation(command=command))
        assert server.endpoints.count("reset") == count + 2
        pings = server.endpoints.count("ping")
        wait_until(lambda: server.endpoints.count("ping") > pings, 5.0)


def test_a_token_is_sent_and_its_lack_is_told(space, observation, tmp_path):
    server = servers.Gr00tServer(token="secret")
    try:
        with serving(space, PROTOCOL, server, tmp_path, api_key="secret") as remote:
            assert not problem_of(remote, observation())
        refused = pytest.raises(AssertionError, match="Unauthorized: Invalid API token")
        with refused, serving(space, PROTOCOL, server, tmp_path, patience=3.0):
            pass
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("modality", "changes", "words"),
    [
        ("video", {"modality_keys": ["front", "wrist"]}, "server's video is front, wrist, the map"),
        ("state", {"modality_keys": ["single_arm"]}, "server's state is single_arm, the mapping's"),
        ("action", {"modality_keys": ["base"]}, "action is base, the mapping's single_arm, grip"),
        ("language", {"modality_keys": ["task"]}, "language is task, the mapping's annotation"),
        (
            "video",
            {"delta_indices": [-8, 0]},
            "wants video at the steps [-8, 0], the mapping has [0]",
        ),
    ],
)
def test_a_server_of_another_robot_is_refused(
    server, action_space_file, tmp_path, modality, changes, words
):
    server.modalities[modality].update(changes)
    assert words in refusal(action_space_file, PROTOCOL, server, tmp_path)
    assert "get_action" not in server.endpoints


@pytest.mark.parametrize("key", ["modality_keys", "delta_indices"])
def test_modalities_that_are_none_are_told(server, space, tmp_path, key):
    server.modalities["video"][key] = 5
    refused = pytest.raises(AssertionError, match=f"the server's video.{key} is no list")
    with refused, serving(space, PROTOCOL, server, tmp_path, patience=3.0):
        pass


@pytest.mark.parametrize("as_npy", [True, False])
@pytest.mark.parametrize(
    "array",
    [
        np.arange(24, dtype=np.uint8).reshape(2, 4, 3),
        np.array([0.5, -1.0], np.float32),
        np.zeros((0, 3)),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    ],
)
def test_an_array_comes_back(array, as_npy):
    back, _ = gr00t_wire.unpack(gr00t_wire.pack({"x": array}, as_npy=as_npy))
    assert np.array_equal(back["x"], array) and back["x"].dtype == array.dtype


def npy(array):
    output = io.BytesIO()
    np.save(output, array)
    return {"__ndarray_class__": True, "as_npy": output.getvalue()}


@pytest.mark.parametrize(
    "hostile",
    [
        {
            "__ndarray_class__": True,
            "as_npy": npy(np.zeros(3))["as_npy"].replace(b"'<f8'", b"'|O' "),
        },
        npy(np.zeros(2, "<U4")),
        npy(np.zeros(2, "f4,i4")),
        {"__ndarray_class__": True, "as_npy": npy(np.zeros(3))["as_npy"][:-1]},
        {"__ndarray_class__": True, "as_npy": b"\x80\x04N."},
        {"__ndarray_class__": True},
        {b"nd": True, b"type": "|O", b"kind": b"O", b"shape": [1], b"data": b"\x80\x04N."},
        {"nd": True, "type": "|O", "kind": "O", "shape": [1], "data": b"\x80\x04N."},
        {b"nd": True, b"type": "<f4", b"kind": b"", b"shape": [10**12], b"data": b""},
        {"__ModalityConfig__": True, "as_json": "{"},
    ],
)
def test_hostile_bytes_are_refused(hostile):
    with pytest.raises(WireError):
        gr00t_wire.unpack(msgpack.packb({"x": hostile}))
