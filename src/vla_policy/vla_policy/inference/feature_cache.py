"""Language features of the last commands, so that the language branch runs once per command."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

Features = TypeVar("Features")


class FeatureCache(Generic[Features]):
    """The `size` most recently used features, with the number of hits and misses."""

    def __init__(self, size: int) -> None:
        if size < 1:
            raise ValueError(f"size of the feature cache is {size}; accepted: at least 1")
        self._size = size
        self._features: OrderedDict[bytes, Features] = OrderedDict()
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        return len(self._features)

    def get(self, key: bytes, make: Callable[[], Features]) -> Features:
        """Features of `key`, made by `make` where they are not held."""
        if key in self._features:
            self.hits += 1
            self._features.move_to_end(key)
            return self._features[key]
        self.misses += 1
        features = make()
        self._features[key] = features
        if len(self._features) > self._size:
            self._features.popitem(last=False)
        return features

    def drop(self, key: bytes) -> None:
        """Forget one entry, if it is held."""
        self._features.pop(key, None)

    def clear(self) -> None:
        """Forget every entry; the counts stay."""
        self._features.clear()
