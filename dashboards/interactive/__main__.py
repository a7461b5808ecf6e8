"""``python -m dashboards.interactive``."""

import sys

from dashboards.interactive.worker import main

sys.exit(main())
