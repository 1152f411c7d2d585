"""The command line: application, settings, options and one file a subcommand."""
