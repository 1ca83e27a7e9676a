"""A finished build as one HTML file that needs no network: what it holds, how it is timed, its tokens, and its sound."""
