"""The Model Context Protocol: podtune's verbs as tools, for agents. Parses nothing, decides nothing."""
