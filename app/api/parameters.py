"""Parameters in the OpenAPI document: a query or a header is text, and has no null."""

from typing import Any

NULL = {"type": "null"}


def drop_nulls(document: dict[str, Any]) -> None:
    """Take null out of what parameters may be: one that says nothing is left out."""
    for item in document["paths"].values():
        for operation in item.values():
            for parameter in operation.get("parameters", ()):
                _drop_null(parameter["schema"])


def _drop_null(schema: dict[str, Any]) -> None:
    choices = [choice for choice in schema.get("anyOf", ()) if choice != NULL]
    if len(choices) == 1:
        del schema["anyOf"]
        schema.update({**choices[0], **schema})
    elif choices:
        schema["anyOf"] = choices
