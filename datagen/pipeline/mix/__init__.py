"""The user's channel from mouth to model, as pure functions that the mix stage composes.

The order of operations follows the sound; each is drawn and recorded in `Mixing` separately:

1. take        the audible part, an interrupted one faded out                    `levels`
2. distance    the talker is far away: duller by a low-pass, and quieter at 5    `sound_path`
3. drift       the talker moves: the level swells and falls slowly               `sound_path`
4. room        convolved with a room response; the direct sound is not delayed   `sound_path`
5. level       speech is brought to the requested level, less the distance        `levels`
6. background  noise, babble, other talkers, noise bursts, the assistant's echo  `scene`
7. limit       the whole channel is attenuated if a sample could be too loud      `mix`
8. line        telephone band, codec; attenuated again if they made it louder    `sound_path`

The user's laughter and coughs pass through 2 to 4 like speech. Levels are measured on speech at the
microphone (after 4), from the start to the end of each utterance, without the reverberation after
it. An SNR is that at the microphone (6), because the line changes speech and noise alike. Only 1, 5
and 7 apply to the assistant's channel.
"""
