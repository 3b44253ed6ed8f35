import pytest

from vla_cli import mutation_stage


@pytest.fixture
def source(tmp_path):
    for name in ("vla_safety/sequencing.py", "vla_safety/axes.py", "vla_safety/node.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("X = 1\n")
    (tmp_path / "test").mkdir()
    for name, text in (
        ("test_sequencing.py", "import math\n"),
        ("test_sequencing_mutants.py", "import math\n"),
        ("test_axes.py", "import math\n"),
        ("test_axes_node.py", "from std_msgs.msg import Bool\n"),
        ("rig.py", "A = 1\n"),
    ):
        (tmp_path / "test" / name).write_text(text)
    return tmp_path


def test_modules_are_named_by_group_or_by_name(source):
    package = source / "vla_safety"
    assert mutation_stage.modules(package, ()) == ["sequencing", "axes"]
    assert mutation_stage.modules(package, ("limits", "axes")) == ["axes"]
    with pytest.raises(ValueError, match="no module 'x' to mutate; accepted: sequencing"):
        mutation_stage.modules(package, ("x",))


def test_the_stage_has_the_mirrored_tests_without_ros(source, tmp_path):
    stage = tmp_path / "stage"
    mutation_stage.prepare(stage, source, ["sequencing"])
    assert sorted(path.name for path in (stage / "test").iterdir()) == [
        "conftest.py", "rig.py", "test_sequencing.py", "test_sequencing_mutants.py",
    ]  # fmt: skip
    assert 'only_mutate = ["vla_safety/sequencing.py"]' in (stage / "pyproject.toml").read_text()
    assert not (stage / "vla_safety" / "node.py").exists()
    mutation_stage.prepare(stage, source, ["axes"])
    assert (stage / "test" / "test_axes.py").exists()
    assert not (stage / "test" / "test_axes_node.py").exists()
