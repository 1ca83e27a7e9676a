"""Text or speech with which a model continues a prompt."""

import numpy as np
from numpy.typing import NDArray

from datagen.evaluate.models import Model, drawn, sayable

Ids = NDArray[np.int64]


def continued(
    model: Model,
    prompt: NDArray[np.integer],
    slots: list[Ids],
    end: int,
    n_most: int,
    chance: np.random.Generator | None = None,
) -> Ids:
    """Ids with which a model continues until its end token.

    Args:
        model: The model.
        prompt: Ids that it reads first; [n].
        slots: Ids of each slot of a step, such as the codes of each codebook. The end stands in the first slot.
        end: Id of the end, which is not returned.
        n_most: Longest answer in steps.
        chance: Draws the ids by their probabilities; without it the likeliest is taken.

    Returns:
        int64 [n_steps x n_slots].
    """
    slots = [sayable(model, np.append(choices, end) if k == 0 else choices) for k, choices in enumerate(slots)]
    model.restart()
    read, said = np.asarray(prompt, np.int64), list[int]()
    if not all(len(choices) for choices in slots):
        return np.zeros(0, np.int64)  # a model without any such id says nothing
    for _ in range(n_most):
        for choices in slots:
            scores = model.hear(read, choices, 1)
            read = choices[[int(scores[-1].argmax()) if chance is None else drawn(scores, chance)]]
            if read[0] == end:
                return np.array(said, np.int64)
            said.append(int(read[0]))
    return np.array(said, np.int64)
