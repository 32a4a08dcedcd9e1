"""`limner evaluate`: what a version of a declared model is worth on what came after it learned. One module a kind."""
