"""Router: chooses the model and provider for each request, calls it, and converts its answer."""
