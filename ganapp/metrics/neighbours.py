"""A sheet of samples beside the training pictures nearest to them: where copying shows, if there is any."""

import numpy as np
import torch
from torch import Tensor

from ganapp.data.dataset import Dataset
from ganapp.metrics.samples import real_images
from ganapp.pictures.png import contact_sheet
from ganapp.pictures.resize import upscale_nearest

GROUPS, COLUMNS = 24, 3  # samples on a sheet, and how many stand in a row of it
NEIGHBOURS = 3  # training pictures beside each
VISIBLE = 64  # pixels a side that a picture on the sheet has at least


def neighbour_sheet(images: np.ndarray, features: Tensor, dataset: Dataset, index: Tensor, keys: Tensor) -> np.ndarray:
    """One image of the samples that lie nearest to a training picture, each left of its nearest ones, closest first.

    `features` [N, F] are those of images [N, H, W, C], `keys` [K, F] those of the dataset's pictures at `index` [K].
    """
    distances, rows = torch.cdist(features, keys).topk(min(NEIGHBOURS, len(keys)), largest=False)
    order = distances[:, 0].argsort()[:GROUPS]
    groups = [np.concatenate([images[i, None], real_images(dataset, index[rows[i]])]) for i in order.tolist()]
    factor = max(1, VISIBLE // dataset.resolution)
    sheets = np.stack([contact_sheet(upscale_nearest(group, factor), len(group)) for group in groups])
    return contact_sheet(sheets, COLUMNS, gap=16)
