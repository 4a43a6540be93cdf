"""What crosses the wire, as pydantic models: strict on the way in, without defaults on the way out."""
