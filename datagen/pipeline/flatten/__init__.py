"""Streams → Rows of all tasks. A pure function of the conversations table.

asr, tts       an utterance: its speech and its text                                 `alignment`
four_stream    a dialogue turn by turn                                               `four_stream`
interleaved    a dialogue turn by turn, text and speech of an answer in turns        `interleaved`
chat           an answer, after the turns before it                                  `chat`
three_stream   a conversation chunk by chunk, with the assistant's text              `full_duplex`
two_stream     a conversation chunk by chunk                                         `full_duplex`
parallel       a conversation frame by frame, a stream per line                      `parallel`

`turns` has what the tasks of turns share, `row_format` what all tasks share. Tokens that the model
is given and never learns stand at the head of a row and between chunks or turns
(`datagen.shards.given`).
"""

from datagen.pipeline.flatten.flatten import Flatten

__all__ = ["Flatten"]
