"""``python -m datapilot_kernel.cli``: the same as ``datapilot``."""

import sys

from datapilot_kernel.cli import main

sys.exit(main())
