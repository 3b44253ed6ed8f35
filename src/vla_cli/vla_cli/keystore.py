"""`vla keystore`: keys, certificates and signed permissions for SROS 2, made with openssl.

The folder is one that `ros2 security` would make: certificate authorities, one governance document
and one enclave per policy file. A node whose process runs in an enclave may do what its policy
says and nothing else; a process without one is not let in.
"""

from __future__ import annotations

import argparse
import datetime
import os
import secrets
import shutil
import subprocess
import tempfile
import xml.sax.saxutils as saxutils
from pathlib import Path

from vla_cli import domains, options, paths, security_policy
from vla_cli.errors import CommandError
from vla_cli.security_policy import Policy

HIGHEST_DOMAIN = 232
DAYS = 3650
OPENSSL_TIMEOUT = 60.0  # s
EXTENSIONS = """[req]
distinguished_name = name
prompt = no
[name]
CN = unused
[authority]
basicConstraints = critical,CA:TRUE,pathlen:1
[node]
basicConstraints = CA:FALSE
"""
GOVERNANCE = """<?xml version="1.0" encoding="UTF-8"?>
<dds xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
    xsi:noNamespaceSchemaLocation="http://www.omg.org/spec/DDS-SECURITY/20170901/omg_shared_ca_governance.xsd">
  <domain_access_rules>
    <domain_rule>
      <domains>
        <id>{domain}</id>
      </domains>
      <allow_unauthenticated_participants>false</allow_unauthenticated_participants>
      <enable_join_access_control>true</enable_join_access_control>
      <discovery_protection_kind>ENCRYPT</discovery_protection_kind>
      <liveliness_protection_kind>ENCRYPT</liveliness_protection_kind>
      <rtps_protection_kind>SIGN</rtps_protection_kind>
      <topic_access_rules>
        <topic_rule>
          <topic_expression>*</topic_expression>
          <enable_discovery_protection>true</enable_discovery_protection>
          <enable_liveliness_protection>true</enable_liveliness_protection>
          <enable_read_access_control>true</enable_read_access_control>
          <enable_write_access_control>true</enable_write_access_control>
          <metadata_protection_kind>ENCRYPT</metadata_protection_kind>
          <data_protection_kind>ENCRYPT</data_protection_kind>
        </topic_rule>
      </topic_access_rules>
    </domain_rule>
  </domain_access_rules>
</dds>
"""
PERMISSIONS = """<?xml version="1.0" encoding="UTF-8"?>
<dds xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
    xsi:noNamespaceSchemaLocation="http://www.omg.org/spec/DDS-SECURITY/20170901/omg_shared_ca_permissions.xsd">
  <permissions>
    <grant name="{enclave}">
      <subject_name>CN={enclave}</subject_name>
      <validity>
        <not_before>{begin}</not_before>
        <not_after>{end}</not_after>
      </validity>
      <allow_rule>
        <domains>
          <id>{domain}</id>
        </domains>
        <publish>
          <topics>
{publish}
          </topics>
        </publish>
        <subscribe>
          <topics>
{subscribe}
          </topics>
        </subscribe>
      </allow_rule>
      <default>DENY</default>
    </grant>
  </permissions>
</dds>
"""


def main(arguments: list[str]) -> int:
    """0: made; CommandError says why not."""
    parser = options.client("keystore", "Make keys and signed permissions for SROS 2.")
    parser.add_argument("folder", type=Path, help="the keystore to make; or, to learn, of policies")
    parser.add_argument(
        "--domain", type=int, default=domains.current(), help="ROS domain (default: ROS_DOMAIN_ID)"
    )
    parser.add_argument(
        "--policies", type=Path, help="folder of policy files (default: config/security)"
    )
    parser.add_argument(
        "--learn",
        action="store_true",
        help="write the policy files of the running graph into FOLDER instead",
    )
    chosen = parser.parse_args(arguments)
    if chosen.learn:
        return _learn(chosen)
    namespace = "/" + chosen.namespace.strip("/")
    policies = read_policies(chosen.policies or paths.share() / "config" / "security", namespace)
    make(chosen.folder, policies, chosen.domain)
    print(
        f"{chosen.folder}: {len(policies)} enclaves for domain {chosen.domain}: "
        + ", ".join(policy.enclave for policy in policies)
        + f"\nkeep {chosen.folder / 'private'} off the robot; start with\n"
        f"  ./vla launch FILE security:=true keystore:={chosen.folder.resolve()}"
    )
    return 0


def _learn(chosen: argparse.Namespace) -> int:
    from vla_cli import keystore_learn  # needs a ROS graph

    written = keystore_learn.write_policies(chosen.folder, chosen.namespace)
    print("written, to be read before use: " + ", ".join(str(path) for path in written))
    return 0


def read_policies(folder: Path, namespace: str) -> list[Policy]:
    """Every policy file of a folder, its names in this namespace.

    Raises:
        CommandError: there is none, or one cannot be read.
    """
    files = sorted(folder.glob("*.policy.xml"))
    if not files:
        raise CommandError(f"{folder} holds no policy; accepted: files named NODE.policy.xml")
    return [security_policy.load(path, namespace) for path in files]


def make(folder: Path, policies: list[Policy], domain: int) -> None:
    """Make the keystore, whole or not at all.

    Raises:
        CommandError: the folder exists, openssl is missing or fails.
    """
    if folder.exists():
        raise CommandError(f"{folder} exists already; accepted: a folder that is made anew")
    if not 0 <= domain <= HIGHEST_DOMAIN:
        raise CommandError(f"domain is {domain}; accepted: 0 to {HIGHEST_DOMAIN}")
    if shutil.which("openssl") is None:
        raise CommandError("openssl is missing; mend it with: sudo apt-get install -y openssl")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".keystore-") as scratch:
            work = Path(scratch) / "keystore"
            _fill(work, policies, domain)
            work.rename(folder)
    except OSError as error:
        raise CommandError(f"cannot make the keystore {folder}: {error.strerror}") from error


def _fill(folder: Path, policies: list[Policy], domain: int) -> None:
    public, private, enclaves = (folder / name for name in ("public", "private", "enclaves"))
    for path in (folder, public, private, enclaves):
        path.mkdir(mode=0o700)
    # Two authorities: whoever may let a node in may not thereby say what it may do.
    for name in ("identity_ca", "permissions_ca"):
        _authority(name, private / f"{name}.key.pem", public / f"{name}.cert.pem")
    (enclaves / "governance.xml").write_text(GOVERNANCE.format(domain=domain))
    _sign(folder, enclaves / "governance.xml")
    for policy in policies:
        _enclave(folder, policy, domain)


def _enclave(folder: Path, policy: Policy, domain: int) -> None:
    """The six files of an enclave, and the permissions as they can be read."""
    target = folder / "enclaves" / policy.enclave.strip("/")
    target.mkdir(mode=0o700, parents=True)
    for source in (
        "public/identity_ca.cert.pem",
        "public/permissions_ca.cert.pem",
        "enclaves/governance.p7s",
    ):
        (target / Path(source).name).symlink_to(os.path.relpath(folder / source, target))
    _node_certificate(folder, policy.enclave, target)
    (target / "permissions.xml").write_text(permissions(policy, domain))
    _sign(folder, target / "permissions.xml")


def permissions(policy: Policy, domain: int) -> str:
    """The permissions document of a policy: what is not named is denied."""
    names = policy.rights.dds_topics()
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0, tzinfo=None)

    def rules(topics: frozenset[str]) -> str:
        return "\n".join(
            f"            <topic>{saxutils.escape(topic)}</topic>" for topic in sorted(topics)
        )

    return PERMISSIONS.format(
        enclave=saxutils.escape(policy.enclave, {'"': "&quot;"}),
        # A day earlier: machines whose clocks differ a little, and time zones.
        begin=(now - datetime.timedelta(days=1)).isoformat(),
        end=(now + datetime.timedelta(days=DAYS)).isoformat(),
        domain=domain,
        publish=rules(names.publish),
        subscribe=rules(names.subscribe),
    )


def _authority(name: str, key: Path, certificate: Path) -> None:
    _key(key)
    _openssl(
        *("req", "-x509", "-new", "-sha256", "-days", str(DAYS), "-key", str(key)),
        *("-subj", f"/CN=vla {name}", "-extensions", "authority", "-out", str(certificate)),
        *("-config", "/dev/stdin"),
        stdin=EXTENSIONS,
    )


def _node_certificate(folder: Path, enclave: str, target: Path) -> None:
    _key(target / "key.pem")
    subject = "/CN=" + enclave.replace("/", "\\/")  # a plain slash would begin another field
    request = _openssl(
        *("req", "-new", "-sha256", "-key", str(target / "key.pem"), "-subj", subject),
        *("-config", "/dev/stdin"),
        stdin=EXTENSIONS,
    )
    with tempfile.NamedTemporaryFile("w", suffix=".cnf") as extensions:
        extensions.write(EXTENSIONS)
        extensions.flush()
        _openssl(
            *("x509", "-req", "-sha256", "-days", str(DAYS)),
            *("-CA", str(folder / "public" / "identity_ca.cert.pem")),
            *("-CAkey", str(folder / "private" / "identity_ca.key.pem")),
            *("-set_serial", f"0x{secrets.token_hex(16)}", "-extensions", "node"),
            *("-extfile", extensions.name, "-out", str(target / "cert.pem")),
            stdin=request,
        )


def _key(path: Path) -> None:
    curve = ("-pkeyopt", "ec_paramgen_curve:prime256v1", "-pkeyopt", "ec_param_enc:named_curve")
    _openssl("genpkey", "-algorithm", "EC", *curve, "-out", str(path))
    path.chmod(0o600)


def _sign(folder: Path, document: Path) -> None:
    """DOCUMENT.xml → DOCUMENT.p7s beside it."""
    # -text: Fast DDS verifies with the MIME header of a text, and refuses DER.
    signed = document.with_suffix(".p7s")
    _openssl(
        *("smime", "-sign", "-text", "-in", str(document), "-out", str(signed)),
        *("-signer", str(folder / "public" / "permissions_ca.cert.pem")),
        *("-inkey", str(folder / "private" / "permissions_ca.key.pem")),
    )
    if not signed.is_file() or signed.stat().st_size == 0:  # some errors end with status 0
        raise CommandError(f"openssl smime wrote nothing to {signed}")


def _openssl(*arguments: str, stdin: str = "") -> str:
    try:
        result = subprocess.run(
            ["openssl", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=OPENSSL_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CommandError(f"openssl {arguments[0]} does not end") from error
    if result.returncode != 0:
        words = " ".join(result.stderr.split())
        raise CommandError(f"openssl {arguments[0]} failed: {words}")
    return result.stdout
