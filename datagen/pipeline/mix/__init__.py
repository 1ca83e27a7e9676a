"""The user's channel from mouth to model, as pure functions that the mix stage composes.

The order of operations, as sound would meet them; each is drawn, and recorded in `Mixing`, by itself:

1. take        as heard, an interrupted one faded out                            `levels`
2. distance    the talker is far away: duller by a low-pass, and quieter at 5    `sound_path`
3. drift       the talker moves: the level swells and falls slowly               `sound_path`
4. room        convolved with the response of a room, direct sound at its place  `sound_path`
5. level       speech is brought to the requested level, less the distance        `levels`
6. background  noise, babble, other talkers, noise bursts, the assistant's echo  `scene`
7. limit       the whole channel is attenuated if a sample could be too loud      `mix`
8. line        telephone band, codec; attenuated again if they made it louder    `sound_path`

The user's laughter and coughs take the way of speech, 2 to 4. Levels are measured on speech as it arrives
(after 4), over the time an utterance is heard by its times: what a room adds after its end is audible but not measured.
An SNR is that at the microphone (6): the line behind it changes speech and noise alike. The assistant's channel knows
1, 5 and 7 alone.
"""
