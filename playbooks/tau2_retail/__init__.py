"""The retail domain of a public benchmark, as a playbook: its policy in our words, our tools over its records."""
