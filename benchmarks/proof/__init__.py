"""The proof: what is learned of real data, beside baselines, with intervals. `python -m limner.benchmarks.proof`."""
