"""In-memory stand-ins behind the ports, one module a capability; they pass the contract suite of the real things."""
