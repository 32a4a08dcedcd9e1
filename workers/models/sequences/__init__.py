"""Models of sequences: what comes next in an entity's rows, and the state of a network that has read them."""
