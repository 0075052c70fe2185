"""This machine as a provider: workers are process groups."""
