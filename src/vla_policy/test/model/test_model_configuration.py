"""The architecture entry of a checkpoint: refused with one line that tells what is accepted."""

import pytest

pytest.importorskip("torch")

from vla_policy.model import ModelConfig, ModelConfigError


def test_plain_values_and_back():
    config = ModelConfig(cameras=2, vocabulary=9, backbone="narrow18", stage_widths=(4, 4, 8, 8))
    assert ModelConfig.from_dict(config.to_dict()) == config
    assert config.to_dict()["stage_widths"] == [4, 4, 8, 8]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"backbone": "vit"}, "backbone is 'vit'; accepted: narrow18, resnet18, resnet50"),
        ({"norm": "layer"}, "norm is 'layer'; accepted: batch, group"),
        ({"hidden": 0}, "hidden is 0; accepted: at least 1"),
        ({"hidden": 1.5}, "hidden is 1.5; accepted: a whole number"),
        ({"hidden": 100, "heads": 3}, "multiple of heads"),
        ({"stage_strides": (1, 2)}, "four whole numbers"),
        ({"confidence_hidden": -1}, "confidence_hidden is -1; accepted: at least 0"),
        ({"action_low": (0.0,)}, "action_low has 1 and action_high 0 numbers; accepted: 4 each"),
        (
            {"actions": 1, "action_low": (1.0,), "action_high": (0.0,)},
            "range of action 0 is 1.0 to 0.0; accepted: finite, rising",
        ),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"colour": 1}, "has unknown colour; accepted: cameras, vocabulary"),
    ],
)
def test_refused(change, text):
    with pytest.raises(ModelConfigError, match=text.replace("(", r"\(")):
        ModelConfig.from_dict({"cameras": 1, "vocabulary": 5, **change})


def test_missing_entries_are_named():
    with pytest.raises(ModelConfigError, match="lacks vocabulary"):
        ModelConfig.from_dict({"cameras": 1})
