"""What training, metrics and export ask of the networks of an architecture."""

from typing import Protocol, runtime_checkable

from torch import Tensor, nn


@runtime_checkable
class Generator(Protocol):
    """A network from latents to pictures. Without a style space, `w_dim` and `num_ws` are 0."""

    z_dim: int
    w_dim: int
    num_ws: int
    noise_dim: int

    def __call__(self, z: Tensor, labels: Tensor, noise: Tensor) -> Tensor:
        """x [N, C, H, W] in [-1, 1] of z [N, z_dim], labels [N, num_labels], noise [N, noise_dim].

        RGBA comes out premultiplied.
        """
        ...


@runtime_checkable
class StyleGenerator(Generator, Protocol):
    """A generator in two halves.

    `mapping` takes z and labels to w [N, w_dim] and keeps their mean in the buffer `w_avg`; `synthesis` takes ws
    [N, num_ws, w_dim] and noise to x, and its `logits` takes the same to x before the sigmoids. Its `affines()` are the
    matrices [c, w_dim] by which each layer's style works, a list for each layer.
    """

    mapping: nn.Module
    synthesis: nn.Module


@runtime_checkable
class PlainGenerator(Generator, Protocol):
    """A generator without a style space."""

    def logits(self, z: Tensor, labels: Tensor) -> Tensor:
        """The pictures before their sigmoids, [N, C, H, W]."""
        ...


@runtime_checkable
class Discriminator(Protocol):
    """A network that tells real pictures from made ones."""

    def __call__(self, x: Tensor, labels: Tensor) -> Tensor:
        """Logits [N], or [N, P] where it judges P patches, of x [N, C, H, W] in [-1, 1]; positive means real."""
        ...


@runtime_checkable
class Classifying(Protocol):
    """A discriminator of labelled pictures that can learn to name their attributes (Odena et al. 2017,
    arXiv:1610.09585)."""

    def add_classifier(self) -> None:
        """Give the network the layer that `classify` needs, before it is used at all."""
        ...

    def classify(self, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """The logits of x, and the logits [N, num_labels] of what its attributes are, a block for each attribute."""
        ...


@runtime_checkable
class Growing(Protocol):
    """A network that is grown while it learns (Karras et al. 2018, arXiv:1710.10196)."""

    def grow(self, seen: int) -> None:
        """Bring the network to the level that belongs to `seen` images."""
        ...


@runtime_checkable
class Reconstructing(Protocol):
    """A discriminator that learns by itself to draw what it has seen (Liu et al. 2021, arXiv:2101.04775)."""

    def reconstruct(self, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """The logits of x, and the loss of the reconstruction, a scalar."""
        ...
