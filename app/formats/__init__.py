"""Tables as bytes: one reader and one writer a format. Knows nothing of series, SQL or HTTP. Begin with `table`."""
