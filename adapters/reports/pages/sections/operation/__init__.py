"""How Jikimi itself fared."""
