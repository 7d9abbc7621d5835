"""Real servers for tests: chat networks, guards, databases, and a proxy that breaks what lies between."""
