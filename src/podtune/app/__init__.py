"""The one service behind every face, its settings and its wiring."""
