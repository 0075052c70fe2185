"""Where things are kept: base models, artifact folders. Adapters to disk and to the Hub."""
