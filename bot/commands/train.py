"""The embedded guard, made and looked at: corpora -> model file, model -> what it catches of each trick."""
