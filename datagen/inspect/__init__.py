"""Looking at a build."""
