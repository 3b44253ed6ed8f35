from dataclasses import fields

import numpy as np
import pytest

from vla_learning.demonstrations import Demonstration, DemonstrationError, find_demonstrations
from vla_learning.testing import demonstration


def test_written_and_read_back(tmp_path):
    episode = demonstration(seed=5)
    path = tmp_path / "one" / "000005.npz"
    episode.save(path)
    assert find_demonstrations(tmp_path, "one") == [path]
    again = Demonstration.load(path)
    for field in fields(Demonstration):
        assert np.array_equal(getattr(again, field.name), getattr(episode, field.name))
    assert again.length == 50


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04broken"])
def test_a_broken_file_is_named(tmp_path, content):
    path = tmp_path / "broken.npz"
    path.write_bytes(content)
    with pytest.raises(DemonstrationError, match="broken.npz"):
        Demonstration.load(path)


def test_a_file_with_pickled_objects_is_refused(tmp_path):
    path = tmp_path / "objects.npz"
    np.savez(path, images=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DemonstrationError, match="objects.npz"):
        Demonstration.load(path)


def test_interrupted_writes_are_not_demonstrations(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "000001.partial.npz").write_bytes(b"half")
    assert find_demonstrations(tmp_path, "one") == []
