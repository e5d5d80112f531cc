"""The four services. They never import each other; only the gateway calls the rest."""
