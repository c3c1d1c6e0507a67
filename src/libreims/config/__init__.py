"""Configuration: the language (manual §5.1), the typed schema (§5.2), and the snapshot in force."""
