"""One module a claim: each prints a table with its reference in the same run, then one JSON object as its last line."""
