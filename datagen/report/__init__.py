"""A finished build as one HTML file that needs no network: what it holds, its timing, its tokens, and its sound."""
