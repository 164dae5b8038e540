"""`python -m spikeviz.cli` is `spikeviz`."""

import sys

from spikeviz.cli import main

sys.exit(main())
