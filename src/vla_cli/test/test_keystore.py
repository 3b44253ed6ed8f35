"""The keystore as openssl and a reader of the documents see it."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import xml.etree.ElementTree as ElementTree
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from vla_cli import keystore, security_policy
from vla_cli.errors import CommandError

POLICIES = Path(__file__).resolve().parents[3] / "config" / "security"
FILES = {
    "cert.pem",
    "key.pem",
    "identity_ca.cert.pem",
    "permissions_ca.cert.pem",
    "governance.p7s",
    "permissions.p7s",
}
DOMAIN = 23

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is missing")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys") / "keystore"
    keystore.make(folder, keystore.read_policies(POLICIES, "/vla"), DOMAIN)
    return folder


def enclaves(folder):
    return sorted(path.parent for path in folder.glob("enclaves/**/key.pem"))


def openssl(*arguments, **options):
    return subprocess.run(
        ["openssl", *map(str, arguments)], capture_output=True, text=True, check=False, **options
    )


def test_every_policy_has_an_enclave_of_six_files(made):
    names = [f"/{p.relative_to(made / 'enclaves')}" for p in enclaves(made)]
    assert names == [
        f"/vla/{n}" for n in ("operator", "perception", "policy", "safety", "simulator")
    ]
    for enclave in enclaves(made):
        assert {p.name for p in enclave.iterdir()} == FILES | {"permissions.xml"}
        assert all((enclave / name).is_file() for name in FILES)  # links lead somewhere


def test_the_keystore_can_be_moved(made, tmp_path):
    shutil.copytree(made, tmp_path / "robot", symlinks=True)
    for enclave in enclaves(tmp_path / "robot"):
        assert all((enclave / name).is_file() for name in FILES)
        assert not any(os.readlink(p).startswith("/") for p in enclave.iterdir() if p.is_symlink())


def test_keys_are_for_the_owner_only(made):
    for key in made.rglob("*key.pem"):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        assert "BEGIN PRIVATE KEY" in key.read_text()  # PKCS 8
    assert stat.S_IMODE((made / "private").stat().st_mode) == 0o700


def test_certificates_chain_and_carry_the_enclave(made):
    authority = made / "public" / "identity_ca.cert.pem"
    text = openssl("x509", "-in", authority, "-noout", "-text").stdout
    assert "CA:TRUE, pathlen:1" in text
    assert "X509v3 Basic Constraints: critical" in text
    for enclave in enclaves(made):
        certificate = enclave / "cert.pem"
        assert openssl("verify", "-CAfile", authority, certificate).returncode == 0
        other = made / "public" / "permissions_ca.cert.pem"
        assert openssl("verify", "-CAfile", other, certificate).returncode != 0
        text = openssl("x509", "-in", certificate, "-noout", "-text").stdout
        assert "prime256v1" in text and "CA:FALSE" in text
        subject = openssl("x509", "-in", certificate, "-noout", "-subject", "-nameopt", "RFC2253")
        assert subject.stdout.strip() == f"subject=CN=/{enclave.relative_to(made / 'enclaves')}"
        public = openssl("pkey", "-in", enclave / "key.pem", "-pubout").stdout
        assert public == openssl("x509", "-in", certificate, "-noout", "-pubkey").stdout


def documents(folder):
    yield folder / "enclaves" / "governance.p7s", folder / "enclaves" / "governance.xml"
    for enclave in enclaves(folder):
        yield enclave / "permissions.p7s", enclave / "permissions.xml"


def verify(signed, authority):
    return openssl("smime", "-verify", "-text", "-in", signed, "-CAfile", authority)


def test_signatures_verify_and_a_changed_document_does_not(made, tmp_path):
    authority = made / "public" / "permissions_ca.cert.pem"
    for signed, plain in documents(made):
        result = verify(signed, authority)
        assert result.returncode == 0, result.stderr
        assert result.stdout.splitlines() == plain.read_text().splitlines()
        assert "Content-Type: text/plain" in signed.read_text()  # signed as a text
        forged = tmp_path / "forged.p7s"
        forged.write_text(signed.read_text().replace(f"<id>{DOMAIN}</id>", "<id>0</id>"))
        assert verify(forged, authority).returncode != 0
        assert verify(signed, made / "public" / "identity_ca.cert.pem").returncode != 0


# Structure of the two documents (DDS Security 1.1, 9.4.1): element → children, in order.
STRUCTURE = {
    "domain_access_rules": ["domain_rule"],
    "domain_rule": [
        "domains",
        "allow_unauthenticated_participants",
        "enable_join_access_control",
        "discovery_protection_kind",
        "liveliness_protection_kind",
        "rtps_protection_kind",
        "topic_access_rules",
    ],
    "topic_access_rules": ["topic_rule"],
    "topic_rule": [
        "topic_expression",
        "enable_discovery_protection",
        "enable_liveliness_protection",
        "enable_read_access_control",
        "enable_write_access_control",
        "metadata_protection_kind",
        "data_protection_kind",
    ],
    "permissions": ["grant"],
    "grant": ["subject_name", "validity", "allow_rule", "default"],
    "validity": ["not_before", "not_after"],
    "allow_rule": ["domains", "publish", "subscribe"],
    "publish": ["topics"],
    "subscribe": ["topics"],
    "domains": ["id"],
}
VALUES = {
    "id": str(DOMAIN),
    "allow_unauthenticated_participants": "false",
    "enable_join_access_control": "true",
    "discovery_protection_kind": "ENCRYPT",
    "liveliness_protection_kind": "ENCRYPT",
    "rtps_protection_kind": "SIGN",
    "topic_expression": "*",
    "enable_discovery_protection": "true",
    "enable_liveliness_protection": "true",
    "enable_read_access_control": "true",
    "enable_write_access_control": "true",
    "metadata_protection_kind": "ENCRYPT",
    "data_protection_kind": "ENCRYPT",
    "default": "DENY",
}


def test_documents_have_the_structure_of_the_standard(made):
    for _, plain in documents(made):
        root = ElementTree.parse(plain).getroot()
        assert root.tag == "dds"
        for element in root.iter():
            children = [child.tag for child in element]
            if element.tag == "topics":
                assert children and set(children) == {"topic"}
            elif element.tag in STRUCTURE:
                assert children == STRUCTURE[element.tag]
            elif element.tag in VALUES:
                assert element.text == VALUES[element.tag]
            else:
                assert element.tag in {"dds", "topic", "subject_name", "not_before", "not_after"}


def test_permissions_say_what_the_policy_says(made):
    for policy in keystore.read_policies(POLICIES, "/vla"):
        path = made / "enclaves" / policy.enclave.strip("/") / "permissions.xml"
        grant = ElementTree.parse(path).find("permissions/grant")
        assert grant.findtext("subject_name") == f"CN={policy.enclave}"
        for right in ("publish", "subscribe"):
            topics = {t.text for t in grant.iterfind(f"allow_rule/{right}/topics/topic")}
            assert topics == getattr(policy.rights.dds_topics(), right)
            patterns = [topic for topic in topics if re.search(r"[*?\[]", topic)]
            # Only what nodes of the ros2 command serve under names with their process's number.
            assert all(topic.startswith(("rq/_ros2cli_*/", "rr/_ros2cli_*/")) for topic in patterns)
            assert policy.node == "operator" or not patterns
        now = datetime.now(timezone.utc).replace(tzinfo=None)
        assert datetime.fromisoformat(grant.findtext("validity/not_before")) < now
        assert datetime.fromisoformat(grant.findtext("validity/not_after")) > now + timedelta(3000)


def test_another_namespace_and_what_is_refused(tmp_path, monkeypatch):
    policies = keystore.read_policies(POLICIES, "/robot_1/vla")
    safety = next(policy for policy in policies if policy.node == "safety")
    assert safety.enclave == "/robot_1/vla/safety"
    assert "rt/robot_1/vla/action_chunk" in safety.rights.dds_topics().subscribe
    (tmp_path / "there").mkdir()
    with pytest.raises(CommandError, match="exists already"):
        keystore.make(tmp_path / "there", policies, 0)
    with pytest.raises(CommandError, match="domain is 233; accepted: 0 to 232"):
        keystore.make(tmp_path / "new", policies, 233)
    with pytest.raises(CommandError, match="holds no policy"):
        keystore.read_policies(tmp_path, "/vla")
    monkeypatch.setattr(keystore, "_sign", lambda *a: keystore._openssl("x509", "-in", "no"))
    with pytest.raises(CommandError, match="openssl x509 failed"):
        keystore.make(tmp_path / "new", policies, 0)
    monkeypatch.undo()
    monkeypatch.setattr(keystore, "_openssl", lambda *arguments, **options: "")
    with pytest.raises(CommandError, match="openssl smime wrote nothing"):
        keystore._sign(tmp_path, tmp_path / "x.xml")
    assert [p.name for p in tmp_path.iterdir()] == ["there"]  # nothing half made stays
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CommandError, match="openssl is missing"):
        keystore.make(tmp_path / "new", policies, 0)


def test_a_policy_survives_writing_and_reading(tmp_path):
    for policy in keystore.read_policies(POLICIES, "/vla"):
        path = tmp_path / f"{policy.node}.policy.xml"
        path.write_text(policy.xml())
        assert security_policy.load(path) == policy


def test_rights_and_names_on_the_wire_are_each_others_inverse():
    for policy in keystore.read_policies(POLICIES, "/vla"):
        names = policy.rights.dds_topics()
        assert security_policy.rights_from_dds(names.publish, names.subscribe) == policy.rights


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('version="0.2.0"', 'version="0.1.0"', "accepted: <policy version"),
        ('publish="ALLOW"', 'publish="DENY"', "accepted: ALLOW of"),
        ('path="/vla/safety"', 'path="/vla/policy"', "is not the full name of its node"),
        ("</policy>", "", "no element found"),
    ],
)
def test_policy_files_that_are_refused(tmp_path, old, new, words):
    text = (POLICIES / "safety.policy.xml").read_text()
    path = tmp_path / "safety.policy.xml"
    path.write_text(text.replace(old, new))
    with pytest.raises(CommandError, match=words):
        security_policy.load(path)


def test_who_may_move_the_robot():
    """Only safety sends robot commands, only the policy sends chunks, nobody else may."""
    rights = {policy.node: policy.rights for policy in keystore.read_policies(POLICIES, "/vla")}
    for topic, owner in (
        ("/vla/action_chunk", "policy"),
        ("/vla/end_effector_twist", "safety"),
        ("/vla/gripper_effort", "safety"),
        ("/vla/safe_action", "safety"),
        ("/vla/safety_status", "safety"),
        ("/vla/observation", "perception"),
        ("/clock", "simulator"),
    ):
        assert [node for node, right in rights.items() if topic in right.publish] == [owner]
