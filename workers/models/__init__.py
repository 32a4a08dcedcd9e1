"""Models: what is learned of the project's own data, kept as versions, and what they say."""
