"""Readers of the datasets people download, one file a set; importing this package registers them all."""

from ferline.datasets.sources import affectnet, ckplus, emotic, fer2013, ferg, ferplus, folder, jaffe, rafdb, table
from ferline.datasets.sources.source import SOURCES

__all__ = [
    "SOURCES",
    "affectnet",
    "ckplus",
    "emotic",
    "fer2013",
    "ferg",
    "ferplus",
    "folder",
    "jaffe",
    "rafdb",
    "table",
]
