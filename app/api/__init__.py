"""The HTTP contract: routes, schemas and problem documents."""
