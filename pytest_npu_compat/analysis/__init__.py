"""Placement -> facts."""
