"""Texts to vectors: what is known by content, what is still to encode, and encoders that count terms."""
