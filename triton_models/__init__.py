"""Sources of the served models, copied into a project's model repository by `limner triton up`."""
