import sys
from pathlib import Path

from hypothesis import settings

# Examples share the machine with everything else: a slow one is no failure.
settings.register_profile("vla_safety", deadline=None)
settings.load_profile("vla_safety")

sys.path.insert(0, str(Path(__file__).parent))  # for core_rig
