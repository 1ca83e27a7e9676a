"""Models that process speech: recognizers, quality ratings and voice activity detectors."""
