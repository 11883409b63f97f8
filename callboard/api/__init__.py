"""The HTTP door: what bots, reviewers and evaluators may ask, and how every refusal looks."""
