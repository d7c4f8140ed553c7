"""A palette: the last layer of a generator that paints in few colours of its own."""

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganapp.models.layers import Linear


class Painting(Protocol):
    """Sizes of a network that may paint in a palette."""

    @property
    def palette(self) -> int: ...

    @property
    def supersample(self) -> int: ...

    @property
    def overlays(self) -> int: ...


def check_sizes(palette: int, supersample: int, overlays: int) -> None:
    """Raise ValueError unless a palette can have these sizes."""
    if not 0 <= palette <= 256:
        raise ValueError(f"palette must be 0 to 256 colours, not {palette}")
    if not 1 <= supersample <= 4:
        raise ValueError(f"supersample must be 1 to 4, not {supersample}")
    if not 0 <= overlays <= 4:
        raise ValueError(f"overlays must be 0 to 4, not {overlays}")
    if overlays and not palette:
        raise ValueError("overlays lie over a palette's colours: give a palette, or no overlays")


def outputs(cfg: Painting, channels: int) -> int:
    """How many planes a network gives for a picture of so many channels: those of a palette, or the channels."""
    return cfg.palette + cfg.overlays + channels - 3 if cfg.palette else channels


class Palette(nn.Module):
    """Planes [N, K + V (+ 1), h, w] and a style w [N, w_dim] to the logits of a picture in K colours, [N, C, H, W].

    The style decides the colours, and a softmax over the planes decides which colour shows where. Where one wins, the
    area is flat without any effort, as in flat art; edges and shades are blends. Over them lie V overlays: a softmax
    over their planes, and a plane of zeros for none, decides where each lies, and the style its colour and opacity. So
    a shadow, a blush or a pattern can be a shade of whatever is below. An alpha plane passes through.
    The planes are enlarged `plane_scale` * `supersample` times, the picture is reduced by area `supersample` times.
    """

    SHARPNESS = 4.0  # of the softmax, so that logits of an ordinary size let one colour win
    ABSENT = -0.5  # an overlay's plane where it hardly shows

    def __init__(self, w_dim: int, count: int, supersample: int = 1, plane_scale: int = 1, overlays: int = 0):
        super().__init__()
        self.count, self.overlays = count, overlays
        self.supersample, self.enlarged = supersample, plane_scale * supersample
        self.steepness = 1.0  # a factor on all planes, see `draw_finer`
        self.colours = Linear(w_dim, count * 3)
        self.laid = Linear(w_dim, overlays * 4) if overlays else None

    def forward(self, planes: Tensor, w: Tensor) -> Tensor:
        painted, alpha = self.steep(planes)
        # Channels last, a pixel's shares lie side by side: softmax and product run through memory once, in order.
        logits = self.enlarge(painted).permute(0, 2, 3, 1)
        shares = torch.softmax(logits[..., : self.count], 3)  # [N, H, W, K]
        mixed = shares.flatten(1, 2) @ self.mixed_from(w).transpose(1, 2)  # [N, H * W, 3]
        if self.overlays:
            mixed = self.lay_over(mixed, logits[..., self.count :].flatten(1, 2), w)
        mixed = mixed.float().transpose(1, 2).unflatten(2, shares.shape[1:3])
        alpha = self.enlarge(alpha) if alpha.shape[1] else mixed[:, :0]
        if self.supersample > 1:
            mixed, alpha = self.reduce(mixed, alpha)
        return torch.cat([torch.logit(mixed, 1e-4), alpha], 1)  # the sigmoid at the exit undoes it

    def steep(self, planes: Tensor) -> tuple[Tensor, Tensor]:
        """The planes of colours and overlays, and alpha's if there is one, as steep as they are drawn."""
        painted, alpha = (planes * self.steepness).tensor_split([self.count + self.overlays], 1)
        return painted * self.SHARPNESS, alpha

    def lay_over(self, mixed: Tensor, planes: Tensor, w: Tensor) -> Tensor:
        """Colours [N, P, 3] with the overlays, whose enlarged planes are [N, P, V], laid over them."""
        colours, opacity = self.overlaid(w)
        shares = torch.softmax(F.pad(planes, (0, 1)), 2)[..., :-1] * opacity[:, None]  # [N, P, V]
        return mixed * (1 - shares.sum(2, keepdim=True)) + shares @ colours

    def all_colours(self, w: Tensor) -> Tensor:
        """The colours [N, K, 3] or, with overlays, [N, K + V, 4], whose last column is the opacity."""
        paints = self.mixed_from(w).transpose(1, 2)
        if not self.overlays:
            return paints
        laid, opacity = self.overlaid(w)
        over = torch.cat([laid, opacity[..., None]], 2)
        return torch.cat([F.pad(paints, (0, 1), value=1.0), over], 1)

    def overlaid(self, w: Tensor) -> tuple[Tensor, Tensor]:
        """The colours [N, V, 3] and the opacities [N, V] of the overlays, in [0, 1], that the style w chooses.

        An untrained network has light and dark ones in turn, of a quarter's opacity.
        """
        assert self.laid is not None
        x = self.laid(w).unflatten(1, (self.overlays, 4))
        lightness = 1 - 2 * (torch.arange(self.overlays, device=w.device) % 2)[:, None]
        return torch.sigmoid(x[..., :3] * 2 + 2 * lightness), torch.sigmoid(x[..., 3] - 1.1)

    def draw_finer(self) -> None:
        """From now on draw twice as large as the network learnt to, with edges as wide, and reduce by area."""
        self.supersample, self.enlarged, self.steepness = self.supersample * 2, self.enlarged * 2, self.steepness * 2

    def enlarge(self, planes: Tensor) -> Tensor:
        if self.enlarged == 1:
            return planes
        return F.interpolate(planes, scale_factor=float(self.enlarged), mode="bilinear", align_corners=False)

    def mixed_from(self, w: Tensor) -> Tensor:
        """The colours [N, 3, K], in [0, 1], that the style w [N, w_dim] chooses."""
        return torch.sigmoid(self.colours(w) * 2).unflatten(1, (3, self.count))

    def reduce(self, mixed: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
        """Colours in [0, 1] and alpha's logits, both reduced by area; colours are weighted by alpha."""
        if not alpha.shape[1]:
            mixed = F.avg_pool2d(mixed, self.supersample)
            return mixed, mixed[:, :0]
        shown = torch.sigmoid(alpha) + 1e-3  # where nothing shows, colours are their plain mean
        mixed = F.avg_pool2d(mixed * shown, self.supersample) / F.avg_pool2d(shown, self.supersample)
        return mixed, torch.logit(F.avg_pool2d(torch.sigmoid(alpha), self.supersample), 1e-4)


def for_showing(G: nn.Module) -> nn.Module:
    """The generator G, which draws finer from now on if it learnt with one sample a pixel from coarser planes.

    To learn with four samples a pixel takes twice as long; to draw with four takes little, and gives pictures the soft
    edges of real ones.
    """
    for module in G.modules():
        if isinstance(module, Palette) and module.supersample == 1 and module.enlarged > 1:
            module.draw_finer()
    return G
