"""
Runs our programs with servers that are judged soon, for tests that wait for that.
"""

from __future__ import annotations

import sys

from uotp.cli.main import main
from uotp.client.standby import judgement

FAR_FOR_SECONDS, HEALTHY_SECONDS = 3.0, 5.0
"""In place of those of L{uotp.client.standby.judgement}."""

if __name__ == "__main__":
    judgement.FAR_FOR_SECONDS, judgement.HEALTHY_SECONDS = FAR_FOR_SECONDS, HEALTHY_SECONDS
    sys.exit(main())
