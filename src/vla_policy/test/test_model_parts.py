"""Every part of the network by itself: shapes, types, gradients, batches, repeatability."""

import pytest

pytest.importorskip("torch")

import torch

from vla_policy.model import (
    ActionDecoder,
    Confidence,
    CrossModalAttention,
    LanguageEncoder,
    ModelConfig,
    Planner,
    VisionEncoder,
    VisionLanguageFusion,
)

B, N, W, T, D, S, H, F = 3, 2, 6, 5, 2, 3, 16, 24
LOW, HIGH = (-0.8, 0.0), (0.8, 1.0)  # a velocity, and a gripper from 0 to 1
CONFIG = ModelConfig(
    cameras=N,
    vocabulary=20,
    state=S,
    actions=D,
    steps=T,
    height=48,
    width=64,
    max_words=W,
    backbone="narrow18",
    stage_widths=(4, 8, 8, 8),
    embedding=8,
    language_hidden=12,
    hidden=H,
    heads=4,
    keypoints=6,
    fusion_hidden=F,
    planner_hidden=20,
    action_low=LOW,
    action_high=HIGH,
    confidence_hidden=8,
)
GRID = (6, 8)
CELLS = N * GRID[0] * GRID[1]


def part(name):
    """A module in training mode; its inputs, tensors of a batch of B; the shapes of its outputs."""
    torch.manual_seed(0)
    words = (torch.arange(W)[None] < torch.tensor([[2], [W], [1]])).float()
    cameras = torch.ones(B, N)
    return {
        "vision": (
            VisionEncoder(CONFIG),
            (255 * torch.rand(B, N, 48, 64, 3), cameras),
            [(B, CELLS, H), (B, H)],
        ),
        "language": (
            LanguageEncoder(CONFIG),
            (torch.randint(2, 20, (B, W)), words.sum(1).long()),
            [(B, W, H), (B, H)],
        ),
        "image to words": (
            CrossModalAttention(H, 4, 0.1),
            (torch.randn(B, CELLS, H), torch.randn(B, W, H), words),
            [(B, CELLS, H), (B, CELLS, W)],
        ),
        "words to image": (
            CrossModalAttention(H, 4, 0.1),
            (torch.randn(B, W, H), torch.randn(B, CELLS, H), torch.ones(B, CELLS)),
            [(B, W, H), (B, W, CELLS)],
        ),
        "fusion": (
            VisionLanguageFusion(CONFIG, GRID),
            (
                torch.randn(B, CELLS, H),
                torch.randn(B, H),
                cameras,
                torch.randn(B, W, H),
                words,
                torch.randn(B, H),
                torch.randn(B, S),
            ),
            [(B, F), (B, W, CELLS)],
        ),
        "decoder": (ActionDecoder(20, D, LOW, HIGH), (torch.randn(B, T, 20),), [(B, T, D)]),
        "planner": (Planner(CONFIG), (torch.randn(B, F),), [(B, T, D), (B, T + 1)]),
        "confidence": (Confidence(CONFIG), (torch.randn(B, F), torch.randn(B, T + 1)), [(B,)]),
    }[name]


def tensors(output):
    return [output] if isinstance(output, torch.Tensor) else list(output)


every_part = pytest.mark.parametrize(
    "name",
    [
        "vision",
        "language",
        "image to words",
        "words to image",
        "fusion",
        "decoder",
        "planner",
        "confidence",
    ],
)


@every_part
def test_shapes_and_types(name):
    module, given, shapes = part(name)
    outputs = tensors(module.eval()(*given))
    assert [tuple(x.shape) for x in outputs] == shapes
    assert all(x.dtype == torch.float32 and x.isfinite().all() for x in outputs)


@every_part
def test_every_parameter_gets_a_gradient(name):
    module, given, _ = part(name)
    # Weighted at random: the sum over a LayerNorm or a softmax does not depend on what is before.
    sum((x * torch.randn_like(x)).sum() for x in tensors(module.train()(*given))).backward()
    for parameter_name, parameter in module.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.isfinite().all() and parameter.grad.abs().sum() > 0, parameter_name


@every_part
@torch.no_grad()
def test_an_example_does_not_depend_on_its_batch_and_repeats(name):
    module, given, _ = part(name)
    module.eval()
    together = tensors(module(*given))
    for a, b in zip(together, tensors(module(*given)), strict=True):
        assert torch.equal(a, b)
    for i in range(B):
        alone = tensors(module(*(x[i : i + 1] for x in given)))
        for a, b in zip(alone, together, strict=True):
            assert torch.allclose(a[0], b[i], atol=1e-5)


@torch.no_grad()
def test_attention_weights_are_shares_of_what_is_valid():
    module, (cells, words, mask), _ = part("image to words")
    weights = module.eval()(cells, words, mask)[1]
    assert torch.allclose(weights.sum(-1), torch.ones(B, CELLS), atol=1e-5)
    assert (weights * (1.0 - mask)[:, None]).abs().max() == 0.0


@pytest.mark.parametrize("folded", [False, True])
@pytest.mark.parametrize(("count", "keys"), [(CELLS, W), (W, CELLS), (5, 5), (1, 7)])
@torch.no_grad()
def test_cross_modal_attention_is_multi_head_attention(count, keys, folded):
    attention = CrossModalAttention(H, 4, 0.1).eval()
    attention.folded = folded
    for bias in (attention.query.bias, attention.key_value.bias, attention.output.bias):
        bias.normal_()
    theirs = torch.nn.MultiheadAttention(H, 4, batch_first=True).eval()
    both = (attention.query, attention.key_value)
    theirs.in_proj_weight.copy_(torch.cat([layer.weight for layer in both]))
    theirs.in_proj_bias.copy_(torch.cat([layer.bias for layer in both]))
    theirs.out_proj.weight.copy_(attention.output.weight)
    theirs.out_proj.bias.copy_(attention.output.bias)
    x, y = torch.randn(B, count, H), torch.randn(B, keys, H)
    valid = torch.arange(keys)[None] < torch.arange(1, B + 1)[:, None]
    result, weights = attention(x, y, valid.float())
    attended, expected = theirs(x, y, y, key_padding_mask=~valid)
    assert torch.allclose(weights, expected, atol=1e-5)
    assert torch.allclose(result, attention.norm(x + attended), atol=1e-5)


@pytest.mark.parametrize("folded", [False, True])
@torch.no_grad()
def test_without_a_valid_key_nothing_is_attended(folded):
    for count, keys in ((CELLS, W), (W, CELLS)):
        attention = CrossModalAttention(H, 4, 0.0).eval()
        attention.folded = folded
        x, y = torch.randn(B, count, H), torch.randn(B, keys, H)
        result, weights = attention(x, y, torch.zeros(B, keys))
        assert not weights.any()
        assert torch.allclose(result, attention.norm(x + attention.output.bias), atol=1e-6)


@torch.no_grad()
def test_the_decoder_keeps_each_dimension_in_its_own_range():
    decoder = ActionDecoder(20, D, LOW, HIGH).eval()
    actions = decoder(100.0 * torch.randn(500, 20))
    for i in range(D):
        assert actions[:, i].min() == pytest.approx(LOW[i], abs=1e-3)
        assert actions[:, i].max() == pytest.approx(HIGH[i], abs=1e-3)
        assert LOW[i] <= actions[:, i].min() and actions[:, i].max() <= HIGH[i]


@torch.no_grad()
def test_step_probabilities_sum_to_one_and_their_largest_is_the_answer():
    planner, (fused,), _ = part("planner")
    plan = planner.eval()(fused)
    assert torch.allclose(plan.step_probabilities.sum(-1), torch.ones(B), atol=1e-6)
    assert torch.equal(plan.steps, plan.step_probabilities.argmax(-1))


def test_confidence_is_trained_without_changing_the_policy():
    module, (fused, steps), _ = part("confidence")
    fused.requires_grad_(True)
    module(fused, steps).sum().backward()
    assert fused.grad is None
