"""The `gatecast` command. Commands that call a service use HTTP alone. Begin with `main`."""
