"""Pictures as functions of the plane to learn: grey values at points of a square around the origin."""

from __future__ import annotations

from typing import Any

import numpy as np

from randtensor.errors import InputError, ShapeError

__all__ = ["grey_values", "sample_picture"]

Array = np.ndarray

PICTURES = ("china.jpg", "flower.jpg")


def sample_picture(name: str = "china.jpg", size: int = 384, blur: int = 9) -> Array:
    """The middle of a sample picture of scikit-learn in grey values, shape (size, size), about 0 to 1.

    Parameters
    ----------
    name : "china.jpg" or "flower.jpg".
    size : pixels of the square that is cut from the middle.
    blur : side in pixels of the square over which grey values are averaged; 1 for none.

    Raises
    ------
    InputError : scikit-learn or Pillow is not installed, or numbers out of range.
    """
    if name not in PICTURES:
        raise InputError(f"name is {name!r}, expected one of {', '.join(map(repr, PICTURES))}")
    try:
        from sklearn.datasets import load_sample_image

        picture = np.asarray(load_sample_image(name), dtype=float).mean(axis=2) / 255
    except ImportError as error:
        raise InputError(f"the picture {name!r} comes with scikit-learn and Pillow, expected both: {error}") from None
    height, width = picture.shape
    if not 1 <= size <= min(height, width) or not 1 <= blur <= size:
        raise InputError(f"size and blur are {size!r} and {blur!r}, expected 1 <= blur <= size <= {min(height, width)}")
    from scipy.ndimage import uniform_filter

    top, left = (height - size) // 2, (width - size) // 2
    return np.asarray(uniform_filter(picture, blur)[top : top + size, left : left + size])


def grey_values(picture: Any, points: Any) -> Array:
    """Grey values at points of [-1/2, 1/2]^2, first coordinate to the right, second upwards, between pixels linearly.

    Parameters
    ----------
    picture : shape (height, width), the first row on top.
    points : shape (N, 2).

    Raises
    ------
    ShapeError : a picture or points of another shape.

    >>> grey_values([[0.0, 1.0], [0.0, 1.0]], [[-0.5, 0.0], [0.0, 0.3], [0.5, 0.5]]).tolist()
    [0.0, 0.5, 1.0]
    """
    values, places = np.asarray(picture, dtype=float), np.asarray(points, dtype=float)
    if values.ndim != 2 or min(values.shape) < 2:
        raise ShapeError(f"picture has shape {values.shape}, expected (height, width)")
    if places.ndim != 2 or places.shape[1] != 2:
        raise ShapeError(f"points has shape {places.shape}, expected (N, 2)")
    from scipy.ndimage import map_coordinates

    rows = (0.5 - places[:, 1]) * (values.shape[0] - 1)
    columns = (places[:, 0] + 0.5) * (values.shape[1] - 1)
    return np.asarray(map_coordinates(values, [rows, columns], order=1, mode="nearest"))
