"""What is said: sentences in Korean and English, and how values are put into words."""
