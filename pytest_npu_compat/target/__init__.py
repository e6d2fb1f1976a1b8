"""What an NPU runs: one folder per target, patterns and constraints."""
