"""A policy of LeRobot's own package as a served policy, with its own pre- and post-processors.

Runs in an environment of its own (`lerobot_environment`): python -m vla_serve.lerobot_policy. The
request has the policy's input features by their names, images as uint8 (H, W, 3), and `prompt`. The
reply is `actions` float32 (T, D), as the dataset has them; one row a frame of the dataset. Weights
are safetensors, processors JSON and safetensors: nothing is unpickled.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vla_serve.request_checks import (
    PROMPT,
    check_keys,
    checked_image,
    checked_prompt,
    checked_vector,
)
from vla_serve.served_policy import Reply, Request, RequestError, first_line
from vla_serve.serving import (
    add_batching_arguments,
    add_server_arguments,
    serve_policy,
    server_options,
)

_TRAINING = "train_config.json"  # beside the weights
_ACTION = "action"


class LerobotError(ValueError):
    """A policy that cannot be served; one line."""


class LerobotPolicy:
    """See `served_policy.ServedPolicy`.

    fps: frames a second of the dataset; 0: as its dataset on this machine says.

    Raises:
        LerobotError: it cannot be loaded, looks at more than the newest frame, or its frames a
            second are not known.
    """

    batches = True

    def __init__(self, name: str, device: str, fps: float) -> None:
        import torch
        from lerobot.configs.policies import PreTrainedConfig
        from lerobot.policies import get_policy_class, make_pre_post_processors

        self._torch = torch
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        try:
            config = PreTrainedConfig.from_pretrained(name)
            config.device = device
            self._policy = get_policy_class(config.type).from_pretrained(name, config=config)
            self._before, self._after = make_pre_post_processors(
                config, name, preprocessor_overrides={"device_processor": {"device": device}}
            )
        except Exception as error:  # draccus, huggingface_hub, safetensors and torch have their own
            raise LerobotError(f"{name}: {type(error).__name__}: {first_line(error)}") from error
        self._device = torch.device(device)
        self._policy.to(self._device).eval()
        if (getattr(config, "n_obs_steps", 1) or 1) > 1:
            raise LerobotError(
                f"{name} looks at {config.n_obs_steps} frames; accepted: policies of one, as ACT, "
                "SmolVLA or pi0"
            )
        dataset = _dataset_of(name)
        self._vectors, self._images = _inputs(config, dataset)
        self._keys = {*self._vectors, *self._images, PROMPT}
        self.metadata: Mapping[str, Any] = _metadata(name, config, dataset, fps)

    def answer(self, requests: Sequence[Request]) -> list[Reply | RequestError]:
        """One reply, or why there is none, for each request; those that can be, in one pass."""
        replies: list[Reply | RequestError | None] = []
        frames = []
        for request in requests:
            try:
                frames.append(self._frame(request))
                replies.append(None)
            except RequestError as error:
                replies.append(error)
        rows = iter(self._infer(frames)) if frames else iter(())
        timing = {"batch": len(frames)}
        return [each or _reply(next(rows), timing) for each in replies]

    def _frame(self, request: Request) -> dict[str, Any]:
        """A request as LeRobot's own loop has an observation, batch 1."""
        from lerobot.policies.utils import prepare_observation_for_inference

        check_keys(request, self._keys, self._keys)
        prompt = checked_prompt(request)
        frame = {
            key: checked_image(request, key, size).copy() for key, size in self._images.items()
        }
        for key, names in self._vectors.items():
            vector = checked_vector(request, key, names)
            if not self._torch.isfinite(self._torch.tensor(vector.tolist())).all():
                raise RequestError(f"{key} is not finite; accepted: finite numbers")
            frame[key] = vector.astype("float32")
        made: dict[str, Any] = prepare_observation_for_inference(frame, self._device, task=prompt)
        return made

    def _infer(self, frames: Sequence[dict[str, Any]]) -> Any:
        """float32 (B, T, D)."""
        torch = self._torch
        batch = {
            key: torch.cat([frame[key] for frame in frames])
            if torch.is_tensor(value)
            else [frame[key] for frame in frames]
            for key, value in frames[0].items()
        }
        with torch.inference_mode():
            chunk = self._policy.predict_action_chunk(self._before(batch))
            # Each row in turn, for a post-processor is of one action, as LeRobot's loop calls it.
            actions = torch.stack([self._after(rows) for rows in chunk.unbind(1)], dim=1)
        return actions.float().cpu().numpy()


def _reply(actions: Any, timing: Mapping[str, Any]) -> Reply | RequestError:
    import numpy as np

    if not np.isfinite(actions).all():
        return RequestError("the policy's output is not finite; accepted: finite numbers")
    return {"actions": actions, "server_timing": dict(timing)}


def _inputs(
    config: Any, dataset: Mapping[str, Any]
) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[int, int] | None]]:
    """Names of each vector, and size of each image (None: the policy fits any itself)."""
    vectors: dict[str, tuple[str, ...]] = {}
    images: dict[str, tuple[int, int] | None] = {}
    fits_any = getattr(config, "resize_imgs_with_padding", None) or getattr(
        config, "image_resolution", None
    )
    for key, feature in config.input_features.items():
        if feature.type.name == "VISUAL":
            images[key] = None if fits_any else (int(feature.shape[1]), int(feature.shape[2]))
        elif len(feature.shape) == 1:
            vectors[key] = _names(dataset, key, int(feature.shape[0]))
        else:
            raise LerobotError(f"its input {key} has the shape {tuple(feature.shape)}; accepted: "
                               "images and vectors")  # fmt: skip
    return vectors, images


def _names(dataset: Mapping[str, Any], key: str, size: int) -> tuple[str, ...]:
    names = (dataset.get("features") or {}).get(key, {}).get("names")
    if isinstance(names, dict):  # as older datasets have them: {motors: [...]}
        names = next(iter(names.values()), None)
    if isinstance(names, list) and len(names) == size:
        return tuple(map(str, names))
    return tuple(str(i) for i in range(size))


def _dataset_of(name: str) -> dict[str, Any]:
    """info.json of the dataset that it was trained with, where both are on this machine; or {}."""
    try:
        training = json.loads((Path(name) / _TRAINING).read_text(encoding="utf-8"))
        root = training["dataset"]["root"]
        info = json.loads((Path(root) / "meta/info.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return info if isinstance(info, dict) else {}


def _metadata(name: str, config: Any, dataset: Mapping[str, Any], fps: float) -> dict[str, Any]:
    fps = fps or float(dataset.get("fps") or 0.0)
    if not fps > 0.0:
        raise LerobotError(
            f"{name} does not say at how many frames a second it was trained, and its dataset is "
            "not on this machine; accepted: --fps"
        )
    features: dict[str, Any] = {}
    for key, feature in (*config.input_features.items(), *config.output_features.items()):
        shape = [int(size) for size in feature.shape]
        if feature.type.name == "VISUAL":
            features[key] = {"dtype": "image", "shape": [shape[1], shape[2], shape[0]],
                             "names": ["height", "width", "channels"]}  # fmt: skip
        else:
            names = list(_names(dataset, key, shape[0]))
            features[key] = {"dtype": "float32", "shape": shape, "names": names}
    chunk = getattr(config, "chunk_size", None) or getattr(config, "n_action_steps", None) or 1
    return {
        "server": "vla serve lerobot",
        "policy": f"{config.type} {Path(name).name}",
        "features": features,
        "chunk_size": int(chunk),
        "fps": fps,
        "units": "dataset",
    }


def parser() -> argparse.ArgumentParser:
    """Of `./vla serve lerobot`."""
    made = argparse.ArgumentParser("./vla serve lerobot", description=__doc__.split("\n")[0])
    made.add_argument("policy", help="folder of a policy (pretrained_model), or its name on the "
                        "Hugging Face Hub")  # fmt: skip
    made.add_argument("--device", default="", help="cpu, cuda, … (default: cuda where there is)")
    made.add_argument("--fps", type=float, default=0.0,
                        help="frames a second of its dataset (default: as that says)")  # fmt: skip
    add_batching_arguments(made)
    add_server_arguments(made)
    return made


def main(arguments: list[str]) -> int:
    """Serve until SIGINT or SIGTERM; 2 where that cannot begin."""
    options = parser().parse_args(arguments)
    try:
        policy = LerobotPolicy(options.policy, options.device, options.fps)
        where = server_options(options)
        asyncio.run(serve_policy(policy, where, options.window, options.largest_batch))
    except (LerobotError, OSError) as error:
        print(f"vla: {first_line(error, 600)}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
