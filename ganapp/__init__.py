"""Train a small GAN on your own illustrations and show it in a browser."""

__version__ = "0.5.0"
