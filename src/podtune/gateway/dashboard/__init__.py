"""Pages for people, rendered here and kept live by server-sent events."""
