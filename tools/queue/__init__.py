"""Two hundred callers at a provider's real quota: how long each user waits, and what the provider refuses."""
