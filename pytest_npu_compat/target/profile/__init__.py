"""NPUs that a user declares: the table of supported operators in the manual of an NPU, as a target."""
