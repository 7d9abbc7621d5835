"""Who may use the HTTP API, and who is told of incidents over HTTP."""
