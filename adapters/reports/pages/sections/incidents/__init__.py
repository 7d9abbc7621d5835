"""What the incidents were about, when and where they happened, and every one of them."""
