"""Calls to servers: pace, faults, probes and settings, shared by the speech server and the LLM client."""
