"""Timing of conversations: fitted to recordings, measured in a build, compared with human timing."""
