"""What engines behind a server share: pace, probes, replies and what was sent."""
