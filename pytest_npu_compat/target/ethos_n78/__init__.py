"""Arm Ethos-N78 as TVM 0.18 with Arm's support library 23.02 places operators on it."""
