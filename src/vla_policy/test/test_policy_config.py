from pathlib import Path

import pytest
import yaml

from vla_contract.node.parameters import ParameterError, fields, table
from vla_policy.policy_config import PolicyConfig

PACKAGE = Path(__file__).parents[1]


def test_readme_has_the_table_of_parameters():
    assert table(PolicyConfig) in (PACKAGE / "README.md").read_text()


def test_yaml_has_every_parameter_with_its_default():
    text = (PACKAGE.parents[1] / "config" / "policy.yaml").read_text()
    (section,) = yaml.safe_load(text).values()
    expected = {
        name: list(default) if isinstance(default, tuple) else default
        for name, default, _ in fields(PolicyConfig)
    }
    assert section["ros__parameters"] == expected


def test_no_provider_is_refused():
    with pytest.raises(ParameterError, match="accepted: at least one provider"):
        PolicyConfig(providers=())


def test_a_fallback_that_is_not_local_is_refused():
    with pytest.raises(ParameterError, match="fallback_backend is 'remote'; accepted: what runs"):
        PolicyConfig(backend="remote", fallback_backend="remote")
