"""What comes and goes over HTTP: bodies, their shapes, and what keeps a request from being answered."""
