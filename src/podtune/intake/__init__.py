"""What somebody said -> a spec, with every field marked stated or assumed."""
