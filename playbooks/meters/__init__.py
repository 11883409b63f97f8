"""A utility's desk for meter readings: one read, one effect, one rule. What speed is measured on."""
