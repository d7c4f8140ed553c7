"""Every architecture is what training, metrics and export ask of it."""

import pytest
import torch
from tiny_run import ARCHITECTURES

from ganapp.models import MODELS
from ganapp.models.protocol import (
    Classifying,
    Discriminator,
    Generator,
    Growing,
    PlainGenerator,
    Reconstructing,
    StyleGenerator,
)


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("channels", [3, 4])
def test_the_networks_are_what_the_protocols_say(name: str, channels: int):
    cfg = ARCHITECTURES[name]
    model = MODELS[cfg.architecture]
    G, D = (build(cfg.network, 16, channels, 4) for build in (model.generator, model.discriminator))
    assert isinstance(G, Generator) and isinstance(D, Discriminator)
    assert isinstance(G, StyleGenerator) == bool(G.num_ws) and isinstance(G, PlainGenerator) != bool(G.num_ws)
    assert isinstance(G, Growing) == isinstance(D, Growing) == model.grows
    assert isinstance(D, Reconstructing) == model.reconstructs and isinstance(D, Classifying) == model.classifies
    labels = torch.eye(4)
    x = G(torch.randn(4, G.z_dim), labels, torch.randn(4, G.noise_dim))
    assert x.shape == (4, channels, 16, 16) and x.min() >= -1 and x.max() <= 1
    if channels == 4:
        assert (x[:, :3] <= x[:, 3:] + 1e-5).all()  # premultiplied: no colour outshines its alpha
    if G.num_ws:
        w = G.mapping(torch.randn(4, G.z_dim), labels)
        assert w.shape == (4, G.w_dim) and G.mapping.w_avg.shape == (G.w_dim,)
    assert D(x, labels).shape[0] == 4 and D(x, labels).ndim in (1, 2)
    if model.reconstructs:
        logits, loss = D.reconstruct(x, labels)
        assert logits.shape == D(x, labels).shape and loss.ndim == 0
    if model.classifies:
        before = D(x, labels)
        D.add_classifier()
        logits, named = D.classify(x, labels)
        assert torch.equal(logits, before) and named.shape == (4, 4)
