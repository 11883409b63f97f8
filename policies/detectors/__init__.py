"""Detectors: what customers' texts and our drafts hold that policy cares about. Pure functions over text."""
