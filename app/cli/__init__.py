"""The `gatecast` command. Commands that talk to a service know it by HTTP alone. Begin with `main`."""
