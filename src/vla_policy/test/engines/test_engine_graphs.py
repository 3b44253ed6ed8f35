"""The graphs that become engines compute what the network does."""

import pytest

pytest.importorskip("torch")

import torch
from torch import nn

from vla_policy.engines.engine_graphs import export_engines
from vla_policy.engines.precision import InHalf, in_half
from vla_policy.engines.recurrence import UnrolledLSTM, unrolled
from vla_policy.model import ModelConfig, VLAModel


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return VLAModel(
        ModelConfig(
            cameras=2,
            vocabulary=20,
            height=32,
            width=32,
            backbone="narrow18",
            stage_widths=(8, 8, 8, 8),
            embedding=8,
            language_hidden=8,
            hidden=16,
            heads=2,
            keypoints=4,
            fusion_hidden=16,
            planner_hidden=16,
        )
    ).eval()


def test_an_unrolled_lstm_is_the_lstm():
    torch.manual_seed(0)
    lstm = nn.LSTM(5, 7, num_layers=2, batch_first=True)
    x = torch.randn(3, 11, 5)
    with torch.no_grad():
        assert torch.allclose(UnrolledLSTM(lstm)(x)[0], lstm(x)[0], atol=1e-6)
    with pytest.raises(ValueError, match="bidirectional"):
        UnrolledLSTM(nn.LSTM(5, 7, batch_first=True, bidirectional=True))


def test_a_model_is_unrolled_in_a_copy(model):
    copied = unrolled(model)
    assert not any(isinstance(part, nn.LSTM) for part in copied.modules())
    assert sum(isinstance(part, nn.LSTM) for part in model.modules()) == 2


def test_convolutions_linear_and_recurrent_layers_are_in_half(model):
    halved = in_half(unrolled(model))
    inside = {id(p) for m in halved.modules() if isinstance(m, InHalf) for p in m.parameters()}
    weights = dict(halved.named_parameters())
    assert {p.dtype for p in weights.values() if id(p) in inside} == {torch.float16}
    single = {n for n, p in weights.items() if id(p) not in inside}
    assert single and {weights[n].dtype for n in single} == {torch.float32}
    assert any(name.endswith("norm.weight") for name in single)


@pytest.mark.parametrize(("half", "tolerance"), [(False, 1e-5), (True, 0.03)])
def test_the_graphs_compute_what_the_network_does(model, half, tolerance):
    language, policy = export_engines(model, half=half)
    tokens, count = torch.randint(2, 20, (1, 16), dtype=torch.int32), torch.tensor([5])
    images = torch.randint(0, 256, (1, 2, 32, 32, 3), dtype=torch.uint8)
    mask, state = torch.tensor([[1.0, 0.0]]), torch.randn(1, 4)
    with torch.no_grad():
        states, sentence = model.language(tokens, count)
        words = (torch.arange(16)[None] < 5).float()
        expected = model.act(images, mask, state, states, words, sentence)
        found = language.program.module()(tokens, count.int())
        acted = policy.program.module()(images.float(), mask, state, states, words, sentence)
    assert torch.allclose(found[0], states, atol=tolerance)
    assert torch.allclose(found[1], sentence, atol=tolerance)
    assert policy.outputs[:2] == ("actions", "steps_logits") and "attention" not in policy.outputs
    assert torch.allclose(acted[0], expected.actions, atol=tolerance)
    assert torch.allclose(acted[1], expected.steps_logits, atol=tolerance)
