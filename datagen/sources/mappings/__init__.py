"""Shapes of records as data (`table.yaml`, `words.yaml`) and the readers that follow them.

paths       values at a path; JSON inside text is opened
roles       names of roles and speakers
parts       content of several parts, of which some are not spoken
labels      role labels inside texts
trees       trees of replies: the best path
turns       a mapping and a record to the pieces that were said
detection   which mappings fit a record
several     values that hold several records, and rows that are one
"""
