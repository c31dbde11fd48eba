"""`python -m gaitd_train`, and what `torchrun -m gaitd_train` starts."""

import sys

from gaitd_train.cli import main

sys.exit(main())
