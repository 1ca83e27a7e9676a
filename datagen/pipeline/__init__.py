"""The stages of the pipeline, each a callable from an item to its result or a `Reject`."""
