import tempfile
from pathlib import Path

import pytest

from vla_policy.backends import BackendError
from vla_policy.checkpoint.checkpoint import Checkpoint
from vla_policy.engines import engine_cache
from vla_policy.engines.engine_cache import EngineKey, StoredEngine

KEY = EngineKey("ab" * 32, "sm87", "10.3.0")
ENGINES = {
    "language": StoredEngine(b"one", {"tokens": "tokens"}, {"sentence": "output0"}),
    "policy": StoredEngine(b"two", {"images": "images"}, {"actions": "output1"}),
}


def test_what_was_saved_is_loaded(tmp_path):
    folder = engine_cache.save(tmp_path, KEY, ENGINES, {"gpu": "Orin"})
    assert folder.name == "abababababababab-sm87-trt10.3.0"
    assert engine_cache.load(tmp_path, KEY, "build it") == ENGINES
    engine_cache.save(tmp_path, KEY, ENGINES, {})  # again, in its place
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


@pytest.mark.parametrize("other", ["model", "architecture", "tensorrt"])
def test_an_engine_of_something_else_is_not_taken(tmp_path, other):
    engine_cache.save(tmp_path, KEY, ENGINES, {})
    key = EngineKey(**{**vars(KEY), other: "99"})
    with pytest.raises(BackendError, match="no TensorRT engine .*build it with: DO THIS$"):
        engine_cache.load(tmp_path, key, "DO THIS")


def test_a_damaged_engine_is_named(tmp_path):
    folder = engine_cache.save(tmp_path, KEY, ENGINES, {})
    (folder / "policy.engine").write_bytes(b"three")
    with pytest.raises(BackendError, match="damaged: policy.engine is not what .* again with: DO"):
        engine_cache.load(tmp_path, KEY, "DO")
    (folder / engine_cache.MANIFEST).write_text("{")
    with pytest.raises(BackendError, match="damaged") as info:
        engine_cache.load(tmp_path, KEY, "DO")
    assert "\n" not in str(info.value)


def test_the_model_s_hash_follows_weights_and_architecture(checkpoint_folder):
    checkpoint = Checkpoint.load(checkpoint_folder)
    with pytest.raises(BackendError, match="weights.safetensors is missing"):
        engine_cache.model_hash(checkpoint)
    made = [
        engine_cache.model_hash(
            Checkpoint(
                **{
                    **vars(checkpoint),
                    "files": {"weights.safetensors": digest},
                    "architecture": {"hidden": hidden},
                }
            )
        )
        for digest, hidden in (("a", 1), ("b", 1), ("a", 2), ("a", 1))
    ]
    assert len(set(made)) == 3 and made[0] == made[3]


def test_engines_are_never_kept_where_they_do_not_last(monkeypatch):
    monkeypatch.delenv(engine_cache.VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/home/robot/.cache")
    assert engine_cache.root_folder() == Path("/home/robot/.cache/vla/engines")
    assert engine_cache.root_folder("/data/engines") == Path("/data/engines")
    monkeypatch.setenv("XDG_CACHE_HOME", tempfile.gettempdir() + "/cache")
    with pytest.raises(BackendError, match="no place to keep engines"):
        engine_cache.root_folder()
    monkeypatch.setenv(engine_cache.VARIABLE, "/var/lib/vla/engines")
    assert engine_cache.root_folder() == Path("/var/lib/vla/engines")
    for given in (tempfile.gettempdir(), tempfile.gettempdir() + "/engines"):
        with pytest.raises(BackendError, match=f"^{given} is no place to keep engines"):
            engine_cache.root_folder(given)
        monkeypatch.setenv(engine_cache.VARIABLE, f"/data/..{given}")
        with pytest.raises(BackendError, match="no place to keep engines"):
            engine_cache.root_folder()
