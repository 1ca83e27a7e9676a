"""Origins of the weights that embedded engines ship: the models and data they were made of.

The catalogue shows them without loading an engine; manifests and cards carry them with the data.
"""

_KOKORO_DATA = (
    "Kokoro-82M was trained on permissively licensed and public-domain recordings and on synthetic speech of other "
    "TTS models, as its model card states"
)

HIBARI = f"voice heart: distilled from the voice af_heart of Kokoro-82M (Apache-2.0); {_KOKORO_DATA}"
"""As the package's METADATA states."""

KOKORO = f"Kokoro-82M (Apache-2.0), quantized to int8, with style vectors of its Japanese voices; {_KOKORO_DATA}"

KMEANS = "clusters of log-mel spectra of speech by hibari, clean and in generated noise (tools/train_kmeans.py)"

QWEN2 = "vocabulary and merges of Qwen2 (Apache-2.0)"

WHISPER = "Whisper base of OpenAI (MIT), converted to CTranslate2"

SILERO = "Silero VAD (MIT)"

DNSMOS = "DNSMOS P.835 of Microsoft, a network trained on ratings by people"

MIMI = "Mimi of Kyutai (CC-BY-4.0); its first codebook was distilled from WavLM, as its paper states"

ENCODEC = (
    "EnCodec of Meta for 24 kHz, trained on DNS challenge 4, Common Voice, AudioSet, FSD50K and Jamendo, as its paper "
    "states"
)

DAC = (
    "the Descript audio codec (MIT), trained on DAPS, DNS challenge 4, Common Voice, VCTK, MUSDB, Jamendo and "
    "AudioSet, as its paper states"
)
