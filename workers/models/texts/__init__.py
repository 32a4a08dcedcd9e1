"""Models of texts: what says of which class a text is, or how much it is about each tag."""
