"""Writing a conversation as a sound file: as it was mixed, or as a model hears it."""

from datagen.inspect.conversation import StoredConversation
from datagen.inspect.sound import Channel


def listen(talk: StoredConversation, to: str, channel: Channel = "both", decoded: bool = False) -> str:
    """Write the sound of a conversation in the format of the file's ending; tells what was written.

    Raises:
        DatagenError: If the build kept no audio and `decoded` is not asked for, or the file cannot be written.
    """
    sound = (talk.decoded if decoded else talk.audio).channel(channel)
    sound.write(to)
    which = "left the user, right the assistant" if channel == "both" else f"the {channel}"
    return f"{to}: {sound.seconds:.1f} s, {which}{', decoded from tokens' if decoded else ''}"
