"""Training tiles, cut from annotated images.

::

    tiling       size, overlap and split of tiles     -> TilingOptions
    splitting    images to train, val and test
    tile_plan    what would be cut, for a dry run     -> PlannedImage
    tile_writer  cuts images and writes the manifest  -> Cut
    tile_record  the tiles of an image, for a rerun   -> TileRecord
    manifest     the list of tiles                    -> TileRow, Sample
    padding      label images padded by reflection
"""
