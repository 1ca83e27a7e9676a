"""Quality of speech by DNSMOS P.835 (the package speechmos), a network trained on ratings of listeners."""

from importlib import metadata, resources
from math import ceil

import numpy as np

from datagen.engines.base import MOS, Audio, EngineInfo
from datagen.engines.lineage import DNSMOS
from datagen.engines.model_files import one_thread
from datagen.errors import EngineMissingError
from datagen.installed import pip_install

_SECONDS = 9.01
"""Length of the network's input."""
_OVERALL = np.poly1d([-0.06766283, 1.11546468, 0.04602535])
"""From the network's third output to the scale of listeners; of Microsoft's own code, dnsmos_local.py."""


class Dnsmos(MOS):
    """The overall score of DNSMOS P.835, the mean over windows of 9 s, one each second; short clips are looped.

    Only the weights of the package are used: its code starts threads and warns of irrelevant things.
    """

    sample_rate_hz = 16_000

    def __init__(self) -> None:
        """Load the network.

        Raises:
            EngineMissingError: If the extra `mos` is not installed.
        """
        try:
            model = resources.files("speechmos").joinpath("dnsmos_models", "sig_bak_ovr.onnx").read_bytes()
        except (ModuleNotFoundError, OSError) as error:
            raise EngineMissingError(f"DNSMOS needs the extra `mos`: {pip_install('mos')}") from error
        self._session = one_thread(model)
        self.info = EngineInfo(
            "dnsmos", metadata.version("speechmos"), "MIT (code and weights)", "machine", lineage=DNSMOS
        )

    def score(self, audio: Audio) -> float:
        """Overall quality of float32 [n_samples], n > 0, at 16 kHz: 1 to 5."""
        n_window = int(_SECONDS * self.sample_rate_hz)
        looped = np.tile(np.clip(audio, -1, 1), max(ceil(n_window / len(audio)), 1))
        n_windows = int(len(looped) / self.sample_rate_hz - _SECONDS) + 1
        scores = []
        for k in range(n_windows):
            window = looped[k * self.sample_rate_hz :][:n_window]
            scores.append(float(self._session.run(None, {"input_1": window[None].astype(np.float32)})[0][0][2]))
        return float(_OVERALL(np.array(scores)).mean())
