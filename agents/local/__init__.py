"""Understanding and planning without a model: a classifier, extraction, the journeys themselves, and templates."""
