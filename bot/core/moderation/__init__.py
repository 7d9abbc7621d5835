"""A message's way: taken in, screened, decided, acted on."""
