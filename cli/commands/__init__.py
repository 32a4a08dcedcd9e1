"""One module a command, each with one plain function that returns an exit code."""
