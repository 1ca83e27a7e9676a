"""A data set on disk: store, tables, unit files and markers, manifest, index, digest, laws and vocabulary."""
