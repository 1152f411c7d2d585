"""The subcommands: each a signature and the calls that make it; the only rooms that see the settings."""
