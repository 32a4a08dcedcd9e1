"""Fine-tuning an encoder on labelled texts: a network learned with torch, its checkpoints and its files."""
