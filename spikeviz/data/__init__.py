"""Data: the catalogue, its readers, and pictures that users bring."""

from spikeviz.data.catalog import CATALOG, DataSource, download_data, find_data, list_data, load_data
from spikeviz.data.image_decode import Picture, PictureError, read_image
from spikeviz.data.images import shipped_indices

__all__ = [
    "CATALOG",
    "DataSource",
    "Picture",
    "PictureError",
    "download_data",
    "find_data",
    "list_data",
    "load_data",
    "read_image",
    "shipped_indices",
]
