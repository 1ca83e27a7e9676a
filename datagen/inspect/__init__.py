"""Looking at a build, in a notebook or a program.

import datagen

output = datagen.open("out/quickstart")
output.table("rejects")                           # pandas
talk = output.conversation("concert-parking")
talk.utterances, talk.audio                       # a data frame, and sound
output.row("three_stream", 0)                     # painted
"""

from datagen.inspect.conversation import StoredConversation
from datagen.inspect.output import Output
from datagen.inspect.output import open_output as open
from datagen.inspect.rows import StoredRow
from datagen.inspect.sound import Sound

__all__ = ["Output", "Sound", "StoredConversation", "StoredRow", "open"]
