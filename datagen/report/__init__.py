"""A finished build as one HTML file that needs no network: contents, timing, tokens and sound."""
