"""Other services' endpoints: their requests in, answers in their shapes out."""
