"""The catalogue's files: one YAML for each provider, checked when it is read."""
