"""The safety node with a defect: python -m defective_node PLACE FLAG, then the node's arguments.

PLACE names a function as MODULE:CLASS.METHOD; it raises as long as the file FLAG exists.
"""

import importlib
import os
import sys

from vla_safety.node import node


def break_at(place: str, flag: str) -> None:
    """Replace the function by one that raises while the flag is there."""
    module, path = place.split(":")
    owner = importlib.import_module(module)
    *classes, name = path.split(".")
    for each in classes:
        owner = getattr(owner, each)
    sound = getattr(owner, name)

    def broken(*args, **kwargs):
        if os.path.exists(flag):
            raise ZeroDivisionError(f"broken in {name}")
        return sound(*args, **kwargs)

    setattr(owner, name, broken)


if __name__ == "__main__":
    break_at(sys.argv[1], sys.argv[2])
    del sys.argv[1:3]
    node.main()
