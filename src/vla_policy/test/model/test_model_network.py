"""The policy network: shapes, gradients, and what must not change its answer. Needs torch."""

import pytest

pytest.importorskip("torch")

import torch

from vla_policy.model import ModelConfig, VLAModel

B, N, W, T, D, S = 3, 2, 8, 5, 4, 4


def config(**changes):
    values = {
        "cameras": N,
        "vocabulary": 20,
        "state": S,
        "actions": D,
        "steps": T,
        "height": 48,
        "width": 64,
        "max_words": W,
        "backbone": "narrow18",
        "stage_widths": (4, 8, 8, 8),
        "embedding": 8,
        "language_hidden": 12,
        "hidden": 16,
        "heads": 4,
        "keypoints": 6,
        "fusion_hidden": 24,
        "planner_hidden": 20,
        "confidence_hidden": 8,
    }
    return ModelConfig(**{**values, **changes})


def inputs(seed=0, batch=B):
    g = torch.Generator().manual_seed(seed)
    counts = torch.tensor([3, 5, 1])[:batch]
    tokens = torch.randint(2, 20, (batch, W), generator=g)
    tokens[torch.arange(W)[None] >= counts[:, None]] = 0
    return {
        "images": torch.randint(0, 256, (batch, N, 48, 64, 3), dtype=torch.uint8, generator=g),
        "camera_mask": torch.ones(batch, N),
        "state": torch.randn(batch, S, generator=g),
        "tokens": tokens,
        "word_count": counts,
    }


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return VLAModel(config()).eval()


@torch.no_grad()
def test_shapes_types_and_ranges(model):
    output = model(**inputs())
    cells = model.vision.cells
    assert output.actions.shape == (B, T, D)
    assert output.steps_logits.shape == (B, T + 1)
    assert output.attention.shape == (B, W, N * cells)
    assert output.confidence.shape == (B,)
    assert all(x.dtype == torch.float32 for x in output)
    assert output.actions.abs().max() <= 1.0
    assert output.confidence.min() >= 0.0 and output.confidence.max() <= 1.0


@torch.no_grad()
def test_attention_sums_to_one_for_words_and_zero_for_padding(model):
    given = inputs()
    total = model(**given).attention.sum(-1)
    words = torch.arange(W)[None] < given["word_count"][:, None]
    assert torch.allclose(total, words.float(), atol=1e-5)


@pytest.mark.parametrize("norm", ["batch", "group"])
def test_every_parameter_gets_a_finite_gradient(norm):
    torch.manual_seed(0)
    model = VLAModel(config(norm=norm)).train()
    output = model(**inputs())
    parts = (output.actions.square(), output.steps_logits.logsumexp(-1), output.confidence)
    torch.cat([x.flatten() for x in parts]).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name


@torch.no_grad()
def test_an_example_does_not_depend_on_the_rest_of_its_batch(model):
    given = inputs()
    together = model(**given)
    for i in range(B):
        alone = model(**{name: value[i : i + 1] for name, value in given.items()})
        for a, b in zip(alone, together, strict=True):
            assert torch.allclose(a[0], b[i], atol=1e-5)


@torch.no_grad()
def test_evaluation_is_deterministic(model):
    for a, b in zip(model(**inputs()), model(**inputs()), strict=True):
        assert torch.equal(a, b)


@torch.no_grad()
def test_padding_never_changes_a_result(model):
    given = inputs()
    expected = model(**given)
    # Whatever stands behind the last word, and however much room there is for words.
    rubbish = given["tokens"].clone()
    rubbish[rubbish == 0] = 7
    shorter = given["tokens"][:, :5]
    for tokens in (rubbish, shorter):
        output = model(**{**given, "tokens": tokens})
        assert torch.allclose(output.actions, expected.actions, atol=1e-5)
        assert torch.allclose(output.steps_logits, expected.steps_logits, atol=1e-5)


@torch.no_grad()
def test_an_empty_command_is_finite(model):
    output = model(**{**inputs(), "word_count": torch.zeros(B, dtype=torch.int64)})
    assert all(x.isfinite().all() for x in output)
    assert output.attention.abs().max() == 0.0


@torch.no_grad()
def test_swapping_the_command_changes_the_action(model):
    given = inputs()
    swapped = {
        **given,
        "tokens": given["tokens"].flip(0),
        "word_count": given["word_count"].flip(0),
    }
    difference = (model(**given).actions - model(**swapped).actions).abs()
    assert difference[0].max() > 1e-4 and difference[2].max() > 1e-4


@torch.no_grad()
@pytest.mark.parametrize("camera", range(N))
def test_a_masked_camera_is_irrelevant(model, camera):
    given = inputs()
    given["camera_mask"][:, camera] = 0.0
    expected = model(**given)
    given["images"] = given["images"].clone()
    given["images"][:, camera] = 255 - given["images"][:, camera]
    for a, b in zip(model(**given), expected, strict=True):
        assert torch.allclose(a, b, atol=1e-6)
    attention = expected.attention.reshape(B, W, N, -1)
    assert attention[:, :, camera].abs().max() == 0.0


@torch.no_grad()
def test_masking_a_camera_changes_the_action_and_masking_all_stays_finite(model):
    given = inputs()
    seen = model(**given).actions
    half = model(**{**given, "camera_mask": torch.tensor([[1.0, 0.0]]).repeat(B, 1)}).actions
    blind = model(**{**given, "camera_mask": torch.zeros(B, N)})
    assert (seen - half).abs().max() > 1e-4
    assert all(x.isfinite().all() for x in blind)


@torch.no_grad()
def test_without_a_head_there_is_no_confidence():
    output = VLAModel(config(confidence_hidden=0)).eval()(**inputs())
    assert output.confidence.shape == (B,) and output.confidence.isnan().all()


@torch.no_grad()
def test_state_is_normalised_inside(model):
    given = inputs()
    expected = model(**given).actions
    shifted = VLAModel(model.config).eval()
    shifted.load_state_dict(model.state_dict())
    shifted.state_mean.fill_(5.0)
    shifted.state_std.fill_(2.0)
    output = shifted(**{**given, "state": given["state"] * 2.0 + 5.0})
    assert torch.allclose(output.actions, expected, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize(("backbone", "grid"), [("resnet18", (2, 2)), ("resnet50", (2, 2))])
def test_torchvision_backbones(backbone, grid):
    model = VLAModel(config(backbone=backbone)).eval()
    assert model.vision.grid == grid
    assert model(**inputs(batch=1)).actions.shape == (1, T, D)


@torch.no_grad()
def test_keypoints_follow_what_they_look_at():
    """Moving the only bright cell moves the keypoint to that cell's place in the image."""
    from vla_policy.model.fusion import KeypointPooling

    pooling = KeypointPooling(hidden=1, keypoints=1, cameras=1, grid=(3, 5))
    pooling.heat.weight.fill_(1.0)
    pooling.heat.bias.zero_()
    for row in range(3):
        for column in range(5):
            cells = torch.zeros(1, 15, 1)
            cells[0, row * 5 + column] = 100.0
            x, y = pooling(cells, torch.ones(1, 1))[0]
            assert x == pytest.approx(-1.0 + column / 2)
            assert y == pytest.approx(-1.0 + row)
