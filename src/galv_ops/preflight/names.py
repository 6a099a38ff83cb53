"""Names of the DNS: which of them lie in which."""


def plain(name: str) -> str:
    """Return a name in lower case without its last dot, and with `*` as Route 53 was given it.

    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DomainNameFormat.html
    """
    return name.rstrip(".").lower().replace("\\052", "*")


def is_in(name: str, domain: str) -> bool:
    """Tell whether a name is a domain or lies in it."""
    return f".{plain(name)}".endswith(f".{plain(domain)}")


def is_covered(name: str, certificate_name: str) -> bool:
    """Tell whether a certificate's name covers a name; its `*` stands for one label.

    https://docs.aws.amazon.com/acm/latest/userguide/acm-concepts.html
    """
    name, other = plain(name), plain(certificate_name)
    if other.startswith("*."):
        return name == other or name.partition(".")[2] == other[2:]
    return name == other
