"""What is judged: a model file, read safely and brought to one canonical integer form."""
