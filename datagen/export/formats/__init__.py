"""The formats of exports, one file each."""

from datagen.export.formats.base import FORMATS, Format, format_of

__all__ = ["FORMATS", "Format", "format_of"]
