"""``python -m dashboards.rendering``."""

import sys

from dashboards.rendering.worker import main

sys.exit(main())
