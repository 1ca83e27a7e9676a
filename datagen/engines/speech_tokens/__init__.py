"""Speech tokenizers: audio to discrete codes."""
