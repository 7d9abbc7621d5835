"""What draws the pictures in docs/: each module runs the product and photographs what people see."""
