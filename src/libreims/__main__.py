"""`python -m libreims`."""

from __future__ import annotations

import sys

from libreims.cli import main

if __name__ == "__main__":
    sys.exit(main())
