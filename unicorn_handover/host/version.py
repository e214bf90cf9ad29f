"""Reports a driver of another version than its host."""

from __future__ import annotations

from .._version import __version__
from ..errors import printable


def version_gap(driver: object) -> str:
    """Return a line if the version in a driver's greeting is not this host's, else "".

    A host keeps the code that it has loaded, and starts a driver with that which is installed.
    """
    if driver == __version__:
        return ""
    return (
        f"the driver is of version {printable(str(driver), 40)} and its host of {__version__}; "
        "restart the host's service, and let both be of one installation"
    )
