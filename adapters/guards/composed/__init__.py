"""Guards made of other guards: two beside each other, one after the other, one with its scores put right."""
