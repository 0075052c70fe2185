"""Spec and facts -> a plan: steps, memory, time, every field with its reason. Pure arithmetic."""
