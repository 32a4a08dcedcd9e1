"""The only place that imports Feast: the compiler of specs to Feast objects, and three thin plug-ins."""
