"""Whether it is well, who may use the HTTP API, and who is told of incidents over HTTP."""
