"""Which files a bag's path stands for, and what its metadata.yaml tells of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from vla_replay.bags.bag_storage import BagError, Losses

METADATA = "metadata.yaml"
ROS1_BAG = ".bag"
KINDS = (".mcap", ".db3", ROS1_BAG)
COMPRESSED = (".zstd", ".zst")
_POINTER = b"version https://git-lfs"
ACCEPTED = (
    "a folder or a file of rosbag2 (.mcap, .db3; .zstd behind it), or a ROS 1 bag (.bag), "
    "one file or a folder"
)


@dataclass
class Metadata:
    """names: of its files, in the order of recording. notes: its custom data."""

    names: list[str] = field(default_factory=list)
    distribution: str = ""
    notes: dict[str, str] = field(default_factory=dict)


def is_bag(path: Path) -> bool:
    """A bag by its name: a file of a known kind, or a folder with such files."""
    if path.is_dir():
        return any(_kind(file) in KINDS for file in path.iterdir())
    return _kind(path) in KINDS


def bag_files(path: Path, losses: Losses) -> tuple[list[Path], Metadata]:
    """Files of one kind in the order of recording, and what metadata.yaml tells of them.

    Raises:
        BagError: there is none.
    """
    if path.name == METADATA:
        path = path.parent
    if not path.exists():
        raise BagError(f"{path}: there is no such file; accepted: {ACCEPTED}")
    if path.is_file():
        _check_kind(path)
        return [path], _metadata_beside(path)
    files = sorted((file for file in path.iterdir() if _kind(file) in KINDS), key=_natural)
    if not files:
        inside = sorted(each.name for each in path.iterdir() if each.is_dir() and is_bag(each))
        bags = f"; it holds the bags {', '.join(inside)}: name one of them" if inside else ""
        raise BagError(f"{path}: the folder holds no bag file; accepted: {ACCEPTED}{bags}")
    filled = [file for file in files if file.stat().st_size]
    if not filled:
        raise BagError(f"{path}: every file of the bag is empty: {_names(files)}")
    if empty := [file for file in files if file not in filled]:
        losses.report_loss(f"empty files are left out: {_names(empty)}")
    if ros1 := [file for file in filled if _kind(file) == ROS1_BAG]:
        return ros1, Metadata()
    metadata = _metadata(path, losses)
    return _in_order(filled, metadata.names, losses), metadata


def _check_kind(path: Path) -> None:
    if path.stat().st_size == 0:
        raise BagError(f"{path}: the file is empty")
    if _kind(path) not in KINDS:
        raise BagError(f"{path}: no bag by its name; accepted: {ACCEPTED}")


def check_content(file: Path) -> None:
    """Refuse what stands in a bag's place in a Git checkout.

    Raises:
        BagError: it does.
    """
    with file.open("rb") as stream:
        if stream.read(len(_POINTER)) == _POINTER:
            raise BagError(
                f"{file}: a Git LFS pointer, not the bag; it is fetched with: git lfs pull"
            )


def _metadata(folder: Path, losses: Losses) -> Metadata:
    try:
        content: Any = yaml.safe_load((folder / METADATA).read_text("utf-8", "replace"))
        information = content["rosbag2_bagfile_information"]
        return Metadata(
            [Path(str(name)).name for name in information["relative_file_paths"]],
            str(information.get("ros_distro") or ""),
            {str(k): str(v) for k, v in dict(information.get("custom_data") or {}).items()},
        )
    except OSError:
        losses.report_loss(f"{folder.name} has no {METADATA}; its files are read without it")
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError):
        losses.report_loss(f"{METADATA} is damaged; the files are read without it")
    return Metadata()


def _metadata_beside(file: Path) -> Metadata:
    """Of the folder of a file, where it names that file: the file is a part of that bag."""
    found = _metadata(file.parent, Losses())
    return found if file.name in found.names else Metadata()


def _in_order(files: list[Path], named: list[str], losses: Losses) -> list[Path]:
    """As they were recorded, whatever their names are."""
    missing = [name for name in named if name not in {file.name for file in files}]
    if missing:
        losses.report_loss(f"{METADATA} names files that are missing: {', '.join(missing)}")
    if named and (others := [file for file in files if file.name not in named]):
        losses.report_loss(
            f"{METADATA} does not name {_names(others)}; read after those that it names"
        )
    return sorted(files, key=lambda f: named.index(f.name) if f.name in named else len(named))


def _kind(file: Path) -> str:
    return Path(file.stem).suffix if file.suffix in COMPRESSED else file.suffix


def _names(files: list[Path]) -> str:
    return ", ".join(file.name for file in files)


def _natural(file: Path) -> tuple[int, str]:
    """rosbag2 numbers its files: _0, _1, …, _10."""
    digits = file.name.split(".")[0].rpartition("_")[2]
    return (int(digits) if digits.isdigit() else 0, file.name)
