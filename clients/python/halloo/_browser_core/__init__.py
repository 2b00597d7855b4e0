"""The list of servers, without a clock, a socket or a thread."""

from .checks import CheckResult
from .core import MAX_SERVERS, Change, Core, Probe

__all__ = ["MAX_SERVERS", "Change", "CheckResult", "Core", "Probe"]
