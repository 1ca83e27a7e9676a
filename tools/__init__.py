"""Training of the models that datagen ships. Part of the repository, not of the wheel."""
