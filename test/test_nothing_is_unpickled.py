"""Nothing that came over the network, or from a file, is ever unpickled or evaluated."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("src", "pip_ros", "requirements", "docker", "docs", "test")
GENERATED = {"build", "install", "log", "out", "__pycache__"}

PICKLES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
PICKLES |= {"jsonpickle", "pickletools"}
EVALUATE = {"eval", "exec", "compile", "__import__", "execfile"}
UNSAFE_YAML = {"load", "load_all", "unsafe_load", "unsafe_load_all", "full_load", "full_load_all"}
SAFE_LOADERS = {"SafeLoader", "CSafeLoader", "BaseLoader", "CBaseLoader"}
SHELLS = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}


def files() -> list[Path]:
    found = []
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*.py"):
            if not GENERATED & set(path.relative_to(ROOT).parts):
                found.append(path)
    return sorted(found)


def is_true(call: ast.Call, keyword: str) -> bool | None:
    """Value of a keyword that is a literal; None where it is not given, True where not literal."""
    for given in call.keywords:
        if given.arg == keyword:
            return bool(given.value.value) if isinstance(given.value, ast.Constant) else True
    return None


def problems(tree: ast.AST) -> list[tuple[int, str]]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        elif isinstance(node, ast.Call):
            found += [(node.lineno, text) for text in _call(node)]
            continue
        else:
            continue
        found += [(node.lineno, f"imports {n}") for n in names if n.split(".")[0] in PICKLES]
    return found


def _call(call: ast.Call) -> list[str]:
    name = ast.unparse(call.func)
    owner, _, method = name.rpartition(".")
    found = []
    if name in EVALUATE or (owner == "builtins" and method in EVALUATE):
        found.append(f"calls {name}")
    if owner in PICKLES and method not in ("dump", "dumps"):
        found.append(f"calls {name}")
    if owner == "yaml" and method in UNSAFE_YAML:
        loaders = [ast.unparse(a) for a in [*call.args[1:], *(k.value for k in call.keywords)]]
        if not any(loader.rpartition(".")[2] in SAFE_LOADERS for loader in loaders):
            found.append(f"calls {name} without a safe loader")
    if is_true(call, "allow_pickle"):
        found.append(f"calls {name} with allow_pickle")
    if name == "torch.load" and not is_true(call, "weights_only"):
        found.append("calls torch.load without weights_only=True")
    if name in ("torch.jit.load", "torch.package.PackageImporter", "np.lib.format.read_array"):
        found.append(f"calls {name}")
    if name in SHELLS or is_true(call, "shell"):
        found.append(f"calls {name} through a shell")
    return found


def allowed(path: Path, problem: str) -> bool:
    """What is no danger where it stands."""
    place = path.relative_to(ROOT)
    if problem.endswith("through a shell"):  # <executable shell="true"> of a launch file
        return place.parts[:2] == ("pip_ros", "launch_runner")
    # LeRobot's servers answer in nothing else: read by operations and classes of an allow-list, and
    # only where `remote_pickle` is set; test_lerobot.py has the attacks.
    if place.name in ("lerobot_wire.py", "protocol_servers.py", "test_lerobot.py"):
        return "pickle" in problem
    # A test makes a pickle to see that it is refused; it may not read one.
    return problem.startswith("imports") and "test" in place.parts


def test_nothing_is_unpickled_or_evaluated():
    assert len(files()) > 100
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in files()
        for line, text in problems(ast.parse(path.read_text(encoding="utf-8")))
        if not allowed(path, text)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from cloudpickle import loads",
        "pickle.loads(data)",
        "eval(text)",
        "builtins.exec(text)",
        "yaml.load(text)",
        "yaml.load(text, Loader=yaml.Loader)",
        "yaml.unsafe_load(text)",
        "np.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=flag)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "subprocess.run(text, shell=True)",
        "os.system(text)",
    ],
)
def test_it_would_be_found(line):
    assert problems(ast.parse(line))


@pytest.mark.parametrize(
    "line",
    [
        "yaml.safe_load(text)",
        "yaml.load(text, Loader=yaml.CSafeLoader)",
        "np.load(path)",
        "np.load(path, allow_pickle=False)",
        "torch.load(path, weights_only=True)",
        "model.eval()",
        "re.compile(text)",
        "subprocess.run(['true'])",
    ],
)
def test_what_is_harmless_is_not(line):
    assert not problems(ast.parse(line))
