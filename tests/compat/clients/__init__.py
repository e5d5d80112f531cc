"""Client libraries as people have them, each in an environment of its own, against the running suite."""
