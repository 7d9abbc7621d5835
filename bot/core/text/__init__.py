"""Korean text as people write and hide it -> how it is read; and every sentence that we say."""
