"""The action spaces of config/, wherever the tests run from and their copies for mutmut lie."""

from pathlib import Path

from vla_contract.action_space import ActionSpace

FOLDER = next(
    parent / "config" / "action_spaces"
    for parent in Path(__file__).resolve().parents
    if (parent / "config" / "action_spaces").is_dir()
)
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


def shipped_space(name: str) -> ActionSpace:
    """The action space of this name, e.g. "mobile_base"."""
    return ActionSpace.load(FOLDER / f"{name}.yaml")
