"""One-time codes, sessions, rates and the certificate."""

import ssl

import pytest

from vla_console.operator_control import Role
from vla_console.server.pairing import ATTEMPTS, CODE_LIFETIME, Pairing, PairingError
from vla_console.server.rate_limits import TokenBucket


def test_a_code_pairs_one_browser_once():
    pairing = Pairing()
    code = pairing.new_code(Role.OPERATOR, 0.0)
    secret, role = pairing.pair(code.lower().replace("-", " "), 1.0)
    assert role is Role.OPERATOR and pairing.role_of(secret) is Role.OPERATOR
    with pytest.raises(PairingError, match="unknown, used or too old"):
        pairing.pair(code, 2.0)
    assert pairing.role_of("") is None and pairing.role_of(secret + "x") is None


def test_a_code_grows_too_old():
    pairing = Pairing()
    code = pairing.new_code(Role.VIEWER, 0.0)
    with pytest.raises(PairingError, match="too old"):
        pairing.pair(code, CODE_LIFETIME + 1.0)


def test_codes_cannot_be_tried_one_after_the_other():
    pairing = Pairing()
    code = pairing.new_code(Role.OPERATOR, 0.0)
    for _ in range(int(ATTEMPTS)):
        with pytest.raises(PairingError, match="unknown"):
            pairing.pair("AAAAA-AAAAA", 0.0)
    with pytest.raises(PairingError, match="too many attempts"):
        pairing.pair(code, 0.0)
    assert pairing.pair(code, 60.0)[1] is Role.OPERATOR, "and later it can be used"


@pytest.mark.parametrize("typed", ["", "ä" * 10, "\ud800", "x" * 10_000])
def test_what_is_no_code_is_refused(typed):
    with pytest.raises(PairingError):
        Pairing().pair(typed, 0.0)


def test_a_bucket_lets_bursts_and_an_average_through():
    bucket = TokenBucket(2.0, 3.0)
    assert [bucket.allow(0.0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.allow(0.5), bucket.allow(0.5)] == [True, False]
    assert [bucket.allow(100.0) for _ in range(4)] == [True, True, True, False]


def test_the_certificate_is_made_anew_and_its_fingerprint_is_that_of_the_server():
    pytest.importorskip("cryptography")
    from vla_console.server.tls_certificate import self_signed

    first, second = self_signed("192.168.1.5"), self_signed("robot.local")
    assert first.fingerprint != second.fingerprint and len(first.fingerprint) == 32 * 3 - 1
    assert first.context.minimum_version >= ssl.TLSVersion.TLSv1_2
