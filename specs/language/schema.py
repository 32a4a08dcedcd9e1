"""The JSON Schema of the language, for completion and checks in an editor."""
