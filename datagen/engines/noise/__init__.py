"""Background sound: noise, bursts and rooms for the user's channel."""
