"""What must hold: the gate file, its thresholds, and what they say of a report."""
