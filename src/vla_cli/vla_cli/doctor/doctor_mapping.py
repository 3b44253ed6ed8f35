"""`vla doctor --mapping FILE`: a mapping beside the server or the checkpoint that it is for."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from vla_cli.client.command_errors import CommandError
from vla_cli.doctor.doctor_findings import Finding, Level
from vla_contract.action_space import ActionSpace, ActionSpaceError

if TYPE_CHECKING:
    from vla_policy.remote.remote_mapping import RemoteMapping
    from vla_policy.remote.server_link import Link

_LEVELS = {"fits": Level.OK, "suspicious": Level.WARNING, "missing": Level.ERROR}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `vla doctor --mapping`; --checkpoint is the doctor's own."""
    group = parser.add_argument_group("a mapping (config/remote) and the policy it is for")
    group.add_argument("--mapping", metavar="FILE", help="compare it with --server or --checkpoint")
    group.add_argument("--server", metavar="URL", help="ask this policy server")
    group.add_argument("--protocol", default="openpi", help="what it speaks (default: openpi)")


def run(chosen: argparse.Namespace) -> int:
    """0: nothing is missing (what is suspicious is allowed); 1: something is.

    Raises:
        CommandError: the mapping, the action space or the checkpoint cannot be read.
    """
    from vla_policy.remote.remote_mapping import MappingError, RemoteMapping

    try:
        mapping = RemoteMapping.load(chosen.mapping)
        findings = [Finding("mapping", Level.OK, f"{chosen.mapping} can be read")]
        if chosen.action_space:
            findings.append(_space(mapping, chosen.action_space))
        if chosen.checkpoint:
            findings += _checkpoint(mapping, chosen.checkpoint)
        if chosen.server:
            findings += _server(mapping, chosen.server, chosen.protocol)
    except (MappingError, ActionSpaceError) as error:
        raise CommandError(str(error)) from error
    for finding in findings:
        print(finding.line())
    return int(any(finding.level is Level.ERROR for finding in findings))


def _space(mapping: RemoteMapping, file: str) -> Finding:
    from vla_policy.remote.remote_mapping import MappingError

    space = ActionSpace.load(file)
    try:
        mapping.require_width(space)
    except MappingError as error:
        return Finding("action space", Level.ERROR, f"{file}: {error}")
    return Finding("action space", Level.OK, f"{file}: a column for each of {space.width}")


def _checkpoint(mapping: RemoteMapping, folder: str) -> Iterator[Finding]:
    from vla_policy.remote.lerobot.lerobot_folder import LerobotFolder

    read = LerobotFolder.load(folder)
    yield Finding("checkpoint", Level.OK, f"{read.path}: {read.policy} of LeRobot")
    for line in read.compare(mapping):
        yield Finding(
            "checkpoint", _LEVELS[line.verdict], f"{line.what} {line.verdict}: {line.text}"
        )


def _server(mapping: RemoteMapping, url: str, protocol: str) -> Iterator[Finding]:
    from vla_policy.remote import protocols
    from vla_policy.remote.remote_mapping import MappingError
    from vla_policy.remote.server_link import Link, LinkOptions

    if protocol not in protocols.NAMES:
        raise CommandError(f"--protocol is {protocol!r}; accepted: {', '.join(protocols.NAMES)}")
    problem = protocols.url_problem(protocol, url)
    missing = protocols.missing_packages(protocol)
    if problem or missing:
        needed = f"{protocol} needs the Python package {' and '.join(missing)}"
        raise CommandError(f"--server is {url!r}; {problem}" if problem else needed)
    key = os.environ.get("VLA_REMOTE_API_KEY", "")
    link = Link(LinkOptions(url, protocol=protocol, api_key=key))
    link.mapping = mapping
    link.start()
    try:
        if not link.wait_connected(5.0):
            yield Finding("server", Level.ERROR, f"{url}: {link.status.cause}")
            return
        yield Finding("server", Level.OK, f"{url}: its handshake fits the mapping")
        yield _trial(link, mapping)
    except MappingError as error:
        for difference in str(error).split("; "):
            yield Finding("server", Level.ERROR, difference)
    finally:
        link.close()


def _trial(link: Link, mapping: RemoteMapping) -> Finding:
    """One grey image: whether the answer has what the mapping reads."""
    from vla_policy.remote.remote_mapping import MappingError
    from vla_policy.remote.server_link import LinkError, ServerError, WireError

    try:
        rows = mapping.rows_of(link.ask(mapping.trial_request(), 30.0))
    except (LinkError, ServerError, WireError, MappingError) as error:
        return Finding("server", Level.ERROR, f"a grey image: {error}")
    return Finding("server", Level.OK, f"a grey image: {len(rows)} rows of {rows.shape[1]} numbers")
