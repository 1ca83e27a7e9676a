"""How well a model does what the data teaches."""
