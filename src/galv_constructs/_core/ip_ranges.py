"""IP ranges that an argument or a key lists."""

import ipaddress
from collections.abc import Sequence

from galv_constructs._core.validation import check_list


def ranges_by_version(
    name: str, ranges: Sequence[str] | None, *, allows_all: bool = False
) -> dict[int, list[str]]:
    """Sort IP ranges by version, 4 and 6, and refuse what is none.

    Args:
        name: The argument that they are in.
        ranges: IPv4 and IPv6 ranges whose host bits are zero.
        allows_all: Whether `0.0.0.0/0` and `::/0` are ranges, which AWS WAF does not take.

    Raises:
        ValueError: If it is no list, or one of it is no range.
    """
    if ranges is None:
        return {}
    check_list(name, ranges, "a list of IP ranges")
    by_version: dict[int, list[str]] = {}
    for index, value in enumerate(ranges):
        try:
            network = ipaddress.ip_network(value) if isinstance(value, str) else None
        except ValueError:
            network = None
        if network is None or not (network.prefixlen or allows_all):
            raise ValueError(
                f"{name}[{index}] must be an IP range such as '192.0.2.0/24' or '2001:db8::/32' "
                f"whose host bits are zero, got {value!r}"
            )
        by_version.setdefault(network.version, []).append(str(network))
    return by_version
