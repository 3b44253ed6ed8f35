"""Code, configuration files and documentation say the same."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import yaml

from vla_cli.docs import reference_tables
from vla_contract import topics
from vla_contract.action_space import ActionSpace
from vla_contract.node import parameters

ROOT = Path(__file__).resolve().parents[1]
NODES = [node for node in reference_tables.CONFIGS if node not in reference_tables.LISTS.values()]


def parameter_files() -> list[Path]:
    return [
        path
        for path in sorted((ROOT / "config").rglob("*.yaml"))
        if "ros__parameters" in path.read_text()
    ]


def sections() -> list[tuple[Path, str, dict]]:
    """(file, node, its parameters) of every parameters file."""
    found = []
    for path in parameter_files():
        for name, content in yaml.safe_load(path.read_text()).items():
            node = path.stem if path.stem in NODES else name.rsplit("/", 1)[-1]
            found.append((path, node, content["ros__parameters"]))
    return found


@pytest.mark.parametrize("path", reference_tables.generated(ROOT), ids=lambda path: str(path.name))
def test_generated_tables_are_up_to_date(path):
    text = path.read_text()
    assert reference_tables.updated(text, ROOT) == text, "write them anew with: ./vla reference"


def test_every_node_has_its_table():
    texts = "".join(path.read_text() for path in reference_tables.documents(ROOT))
    for node in reference_tables.CONFIGS:
        assert f"<!-- generated: parameters {node} -->" in texts
    assert "<!-- generated: topics -->" in (ROOT / "README.md").read_text()


def test_every_topic_of_the_quality_of_service_table_is_documented():
    assert set(reference_tables.TOPICS) == set(topics.QOS)


@pytest.mark.parametrize(("path", "node", "values"), sections(), ids=lambda value: str(value)[-40:])
def test_parameter_files_fit_the_configs(path, node, values):
    """Every key is a parameter and every value is accepted."""
    nodes = NODES if node == "**" else [node]
    known = {
        name for n in nodes for name, _, _ in parameters.fields(reference_tables.config_class(n))
    }
    groups = {key: value for key, value in values.items() if isinstance(value, dict)}
    plain = {k: v for k, v in values.items() if k not in groups and k != "use_sim_time"}
    assert set(plain) <= known | {"autostart"}, f"{path}: unknown {set(plain) - known}"
    plain.pop("autostart", None)
    for n in nodes:
        fields = {name for name, _, _ in parameters.fields(reference_tables.config_class(n))}
        reference_tables.config_class(n)(**{k: v for k, v in plain.items() if k in fields})
    owners = {
        name: owner for key, owner in reference_tables.LISTS.items() for name in plain.get(key, [])
    }
    for name, settings in groups.items():
        assert name in owners, (
            f"{path}: {name} is in no list of {', '.join(reference_tables.LISTS)}"
        )
        if node != "simulator":
            reference_tables.config_class(owners[name])(**settings)


def test_the_default_file_of_a_node_repeats_the_defaults():
    """config/NODE.yaml is the place to see every parameter: complete, with the code's defaults."""
    for node in ("perception", "policy", "safety"):
        content = yaml.safe_load((ROOT / "config" / f"{node}.yaml").read_text())
        values = next(iter(content.values()))["ros__parameters"]
        for name, default, _ in parameters.fields(reference_tables.config_class(node)):
            if default == () or name == "cameras":
                continue  # an empty array cannot be written; cameras have files of their own
            assert name in values, f"config/{node}.yaml lacks {name}"
            expected = list(default) if isinstance(default, tuple) else default
            assert values[name] == expected, f"config/{node}.yaml: {name}"


@pytest.mark.parametrize(
    "path", sorted((ROOT / "config" / "action_spaces").glob("*.yaml")), ids=lambda p: p.stem
)
def test_action_spaces_load(path):
    assert ActionSpace.load(path).name == path.stem


def test_links_lead_somewhere():
    for path in reference_tables.documents(ROOT):
        for target in re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", path.read_text()):
            assert (path.parent / target).exists(), f"{path}: {target} does not exist"


@pytest.mark.parametrize("path", sorted((ROOT / "launch").glob("*.xml")), ids=lambda p: p.name)
def test_launch_files_set_only_parameters_that_exist(path):
    for node in ElementTree.parse(path).iter("node"):
        # Two nodes in one process have no common name: what is set must be one's or the other's.
        nodes = [node.attrib["name"]] if "name" in node.attrib else ["perception", "policy"]
        if nodes == ["markers"]:  # it has the safety node's
            nodes = ["safety"]
        configs = map(reference_tables.config_class, nodes)
        known = {name for config in configs for name, _, _ in parameters.fields(config)}
        set_here = {param.attrib["name"] for param in node.iter("param") if "name" in param.attrib}
        assert set_here <= known | {"use_sim_time"}, f"{nodes}: {set_here - known}"


@pytest.mark.parametrize(
    "path", [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))], ids=lambda path: path.name
)
def test_a_command_that_is_published_once_waits_for_every_node_that_listens(path):
    listeners = reference_tables.TOPICS[topics.COMMAND][1].split(", ")
    lines = [each for each in path.read_text().splitlines() if "topic pub --once" in each]
    commands = [each for each in lines if "std_msgs/msg/String" in each]
    assert all(f" -w {len(listeners)} " in each for each in commands), commands
