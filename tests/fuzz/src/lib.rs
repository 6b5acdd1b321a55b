//! What the fuzz targets do with an input; see `docs/reliability.md`.
