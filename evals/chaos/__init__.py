"""Chaos: real conversations whose processes are killed anywhere, and an independent count of what that did."""
