"""The stage that synthesizes every utterance."""
