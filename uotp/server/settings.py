"""
What a server is told.
"""

from __future__ import annotations

from dataclasses import dataclass

from uotp.tunnel import SECONDS, CommonSettings, requireHost, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings(CommonSettings):
    """
    Holds what a server is told, besides L{CommonSettings}.

    @ivar target: host name or address, and port, of the UDP target.
    @ivar listen: numeric address and port of the TCP side; port 0 for any.
    @ivar linger: seconds for which a session that has lost its tunnels keeps its UDP
        socket.
    """

    target: tuple[str, int]
    listen: tuple[str, int] = ("0.0.0.0", 8443)  # noqa: S104 - a server is for others
    linger: float = setting(150.0, SECONDS)

    def __post_init__(self) -> None:
        """
        Refuse what cannot be used.

        @raise ConfigurationError: in one line that names the setting.
        """
        CommonSettings.__post_init__(self)
        requireHost("the target", self.target[0])
