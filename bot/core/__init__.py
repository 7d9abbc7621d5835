"""What the product exists for, in plain Python: a folder is a feature, its values, ports and stages side by side."""
