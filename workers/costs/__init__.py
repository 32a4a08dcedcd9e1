"""What computing a view costs: measured while it is computed, estimated before."""
