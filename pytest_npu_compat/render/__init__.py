"""A report read by people and CI. Nothing here computes anything of its own."""
