"""Running a build: plan, processes, exactly-once commit, manifest, check."""
