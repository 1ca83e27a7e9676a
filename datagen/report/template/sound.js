// The sound of a conversation, decoded by the browser.

const RATE_HZ = 24000;
const MP3_DELAY = 1105; // samples that an MP3 begins with, for decoders that do not take them off

class Sound {
  #decoded = new Map(); // at most two: a minute takes 11 MB
  #context = null;
  #source = null;
  #gains = null;
  #startedAt = 0;

  async decode(talk, name) {
    const key = `${talk.number} ${name}`;
    if (!this.#decoded.has(key)) {
      const bytes = Uint8Array.from(atob(talk.sounds[name].mp3), (c) => c.charCodeAt(0));
      if (this.#decoded.size > 1) this.#decoded.delete(this.#decoded.keys().next().value);
      this.#decoded.set(key, new OfflineAudioContext(2, 1, RATE_HZ).decodeAudioData(bytes.buffer));
    }
    return this.#decoded.get(key);
  }

  // Browsers want to be asked for sound while a key or button is down, before anything else is waited for.
  wake() {
    this.#context ??= new AudioContext();
    this.#context.resume();
  }

  // Play a sound of the talk from a time on; of one channel alone, both ears hear it.
  start(buffer, { first_ms, n_ms }, ms, channel) {
    this.stop();
    const context = this.#context;
    const splitter = context.createChannelSplitter(2), merger = context.createChannelMerger(2);
    this.#gains = [0, 1].flatMap((from) => [0, 1].map((to) => {
      const gain = context.createGain();
      splitter.connect(gain, from).connect(merger, 0, to);
      return { gain, from, to };
    }));
    this.route(channel);
    this.#source = context.createBufferSource();
    this.#source.buffer = buffer;
    this.#source.connect(splitter);
    merger.connect(context.destination);
    const delay = buffer.length - n_ms * RATE_HZ / 1000 >= MP3_DELAY ? MP3_DELAY / RATE_HZ : 0;
    this.#source.start(0, delay + (ms - first_ms) / 1000);
    this.#startedAt = context.currentTime - ms / 1000;
  }

  route(channel) {
    for (const { gain, from, to } of this.#gains ?? []) {
      const alone = { user: 0, assistant: 1 }[channel];
      gain.gain.value = (alone === undefined ? from === to : from === alone) ? 1 : 0;
    }
  }

  // Gains from [user, assistant] to the left and right ear.
  get routing() { return (this.#gains ?? []).map(({ gain }) => gain.gain.value); }

  stop() {
    this.#source?.stop();
    this.#source?.disconnect();
    this.#source = null;
  }

  // What is heard now, in ms.
  now() {
    const late = this.#context.outputLatency || 0;
    return (this.#context.currentTime - this.#startedAt - late) * 1000;
  }
}
