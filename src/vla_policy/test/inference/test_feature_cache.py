import pytest

from vla_policy.inference.feature_cache import FeatureCache


def test_features_are_made_once():
    cache = FeatureCache(2)
    made = []
    for key in (b"a", b"b", b"a", b"a"):
        assert cache.get(key, lambda key=key: made.append(key) or key) == key
    assert made == [b"a", b"b"]
    assert (cache.hits, cache.misses) == (2, 2)


def test_the_least_recently_used_goes_first():
    cache = FeatureCache(2)
    for key in (b"a", b"b", b"a", b"c", b"a", b"b"):
        cache.get(key, lambda: None)
    assert (cache.hits, cache.misses, len(cache)) == (2, 4, 2)


def test_one_entry_is_dropped_and_one_that_is_not_held_is_no_error():
    cache = FeatureCache(2)
    cache.get(b"a", lambda: 1)
    cache.get(b"b", lambda: 1)
    cache.drop(b"a")
    cache.drop(b"c")
    assert len(cache) == 1
    assert (cache.get(b"a", lambda: 2), cache.get(b"b", lambda: 2)) == (2, 1)


def test_clear_forgets_entries_and_keeps_counts():
    cache = FeatureCache(2)
    cache.get(b"a", lambda: 1)
    cache.clear()
    assert (len(cache), cache.misses) == (0, 1)
    assert cache.get(b"a", lambda: 2) == 2


def test_a_failure_is_not_kept():
    cache = FeatureCache(2)
    with pytest.raises(ZeroDivisionError):
        cache.get(b"a", lambda: 1 // 0)
    assert cache.get(b"a", lambda: 3) == 3


def test_a_cache_without_room_is_refused():
    with pytest.raises(ValueError, match="accepted: at least 1"):
        FeatureCache(0)
