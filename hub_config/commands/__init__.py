"""The platform's subcommands of ``datapilot``; each loads what it needs when it runs."""
