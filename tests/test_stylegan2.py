"""The StyleGAN2 networks: shapes, and the laws that their parts obey."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tiny_run import NETWORK

from ganapp.models.layers import minibatch_stddev, to_picture
from ganapp.models.palette import Palette, for_showing
from ganapp.models.stylegan2 import Discriminator, Generator, ModulatedConv, StyleGAN2Config
from ganapp.pictures.planes import draw_planes, without_overlays
from ganapp.train.gan.recorder import to_images

SIZES = [2, 2]


def make(resolution: int = 16, channels: int = 4, num_labels: int = 4) -> Generator:
    torch.manual_seed(0)
    return Generator(NETWORK, resolution, channels, num_labels).eval()


@pytest.mark.parametrize("resolution", [16, 32, 64, 128, 256, 512])
def test_every_resolution_gives_images_of_its_size_and_one_logit_each(resolution: int):
    G, D = make(resolution), Discriminator(NETWORK, resolution, 4, 4)
    with torch.no_grad():
        x = G(torch.randn(2, 16), torch.zeros(2, 4), torch.randn(2, G.noise_dim))
        assert x.shape == (2, 4, resolution, resolution)
        assert D(x, torch.zeros(2, 4)).shape == (2,)


def test_colours_never_exceed_alpha():
    G = make()
    with torch.no_grad():
        G.synthesis.rgb_bias[3] = -2.0  # mostly clear, where the law binds
        x = G(torch.randn(16, 16), torch.zeros(16, 4), torch.randn(16, G.noise_dim))
    assert (x[:, :3] <= x[:, 3:] + 1e-6).all()


def test_rgb_images_have_no_alpha_and_unlabelled_networks_no_embedding():
    G, D = make(channels=3, num_labels=0), Discriminator(NETWORK, 16, 3, 0)
    x = G(torch.randn(2, 16), torch.zeros(2, 0), torch.randn(2, G.noise_dim))
    assert x.shape == (2, 3, 16, 16)
    assert D(x, torch.zeros(2, 0)).shape == (2,)
    assert G.mapping.embed is None and D.embed is None


def test_a_modulated_convolution_equals_the_papers_scaled_weights():
    torch.manual_seed(0)
    conv = ModulatedConv(3, 5, w_dim=4, kernel=3)
    x, w = torch.randn(2, 3, 8, 8), torch.randn(2, 4)
    style = conv.affine(w)
    for i in range(2):
        weight = conv.weight * conv.gain * style[i, None, :, None, None]  # eq. 1
        weight = weight * torch.rsqrt(weight.square().sum((1, 2, 3), keepdim=True) + 1e-8)  # eq. 3
        expected = torch.nn.functional.conv2d(x[i : i + 1], weight, padding=1)
        assert torch.allclose(conv(x, w)[i : i + 1], expected, atol=1e-5)


def test_each_style_layer_changes_the_image():
    G = make()
    ws, noise = torch.randn(1, G.num_ws, 16), torch.zeros(1, G.noise_dim)
    with torch.no_grad():
        before = G.synthesis(ws, noise)
        for layer in range(G.num_ws):
            other = ws.clone()
            other[:, layer] += 1
            assert (G.synthesis(other, noise) - before).abs().max() > 1e-4, layer


def test_noise_starts_without_effect():
    G = make()
    ws = torch.randn(1, G.num_ws, 16)
    with torch.no_grad():
        a, b = (G.synthesis(ws, torch.randn(1, G.noise_dim)) for _ in range(2))
    assert torch.equal(a, b)


def test_minibatch_deviation_is_zero_for_equal_images_and_positive_for_different_ones():
    x = torch.randn(1, 3, 4, 4).expand(8, -1, -1, -1)
    assert minibatch_stddev(x)[:, 3].abs().max() < 1e-3
    assert minibatch_stddev(torch.randn(8, 3, 4, 4))[:, 3].min() > 0.1


def test_the_discriminator_hears_the_labels():
    torch.manual_seed(0)
    D = Discriminator(NETWORK, 16, 4, 4)
    x = torch.randn(4, 4, 16, 16)
    assert not torch.allclose(D(x, torch.eye(4)), D(x, torch.zeros(4, 4)))


def test_where_a_plane_wins_a_picture_has_exactly_its_colour():
    torch.manual_seed(0)
    palette, w = Palette(4, 5), torch.randn(2, 4)
    winner = torch.randint(0, 5, [2, 8, 8])
    planes = torch.nn.functional.one_hot(winner, 5).permute(0, 3, 1, 2) * 10.0
    colours = torch.sigmoid(palette.colours(w) * 2).unflatten(1, (3, 5))  # [2, 3, 5]
    expected = torch.stack([colours[i][:, winner[i]] for i in range(2)])
    assert torch.allclose(torch.sigmoid(palette(planes, w)), expected, atol=1e-4)


def test_a_blend_lies_between_the_colours_and_alpha_passes_through():
    palette, w = Palette(4, 5), torch.randn(2, 4)
    planes = torch.randn(2, 6, 8, 8)
    out = palette(planes, w)
    colours = torch.sigmoid(palette.colours(w) * 2).unflatten(1, (3, 5))[..., None, None]
    rgb = torch.sigmoid(out[:, :3])
    assert out.shape == (2, 4, 8, 8)
    assert (rgb >= colours.amin(2) - 1e-5).all() and (rgb <= colours.amax(2) + 1e-5).all()
    assert torch.equal(out[:, 3], planes[:, 5])


def test_without_noise_there_is_no_noise_input_and_nothing_of_it_is_learnt():
    G = Generator(replace(NETWORK, noise=False), 16, 4, 4)
    assert G.noise_dim == 0
    assert G(torch.randn(2, 16), torch.zeros(2, 4), torch.zeros(2, 0)).shape == (2, 4, 16, 16)
    assert not any("noise" in name for name, _ in G.named_parameters())


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_a_palette_of_extreme_colours_gives_finite_gradients(precision: torch.dtype):
    palette, w = Palette(4, 3), torch.full((4, 4), 100.0)
    planes = torch.randn(4, 3, 8, 8, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
        torch.sigmoid(palette(planes, w)).sum().backward()
    assert torch.isfinite(planes.grad).all()
    assert all(torch.isfinite(p.grad).all() for p in palette.parameters())


def test_supersampled_a_picture_is_the_area_average_of_one_drawn_larger():
    small, large = Palette(4, 5, 2), Palette(4, 5)
    large.load_state_dict(small.state_dict())
    planes, w = torch.randn(2, 6, 8, 8), torch.randn(2, 4)
    doubled = F.interpolate(planes, scale_factor=2.0, mode="bilinear")
    wanted = (to_picture(large(doubled, w)) + 1) / 2  # premultiplied, in [0, 1]
    found = (to_picture(small(planes, w)) + 1) / 2
    assert (found - F.avg_pool2d(wanted, 2)).abs().max() < 2e-3


def test_supersampled_where_nothing_shows_a_colour_is_still_a_mean_of_colours():
    palette, w = Palette(4, 5, 2), torch.randn(2, 4)
    planes = torch.randn(2, 6, 8, 8)
    planes[:, 5:] = -100.0
    planes.requires_grad_(True)
    logits = palette(planes, w)
    logits.sum().backward()
    assert logits.isfinite().all() and planes.grad.isfinite().all()
    colours = torch.sigmoid(palette.colours(w) * 2).unflatten(1, (3, 5))
    shown = torch.sigmoid(logits[:, :3]).flatten(2)
    assert (shown <= colours.amax(2, keepdim=True) + 1e-4).all() and (
        shown >= colours.amin(2, keepdim=True) - 1e-4
    ).all()


def test_supersampled_an_opaque_picture_has_its_own_size():
    G = Generator(StyleGAN2Config(z_dim=8, w_dim=8, width=8, base=64, palette=3, supersample=2, noise=False), 16, 3, 0)
    assert G(torch.randn(2, 8), torch.zeros(2, 0), torch.zeros(2, 0)).shape == (2, 3, 16, 16)


@pytest.mark.parametrize("supersample", [-1, 5])
def test_a_picture_is_drawn_once_to_four_times_as_large(supersample: int):
    with pytest.raises(ValueError, match="supersample"):
        StyleGAN2Config(palette=3, supersample=supersample)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize(("plane_scale", "supersample"), [(2, 1), (2, 2), (4, 1)])
def test_coarser_planes_draw_the_same_picture_as_planes_enlarged_beforehand(
    plane_scale: int, supersample: int, channels: int
):
    coarse, fine = Palette(4, 5, supersample, plane_scale), Palette(4, 5, supersample)
    fine.load_state_dict(coarse.state_dict())
    planes, w = torch.randn(2, 5 + channels - 3, 8, 8), torch.randn(2, 4)
    found = coarse(planes, w)
    assert found.shape == (2, channels, 8 * plane_scale, 8 * plane_scale)
    if supersample == 1:  # one bilinear enlargement is not two in a row
        larger = F.interpolate(planes, scale_factor=float(plane_scale), mode="bilinear")
        assert torch.allclose(found, fine(larger, w), atol=1e-5)


def test_for_showing_a_picture_of_coarser_planes_is_drawn_twice_as_large_with_edges_as_wide():
    palette, larger = Palette(4, 5, 1, 2), Palette(4, 5, 1, 4)
    larger.load_state_dict(palette.state_dict())
    planes, w = torch.randn(2, 6, 8, 8), torch.randn(2, 4)
    wanted = (to_picture(larger(planes * 2, w)) + 1) / 2  # premultiplied, in [0, 1]
    assert for_showing(palette) is palette
    found = (to_picture(palette(planes, w)) + 1) / 2
    assert found.shape == (2, 4, 16, 16)
    assert (found - F.avg_pool2d(wanted, 2)).abs().max() < 2e-3
    drawn = palette(planes, w)
    assert torch.equal(for_showing(palette)(planes, w), drawn)  # once is enough


@pytest.mark.parametrize(("supersample", "plane_scale"), [(1, 1), (2, 1), (2, 2)])
def test_for_showing_nothing_changes_where_a_network_learnt_with_soft_edges_or_a_plane_for_each_pixel(
    supersample: int, plane_scale: int
):
    palette = Palette(4, 5, supersample, plane_scale)
    planes, w = torch.randn(2, 6, 8, 8), torch.randn(2, 4)
    before = palette(planes, w)
    assert torch.equal(for_showing(palette)(planes, w), before)


@pytest.mark.parametrize("overlays", [1, 3])
@pytest.mark.parametrize("channels", [3, 4])
def test_overlays_shade_what_is_below_as_much_as_their_opacity_says(overlays: int, channels: int):
    palette, planes, w = (
        Palette(4, 5, overlays=overlays),
        torch.randn(2, 5 + overlays + channels - 3, 8, 8),
        torch.randn(2, 4),
    )
    found = torch.sigmoid(palette(planes, w))
    planes[:, 5 : 5 + overlays] = -100
    plain = torch.sigmoid(palette(planes, w))
    laid, opacity = palette.overlaid(w)
    assert (opacity > 0).all() and (opacity < 1).all() and (opacity.mean() - 0.25).abs() < 0.2
    assert laid[:, 0].mean() > 0.5 > laid[:, 1:2].nan_to_num().mean() or overlays == 1
    planes[:, 5] = 100  # the first lies everywhere
    wanted = plain[:, :3] * (1 - opacity[:, 0, None, None, None]) + (laid[:, 0] * opacity[:, :1])[:, :, None, None]
    assert torch.allclose(torch.sigmoid(palette(planes, w))[:, :3], wanted, atol=1e-4)
    assert not torch.allclose(found[:, :3], plain[:, :3], atol=0.01) and torch.equal(found[:, 3:], plain[:, 3:])
    bare = Palette(4, 5)
    bare.load_state_dict(palette.state_dict(), strict=False)
    assert torch.allclose(
        plain, torch.sigmoid(bare(torch.cat([planes[:, :5], planes[:, 5 + overlays :]], 1), w)), atol=1e-5
    )


@pytest.mark.parametrize("overlays", [0, 2])
def test_the_renderer_paints_what_the_network_paints(overlays: int):
    palette, w = Palette(4, 5, overlays=overlays), torch.randn(1, 4)
    planes = torch.randn(1, 6 + overlays, 16, 16)
    with torch.no_grad():
        wanted = to_images(to_picture(palette(planes, w)))[0]
        scaled, colours = torch.cat(palette.steep(planes), 1)[0].numpy(), palette.all_colours(w)[0].numpy()
    assert (
        np.abs(draw_planes(scaled, colours, 16, overlays=overlays).astype(int) - wanted)[wanted[..., 3] > 8].max() <= 2
    )
    same = draw_planes(*without_overlays(scaled, colours, overlays), 48)
    assert np.abs(draw_planes(scaled, colours, 48, overlays=overlays).astype(int) - same).max() <= 1


def test_overlays_need_a_palette_and_are_few():
    for wrong in ({"palette": 0, "overlays": 1}, {"palette": 3, "overlays": 5}, {"palette": 3, "overlays": -1}):
        with pytest.raises(ValueError, match="overlays"):
            StyleGAN2Config(**wrong)


@pytest.mark.parametrize("plane_scale", [1, 2, 4])
def test_a_generator_of_coarser_planes_stops_at_their_side_and_the_judge_sees_the_whole_picture(plane_scale: int):
    cfg = replace(NETWORK, palette=3, noise=False, plane_scale=plane_scale)
    G, D = Generator(cfg, 32, 4, 0), Discriminator(cfg, 32, 4, 0)
    z = torch.randn(4, NETWORK.z_dim)
    assert G.synthesis.planes(G.mapping(z, z[:, :0])[:, None].expand(-1, G.num_ws, -1), z[:, :0]).shape[-1] == (
        32 // plane_scale
    )
    x = G(z, z[:, :0], z[:, :0])
    assert x.shape == (4, 4, 32, 32)
    [gradient] = torch.autograd.grad(D(x, z[:, :0]).sum(), x)
    assert (gradient != 0).flatten(2).all(2).all()  # every pixel counts


@pytest.mark.parametrize(
    ("resolution", "pixel_art", "sizes"),
    [(32, False, (1, 2)), (64, False, (1, 2)), (128, False, (2, 1)), (512, False, (4, 1)), (128, True, (1, 1))],
)
def test_what_is_left_open_is_decided_by_the_pictures(resolution: int, pixel_art: bool, sizes: tuple[int, int]):
    open_one = StyleGAN2Config(palette=3, supersample=0, plane_scale=0)
    decided = open_one.fitted(resolution, pixel_art)
    assert (decided.plane_scale, decided.supersample) == sizes
    assert decided.fitted(64, False) == decided
    assert replace(open_one, palette=0).fitted(resolution, pixel_art).plane_scale == 1
    chosen = replace(open_one, supersample=3, plane_scale=1)
    assert chosen.fitted(resolution, pixel_art) == chosen


@pytest.mark.parametrize("plane_scale", [-1, 3, 8])
def test_planes_have_the_pictures_side_a_half_or_a_quarter_of_it(plane_scale: int):
    with pytest.raises(ValueError, match="plane_scale"):
        StyleGAN2Config(palette=3, plane_scale=plane_scale)


@pytest.mark.parametrize("setting", ["supersample", "plane_scale"])
def test_without_a_palette_nothing_is_drawn_larger(setting: str):
    """So --network.palette 0 turns the palette of a preset off by itself."""
    networks = [Generator(replace(NETWORK, palette=0, **{setting: n}), 16, 4, 0) for n in (1, 2)]
    networks[1].load_state_dict(networks[0].state_dict())
    z = torch.randn(2, NETWORK.z_dim)
    pictures = [G(z, z[:, :0], torch.zeros(2, G.noise_dim)) for G in networks]
    assert torch.equal(*pictures)


def parts(cfg: StyleGAN2Config) -> list[tuple[str, tuple[int, ...]]]:
    torch.manual_seed(0)
    networks = Generator(cfg, 16, 4, 4), Discriminator(cfg, 16, 4, 4)
    return [(name, tuple(p.shape)) for network in networks for name, p in network.named_parameters()]


SHAPES = {
    "z_dim": 5,
    "w_dim": 5,
    "mapping_layers": 3,
    "width": 12,
    "base": 128,
    "palette": 4,
    "noise": False,
    "judge_units": 24,
}


@pytest.mark.parametrize("name", SHAPES)
def test_every_size_that_is_chosen_shapes_the_networks(name: str):
    assert parts(NETWORK) != parts(replace(NETWORK, **{name: SHAPES[name]}))


def test_every_setting_of_the_network_has_a_test_here():
    """Of `supersample`, `plane_scale` and `overlays` above, and of `mapping_lr` below."""
    assert SHAPES.keys() | {"supersample", "plane_scale", "overlays", "mapping_lr"} == {
        field.name for field in fields(StyleGAN2Config)
    }


def test_a_discriminator_judges_by_as_many_features_as_it_is_told_and_else_by_as_many_as_its_channels():
    for units, found in ((0, 16), (40, 40)):
        D = Discriminator(replace(NETWORK, judge_units=units), 16, 4, 4)
        D.add_classifier()
        assert D.features(torch.zeros(4, 4, 16, 16)).shape == (4, found)
        assert D.embed.weight.shape == (found, 4) and D.classifier.weight.shape == (4, found)
    with pytest.raises(ValueError, match="judge_units"):
        replace(NETWORK, judge_units=-1)


def test_layers_have_as_many_channels_as_base_over_their_side_up_to_the_width():
    cfg = StyleGAN2Config(z_dim=8, w_dim=8, width=40, base=320)
    G, D = Generator(cfg, 64, 4, 0), Discriminator(cfg, 64, 4, 0)
    assert [layer.bias.shape[0] for layer in G.synthesis.layers] == [40, 40, 40, 20, 20, 10, 10, 8, 8]
    assert [block.conv2.bias.shape[0] for block in D.blocks] == [20, 40, 40]


def test_a_mapping_that_learns_slower_starts_alike_and_moves_by_its_share():
    """At steps as Adam takes them, whose size does not follow the gradient."""
    moved = []
    for lr in (1.0, 0.1):
        torch.manual_seed(0)
        mapping = Generator(replace(NETWORK, mapping_lr=lr), 16, 4, 0).mapping
        [first, *_], z = mapping.layers, torch.randn(4, 16)
        before = first(z)
        first(z).sum().backward()
        for p in first.parameters():
            p.data -= 0.01 * p.grad.sign()
        moved.append((before, first(z) - before))
    assert torch.allclose(moved[0][0], moved[1][0], atol=1e-5)
    assert torch.allclose(moved[1][1], 0.1 * moved[0][1], atol=1e-5)
