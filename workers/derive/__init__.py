"""Features derived from other features: expressions, scalings, buckets, fits, fused vectors."""
