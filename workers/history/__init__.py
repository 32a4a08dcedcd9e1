"""The feature history of a view: Parquet parts, the manifest that makes them visible, and which history is served."""
