"""Whatever a page sends is a checked request, or one line of refusal."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_console.server.page_requests import KINDS, LONGEST_MESSAGE, RequestError, read_request


def test_a_request_is_read():
    request = read_request(json.dumps({"kind": "command", "number": 3, "text": " open  it "}))
    assert (request.kind, request.number, request.fields) == ("command", 3, {"text": "open  it"})
    twist = {"kind": "drive", "twist": [0, 0.5, 0, 0, 0, -1], "at": 12.5}
    assert read_request(json.dumps(twist)).fields["twist"] == [0.0, 0.5, 0.0, 0.0, 0.0, -1.0]
    assert read_request('{"kind": "stop"}').number == 0


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("", "no JSON"),
        ("[" * 3000, "no JSON"),
        ("[1]", "no kind"),
        ('{"kind": 5}', "no kind"),
        ('{"kind": "move"}', "kind 'move'; accepted: watch"),
        ('{"kind": "stop", "number": -1}', "number"),
        ('{"kind": "stop", "number": true}', "number"),
        ('{"kind": "stop", "now": 1}', "accepted: none"),
        ('{"kind": "command"}', "accepted: text"),
        ('{"kind": "command", "text": "  "}', "1 to 200"),
        ('{"kind": "command", "text": "a\\u0000b"}', "printable"),
        ('{"kind": "command", "text": "' + "a" * 201 + '"}', "1 to 200"),
        ('{"kind": "arm", "on": 1}', "true or false"),
        ('{"kind": "speed", "scale": 1.5}', "from 0 to 1"),
        ('{"kind": "speed", "scale": NaN}', "from 0 to 1"),
        ('{"kind": "speed", "scale": true}', "from 0 to 1"),
        ('{"kind": "drive", "twist": [0, 0, 0, 0, 0, Infinity], "at": 0}', "six finite"),
        ('{"kind": "drive", "twist": [0, 0, 0], "at": 0}', "six finite"),
        ('{"kind": "watch", "cameras": ["a", 5], "plot": true}', "names"),
        ('{"kind": "episode", "action": "fine", "note": ""}', "start, success"),
        ('{"kind": "pair", "role": "root"}', "viewer, operator"),
        ('{"kind": "stop"}' + " " * LONGEST_MESSAGE, "too long"),
    ],
)
def test_what_is_none_is_refused_in_one_line(message, words):
    with pytest.raises(RequestError) as refused:
        read_request(message)
    assert words in str(refused.value) and "accepted" in str(refused.value)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 300


@given(st.text())
def test_text_never_does_anything_else(text):
    with pytest.raises(RequestError):
        read_request(text)


@given(st.sampled_from(sorted(KINDS)), st.dictionaries(st.text(), st.integers() | st.text()))
def test_other_fields_never_do_anything_else(kind, fields):
    try:
        request = read_request(json.dumps({**fields, "kind": kind}))
    except RequestError:
        return
    assert set(request.fields) == set(KINDS[kind])
