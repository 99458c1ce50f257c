"""
What a program shows by HTTP.  It is loaded only where somebody wants that.
"""

from __future__ import annotations

from uotp.monitoring.web.server import MonitoringServer

__all__ = ["MonitoringServer"]
