"""Events one by one: profiles change within a second, by the code that computes histories."""
