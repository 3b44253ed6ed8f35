"""What goes over the wire, and hostile bytes."""

import contextlib
import pickle

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_policy.remote.openpi_wire import MAX_BYTES, WireError, pack, unpack

MESSAGE = {
    "observation/image": np.arange(24, dtype=np.uint8).reshape(2, 4, 3),
    "observation/state": np.array([0.5, -1.0], np.float32),
    "mask": np.bool_(True),
    "scalar": np.float32(2.5),
    "prompt": "öffne die Schublade",
    "list": [1, 2.5, None, True],
    "empty": np.zeros((0, 3)),
}


def array(dtype="<f4", shape=(2,), data=bytes(8)):
    return msgpack.packb({b"__ndarray__": True, b"data": data, b"dtype": dtype, b"shape": shape})


def scalar(dtype, data):
    return msgpack.packb({b"__npgeneric__": True, b"data": data, b"dtype": dtype})


def test_a_message_comes_back():
    back = unpack(pack(MESSAGE))
    assert back.keys() == MESSAGE.keys()
    for key, value in MESSAGE.items():
        assert np.array_equal(back[key], value), key
        assert getattr(back[key], "dtype", None) == getattr(value, "dtype", None)


def test_it_is_byte_for_byte_what_openpi_s_client_sends():
    theirs = pytest.importorskip("openpi_client.msgpack_numpy")
    assert pack(MESSAGE) == theirs.packb(MESSAGE)
    back = theirs.unpackb(pack(MESSAGE))
    assert np.array_equal(back["observation/image"], MESSAGE["observation/image"])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (array("|O"), "dtype is '|O'"),  # openpi's own reader takes the bytes for pointers
        (array("|O", (0,), b""), "dtype is '|O'"),
        (array("i4,O"), "dtype is 'i4,O'"),
        (array("|V8", (1,)), "dtype is '|V8'"),
        (array("<U2", (1,)), "dtype is '<U2'"),
        (array("<f3"), "dtype is '<f3'"),
        (array(shape=(10**12,)), "not the 4000000000000 bytes"),
        (array(shape=(-1,)), "no shape"),
        (array(shape=(1.5,)), "no shape"),
        (array(shape=[1] * 40), "no shape"),
        (array(data=b"1234567"), "not the 8 bytes"),
        (msgpack.packb({b"__ndarray__": True}), "dtype is 'None'"),
        (scalar("|S8", 10**9), "'|S8'"),
        (scalar("|u1", 10**9), "not fit its dtype uint8: 1000000000"),
        (scalar("|u1", -1), "not fit"),
        (scalar("<i8", 2**63), "not fit"),
        (scalar("<i4", 1.5), "not fit"),
        (scalar("<i4", float("inf")), "not fit"),
        (scalar("|b1", 2), "not fit"),
        (scalar("<f2", 1e6), "not fit"),
        (scalar(">f4", 1e300), "not fit"),
        (scalar("<f4", "x"), "scalar is str"),
        (msgpack.packb(msgpack.ExtType(5, b"x")), "extension of type 5"),
        (pickle.dumps({"actions": 1}), "not msgpack"),
        (b"\x81" * 5000, "not msgpack"),
        (b"", "not msgpack"),
        pytest.param(bytes(MAX_BYTES + 1), "accepted: up to", id="too long"),
    ],
)
def test_hostile_bytes_are_refused(data, words):
    with pytest.raises(WireError, match=words) as refused:
        unpack(data)
    assert "\n" not in str(refused.value)


@given(st.binary(max_size=300), st.sampled_from([b"", array()[:12], array()[:-6]]))
def test_rubbish_raises_nothing_else(rubbish, start):
    with contextlib.suppress(WireError):
        unpack(start + rubbish)


@pytest.mark.parametrize("value", [object(), np.array([object()]), np.array(["x"]), 2**80])
def test_what_is_no_number_is_not_sent(value):
    with pytest.raises(WireError, match="cannot be sent"):
        pack({"value": value})
