"""datagen: text dialogues in, training shards for full-duplex speech models out.

A dialogue goes in at the top as text and comes out at the bottom as training tokens, one file per step:
`sources` reads dialogues, `stages/` holds one verb per file in flow order (select, script, speak, place,
mix, encode, flatten), `build` strings them together, and `run/` executes a build exactly once.
"""

__version__ = "0.1.0"

DATA_VERSION = 4
"""Version of the bytes in a shard. Any change that alters them bumps it and stands in CHANGELOG.md."""
