"""How conversations are timed: fitted to recordings, measured in a build, compared with people."""
