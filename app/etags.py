"""Entity tags that a caller has already (RFC 9110, 13.1.2)."""


def unchanged(if_none_match: str | None, tag: str | None) -> bool:
    """Say whether a caller has what the entity tag names already, by weak comparison; without a tag nobody has."""
    if if_none_match is None or tag is None:
        return False
    if if_none_match == tag:
        return True
    tags = [entity.strip().removeprefix("W/") for entity in if_none_match.split(",")]
    return "*" in tags or tag.removeprefix("W/") in tags
