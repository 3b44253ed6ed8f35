"""Entry of ``python -m launch_runner``."""

import sys

from .cli import main

sys.exit(main())
