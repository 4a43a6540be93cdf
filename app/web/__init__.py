"""The page (dashboard): static files, and the routes that send them.

A client like any other: what it shows comes over HTTP, so this package imports nothing of the service. Begin reading at
`static/main.js`; `static/vendor/README.md` says what is not ours.
"""
