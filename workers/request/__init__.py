"""Request-time features: computed when values are read, the same way for training sets and for models that serve."""
