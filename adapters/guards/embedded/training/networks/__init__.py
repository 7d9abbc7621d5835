"""Models of kinds of harm that PyTorch teaches."""
